// What a link carries, one stream after the other: one's own picture in its layers, and what
// arrives of the others in the layer that the server chose, with the reason.

import { h, keep, say, set } from './dom.js';
import { bitrate, pictureSize } from './format.js';

/** @typedef {import('./types.js').RoomLike} RoomLike */
/** @typedef {import('./types.js').LinkFigures} LinkFigures */
/** @typedef {import('./types.js').TrackFigures} TrackFigures */
/** @typedef {import('./types.js').DeliveryLike} DeliveryLike */
/** @typedef {import('./strings.js').Strings} Strings */
/**
 * @typedef {object} StreamView
 * @property {string} key
 * @property {'up'|'down'} direction
 * @property {string} name whose it is; empty for one's own, and for the mix
 * @property {string} source
 * @property {string} kind
 * @property {string|null} layer by RID
 * @property {TrackFigures} figures
 * @property {boolean} isResting nobody watches it, or the server holds it back
 * @property {DeliveryLike|null} delivery
 */

const LAYERS = 'hml';

/**
 * @param {RoomLike} room
 * @param {LinkFigures|undefined} link
 * @returns {StreamView[]} one's own first, larger layers first; then the others in their order
 */
export function streamsOf(room, link) {
  if (!link) return [];
  const people = [...room.remoteParticipants.values()];
  const owners = people.flatMap((person) =>
    [...(person.tracks?.values() ?? [])].map((track) => /** @type {const} */ ([track.id, { person, track }])),
  );
  const ownerOf = new Map(owners);
  const mixed = new Map([room.mix?.audio, room.mix?.video].flatMap((track) => (track ? [[track.id, track]] : [])));
  const place = new Map(people.map((person, i) => [person.id, i + 1]));
  const streams = link.tracks.map((figures) => {
    const { person, track } = ownerOf.get(figures.id) ?? {};
    const delivery = (track ?? mixed.get(figures.id))?.delivery ?? null;
    const isDown = figures.direction === 'down';
    const layer = isDown ? (delivery?.layer ?? null) : (figures.rid ?? null);
    return {
      stream: {
        key: `${figures.direction} ${figures.id} ${figures.rid ?? ''}`,
        direction: figures.direction,
        name: isDown && figures.source !== 'mix' ? (person?.name ?? '?') : '',
        source: figures.source ?? figures.kind,
        kind: figures.kind,
        layer,
        figures,
        isResting: isDown ? Boolean(delivery?.paused) : figures.active === false,
        delivery,
      },
      order: [
        isDown ? (place.get(person?.id ?? '') ?? people.length + 1) : 0,
        figures.kind === 'video' ? 0 : 1,
        figures.source === 'screen' ? 0 : 1,
        LAYERS.indexOf(layer ?? ''),
      ],
    };
  });
  return streams.sort((a, b) => compare(a.order, b.order)).map(({ stream }) => stream);
}

/** @param {number[]} a @param {number[]} b */
function compare(a, b) {
  return a.map((value, i) => value - (b[i] ?? 0)).find((difference) => difference !== 0) ?? 0;
}

/** @param {StreamView} stream @param {Strings} strings @returns {{name: string, layer: string, picture: string, rate: string, why: string}} */
export function streamWords(stream, strings) {
  const words = strings.streams;
  const { figures, layer } = stream;
  const source =
    stream.source === 'mix'
      ? words.mix[stream.kind === 'audio' ? 'audio' : 'video']
      : named(strings.inspector.sources, stream.source);
  return {
    name: `${stream.direction === 'up' ? '↑' : '↓'}\u00a0${stream.name ? words.of({ name: stream.name, source }) : source}`,
    layer: layer === null ? '' : named(words.layers, layer),
    picture: stream.isResting ? '' : pictureSize(figures),
    rate: stream.isResting ? strings.none : bitrate(figures.bps),
    why: whyOf(stream, strings),
  };
}

/** @param {StreamView} stream @param {Strings} strings */
function whyOf({ direction, isResting, figures, delivery, kind }, strings) {
  const words = strings.streams;
  if (direction === 'up') {
    if (isResting) return words.resting;
    return figures.limitation ? named(strings.limits, figures.limitation) : '';
  }
  if (!delivery || kind !== 'video') return '';
  const reason = named(words.reasons, delivery.reason);
  if (isResting) return words.held(reason);
  return delivery.temporal !== null && delivery.temporal !== undefined ? words.fewer(reason) : reason;
}

/** @param {Record<string, string>} words @param {string} key */
function named(words, key) {
  return Object.hasOwn(words, key) ? (words[key] ?? key) : key;
}

/** @type {('name'|'layer'|'picture'|'rate'|'why')[]} */
const COLUMNS = ['name', 'layer', 'picture', 'rate', 'why'];

export class StreamTable {
  #title;
  #heads = COLUMNS.map((column) => h('th', { scope: 'col', role: 'columnheader', 'data-column': column }));
  #body = h('tbody', { role: 'rowgroup' });
  /** @type {Map<string, HTMLTableRowElement>} */
  #rows = new Map();
  #table = h(
    'table',
    { class: 'streams-table', role: 'table' },
    h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, ...this.#heads)),
    this.#body,
  );

  /** @param {'h3'|'h4'} heading */
  constructor(heading) {
    this.#title = h(heading);
    this.element = h('section', { class: 'streams', hidden: true }, this.#title, this.#table);
  }

  /** @param {StreamView[]} streams @param {Strings} strings */
  update(streams, strings) {
    this.element.hidden = streams.length === 0;
    say(this.#title, strings.streams.title);
    set(this.#table, { 'aria-label': strings.streams.title });
    this.#heads.forEach((head, i) => say(head, strings.streams.columns[COLUMNS[i] ?? 'name']));
    keep(
      this.#body,
      this.#rows,
      streams,
      (stream) => stream.key,
      makeRow,
      (row, stream) => fillRow(row, stream, strings),
    );
  }
}

/** @param {StreamView} stream */
function makeRow(stream) {
  return h(
    'tr',
    { role: 'row', 'data-testid': 'stream-row', 'data-direction': stream.direction },
    h('th', { scope: 'row', role: 'rowheader', 'data-column': 'name' }),
    ...COLUMNS.slice(1).map((column) => h('td', { role: 'cell', 'data-column': column })),
  );
}

/** @param {HTMLTableRowElement} row @param {StreamView} stream @param {Strings} strings */
function fillRow(row, stream, strings) {
  const words = streamWords(stream, strings);
  set(row, { 'data-resting': String(stream.isResting), 'data-layer': stream.layer });
  COLUMNS.forEach((column, i) => {
    const cell = row.children[i];
    if (!cell) return;
    say(cell, words[column]);
    set(cell, { 'data-empty': String(words[column] === '') });
  });
}
