// The figures of the link under the pointer. They take the legend's place, so that they cover
// neither a person nor a line.

import { h, say, set } from './dom.js';
import { bitrate, milliseconds, percent } from './format.js';
import { pathWords } from './table.js';

/** @typedef {import('./model.js').View} View */

export class Tip {
  #name = h('strong');
  #path = h('span', { class: 'yard-tip-path' });
  #figures = h('span', { class: 'yard-tip-figures' });
  element = h('div', { class: 'yard-tip', 'aria-hidden': 'true', hidden: true }, this.#name, this.#path, this.#figures);
  /** @type {View|null} */
  #view = null;
  /** @type {import('./strings.js').Strings|null} */
  #strings = null;
  /** @type {string|null} */
  #linkId = null;

  /** @param {View} view @param {import('./strings.js').Strings} strings */
  update(view, strings) {
    this.#view = view;
    this.#strings = strings;
    this.#render();
  }

  /** @param {string|null} linkId */
  point(linkId) {
    this.#linkId = linkId;
    this.#render();
  }

  #render() {
    const link = this.#view?.links.find((l) => l.id === this.#linkId);
    const strings = this.#strings;
    this.element.hidden = !link || !strings;
    if (!link || !strings) return;
    set(this.element, { 'data-shade': link.shade });
    say(this.#name, link.peer === null ? strings.hearth : link.name);
    say(this.#path, pathWords(link, strings));
    const figures = [
      `↑\u00a0${bitrate(link.upBps)}`,
      `↓\u00a0${bitrate(link.downBps)}`,
      milliseconds(link.rttMs),
      percent(link.loss),
    ];
    say(this.#figures, figures.join(' · '));
  }
}
