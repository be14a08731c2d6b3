// One link, looked into: what it does, what was agreed, the ways tried, and what happened to it.

import { descriptionsOf } from './agreement.js';
import { h, s, say, set } from './dom.js';
import { History } from './history.js';
import { PairTable } from './pairs.js';
import { reportText } from './report.js';
import { SdpView } from './sdp_view.js';
import { StreamTable } from './streams.js';
import { stringsFor } from './strings.js';
import { Summary, agreedRows, facts } from './summary.js';

/** @typedef {import('./types.js').RoomLike} RoomLike */
/** @typedef {import('./types.js').LinkLike} LinkLike */
/** @typedef {import('./model.js').View} View */
/** @typedef {import('./model.js').LinkView} LinkView */

/** @type {('summary'|'sdp'|'pairs'|'history')[]} */
const SECTIONS = ['summary', 'sdp', 'pairs', 'history'];
let count = 0;

export class Inspector {
  #options;
  #title = h('h2', { id: `inspector-title-${(count += 1)}` });
  #gone = h('p', { class: 'inspector-gone', role: 'status', hidden: true });
  #close = h(
    'button',
    { type: 'button', class: 'inspector-close', onclick: () => this.close() },
    s('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true' }, s('path', { d: 'M6 6l12 12M18 6L6 18' })),
  );
  #copy = h('button', { type: 'button', class: 'inspector-copy', onclick: () => void this.#copyReport() });
  #withAddresses = h('input', { type: 'checkbox' });
  #withAddressesLabel = h('span');
  #copyNote = h('p', { class: 'quiet', role: 'status' });
  #copyText = h('textarea', { readonly: true, rows: 8, hidden: true });
  #summary = new Summary();
  #streams = new StreamTable('h4');
  #sdp = new SdpView();
  #pairs = new PairTable();
  #history = new History();
  #heads = SECTIONS.map((name) => h('h3', { id: `inspector-${name}-${count}`, tabindex: -1 }));
  #jumps = SECTIONS.map((_, i) => h('button', { type: 'button', onclick: () => this.#jump(i) }));
  #body = h('div', { class: 'inspector-body' });
  #dialog;
  /** The last of the link, for when it closes while it is looked at. @type {LinkLike|null} */
  #link = null;
  /** @type {LinkView|null} */
  #view = null;
  /** @type {import('./types.js').LinkFigures|null} */
  #figures = null;
  /** @type {import('./types.js').PairFigures[]} */
  #tried = [];

  /** @param {{room: RoomLike, linkId: string, lang: string, onClose: () => void}} options */
  constructor(options) {
    this.#options = options;
    const bodies = [
      h('div', {}, this.#summary.element, this.#streams.element),
      this.#sdp.element,
      this.#pairs.element,
      this.#history.element,
    ];
    this.#body.append(
      this.#gone,
      ...SECTIONS.map((name, i) => h('section', { class: `inspector-section is-${name}` }, this.#heads[i], bodies[i])),
      this.#makeFoot(),
    );
    this.#dialog = h(
      'dialog',
      { class: 'inspector', 'data-testid': 'inspector', 'aria-labelledby': this.#title.id },
      h(
        'header',
        { class: 'inspector-head' },
        h('div', { class: 'inspector-bar' }, this.#title, this.#close),
        h('nav', { class: 'inspector-jumps' }, ...this.#jumps),
      ),
      this.#body,
    );
    this.#listen();
    this.#link = options.room.links.get(options.linkId) ?? null;
    this.#label();
  }

  #makeFoot() {
    const choice = h('label', {}, this.#withAddresses, this.#withAddressesLabel);
    const share = h('div', { class: 'inspector-share' }, this.#copy, choice);
    return h('footer', { class: 'inspector-foot' }, share, this.#copyNote, this.#copyText);
  }

  #listen() {
    const dialog = this.#dialog;
    dialog.addEventListener('close', () => {
      dialog.remove();
      this.#options.onClose();
    });
    // The page's keys (mute, leave the panel, …) are not meant for what lies over the page.
    for (const type of /** @type {const} */ (['keydown', 'keyup', 'keypress']))
      dialog.addEventListener(type, (event) => event.stopPropagation());
    dialog.addEventListener('click', (event) => {
      if (event.target === dialog) this.close();
    });
  }

  show() {
    document.body.append(this.#dialog);
    this.#dialog.showModal();
    this.#close.focus({ preventScroll: true });
  }

  close() {
    if (this.#dialog.open) this.#dialog.close();
  }

  /**
   * @param {View} view
   * @param {import('./types.js').RoomFigures} stats
   */
  async update(view, stats) {
    const { room, linkId } = this.#options;
    const link = room.links.get(linkId);
    const shown = view.links.find((l) => l.id === linkId);
    this.#gone.hidden = Boolean(link && shown);
    if (link && shown) {
      this.#link = link;
      this.#view = shown;
      this.#figures = stats.links.find((l) => l.id === linkId) ?? null;
      this.#tried = await link.candidatePairs();
    }
    this.#render();
  }

  get #strings() {
    return stringsFor(this.#options.lang);
  }

  #label() {
    const words = this.#strings.inspector;
    set(this.#dialog, { lang: this.#strings.locale });
    set(this.#close, { 'aria-label': words.close, title: words.close });
    say(this.#gone, words.gone);
    say(this.#copy, words.copy);
    say(this.#withAddressesLabel, words.withAddresses);
    say(this.#copyNote, words.copyText);
    SECTIONS.forEach((name, i) => {
      const [head, jump] = [this.#heads[i], this.#jumps[i]];
      if (head) say(head, words.sections[name]);
      if (jump) say(jump, words.sections[name]);
    });
  }

  #render() {
    const [link, view, strings] = [this.#link, this.#view, this.#strings];
    if (!link || !view) return;
    const peer = view.peer === null ? strings.hearth : view.name;
    say(this.#title, strings.inspector.title(peer));
    set(this.#dialog, { 'data-shade': view.shade });
    const descriptions = descriptionsOf(link);
    this.#summary.update(
      facts(view, link, descriptions, strings),
      agreedRows(descriptions, this.#trackNames, strings),
      strings,
    );
    this.#streams.update(view.streams, strings);
    this.#sdp.update(descriptions, peer, strings);
    this.#pairs.update(this.#tried, strings);
    this.#history.update(link.history, strings);
  }

  /** What a section carries: the tracks of both ends by what they come from. */
  #trackNames = (/** @type {string} */ mid) => {
    const words = this.#strings.inspector;
    const tracks = (this.#figures?.tracks ?? []).filter((track) => track.mid === mid);
    return tracks
      .sort((a, b) => b.direction.localeCompare(a.direction))
      .map((track) => {
        const source =
          track.source && Object.hasOwn(words.sources, track.source)
            ? words.sources[/** @type {keyof typeof words.sources} */ (track.source)]
            : track.id;
        return `${track.direction === 'up' ? '↑' : '↓'} ${source} ${track.id}`;
      });
  };

  /** @param {number} place */
  #jump(place) {
    const head = this.#heads[place];
    if (!head) return;
    this.#body.scrollTop += head.getBoundingClientRect().top - this.#body.getBoundingClientRect().top - 16;
    head.focus({ preventScroll: true });
  }

  async #copyReport() {
    const [link, view, strings] = [this.#link, this.#view, this.#strings];
    if (!link || !view) return;
    const withAddresses = this.#withAddresses.checked;
    const text = reportText({ view, link, pairs: this.#tried, trackNames: this.#trackNames, strings, withAddresses });
    try {
      await navigator.clipboard.writeText(text);
      this.#copyText.hidden = true;
      say(this.#copyNote, strings.inspector.copied);
    } catch {
      // No permission, or a page without HTTPS: the text itself can still be selected.
      say(this.#copyNote, strings.inspector.copyFailed);
      this.#copyText.hidden = false;
      this.#copyText.value = text;
      this.#copyText.select();
    }
  }
}
