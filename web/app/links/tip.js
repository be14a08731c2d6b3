// The figures of the link under the pointer, beside it in the yard.

import { h, say } from './dom.js';
import { bitrate, milliseconds, percent } from './format.js';
import { pathWords } from './table.js';

/** @typedef {import('./model.js').View} View */

export class Tip {
  #frame;
  #name = h('strong');
  #path = h('span');
  #figures = h('span');
  #element = h(
    'div',
    { class: 'yard-tip', 'aria-hidden': 'true', hidden: true },
    this.#name,
    this.#path,
    this.#figures,
  );
  /** @type {View|null} */
  #view = null;
  /** @type {import('./strings.js').Strings|null} */
  #strings = null;
  /** @type {string|null} */
  #linkId = null;

  /** @param {HTMLElement} frame */
  constructor(frame) {
    this.#frame = frame;
    frame.append(this.#element);
  }

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
    this.#element.hidden = !link || !strings;
    if (!link || !strings) return;
    say(this.#name, link.peer === null ? strings.hearth : link.name);
    say(this.#path, pathWords(link, strings));
    say(
      this.#figures,
      `↑ ${bitrate(link.upBps)}  ↓ ${bitrate(link.downBps)}  ${milliseconds(link.rttMs)}  ${percent(link.loss)}`,
    );
    this.#place(link.id);
  }

  /** Above the link's middle, and never outside the frame. @param {string} id */
  #place(id) {
    const line = this.#frame.querySelector(`[data-link="${CSS.escape(id)}"] .yard-hit`);
    if (!line) return;
    const frame = this.#frame.getBoundingClientRect();
    const box = line.getBoundingClientRect();
    const own = this.#element.getBoundingClientRect();
    const x = box.left + box.width / 2 - frame.left - own.width / 2;
    const y = box.top + box.height / 2 - frame.top - own.height - 18;
    this.#element.style.left = `${Math.max(0, Math.min(frame.width - own.width, x))}px`;
    this.#element.style.top = `${Math.max(0, y)}px`;
  }
}
