// What all of it comes to: one headline, and what else is worth knowing.

import { FAR_MS, GOOD_MBIT } from './judge.js';

/**
 * @typedef {import('./types.js').Findings} Findings
 * @typedef {import('./types.js').Transport} Transport
 *
 * @typedef {object} Verdict
 * @property {'good'|'mind'|'bad'} tone calls go well; they go, with something to mind; they don't go
 * @property {string} say the headline's name; `.text` after it names what follows from it
 * @property {string[]} notes names of sentences, most important first
 */

/** @param {Findings} findings @returns {Verdict} */
export function verdict(findings) {
  const { tone, say } = headline(findings);
  const notes = notesOn(findings, say);
  return { tone: tone === 'good' && notes.length > 0 ? 'mind' : tone, say: `verdict.${say}`, notes };
}

/** @param {Findings} findings @returns {{tone: Verdict['tone'], say: string}} */
function headline({ server, signaling, gathering, nat, relay }) {
  if (server?.problem === 'rate_limited') return { tone: 'mind', say: 'again' };
  if (server?.problem || !signaling?.isOpen) return { tone: 'bad', say: 'server' };
  if (!gathering || gathering.candidates.length === 0) return { tone: 'bad', say: 'no_webrtc' };
  const outcome = (/** @type {Transport} */ transport) => relay[transport]?.outcome ?? 'absent';
  const works = (/** @type {Transport} */ transport) => outcome(transport) === 'open';
  const isUdpOut = nat !== undefined && nat !== 'blocked' && nat !== 'unused';
  if (works('udp')) {
    if (nat === 'symmetric') return { tone: 'good', say: 'symmetric' };
    return { tone: 'good', say: 'good' };
  }
  if (works('tcp') || works('tls')) {
    if (isUdpOut) return { tone: 'mind', say: 'udp_relay' };
    if (nat === 'unused') return { tone: 'mind', say: 'browser' };
    return { tone: 'mind', say: works('tcp') ? 'tcp_only' : 'tls_only' };
  }
  if (server?.refused) {
    const isReached = ['udp', 'tcp', 'tls'].some((each) => outcome(/** @type {Transport} */ (each)) === 'reached');
    if (isReached) return { tone: 'mind', say: isUdpOut ? 'unmeasured' : 'unmeasured_blocked' };
  }
  if (!isUdpOut) return { tone: 'bad', say: 'blocked' };
  return { tone: nat === 'symmetric' ? 'bad' : 'mind', say: nat === 'symmetric' ? 'symmetric_alone' : 'relay_gone' };
}

/** @param {Findings} findings @param {string} say @returns {string[]} */
function notesOn({ camera, microphone, relay, trip, speed }, say) {
  if (say === 'again' || say === 'server') return devices({ camera, microphone });
  const notes = [];
  const isUntrusted = relay.tls?.outcome === 'untrusted';
  if (isUntrusted) notes.push('verdict.note.untrusted');
  if (speed && speed.mbit < GOOD_MBIT) notes.push('verdict.note.slow');
  if (trip && trip.lost > trip.sent / 20) notes.push('verdict.note.lossy');
  else if (trip && trip.medianMs > FAR_MS) notes.push('verdict.note.far');
  return [...notes, ...devices({ camera, microphone })];
}

/** @param {Pick<Findings, 'camera'|'microphone'>} findings */
function devices({ camera, microphone }) {
  if (camera?.problem && microphone?.problem) return ['verdict.note.devices'];
  if (camera?.problem) return ['verdict.note.camera'];
  return microphone?.problem ? ['verdict.note.microphone'] : [];
}
