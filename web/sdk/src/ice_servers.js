// Which of the server's STUN and TURN addresses a link uses.

/**
 * @typedef {import('./protocol.js').IceServer} IceServer
 * @typedef {'udp' | 'tcp' | 'tls'} RelayTransport
 */

/**
 * The way a browser would reach a relay by this URI, RFC 7065.
 * @param {string} url
 * @returns {RelayTransport | null} null for a URI that is no relay
 */
export function relayTransportOf(url) {
  if (url.startsWith('turns:')) return 'tls';
  if (!url.startsWith('turn:')) return null;
  return /[?&]transport=tcp\b/.test(url) ? 'tcp' : 'udp';
}

/**
 * @param {IceServer[]} servers
 * @param {RelayTransport} [only] use relays over this transport alone
 * @returns {RTCIceServer[]}
 */
export function iceServersFor(servers, only) {
  return servers
    .map((server) => ({
      ...server,
      urls: server.urls.filter((url) => {
        const transport = relayTransportOf(url);
        return transport === null || only === undefined || transport === only;
      }),
    }))
    .filter((server) => server.urls.length > 0);
}
