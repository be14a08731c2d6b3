// The links panel: a live picture of how this room's media travels.

import { h, say, set } from './dom.js';
import { Figures } from './figures.js';
import { Inspector } from './inspector.js';
import { MixerTable } from './mixer.js';
import { viewOf } from './model.js';
import { stringsFor } from './strings.js';
import { StreamTable } from './streams.js';
import { LinkTable, linkLabel } from './table.js';
import { Tip } from './tip.js';
import { Yard } from './yard.js';

/** @typedef {import('./types.js').RoomLike} RoomLike */
/** @typedef {import('./model.js').View} View */

const PERIOD_MS = 1000;
/** What changes the picture at once, without waiting for the next second. */
const EVENTS = [
  'connected',
  'participantConnected',
  'participantDisconnected',
  'participantChanged',
  'linkOpened',
  'linkChanged',
  'linkClosed',
  'topologyChanged',
  'bitrateChanged',
  'trackDeliveryChanged',
  'mixChanged',
  'mixStateChanged',
  'mixDeliveryChanged',
];

/**
 * @param {object} options
 * @param {RoomLike} options.room
 * @param {string} [options.lang] `en` or `ko`; else, and whenever it changes, the page's
 * @param {unknown} [options.t] the page's own translations; the panel brings its own
 * @returns {{element: HTMLElement, destroy: () => void}}
 */
export function createLinksPanel({ room, lang }) {
  const panel = new LinksPanel(room, lang ?? document.documentElement.lang);
  ensureStyles(panel.element);
  return { element: panel.element, destroy: () => panel.destroy() };
}

/**
 * The page may link the style sheet itself; if it does not, the panel does, and stays hidden until
 * it is there.
 * @param {HTMLElement} element
 */
function ensureStyles(element) {
  const href = new URL('./links.css', import.meta.url).href;
  if ([...document.querySelectorAll('link')].some((link) => link.href === href)) return;
  const show = () => element.style.removeProperty('display');
  element.style.display = 'none';
  document.head.append(h('link', { rel: 'stylesheet', href, onload: show, onerror: show }));
}

class LinksPanel {
  #room;
  #lang;
  #strings;
  #figures = new Figures();
  #why = h('span');
  #learn = h('a', { class: 'links-learn', target: '_blank', rel: 'noopener' });
  #legend = makeLegend();
  #yard;
  #table;
  #tip = new Tip();
  #streams = new StreamTable('h3');
  #mixer = new MixerTable();
  /** @type {Inspector|null} */
  #inspector = null;
  /** @type {View|null} */
  #view = null;
  #isAsking = false;
  #isStale = false;
  #timer;
  #langObserver = new MutationObserver(() => this.#setLang(document.documentElement.lang));
  #onEvent = () => void this.#refresh();

  /** @param {RoomLike} room @param {string} lang */
  constructor(room, lang) {
    this.#room = room;
    this.#lang = lang;
    this.#strings = stringsFor(lang);
    const options = {
      onOpen: (/** @type {string} */ id, /** @type {Element} */ opener) => this.#open(id, opener),
      onPoint: (/** @type {string|null} */ id) => this.#point(id),
    };
    this.#yard = new Yard(options);
    this.#table = new LinkTable(options);
    const caption = h('div', { class: 'links-caption' }, this.#legend.element, this.#tip.element);
    const words = h('p', { class: 'links-text' }, this.#why, ' ', this.#learn);
    this.element = h(
      'section',
      { class: 'links-panel', 'data-testid': 'links-panel' },
      h(
        'div',
        { class: 'links-layout' },
        h('div', { class: 'links-picture' }, this.#yard.element, caption),
        h(
          'div',
          { class: 'links-words' },
          this.#figures.element,
          words,
          this.#mixer.element,
          this.#table.element,
          this.#streams.element,
        ),
      ),
    );
    this.#langObserver.observe(document.documentElement, { attributes: true, attributeFilter: ['lang'] });
    for (const event of EVENTS) room.on(event, this.#onEvent);
    this.#timer = setInterval(() => this.#tick(), PERIOD_MS);
    void this.#refresh();
  }

  destroy() {
    clearInterval(this.#timer);
    this.#langObserver.disconnect();
    for (const event of EVENTS) this.#room.off(event, this.#onEvent);
    this.#inspector?.close();
    this.element.remove();
  }

  // A panel that nobody looks at asks for nothing.
  #tick() {
    const isSeen = this.element.isConnected && this.element.getClientRects().length > 0 && !document.hidden;
    if (isSeen || this.#inspector) void this.#refresh();
  }

  async #refresh() {
    if (this.#isAsking) {
      this.#isStale = true;
      return;
    }
    this.#isAsking = true;
    try {
      const stats = await this.#room.getStats();
      this.#view = viewOf(this.#room, stats);
      this.#render();
      await this.#inspector?.update(this.#view, stats);
    } catch (error) {
      // A connection may close while it is asked; the next second asks those that are left.
      console.debug('links panel', error);
    } finally {
      this.#isAsking = false;
    }
    if (!this.#isStale) return;
    this.#isStale = false;
    await this.#refresh();
  }

  /** @param {string} lang */
  #setLang(lang) {
    this.#lang = lang;
    this.#strings = stringsFor(lang);
    this.#render();
  }

  #render() {
    const view = this.#view;
    if (!view) return;
    const strings = this.#strings;
    set(this.element, { 'aria-label': strings.panel, lang: strings.locale });
    this.#yard.update(view, strings, (link) => linkLabel(link, strings));
    this.#figures.update(view, strings);
    this.#table.update(view.links, strings);
    // A link between two people carries little more than the table says.
    this.#streams.update(view.links.find((link) => link.peer === null)?.streams ?? [], strings);
    this.#mixer.update(view.mixer, strings);
    this.#tip.update(view, strings);
    this.#legend.update(view, strings);
    say(this.#why, reason(view, strings));
    const shape = view.isMixed ? 'mcu' : view.topology;
    say(this.#learn, strings.learnMore[shape]);
    set(this.#learn, { href: `${strings.learn}#${shape}` });
  }

  /** @param {string|null} id */
  #point(id) {
    this.#yard.point(id);
    this.#table.point(id);
    this.#tip.point(id);
  }

  /** @param {string} id @param {Element} opener */
  #open(id, opener) {
    this.#inspector?.close();
    const inspector = new Inspector({
      room: this.#room,
      linkId: id,
      lang: this.#lang,
      onClose: () => {
        if (this.#inspector === inspector) this.#inspector = null;
        if (opener instanceof HTMLElement || opener instanceof SVGElement) opener.focus();
        this.#point(null);
      },
    });
    this.#inspector = inspector;
    inspector.show();
    void this.#refresh();
  }
}

/** @param {View} view @param {import('./strings.js').Strings} strings */
function reason(view, strings) {
  const n = view.people.length;
  if (n < 2) return strings.whyAlone;
  if (view.topology === 'mcu') return strings.whyMcu;
  if (view.isMixed) return strings.whySaving({ n });
  if (view.topology === 'sfu') return strings.whySfu({ n });
  return strings.whyMesh({ n, links: view.linkCount, relayed: view.relayed });
}

function makeLegend() {
  const direct = legendItem('direct');
  const relay = legendItem('relay');
  const among = legendItem('among');
  const width = h('li', { class: 'legend-words' });
  return {
    element: h('ul', { class: 'links-legend' }, direct.element, relay.element, among.element, width),
    /** @param {View} view @param {import('./strings.js').Strings} strings */
    update(view, strings) {
      direct.say(strings.legendDirect);
      relay.say(strings.legendRelay);
      among.say(strings.legendAmong);
      among.element.hidden = view.among.length === 0;
      say(width, strings.legendWidth);
    },
  };
}

/** @param {string} kind */
function legendItem(kind) {
  const words = h('span');
  const element = h('li', {}, h('span', { class: `legend-line is-${kind}`, 'aria-hidden': 'true' }), words);
  return { element, say: (/** @type {string} */ text) => say(words, text) };
}
