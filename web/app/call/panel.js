// The side panel: chat, people or links. A sheet from below on a phone.

import { h, setAttr } from '../dom.js';
import { bindText, t } from '../i18n.js';
import { icon } from '../icons.js';
import { Chat } from './chat.js';
import { People } from './people.js';

/**
 * @typedef {import('/sdk/index.js').Room} Room
 * @typedef {'chat'|'people'|'links'} PanelName
 * @typedef {{element: HTMLElement, destroy: () => void}} LinksPanel
 */

export class Panel {
  #room;
  #onChange;
  /** @type {PanelName|null} */
  #open = null;
  /** @type {LinksPanel|null} */
  #links = null;
  #title = h('h2', { id: 'panel-title', tabindex: -1 });
  #body = h('div', { class: 'panel-body' });
  #chat;
  #people;
  /** Messages that have not been seen. */
  unread = 0;

  /**
   * @param {Room} room
   * @param {{copyLink: () => void, onProblem: () => void, onChange: (name: PanelName|null, from: PanelName|null) => void}} options
   */
  constructor(room, options) {
    this.#room = room;
    this.#onChange = options.onChange;
    this.#chat = new Chat(room);
    this.#people = new People(room, options);
    const close = h(
      'button',
      { class: 'icon-button', type: 'button', label: 'close', testid: 'panel-close', onclick: () => this.toggle(null) },
      icon('close'),
    );
    this.element = h(
      'aside',
      { class: 'panel', testid: 'panel', 'aria-labelledby': 'panel-title', inert: true },
      h('div', { class: 'panel-inner' }, h('header', { class: 'panel-head' }, this.#title, close), this.#body),
    );
  }

  get open() {
    return this.#open;
  }

  /** Opens one, closes it when it is open, or closes all. @param {PanelName|null} name */
  toggle(name) {
    const next = name === this.#open ? null : name;
    const before = this.#open;
    this.#open = next;
    if (before === 'links') this.#dropLinks();
    this.element.classList.toggle('open', next !== null);
    this.element.inert = next === null;
    setAttr(this.element, 'data-panel', next);
    if (next) this.#fill(next);
    this.#onChange(next, before);
  }

  /** @param {PanelName} name */
  #fill(name) {
    bindText(this.#title, `${name}.title`);
    if (name === 'chat') {
      this.#body.replaceChildren(this.#chat.element);
      this.unread = 0;
      this.sync();
      this.#chat.focus();
      return;
    }
    if (name === 'people') this.#body.replaceChildren(this.#people.element);
    else void this.#loadLinks();
    this.sync();
    this.#title.focus({ preventScroll: true });
  }

  async #loadLinks() {
    this.#body.replaceChildren();
    try {
      const { createLinksPanel } = await import('/app/links/panel.js');
      if (this.#open !== 'links' || this.#links) return;
      this.#links = createLinksPanel({ room: this.#room, t });
      this.#body.replaceChildren(this.#links.element);
    } catch (error) {
      console.error(error);
      if (this.#open === 'links') this.#body.replaceChildren(h('p', { class: 'quiet', t: 'links.failed' }));
    }
  }

  /** Fetches the links panel while nobody waits for it. */
  prepare() {
    import('/app/links/panel.js').catch(() => {});
  }

  #dropLinks() {
    this.#links?.destroy();
    this.#links = null;
  }

  /** @param {import('/sdk/index.js').ChatMessage} message @returns {boolean} whether it was seen */
  chatArrived(message) {
    this.#chat.sync();
    if (this.#open === 'chat' || message.fromId === this.#room.localParticipant.id) return true;
    this.unread += 1;
    return false;
  }

  sync() {
    if (this.#open === 'people') this.#people.sync();
    if (this.#open === 'chat') this.#chat.sync();
  }

  destroy() {
    this.#dropLinks();
    this.element.remove();
  }
}
