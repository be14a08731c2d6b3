// A link as text, for whoever helps. Passwords never leave; addresses only when asked for.

import { descriptionsOf } from './agreement.js';
import { byteCount, milliseconds } from './format.js';
import { eventWords, sinceOpen } from './history.js';
import { addressOf, sortedPairs, stateWords, transportWords } from './pairs.js';
import { streamWords } from './streams.js';
import { agreedRows, facts } from './summary.js';

/** @typedef {import('./types.js').PairFigures} PairFigures */
/** @typedef {import('./sdp.js').SdpSection} SdpSection */

/**
 * @param {object} parts
 * @param {import('./model.js').LinkView} parts.view
 * @param {import('./types.js').LinkLike} parts.link
 * @param {PairFigures[]} parts.pairs
 * @param {import('./summary.js').TrackNames} parts.trackNames
 * @param {import('./strings.js').Strings} parts.strings
 * @param {boolean} parts.withAddresses
 * @returns {string}
 */
export function reportText({ view, link, pairs, trackNames, strings, withAddresses }) {
  const words = strings.inspector;
  const descriptions = descriptionsOf(link);
  const title = words.title(view.peer === null ? strings.hearth : view.name);
  const agreed = agreedRows(descriptions, trackNames, strings).map(
    (row) => `mid ${row.mid}: ${row.kind}, ${row.direction}, ${row.codecs}, ${row.tracks.replaceAll('\n', ', ')}`,
  );
  const start = link.history[0]?.at ?? 0;
  const parts = [
    [title, new Date().toISOString()],
    section(
      words.sections.summary,
      facts(view, link, descriptions, strings).map(([name, value]) => `${name}: ${value}`),
    ),
    section(words.agreedTitle, agreed),
    section(
      strings.streams.title,
      view.streams.map((each) => Object.values(streamWords(each, strings)).filter(Boolean).join(', ')),
    ),
    section(
      words.sections.pairs,
      sortedPairs(pairs).map((pair) => pairLine(pair, strings, withAddresses)),
    ),
    section(
      words.sections.history,
      link.history.map(({ at, event }) => `${sinceOpen(at - start)}  ${eventWords(event, strings).words}`),
    ),
    section(words.offer, sdpLines(descriptions.offer, withAddresses)),
    section(words.answer, sdpLines(descriptions.answer, withAddresses)),
  ];
  return `${parts.map((lines) => lines.join('\n')).join('\n\n')}\n`.replaceAll('\u00a0', ' ');
}

/** @param {string} title @param {string[]} lines */
function section(title, lines) {
  return [`## ${title}`, ...(lines.length > 0 ? lines : ['–'])];
}

/** @param {PairFigures} pair @param {import('./strings.js').Strings} strings @param {boolean} withAddresses */
function pairLine(pair, strings, withAddresses) {
  const end = (/** @type {import('./types.js').CandidateFigures|null} */ c) =>
    [c?.type || '?', withAddresses ? addressOf(c) : ''].filter(Boolean).join(' ');
  const state = pair.selected ? strings.inspector.chosen : stateWords(pair, strings);
  return `${state}: ${end(pair.local)} → ${end(pair.remote)}, ${transportWords(pair, strings)}, ${milliseconds(pair.rttMs)}, ↑ ${byteCount(pair.bytesSent)}, ↓ ${byteCount(pair.bytesReceived)}`;
}

/** @param {SdpSection[]|null} sections @param {boolean} withAddresses */
function sdpLines(sections, withAddresses) {
  const lines = (sections ?? []).flatMap((each) => each.lines.map((line) => line.text));
  return withAddresses ? lines : lines.map(hideAddress);
}

/** The address of a candidate, of its base, and of the lines that repeat it. @param {string} line */
export function hideAddress(line) {
  if (line.startsWith('a=candidate:')) {
    return line.replace(/^((?:\S+ ){4})\S+/, '$1[address]').replace(/( raddr )\S+/, '$1[address]');
  }
  return line.replace(/^((?:c=|o=|a=rtcp:\d+ ).*IN IP[46] )\S+/, '$1[address]');
}
