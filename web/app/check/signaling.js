// What the server says of itself, and whether signaling gets through.

import { later } from './candidates.js';

/**
 * @typedef {import('./types.js').ServerFinding} ServerFinding
 * @typedef {import('./types.js').SignalingFinding} SignalingFinding
 */

const LONGEST_MS = 6000;

/** @param {string} token for servers that have keys @returns {Promise<ServerFinding>} */
export async function askServer(token) {
  /** @type {ServerFinding} */
  const nothing = { servers: [], certificate: 'none', refused: null, problem: 'unreachable' };
  try {
    const headers = token ? { Authorization: `Bearer ${token}` } : undefined;
    const response = await fetch('/v1/check', { headers, signal: AbortSignal.timeout(LONGEST_MS) });
    const body = await response.json();
    if (!response.ok) return { ...nothing, problem: String(body?.code ?? 'unreachable') };
    return { servers: body.ice_servers, certificate: body.certificate, refused: body.refused ?? null, problem: null };
  } catch {
    return nothing;
  }
}

/** @returns {Promise<SignalingFinding>} */
export async function trySignaling() {
  const url = new URL('/v1/ws', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url, 'madang.v1');
  const answered = new Promise((/** @type {(ms: number|false) => void} */ resolve) => {
    let asked = 0;
    socket.addEventListener('open', () => {
      asked = performance.now();
      // Before `hello` every answer is a no. That it comes is what counts: some proxies open a
      // WebSocket and let nothing through.
      socket.send(JSON.stringify({ t: 'ping', id: 1 }));
    });
    socket.addEventListener('message', () => resolve(performance.now() - asked));
    socket.addEventListener('close', () => resolve(false));
  });
  const tripMs = await Promise.race([answered, later(LONGEST_MS)]);
  socket.close();
  return { isOpen: tripMs !== false, tripMs: tripMs || 0 };
}
