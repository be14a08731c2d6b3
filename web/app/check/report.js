// The check as text, for whoever helps. Addresses are shortened unless asked for.

import { milliseconds, megabits } from './judge.js';

/**
 * @typedef {import('./types.js').Candidate} Candidate
 * @typedef {import('./types.js').Findings} Findings
 * @typedef {import('./types.js').Judgement} Judgement
 *
 * @typedef {object} ReportParts
 * @property {Findings} findings
 * @property {[name: string, judgement: Judgement][]} steps
 * @property {import('./verdict.js').Verdict} verdict
 * @property {boolean} isFull with whole addresses, and with the names of devices
 * @property {Date} at
 * @property {string} page the origin, without path: a token may be in it
 * @property {string} browser
 * @property {(key: string, params?: Record<string, any>) => string} t
 */

/** @param {ReportParts} parts @returns {string} */
export function reportText(parts) {
  const { findings, steps, verdict, isFull, t } = parts;
  const head = [
    `${t('report.head')} · ${parts.at.toISOString()}`,
    `${t('report.page')}: ${parts.page}`,
    `${t('report.browser')}: ${parts.browser}`,
  ];
  const said = [verdict.say, `${verdict.say}.text`, ...verdict.notes].map((key) => t(key));
  const candidates = allCandidates(findings).map((each) => candidateLine(each, isFull));
  const errors = allErrors(findings).map(({ url, code, text }) => `${url}: ${code} ${text}`.trim());
  const sections = [
    head,
    section(t('report.verdict'), said, t),
    section(
      t('check.steps'),
      steps.map((step) => stepLine(step, parts)),
      t,
    ),
    section(t('report.measured'), figures(findings, t), t),
    section(t('report.addresses'), candidates, t),
    section(t('report.errors'), errors, t),
  ];
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

/** @param {string} title @param {string[]} lines @param {ReportParts['t']} t */
function section(title, lines, t) {
  return [`## ${title}`, ...(lines.length > 0 ? lines : [t('report.nothing')])];
}

/** @param {[string, Judgement]} step @param {ReportParts} parts */
function stepLine([name, { state, say, value, facts = [], with: params }], { t, isFull }) {
  const key = !isFull && say.endsWith('.ok') && params?.label ? `${say}.unnamed` : say;
  const words = say ? t(key, params) : '';
  return `[${t(`check.state.${state}`)}] ${t(`check.name.${name}`)}${value ? ` (${value})` : ''}: ${words}${facts.length > 0 ? ` (${facts.join('; ')})` : ''}`;
}

/** @param {Findings} findings @param {ReportParts['t']} t @returns {string[]} */
function figures({ relay, trip, speed, nat }, t) {
  const lines = Object.entries(relay).map(([transport, { outcome, openMs, tripMs }]) => {
    const times = outcome === 'open' ? `, ${milliseconds(openMs)}, ↔ ${milliseconds(tripMs)}` : '';
    return `${transport}: ${outcome}${times}`;
  });
  lines.push(`nat: ${nat ?? '?'}`);
  if (trip) {
    const { via, medianMs, worstMs, lost, sent } = trip;
    lines.push(
      `${t('check.name.trip')} (${via}): ${milliseconds(medianMs)}, ≤ ${milliseconds(worstMs)}, −${lost}/${sent}`,
    );
  }
  if (speed) lines.push(`${t('check.name.speed')} (${speed.via}): ${megabits(speed.mbit, speed.isMore)}`);
  return lines;
}

/** @param {Findings} findings @returns {Candidate[]} */
function allCandidates({ gathering, relay }) {
  const all = [...(gathering?.candidates ?? []), ...Object.values(relay).flatMap(({ candidates }) => candidates)];
  /** @type {Map<string, Candidate>} */
  const byKind = new Map();
  // The same relay at another port tells nothing new.
  for (const each of all) {
    const place = each.type === 'relay' ? each.address : `${each.address} ${each.port}`;
    const key = `${each.type} ${each.protocol} ${each.relayProtocol} ${place}`;
    if (!byKind.has(key)) byKind.set(key, each);
  }
  return [...byKind.values()];
}

/** @param {Findings} findings */
function allErrors({ gathering, relay }) {
  const all = [...(gathering?.errors ?? []), ...Object.values(relay).flatMap(({ errors }) => errors)];
  return [...new Map(all.map((each) => [`${each.url} ${each.code}`, each])).values()];
}

/** @param {Candidate} candidate @param {boolean} isFull */
function candidateLine(candidate, isFull) {
  const { type, protocol, family, address, port, relatedAddress, relatedPort, relayProtocol } = candidate;
  const place = (/** @type {string} */ host, /** @type {number} */ at) => {
    const text = isFull ? host : shortened(host);
    return text.includes(':') ? `[${text}]:${at}` : `${text}:${at}`;
  };
  const from = relatedAddress && relatedPort ? ` (← ${place(relatedAddress, relatedPort)})` : '';
  const by = relayProtocol ? `, turn/${relayProtocol}` : '';
  return `${type} ${protocol} ${family} ${place(address, port)}${from}${by}`;
}

/** Enough to tell a home network from the internet, and one provider from another. @param {string} address */
export function shortened(address) {
  if (address.endsWith('.local')) return '….local';
  if (/^[\d.]+$/.test(address)) return `${address.split('.').slice(0, 2).join('.')}.x.x`;
  const groups = address.split(':').filter(Boolean);
  return groups.length > 2 ? `${groups.slice(0, 2).join(':')}:…` : '…';
}
