// The candidate pairs that ICE tried, and the one that it chose.

import { h, keep, say, set } from './dom.js';
import { byteCount, milliseconds } from './format.js';

/** @typedef {import('./types.js').PairFigures} PairFigures */
/** @typedef {import('./types.js').CandidateFigures} CandidateFigures */
/** @typedef {import('./strings.js').Strings} Strings */

const STATE_ORDER = ['succeeded', 'in-progress', 'waiting', 'frozen', 'cancelled', 'failed'];

/**
 * The chosen one first, then those that work, then the rest.
 * @param {PairFigures[]} pairs
 */
export function sortedPairs(pairs) {
  const rank = (/** @type {PairFigures} */ p) => (p.selected ? -1 : STATE_ORDER.indexOf(p.state));
  return [...pairs].sort((a, b) => rank(a) - rank(b) || (b.bytesSent ?? 0) - (a.bytesSent ?? 0));
}

/** @param {CandidateFigures|null} candidate */
export function addressOf(candidate) {
  if (!candidate?.address) return '';
  const host = candidate.address.includes(':') ? `[${candidate.address}]` : candidate.address;
  return candidate.port ? `${host}:${candidate.port}` : host;
}

/** @param {PairFigures} pair @param {Strings} strings */
export function transportWords(pair, strings) {
  const own = pair.local?.protocol?.toUpperCase() ?? '';
  const relay = pair.local?.relayProtocol;
  return relay ? `${own} · ${strings.inspector.relayOver(relay.toUpperCase())}` : own;
}

/** @param {PairFigures} pair @param {Strings} strings */
export function stateWords(pair, strings) {
  const words = strings.inspector.pairStates;
  return Object.hasOwn(words, pair.state) ? words[/** @type {keyof typeof words} */ (pair.state)] : pair.state;
}

export class PairTable {
  #intro = h('p', { class: 'inspector-intro' });
  #empty = h('p', { class: 'quiet' });
  #heads = ['state', 'local', 'remote', 'transport', 'rtt', 'sent', 'received'].map((column) =>
    h('th', { scope: 'col', role: 'columnheader', 'data-column': column }),
  );
  #body = h('tbody', { role: 'rowgroup' });
  #table = h(
    'table',
    { class: 'pairs', role: 'table' },
    h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, ...this.#heads)),
    this.#body,
  );
  #types = h('dl', { class: 'pair-types' });
  /** @type {Map<string, HTMLTableRowElement>} */
  #rows = new Map();
  element = h('div', { 'data-testid': 'inspector-pairs' }, this.#intro, this.#empty, this.#table, this.#types);

  /** @param {PairFigures[]} pairs @param {Strings} strings */
  update(pairs, strings) {
    const words = strings.inspector;
    say(this.#intro, words.pairsIntro);
    say(this.#empty, words.noPairs);
    this.#empty.hidden = pairs.length > 0;
    this.#table.hidden = pairs.length === 0;
    Object.values(words.pairs).forEach((name, i) => {
      const head = this.#heads[i];
      if (head) say(head, name);
    });
    const items = sortedPairs(pairs).map((pair, i) => ({ pair, key: String(i) }));
    keep(
      this.#body,
      this.#rows,
      items,
      (i) => i.key,
      makeRow,
      (row, { pair }) => fillRow(row, pair, strings),
    );
    this.#explainTypes(pairs, strings);
  }

  /** Only the kinds that occur. @param {PairFigures[]} pairs @param {Strings} strings */
  #explainTypes(pairs, strings) {
    const present = new Set(pairs.flatMap((p) => [p.local?.type, p.remote?.type]));
    const known = Object.entries(strings.inspector.types).filter(([type]) => present.has(type));
    const shown = `${strings.locale} ${known.map(([type]) => type).join()}`;
    if (this.#types.getAttribute('data-shown') === shown) return;
    set(this.#types, { 'data-shown': shown });
    this.#types.replaceChildren(...known.map(([type, words]) => h('div', {}, h('dt', {}, type), h('dd', {}, words))));
  }
}

function makeRow() {
  const cell = (/** @type {string} */ column) => h('td', { role: 'cell', 'data-column': column });
  const end = (/** @type {string} */ column) =>
    h('td', { role: 'cell', 'data-column': column }, h('span', { class: 'pair-type' }), h('code'));
  return h(
    'tr',
    { role: 'row' },
    cell('state'),
    end('local'),
    end('remote'),
    cell('transport'),
    cell('rtt'),
    cell('sent'),
    cell('received'),
  );
}

/** @param {HTMLTableRowElement} row @param {PairFigures} pair @param {Strings} strings */
function fillRow(row, pair, strings) {
  const words = strings.inspector;
  set(row, { 'data-state': pair.state, 'data-selected': String(pair.selected) });
  const [state, local, remote, transport, rtt, sent, received] = row.cells;
  if (!state || !local || !remote || !transport || !rtt || !sent || !received) return;
  say(state, pair.selected ? words.chosen : stateWords(pair, strings));
  fillEnd(local, pair.local, strings);
  fillEnd(remote, pair.remote, strings);
  say(transport, transportWords(pair, strings) || strings.none);
  say(rtt, milliseconds(pair.rttMs));
  say(sent, byteCount(pair.bytesSent));
  say(received, byteCount(pair.bytesReceived));
  const names = Object.values(words.pairs);
  [...row.cells].forEach((cell, i) => set(cell, { 'data-label': names[i] ?? '' }));
}

/** @param {HTMLTableCellElement} cell @param {CandidateFigures|null} candidate @param {Strings} strings */
function fillEnd(cell, candidate, strings) {
  const [type, address] = cell.children;
  if (type) say(type, candidate?.type || strings.none);
  if (address) say(address, addressOf(candidate) || strings.inspector.hiddenAddress);
}
