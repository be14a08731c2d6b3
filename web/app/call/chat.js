// Chat: grouped by person and time; links are links, never HTML.

import { h, setAttr } from '../dom.js';
import { bindText, lang, onLang } from '../i18n.js';
import { icon } from '../icons.js';
import { hueOf, initials } from '../names.js';

/**
 * @typedef {import('/sdk/index.js').Room} Room
 * @typedef {import('/sdk/index.js').ChatMessage} ChatMessage
 */

const GROUP_MS = 3 * 60_000;
const MOST_BYTES = 4096;
const LINK = /https?:\/\/[^\s<>"'`]+[^\s<>"'`.,:;!?)\]}]/g;

export class Chat {
  #room;
  #shown = 0;
  /** @type {ChatMessage|null} */
  #last = null;
  /** @type {HTMLElement|null} */
  #group = null;
  #empty = h('p', { class: 'chat-empty quiet', t: 'chat.empty' });
  #list = h(
    'div',
    { class: 'chat-list', role: 'log', 'aria-live': 'polite', label: 'chat.title', tabindex: 0 },
    this.#empty,
  );
  #input = h('textarea', {
    class: 'field chat-input',
    rows: 1,
    placeholderKey: 'chat.input',
    label: 'chat.input',
    testid: 'chat-input',
  });
  #send = h('button', {
    class: 'icon-button chat-send',
    type: 'submit',
    label: 'chat.send',
    testid: 'chat-send',
    disabled: true,
  });
  #problem = h('p', { class: 'chat-problem small-text', role: 'alert' });

  /** @param {Room} room */
  constructor(room) {
    this.#room = room;
    this.#send.append(icon('send'));
    const form = h('form', { class: 'chat-form' }, this.#input, this.#send);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#say();
    });
    this.#input.addEventListener('input', () => this.#grow());
    this.#input.addEventListener('keydown', (event) => {
      // Enter also ends a Korean syllable being composed; then it does not send.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      void this.#say();
    });
    this.element = h('div', { class: 'chat' }, this.#list, this.#problem, form);
    onLang(() => this.#rebuild());
  }

  focus() {
    this.#input.focus({ preventScroll: true });
    this.#list.scrollTop = this.#list.scrollHeight;
  }

  /** Shows what has come since. */
  sync() {
    const { messages } = this.#room;
    if (messages.length < this.#shown) return this.#rebuild();
    const isAtEnd = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 80;
    for (const message of messages.slice(this.#shown)) this.#add(message);
    this.#shown = messages.length;
    this.#empty.hidden = messages.length > 0;
    if (isAtEnd) this.#list.scrollTop = this.#list.scrollHeight;
  }

  #rebuild() {
    this.#list.replaceChildren(this.#empty);
    this.#shown = 0;
    this.#last = null;
    this.sync();
  }

  /** @param {ChatMessage} message */
  #add(message) {
    const last = this.#last;
    const isSame =
      last &&
      last.fromId === message.fromId &&
      last.isPrivate === message.isPrivate &&
      message.at.getTime() - last.at.getTime() < GROUP_MS;
    if (!isSame || !this.#group) {
      this.#group = this.#startGroup(message);
      this.#list.append(this.#group);
    }
    const line = h('p', { class: 'chat-text', testid: 'chat-message' });
    line.append(...withLinks(message.text));
    this.#group.querySelector('.chat-lines')?.append(line);
    this.#last = message;
  }

  /** @param {ChatMessage} message */
  #startGroup(message) {
    const isOwn = message.fromId === this.#room.localParticipant.id;
    const time = message.at.toLocaleTimeString(lang(), { hour: 'numeric', minute: '2-digit' });
    const face = h('span', { class: 'avatar tiny', 'aria-hidden': 'true' }, initials(message.fromName));
    face.style.setProperty('--hue', String(hueOf(message.fromName)));
    const who = isOwn ? h('b', { t: 'chat.you' }) : h('b', {}, message.fromName);
    return h(
      'div',
      { class: `chat-group${isOwn ? ' own' : ''}` },
      face,
      h(
        'div',
        { class: 'chat-lines' },
        h(
          'div',
          { class: 'chat-who' },
          who,
          h('time', { datetime: message.at.toISOString() }, time),
          message.isPrivate && !isOwn ? h('span', { t: 'chat.private' }) : null,
        ),
      ),
    );
  }

  async #say() {
    const text = this.#input.value.trim();
    if (!text) return;
    this.#problem.textContent = '';
    if (new TextEncoder().encode(text).length > MOST_BYTES) return bindText(this.#problem, 'chat.long');
    this.#input.value = '';
    this.#grow();
    try {
      await this.#room.sendChat(text);
    } catch {
      if (!this.#input.value) this.#input.value = text;
      this.#grow();
      bindText(this.#problem, 'chat.failed');
    }
  }

  #grow() {
    this.#input.style.height = 'auto';
    this.#input.style.height = `${Math.min(this.#input.scrollHeight + 2, 132)}px`;
    this.#send.disabled = this.#input.value.trim() === '';
    setAttr(this.#input, 'data-filled', this.#send.disabled ? null : '');
  }
}

/** @param {string} text @returns {(string|Node)[]} */
function withLinks(text) {
  const parts = [];
  let at = 0;
  for (const match of text.matchAll(LINK)) {
    parts.push(text.slice(at, match.index));
    parts.push(h('a', { href: match[0], target: '_blank', rel: 'noopener noreferrer nofollow' }, match[0]));
    at = match.index + match[0].length;
  }
  parts.push(text.slice(at));
  return parts;
}
