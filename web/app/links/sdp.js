// Reads a session description (RFC 8866) the way a person would: section by section, each line
// with what it says and whether it matters. Pure: no DOM, no words; the words are in sdp_words.js.

import { notesFor } from './sdp_notes.js';

/** @typedef {{key: string, params: Record<string, string>}} Note one sentence to say about a line */
/** @typedef {{number: number, text: string, notes: Note[], essential: boolean}} SdpLine */
/**
 * @typedef {object} Payload one format that a media section lists
 * @property {string} pt its number in RTP packets
 * @property {string} codec as in `a=rtpmap`
 * @property {string} clock
 * @property {string} channels
 * @property {string} fmtp
 * @property {string[]} feedback
 */
/**
 * @typedef {object} SdpSection
 * @property {'session'|'audio'|'video'|'application'|string} kind
 * @property {string} mid
 * @property {string} port
 * @property {string} direction
 * @property {boolean} rejected
 * @property {Payload[]} payloads in the order of the `m=` line, best first
 * @property {SdpLine[]} lines
 */

const DIRECTIONS = ['sendrecv', 'sendonly', 'recvonly', 'inactive'];
/** Formats that carry no picture or sound of their own. */
const HELPERS = new Set(['rtx', 'red', 'ulpfec', 'flexfec-03', 'telephone-event', 'cn']);
/** Formats that every browser lists and hardly any call uses. */
const STATIC_PAYLOADS = new Map([
  ['0', 'PCMU/8000'],
  ['8', 'PCMA/8000'],
  ['9', 'G722/8000'],
  ['13', 'CN/8000'],
]);

/**
 * @param {string} sdp
 * @returns {SdpSection[]} the session first, then one for each `m=` line
 */
export function parseSdp(sdp) {
  const sections = split(sdp).map(readSection);
  const seen = new Set();
  sections.forEach((section, place) => {
    for (const line of section.lines) annotate(line, section, seen, place);
  });
  return sections;
}

/** @param {string} sdp */
function split(sdp) {
  /** @type {SdpLine[][]} */
  const parts = [[]];
  sdp.split(/\r\n|\r|\n/).forEach((text, index) => {
    if (text === '') return;
    if (text.startsWith('m=')) parts.push([]);
    parts[parts.length - 1]?.push({ number: index + 1, text, notes: [], essential: false });
  });
  return parts;
}

/**
 * @param {SdpLine[]} lines
 * @returns {SdpSection}
 */
function readSection(lines) {
  const head = lines[0]?.text ?? '';
  const isMedia = head.startsWith('m=');
  const [kind = '', port = '', , ...formats] = isMedia ? head.slice(2).split(' ') : ['session'];
  const direction = DIRECTIONS.find((d) => lines.some((line) => line.text === `a=${d}`)) ?? 'sendrecv';
  return {
    kind,
    mid: attribute(lines, 'mid')[0] ?? '',
    port,
    direction,
    rejected: isMedia && port === '0' && !lines.some((line) => line.text === 'a=bundle-only'),
    payloads: kind === 'audio' || kind === 'video' ? formats.map((pt) => readPayload(pt, lines)) : [],
    lines,
  };
}

/**
 * @param {SdpLine[]} lines
 * @param {string} name
 */
function attribute(lines, name) {
  const prefix = `a=${name}:`;
  return lines.filter((line) => line.text.startsWith(prefix)).map((line) => line.text.slice(prefix.length));
}

/**
 * @param {string} pt
 * @param {SdpLine[]} lines
 * @returns {Payload}
 */
function readPayload(pt, lines) {
  const own = (/** @type {string} */ name) =>
    attribute(lines, name)
      .filter((value) => value.startsWith(`${pt} `))
      .map((value) => value.slice(pt.length + 1));
  const [codec = '', clock = '', channels = ''] = (own('rtpmap')[0] ?? STATIC_PAYLOADS.get(pt) ?? '').split('/');
  return { pt, codec, clock, channels, fmtp: own('fmtp')[0] ?? '', feedback: own('rtcp-fb') };
}

/**
 * @param {SdpLine} line
 * @param {SdpSection} section
 * @param {Set<string>} seen
 * @param {number} place
 */
function annotate(line, section, seen, place) {
  const found = notesFor(line.text, section);
  line.notes = found.notes;
  // A bundled description repeats its transport in every section: once is enough.
  const repeated = found.once !== '' && seen.has(found.once);
  if (found.once !== '') seen.add(found.once);
  line.essential = found.essential && !repeated && !(place === 0 && DIRECTIONS.includes(line.text.slice(2)));
  line.text = hideSecret(line.text);
}

/** The ICE password proves who may send connectivity checks: it is not for eyes or clipboards. */
export function hideSecret(/** @type {string} */ text) {
  return text.replace(/^a=ice-pwd:.*$/, 'a=ice-pwd:••••••••').replace(/^a=crypto:.*$/, 'a=crypto:••••••••');
}

/**
 * The codecs of a section by name, best first, without the formats that only help others.
 * @param {SdpSection} section
 * @returns {string[]}
 */
export function codecNames(section) {
  const names = section.payloads.filter((p) => p.codec !== '' && !isHelper(p)).map((p) => p.codec);
  return [...new Set(names)];
}

/** @param {Payload} payload */
export function isHelper(payload) {
  return HELPERS.has(payload.codec.toLowerCase());
}
