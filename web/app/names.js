// Names of rooms and of people.

const ONSET = 'bdghjklmnprstwyz';
const VOWEL = 'aiou';
const CODA = ['', 'n', 'l', 'm'];
const SYLLABLES = 10;

/**
 * A room name that nobody guesses and anybody can read out: one random byte is one syllable,
 * ten of them are 80 bits, as in `mansol-dokin-hulta-pirom-sanu`.
 * @returns {string}
 */
export function makeRoomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(SYLLABLES));
  const syllables = [...bytes].map((b) => ONSET.charAt(b >> 4) + VOWEL.charAt((b >> 2) & 3) + CODA[b & 3]);
  const words = [];
  for (let i = 0; i < syllables.length; i += 2) words.push(syllables.slice(i, i + 2).join(''));
  return words.join('-');
}

/** @param {string} name */
export function isRoomName(name) {
  return /^[A-Za-z0-9_-]{1,64}$/.test(name);
}

/**
 * Reads a room's name, or a link to it, as people type or paste it.
 * @param {string} text
 * @returns {{room: string, search: string, hash: string}|null}
 */
export function readRoom(text) {
  const trimmed = text.trim();
  const link = /\/r\/([^/?#\s]+)([^#\s]*)(#\S*)?$/.exec(trimmed);
  if (link) {
    const room = decode(link[1] ?? '');
    return isRoomName(room) ? { room, search: link[2] ?? '', hash: link[3] ?? '' } : null;
  }
  const room = trimmed.replace(/\s+/g, '-');
  return isRoomName(room) ? { room, search: '', hash: '' } : null;
}

/** @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

/** The room that a page's path names. @param {string} pathname */
export function roomOfPath(pathname) {
  const room = decode(pathname.replace(/^\/r\//, '').replace(/\/$/, ''));
  return isRoomName(room) ? room : null;
}

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** @param {string} text */
function graphemes(text) {
  return [...segmenter.segment(text)].map((s) => s.segment);
}

/**
 * One or two letters that stand for a person. Korean names are called by their last two
 * syllables: 김민지 is 민지.
 * @param {string} name
 */
export function initials(name) {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const first = words[0];
  if (!first) return '·';
  if (/^[가-힣]+$/.test(first)) return first.length === 3 ? first.slice(1) : first.slice(0, 2);
  const last = words.length > 1 ? words[words.length - 1] : undefined;
  return ((graphemes(first)[0] ?? '') + (last ? (graphemes(last)[0] ?? '') : '')).toLocaleUpperCase();
}

/** A hue of its own for every name, in degrees. @param {string} name */
export function hueOf(name) {
  let hash = 2166136261;
  for (const unit of name) hash = Math.imul(hash ^ (unit.codePointAt(0) ?? 0), 16777619);
  return ((hash >>> 0) % 24) * 15;
}
