// The large figures: how often this client sends and receives, and how often the server does.

import { h, say, set } from './dom.js';
import { bitrate } from './format.js';

/** @typedef {import('./model.js').View} View */
/** @typedef {import('./strings.js').Strings} Strings */

export class Figures {
  #you = card('links-up', 'links-down');
  #server = card('links-server-up', 'links-server-down');

  constructor() {
    this.#server.element.classList.add('is-server');
    this.element = h('div', { class: 'links-figures' }, this.#you.element, this.#server.element);
  }

  /** @param {View} view @param {Strings} strings */
  update(view, strings) {
    const { figures } = view;
    this.#you.update(strings.youTitle, figures.up, figures.down, strings, [
      bitrate(figures.upBps),
      bitrate(figures.downBps),
    ]);
    this.#server.update(strings.server, figures.serverUp, figures.serverDown, strings, [serverWords(view, strings)]);
  }
}

/** @param {View} view @param {Strings} strings */
function serverWords(view, strings) {
  if (view.isMixed) return strings.serverMixes;
  if (view.topology === 'sfu') return strings.serverForwards;
  return view.relayed > 0 ? strings.serverRelays(view.relayed) : strings.serverIdle;
}

/** @param {string} upId @param {string} downId */
function card(upId, downId) {
  const title = h('h3');
  const up = figure('↑', upId);
  const down = figure('↓', downId);
  const note = h('p', { class: 'figure-note' });
  const parts = [h('span'), h('span')];
  note.append(...parts);
  return {
    element: h(
      'section',
      { class: 'figure-card' },
      title,
      h('div', { class: 'figure-pair' }, up.element, down.element),
      note,
    ),
    /** @param {string} name @param {number} ups @param {number} downs @param {Strings} strings @param {string[]} words */
    update(name, ups, downs, strings, words) {
      say(title, name);
      up.update(ups, strings.uplinks);
      down.update(downs, strings.downlinks);
      parts.forEach((part, i) => say(part, words[i] ?? ''));
    },
  };
}

/** @param {string} arrow @param {string} testId */
function figure(arrow, testId) {
  const number = h('span', { class: 'figure-number', 'data-testid': testId });
  const words = h('span', { class: 'figure-words' });
  const element = h(
    'div',
    { class: 'figure' },
    h('span', { class: 'figure-arrow', 'aria-hidden': 'true' }, arrow),
    number,
    words,
  );
  return {
    element,
    /** @param {number} value @param {string} label */
    update(value, label) {
      say(number, String(value));
      say(words, label);
      set(element, { 'data-zero': String(value === 0) });
    },
  };
}
