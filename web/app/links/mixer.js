// The mixer at work: what it decodes and encodes, and what that costs the server's processor.

import { h, say } from './dom.js';
import { percent } from './format.js';

/** @typedef {import('./types.js').MixStateLike} MixStateLike */
/** @typedef {import('./strings.js').Strings} Strings */

/**
 * @param {MixStateLike} state
 * @param {Strings} strings
 * @returns {[string, string, string][]} what, how much, for how much of a core
 */
export function mixerRows({ fps, maxHeight, work }, strings) {
  const words = strings.mixer;
  // Milliseconds of a second are thousandths of a core.
  const core = (/** @type {number} */ ms) => words.ofCore(percent(ms / 1000));
  return [
    [words.decode, words.pictures(work.decoding), core(work.decodeMs)],
    [words.encode, words.renditions(work.encoding), core(work.encodeMs)],
    [words.sound, words.listeners(work.listeners), core(work.soundMs)],
    [words.picture, words.size({ lines: maxHeight, fps }), ''],
  ];
}

export class MixerTable {
  #title = h('h3');
  #body = h('tbody');
  #limited = h('p', { class: 'mixer-limited', role: 'status' });
  element = h(
    'section',
    { class: 'mixer', 'data-testid': 'mixer', hidden: true },
    this.#title,
    h('table', { class: 'mixer-table' }, this.#body),
    this.#limited,
  );

  /** @param {MixStateLike|null} state @param {Strings} strings */
  update(state, strings) {
    this.element.hidden = state === null;
    if (!state) return;
    say(this.#title, strings.mixer.title);
    const rows = mixerRows(state, strings);
    while (this.#body.children.length < rows.length)
      this.#body.append(h('tr', {}, h('th', { scope: 'row' }), h('td'), h('td')));
    rows.forEach((row, i) => row.forEach((text, j) => say(this.#body.children[i]?.children[j] ?? new Text(), text)));
    this.#limited.hidden = state.limited === null;
    say(this.#limited, state.limited === null ? '' : strings.mixer.limited(state.limited));
  }
}
