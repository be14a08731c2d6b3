// What each finding means: a state, and a sentence. Pure; the words are in `words.*.js`.

/**
 * @typedef {import('./types.js').Candidate} Candidate
 * @typedef {import('./types.js').DeviceFinding} DeviceFinding
 * @typedef {import('./types.js').Findings} Findings
 * @typedef {import('./types.js').IceError} IceError
 * @typedef {import('./types.js').Judgement} Judgement
 * @typedef {import('./types.js').RelayOutcome} RelayOutcome
 * @typedef {import('./types.js').Transport} Transport
 */

/** Where talk starts to step on talk (ITU-T G.114: 150 ms one way), halved for the other half of the way. */
export const FAR_MS = 150;
/** A few pictures of people, and one of one's own. */
export const GOOD_MBIT = 3;
/** A small picture and the voice. */
export const LEAST_MBIT = 0.7;

/** @type {Partial<Record<import('./types.js').NatKind, import('./types.js').StepState>>} */
const NAT_STATES = { symmetric: 'warning', unused: 'warning', blocked: 'failed' };
const KINDS = /** @type {const} */ (['host', 'srflx', 'relay']);
const FAMILIES = /** @type {const} */ (['IPv4', 'IPv6', 'mDNS']);

/**
 * @param {object} seen
 * @param {boolean} seen.isOpen
 * @param {Transport} seen.transport
 * @param {IceError[]} seen.errors
 * @param {boolean} seen.hasRelay
 * @param {boolean} seen.hasCredentials
 * @param {string} seen.certificate
 * @param {boolean} seen.tcpAnswers
 * @returns {RelayOutcome}
 */
export function relayOutcome({ isOpen, transport, errors, hasRelay, hasCredentials, certificate, tcpAnswers }) {
  if (isOpen) return 'open';
  if (hasRelay) return 'stuck';
  // 701 is the browser's own, RFC 8489 §14.8 has the server's.
  const answer = errors.find(({ code }) => code >= 300 && code < 700);
  if (answer) return hasCredentials ? 'refused' : 'reached';
  // 701 for a certificate is the same as for a port that is closed. That TCP gets there, and that
  // nobody vouches for the certificate, tells them apart.
  const failed = errors.some(({ code }) => code === 701);
  if (transport === 'tls' && failed && certificate === 'self_signed' && tcpAnswers) return 'untrusted';
  return 'unreachable';
}

/** @param {'camera'|'microphone'} source @param {DeviceFinding} finding @returns {Judgement} */
export function judgeDevice(source, { problem, label }) {
  if (problem) return { state: 'warning', say: `check.${source}.${problem}` };
  return { state: 'passed', say: label ? `check.${source}.ok` : `check.${source}.ok.unnamed`, with: { label } };
}

/** @param {Findings} findings @returns {Judgement} */
export function judgeSignaling({ signaling, server }) {
  if (server?.problem === 'rate_limited') return { state: 'failed', say: 'check.signaling.rate_limited' };
  if (server?.problem === 'forbidden') return { state: 'failed', say: 'check.signaling.forbidden' };
  if (server?.problem) return { state: 'failed', say: 'check.signaling.server' };
  if (!signaling?.isOpen) return { state: 'failed', say: 'check.signaling.closed' };
  return { state: 'passed', say: 'check.signaling.ok', value: milliseconds(signaling.tripMs) };
}

/** @param {Findings} findings @returns {Judgement} */
export function judgeAddresses({ gathering }) {
  const candidates = gathering?.candidates ?? [];
  if (candidates.length === 0) return { state: 'failed', say: 'check.addresses.none' };
  const facts = KINDS.map((kind) => `${kind}: ${familiesOf(candidates.filter(({ type }) => type === kind))}`);
  const hasHost = candidates.some(({ type }) => type === 'host');
  if (!hasHost) return { state: 'warning', say: 'check.addresses.relay', facts };
  const isHidden = candidates.some(({ family }) => family === 'mDNS');
  return { state: 'passed', say: isHidden ? 'check.addresses.hidden' : 'check.addresses.ok', facts };
}

/** @param {Candidate[]} candidates */
function familiesOf(candidates) {
  const found = FAMILIES.filter((each) => candidates.some(({ family }) => family === each));
  return found.join(', ') || '–';
}

/** @param {Findings} findings @returns {Judgement} */
export function judgeNat({ nat }) {
  const kind = nat ?? 'blocked';
  return { state: NAT_STATES[kind] ?? 'passed', say: `check.nat.${kind}` };
}

/** @param {Transport} transport @param {Findings} findings @returns {Judgement} */
export function judgeRelay(transport, { relay, server, nat }) {
  const finding = relay[transport];
  const outcome = finding?.outcome ?? 'absent';
  switch (outcome) {
    case 'open':
      return { state: 'passed', say: `check.relay.${transport}.open`, value: milliseconds(finding?.tripMs ?? 0) };
    case 'absent':
      return { state: 'skipped', say: `check.relay.${transport}.absent` };
    case 'reached':
      return {
        state: 'warning',
        say: server?.refused === 'token_expired' ? 'check.relay.expired' : 'check.relay.reached',
      };
    case 'untrusted':
      return { state: 'failed', say: 'check.relay.untrusted' };
    case 'refused':
      return { state: 'failed', say: 'check.relay.refused', with: { code: finding?.errors[0]?.code ?? 0 } };
    case 'stuck':
      return { state: 'failed', say: 'check.relay.stuck' };
    case 'unreachable': {
      if (transport === 'udp' && nat === 'unused') return { state: 'warning', say: 'check.relay.udp.unused' };
      const isDoubtful = transport === 'tls' && server?.certificate === 'configured' && relay.tcp?.outcome === 'open';
      return { state: 'failed', say: isDoubtful ? 'check.relay.tls.doubtful' : `check.relay.${transport}.unreachable` };
    }
  }
}

/** @param {Findings} findings @returns {Judgement} */
export function judgeTrip({ trip }) {
  if (!trip) return { state: 'skipped', say: 'check.trip.none' };
  const value = milliseconds(trip.medianMs);
  if (trip.lost > trip.sent / 20) {
    return { state: 'warning', say: 'check.trip.lossy', with: { lost: trip.lost, sent: trip.sent }, value };
  }
  return trip.medianMs > FAR_MS
    ? { state: 'warning', say: 'check.trip.far', value }
    : { state: 'passed', say: 'check.trip.ok', value };
}

/** @param {Findings} findings @returns {Judgement} */
export function judgeSpeed({ speed }) {
  if (!speed) return { state: 'skipped', say: 'check.speed.none' };
  const value = megabits(speed.mbit, speed.isMore);
  if (speed.mbit < LEAST_MBIT) return { state: 'failed', say: 'check.speed.little', value };
  if (speed.mbit < GOOD_MBIT) return { state: 'warning', say: 'check.speed.some', value };
  return { state: 'passed', say: 'check.speed.ok', value };
}

/** @param {number} ms */
export function milliseconds(ms) {
  return ms < 1 ? '< 1 ms' : `${Math.round(ms)} ms`;
}

/** @param {number} mbit @param {boolean} isMore */
export function megabits(mbit, isMore) {
  const figure = isMore ? `${Math.round(mbit)}+` : mbit < 10 ? mbit.toFixed(1) : `${Math.round(mbit)}`;
  return `${figure} Mbit/s`;
}
