// What a client may know of its own token. Only the server can tell whether it is genuine.

/**
 * The room that a JWT (RFC 7519) names.
 * @param {string | null | undefined} token
 * @returns {string | undefined}
 */
export function roomIn(token) {
  try {
    const payload = (token ?? '').split('.')[1] ?? '';
    const text = atob(payload.replaceAll('-', '+').replaceAll('_', '/'));
    const { room } = JSON.parse(text);
    return typeof room === 'string' ? room : undefined;
  } catch {
    return undefined;
  }
}
