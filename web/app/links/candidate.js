// One ICE candidate line, RFC 8839 §5.1:
// candidate:foundation component transport priority address port typ type [raddr a rport p] …

/** @typedef {import('./sdp_notes.js').Found} Found */
/** @typedef {{component: string, transport: string, address: string, port: string, type: string, related: string, tcpType: string}} CandidateLine */

/**
 * @param {string} value what follows `candidate:`
 * @returns {CandidateLine|null}
 */
export function parseCandidate(value) {
  const words = value.split(' ');
  const [, component = '', transport = '', , address = '', port = '', typ, type = ''] = words;
  if (typ !== 'typ') return null;
  const after = (/** @type {string} */ name) => {
    const at = words.indexOf(name, 8);
    return at < 0 ? '' : (words[at + 1] ?? '');
  };
  return {
    component,
    transport: transport.toLowerCase(),
    address,
    port,
    type,
    related: after('raddr'),
    tcpType: after('tcptype'),
  };
}

/**
 * @param {string} value
 * @returns {Found}
 */
export function candidateNotes(value) {
  const candidate = parseCandidate(value);
  if (!candidate) return { notes: [], essential: false, once: '' };
  const { type, transport, address, port, tcpType } = candidate;
  const hidden = address.endsWith('.local');
  const known = ['host', 'srflx', 'prflx', 'relay'].includes(type);
  const key = !known ? 'cand_other' : type === 'host' && hidden ? 'cand_mdns' : `cand_${type}`;
  /** @type {import('./sdp.js').Note[]} */
  const notes = [{ key, params: { transport: transport.toUpperCase() } }];
  // A browser's active TCP candidates only ever reach servers (RFC 6544), never another browser.
  if (tcpType === 'active') notes.push({ key: 'cand_tcp_active', params: {} });
  const once = `${type} ${transport} ${address} ${type === 'host' ? '' : port}`;
  return { notes, essential: tcpType !== 'active' && candidate.component === '1', once };
}
