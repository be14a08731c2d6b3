// What can be done before anybody clicks "join", so that joining need not wait for it.

/** @type {RTCCertificate | null} */
let made = null;
/** @type {Promise<void> | null} */
let making = null;
/** @type {Promise<void> | null} */
let warming = null;

/**
 * Makes the DTLS certificate that all links of this page share. Without one, each link makes its
 * own and its first offer waits for that.
 * @returns {Promise<void>}
 */
export function certificate() {
  making ??= (async () => {
    try {
      const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
      made = (await RTCPeerConnection.generateCertificate?.(algorithm)) ?? null;
    } catch {
      made = null; // each link makes its own then
    }
  })();
  return making;
}

/** @returns {RTCCertificate[] | undefined} the certificate, if there is time left on it */
export function certificates() {
  return made && made.expires > Date.now() + 86_400_000 ? [made] : undefined;
}

/**
 * A browser's first PeerConnection and first offer start its threads and load its codecs.
 * @returns {Promise<void>}
 */
export function warm() {
  warming ??= (async () => {
    await certificate();
    const ready = certificates();
    const connection = new RTCPeerConnection(ready ? { certificates: ready } : {});
    try {
      connection.addTransceiver('audio');
      connection.addTransceiver('video');
      await connection.createOffer();
    } finally {
      connection.close();
    }
  })().catch(() => {});
  return warming;
}
