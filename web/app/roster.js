// Who is inside a room already.

/**
 * @param {string} room
 * @param {string} token
 * @returns {Promise<string[]|'refused'|null>} null when the server did not answer
 */
export async function whoIsInside(room, token) {
  try {
    const headers = token ? { Authorization: `Bearer ${token}` } : undefined;
    const response = await fetch(`/v1/rooms/${encodeURIComponent(room)}`, { headers });
    if (response.status === 401 || response.status === 403) return 'refused';
    if (!response.ok) return null;
    const body = await response.json();
    return Array.isArray(body?.participants) ? body.participants.map(String) : null;
  } catch {
    return null;
  }
}
