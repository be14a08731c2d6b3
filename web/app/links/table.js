// The same links in figures: a table where there is room, a card for each link where there is not.

import { h, keep, say, set } from './dom.js';
import { bitrate, milliseconds, percent, pictureSize } from './format.js';

/** @typedef {import('./model.js').LinkView} LinkView */
/** @typedef {import('./strings.js').Strings} Strings */
/** @typedef {keyof Strings['columns']} Column */

/** @type {Column[]} */
const COLUMNS = ['peer', 'path', 'up', 'down', 'rtt', 'loss', 'picture', 'limit'];

export class LinkTable {
  #body = h('tbody', { role: 'rowgroup' });
  #heads = COLUMNS.map((column) => h('th', { scope: 'col', role: 'columnheader', 'data-column': column }));
  /** @type {Map<string, HTMLTableRowElement>} */
  #rows = new Map();
  #options;

  /** @param {import('./yard.js').YardOptions} options */
  constructor(options) {
    this.#options = options;
    // The roles are said aloud because cards are laid out as a grid, which would hide them.
    this.element = h(
      'table',
      { class: 'links-table', role: 'table' },
      h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, ...this.#heads)),
      this.#body,
    );
  }

  /** @param {LinkView[]} links @param {Strings} strings */
  update(links, strings) {
    this.element.hidden = links.length === 0;
    set(this.element, { 'aria-label': strings.ownLinks });
    this.#heads.forEach((head, i) => say(head, strings.columns[/** @type {Column} */ (COLUMNS[i])]));
    keep(
      this.#body,
      this.#rows,
      links,
      (l) => l.id,
      (l) => this.#makeRow(l),
      (row, link) => fillRow(row, link, strings),
    );
  }

  /** @param {string|null} linkId */
  point(linkId) {
    for (const [id, row] of this.#rows) row.classList.toggle('is-pointed', id === linkId);
  }

  /** @param {LinkView} link */
  #makeRow(link) {
    const { onOpen, onPoint } = this.#options;
    const button = h('button', {
      type: 'button',
      class: 'links-open',
      onclick: () => onOpen(link.id, button),
      onfocus: () => onPoint(link.id),
      onblur: () => onPoint(null),
    });
    return h(
      'tr',
      {
        role: 'row',
        'data-testid': 'link-row',
        'data-link': link.id,
        onpointerenter: () => onPoint(link.id),
        onpointerleave: () => onPoint(null),
      },
      h(
        'th',
        { scope: 'row', role: 'rowheader', 'data-column': 'peer' },
        h('span', { class: 'links-dot', 'aria-hidden': 'true' }),
        button,
      ),
      ...COLUMNS.slice(1).map((column) => h('td', { role: 'cell', 'data-column': column })),
    );
  }
}

/** @param {HTMLTableRowElement} row @param {LinkView} link @param {Strings} strings */
function fillRow(row, link, strings) {
  set(row, { 'data-shade': link.shade, 'data-path': link.path ?? '', 'data-state': link.state });
  const name = link.peer === null ? strings.hearth : link.name;
  const button = row.querySelector('button');
  if (button) {
    say(button, name);
    set(button, { 'aria-label': strings.openLink(name) });
  }
  const connected = link.state === 'connected';
  const quality = connected ? strings.qualities[link.shade] : '';
  const figures = {
    path: [[pathWords(link, strings), quality].filter(Boolean).join(' · ')],
    up: [bitrate(link.upBps)],
    down: [bitrate(link.downBps)],
    rtt: [milliseconds(link.rttMs)],
    loss: [percent(link.loss)],
    // What goes by way of the server is told stream by stream.
    picture: link.peer === null ? [] : pictureWords(link, strings),
    limit: [limitWords(link, strings)],
  };
  for (const [column, parts] of Object.entries(figures)) {
    const cell = row.querySelector(`[data-column="${column}"]`);
    if (!cell) continue;
    const isEmpty = parts.every((text) => text === '' || text === strings.none);
    fillParts(cell, isEmpty ? [strings.none] : parts);
    set(cell, { 'data-label': strings.columns[/** @type {Column} */ (column)], 'data-empty': String(isEmpty) });
  }
}

/** One span for each part, so that a line breaks between them only. @param {Element} cell @param {string[]} parts */
function fillParts(cell, parts) {
  while (cell.children.length > parts.length) cell.lastElementChild?.remove();
  while (cell.children.length < parts.length) cell.append(h('span'));
  parts.forEach((text, i) => {
    const part = cell.children[i];
    if (part) say(part, text);
  });
}

/** @param {LinkView} link @param {Strings} strings */
export function pathWords(link, strings) {
  if (link.state === 'connected' && link.path) return strings.paths[link.path];
  return strings.states[link.state];
}

/** @param {LinkView} link @param {Strings} strings */
function pictureWords(link, strings) {
  const words = (/** @type {string} */ arrow, /** @type {import('./types.js').TrackFigures[]} */ pictures) =>
    pictures.map((p) => `${arrow}\u00a0${pictureSize(p)}${p.source === 'screen' ? ` (${strings.screen})` : ''}`);
  return [...words('↑', link.upPictures), ...words('↓', link.downPictures)];
}

/** @param {LinkView} link @param {Strings} strings */
export function limitWords(link, strings) {
  if (!link.limit) return '';
  const { bps, reason } = link.limit;
  const why = Object.hasOwn(strings.limits, reason)
    ? strings.limits[/** @type {keyof Strings['limits']} */ (reason)]
    : reason;
  if (bps === 0) return `${strings.stopped}: ${why}`;
  return bps === null ? why : `${bitrate(bps)}: ${why}`;
}

/** The link as one sentence, for those who hear the yard. @param {LinkView} link @param {Strings} strings */
export function linkLabel(link, strings) {
  return strings.linkLabel({
    name: link.peer === null ? strings.hearth : link.name,
    path: pathWords(link, strings),
    quality: strings.qualities[link.shade],
    up: bitrate(link.upBps),
    down: bitrate(link.downBps),
    rtt: milliseconds(link.rttMs),
    loss: percent(link.loss),
  });
}
