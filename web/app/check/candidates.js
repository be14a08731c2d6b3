// The addresses that a call would have: what this browser gathers from the servers it is given.

/**
 * @typedef {import('./types.js').Candidate} Candidate
 * @typedef {import('./types.js').Gathering} Gathering
 * @typedef {import('./types.js').IceError} IceError
 * @typedef {import('./types.js').IceServer} IceServer
 * @typedef {import('./types.js').Transport} Transport
 */

/** Browsers ask a silent STUN server for about ten seconds. What matters has come long before. */
const LONGEST_MS = 6000;

/** Servers want some name and password even to say that these are wrong. */
const NOBODY = { username: 'nobody', credential: 'none' };

/** @param {IceServer[]} servers */
export function urlsOf(servers) {
  return servers.flatMap(({ urls }) => urls);
}

/**
 * As the browser wants them; without credentials a relay is asked as nobody, and answers 401.
 * @param {IceServer[]} servers
 * @returns {RTCIceServer[]}
 */
export function withCredentials(servers) {
  return servers
    .filter(({ urls }) => urls.length > 0)
    .map((server) => (server.urls.some((url) => url.startsWith('turn')) ? { ...NOBODY, ...server } : server));
}

/** Some browsers have WebRTC turned off, by a setting or an extension. */
export const hasWebRtc = () => typeof RTCPeerConnection === 'function';

/** @param {IceServer[]} servers @returns {Promise<Gathering>} */
export async function gather(servers) {
  if (!hasWebRtc()) return { candidates: [], errors: [], isComplete: true };
  const connection = new RTCPeerConnection({ iceServers: withCredentials(servers) });
  try {
    const found = watch(connection);
    connection.createDataChannel('check');
    await connection.setLocalDescription(await connection.createOffer());
    const isComplete = await Promise.race([found.complete, later(LONGEST_MS)]);
    // Closing brings errors of its own.
    return { candidates: [...found.candidates], errors: [...found.errors], isComplete };
  } finally {
    connection.close();
  }
}

/** @param {RTCPeerConnection} connection */
export function watch(connection) {
  /** @type {Candidate[]} */
  const candidates = [];
  /** @type {IceError[]} */
  const errors = [];
  connection.addEventListener('icecandidate', ({ candidate }) => {
    if (candidate?.candidate) candidates.push(plain(candidate));
  });
  connection.addEventListener('icecandidateerror', (event) => {
    const { url, errorCode, errorText } = event;
    const isKnown = errors.some((each) => each.url === url && each.code === errorCode);
    if (!isKnown) errors.push({ url: url ?? '', code: errorCode, text: errorText });
  });
  /** @type {Promise<boolean>} */
  const complete = new Promise((resolve) => {
    connection.addEventListener('icegatheringstatechange', () => {
      if (connection.iceGatheringState === 'complete') resolve(true);
    });
  });
  return { candidates, errors, complete };
}

/** @param {RTCIceCandidate} candidate @returns {Candidate} */
function plain(candidate) {
  // Chromium writes IPv6 addresses in brackets here.
  const address = bare(candidate.address ?? candidate.candidate.split(' ')[4] ?? '');
  const type = candidate.type ?? 'host';
  return {
    type,
    protocol: candidate.protocol ?? 'udp',
    family: address.endsWith('.local') ? 'mDNS' : address.includes(':') ? 'IPv6' : 'IPv4',
    address,
    port: candidate.port ?? 0,
    relatedAddress: bare(candidate.relatedAddress ?? ''),
    relatedPort: candidate.relatedPort ?? 0,
    relayProtocol: type === 'relay' ? relayProtocolOf(candidate) : null,
    url: 'url' in candidate && typeof candidate.url === 'string' ? candidate.url : '',
  };
}

/** @param {string} address */
function bare(address) {
  return address.replace(/^\[|\]$/g, '');
}

/** @param {RTCIceCandidate} candidate @returns {Transport} */
function relayProtocolOf(candidate) {
  const named = 'relayProtocol' in candidate ? candidate.relayProtocol : null;
  if (named === 'udp' || named === 'tcp' || named === 'tls') return named;
  // Elsewhere its preference tells (RFC 8445 §5.1.2.1): browsers like UDP best and TLS least.
  const preference = (candidate.priority ?? 0) >>> 24;
  return /** @type {const} */ (['tls', 'tcp', 'udp'])[Math.min(preference, 2)] ?? 'udp';
}

/** @param {number} ms @returns {Promise<false>} */
export function later(ms) {
  return new Promise((resolve) => setTimeout(() => resolve(false), ms));
}
