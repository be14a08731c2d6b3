// The links panel speaks two languages; each is written natively, in a file of its own.

import { english } from './strings.en.js';
import { korean } from './strings.ko.js';
import { english as sdpEnglish } from './sdp_words.en.js';
import { korean as sdpKorean } from './sdp_words.ko.js';

/** @typedef {import('./strings.en.js').Strings} Strings */

/** @param {string} lang @returns {Strings} */
export function stringsFor(lang) {
  return lang.startsWith('ko') ? korean : english;
}

/**
 * The sentence that a note about an SDP line stands for.
 * @param {import('./sdp.js').Note} note
 * @param {string} lang
 */
export function sentence(note, lang) {
  const template = (lang.startsWith('ko') ? sdpKorean : sdpEnglish)[note.key] ?? '';
  return template.replace(/\{(\w+)\}/g, (_, name) => note.params[name] ?? '');
}
