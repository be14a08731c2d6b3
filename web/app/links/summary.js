// The inspector's first part: the link at a glance, and what offer and answer came to.

import { agreement, handshakeBy } from './agreement.js';
import { h, say } from './dom.js';
import { bitrate, milliseconds, percent } from './format.js';
import { offerNumber } from './history.js';
import { limitWords, pathWords } from './table.js';

/** @typedef {import('./types.js').LinkLike} LinkLike */
/** @typedef {import('./model.js').LinkView} LinkView */
/** @typedef {import('./strings.js').Strings} Strings */
/** @typedef {{mid: string, kind: string, direction: string, codecs: string, tracks: string}} AgreedRow */

/** Which names the tracks of a link have, by direction and mid. */
/** @typedef {(mid: string) => string[]} TrackNames */

/**
 * @param {LinkView} view
 * @param {LinkLike} link
 * @param {import('./agreement.js').Descriptions} descriptions
 * @param {Strings} strings
 * @returns {[string, string][]}
 */
export function facts(view, link, descriptions, strings) {
  const words = strings.inspector;
  const peer = view.peer === null ? strings.hearth : view.name;
  const who = (/** @type {'you'|'peer'|null} */ end) =>
    end === null ? strings.none : end === 'you' ? words.offererYou : peer;
  const n = offerNumber(link.history);
  const state = strings.states[view.state];
  /** @type {[string, string][]} */
  const list = [
    [words.facts.state, view.state === 'connected' ? `${state} · ${strings.qualities[view.shade]}` : state],
    [words.facts.path, pathWords(view, strings)],
    [words.facts.rates, `↑\u00a0${bitrate(view.upBps)} · ↓\u00a0${bitrate(view.downBps)}`],
    [words.facts.rtt, milliseconds(view.rttMs)],
    [words.facts.loss, words.lossBoth({ up: percent(view.lossUp), down: percent(view.lossDown) })],
    [words.facts.estimate, bitrate(view.availableUpBps)],
    [strings.columns.limit, limitWords(view, strings) || strings.noLimit],
    [words.facts.offerer, n > 0 ? `${who(link.offerer)} · ${words.offerNumber(n)}` : who(link.offerer)],
    [words.facts.dtls, who(handshakeBy(descriptions))],
    [words.facts.cipher, view.srtpCipher ?? strings.none],
    [words.facts.id, view.id],
  ];
  return list;
}

/**
 * @param {import('./agreement.js').Descriptions} descriptions
 * @param {TrackNames} trackNames
 * @param {Strings} strings
 * @returns {AgreedRow[]}
 */
export function agreedRows(descriptions, trackNames, strings) {
  const words = strings.inspector;
  return agreement(descriptions).map((each) => {
    const isMedia = each.kind === 'audio' || each.kind === 'video';
    const direction = Object.hasOwn(words.directions, each.direction)
      ? words.directions[/** @type {keyof typeof words.directions} */ (each.direction)]
      : each.direction;
    return {
      mid: each.mid || '?',
      kind: Object.hasOwn(words.kinds, each.kind)
        ? words.kinds[/** @type {keyof typeof words.kinds} */ (each.kind)]
        : each.kind,
      direction: each.isRefused ? words.refused : isMedia ? direction : words.directions.sendrecv,
      codecs: isMedia ? each.codecs.join(', ') : 'SCTP',
      tracks: trackNames(each.mid).join('\n') || strings.none,
    };
  });
}

export class Summary {
  #facts = h('dl', { class: 'facts' });
  #title = h('h4');
  #heads = ['mid', 'kind', 'direction', 'codecs', 'tracks'].map(() => h('th', { scope: 'col', role: 'columnheader' }));
  #body = h('tbody', { role: 'rowgroup' });
  #shown = '';
  element = h(
    'div',
    {},
    this.#facts,
    this.#title,
    h(
      'div',
      { class: 'wide-table' },
      h('table', { class: 'agreed' }, h('thead', {}, h('tr', {}, ...this.#heads)), this.#body),
    ),
  );

  /** @param {[string, string][]} list @param {AgreedRow[]} rows @param {Strings} strings */
  update(list, rows, strings) {
    say(this.#title, strings.inspector.agreedTitle);
    while (this.#facts.children.length > list.length) this.#facts.lastElementChild?.remove();
    while (this.#facts.children.length < list.length) this.#facts.append(h('div', {}, h('dt'), h('dd')));
    list.forEach(([name, value], i) => {
      const [term, detail] = this.#facts.children[i]?.children ?? [];
      if (term) say(term, name);
      if (detail) say(detail, value);
    });
    Object.values(strings.inspector.agreed).forEach((name, i) => {
      const head = this.#heads[i];
      if (head) say(head, name);
    });
    const shown = JSON.stringify(rows);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#body.replaceChildren(
      ...rows.map((row) =>
        h(
          'tr',
          { role: 'row' },
          ...Object.entries(row).map(([name, value]) => h('td', { role: 'cell', 'data-column': name }, value)),
        ),
      ),
    );
  }
}
