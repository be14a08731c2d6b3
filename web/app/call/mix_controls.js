// What one can do about the mix: its layout, oneself in it, taking it or not. And a word when the
// server makes less of it than usual.

import { SignalingError } from '/sdk/index.js';

import { h, setAttr } from '../dom.js';
import { bindAttribute, bindText, t } from '../i18n.js';
import { icon, setIcon } from '../icons.js';
import { menuSwitch, toggleMenu } from '../popover.js';
import { tellDelivery } from './delivery.js';

/**
 * @typedef {import('/sdk/index.js').Room} Room
 * @typedef {import('/sdk/index.js').Mix} Mix
 * @typedef {import('/sdk/index.js').MixWish} MixWish
 * @typedef {import('/sdk/index.js').PlainLayout} PlainLayout
 * @typedef {{key: string, more: string}} Note `more`: said to whoever asks
 */

/** @type {Record<PlainLayout, string>} */
export const LAYOUTS = {
  auto: 'layout-auto',
  grid: 'layout-grid',
  speaker: 'layout-speaker',
  presentation: 'layout-presentation',
  picture_in_picture: 'pip',
};

/**
 * Why the picture is less than it could be.
 * @param {Pick<Mix, 'state'|'delivery'>|null} mix
 * @returns {Note|null}
 */
export function noteOf(mix) {
  if (!mix) return null;
  if (mix.state?.limited) return { key: 'mix.limited', more: mix.state.limited };
  const told = tellDelivery(mix.delivery, '');
  return told?.mark ? { key: 'mix.smaller', more: t(told.key, told.params) } : null;
}

/**
 * The word for what the server refuses.
 * @param {unknown} error
 * @returns {{t: string, tp: Record<string, string>}}
 */
export function refusalOf(error) {
  const { code, message } = error instanceof SignalingError ? error : { code: '', message: '' };
  if (code === 'room_full') return { t: 'save.full', tp: {} };
  return message ? { t: 'save.refused', tp: { text: message } } : { t: 'save.failed', tp: {} };
}

export class MixControls {
  #room;
  #toasts;
  #icon = icon('layout-auto', 'small');
  #word = h('span', { 'aria-hidden': 'true' });
  #button;
  #noteWords = h('span', {});
  #note;

  /** @param {Room} room @param {import('./toasts.js').Toasts} toasts */
  constructor(room, toasts) {
    this.#room = room;
    this.#toasts = toasts;
    this.#button = h(
      'button',
      {
        class: 'mix-layout',
        type: 'button',
        testid: 'layout',
        'aria-haspopup': 'menu',
        'aria-expanded': 'false',
        onclick: () => this.#open(),
      },
      this.#icon,
      this.#word,
    );
    this.#note = h(
      'div',
      { class: 'mix-note', role: 'status', testid: 'mix-note', hidden: true },
      icon('signal-poor', 'small'),
      this.#noteWords,
    );
    this.element = h('div', { class: 'mix-controls', hidden: true }, this.#button, this.#note);
  }

  /** Whether the server mixes for this person, or will at once. */
  get isOn() {
    return this.#room.mix !== null || this.isFixed;
  }

  /** Whether it does so for everyone. */
  get isFixed() {
    return this.#room.topology === 'mcu';
  }

  /** Takes the mix, or everybody's own pictures again. */
  toggle() {
    if (this.isFixed) return;
    void this.#take({ on: this.#room.mix === null });
  }

  sync() {
    const { mix } = this.#room;
    this.element.hidden = mix === null || this.#room.remoteParticipants.size === 0;
    if (!mix) return;
    const { kind } = mix.layout;
    setIcon(this.#icon, kind === 'custom' ? LAYOUTS.auto : LAYOUTS[kind]);
    bindText(this.#word, `mix.layout.${kind}`);
    for (const attribute of ['aria-label', 'title'])
      bindAttribute(this.#button, attribute, 'mix.layout.button', { name: t(`mix.layout.${kind}`) });
    const note = noteOf(mix);
    this.#note.hidden = note === null;
    if (!note) return;
    bindText(this.#noteWords, note.key);
    setAttr(this.#note, 'title', note.more);
  }

  #open() {
    const { mix } = this.#room;
    if (!mix) return;
    toggleMenu(
      this.#button,
      (close) => {
        const choose = (/** @type {MixWish} */ wish) => () => {
          close();
          void this.#take({ on: true, ...wish });
        };
        const kinds = /** @type {PlainLayout[]} */ (Object.keys(LAYOUTS));
        return [
          h('div', { class: 'menu-title', t: 'mix.layout.title', 'aria-hidden': 'true' }),
          ...kinds.map((kind) => layoutItem(kind, mix.layout.kind === kind, choose({ layout: kind }))),
          h('hr', { class: 'menu-line' }),
          menuSwitch({
            icon: 'camera-off',
            t: 'mix.hideself',
            text: 'mix.hideself.text',
            checked: mix.hideSelf,
            testid: 'hide-self',
            onclick: choose({ hideSelf: !mix.hideSelf }),
          }),
        ];
      },
      { label: 'mix.layout.title' },
    );
  }

  /** @param {MixWish} wish */
  async #take(wish) {
    try {
      await this.#room.takeMix(wish);
    } catch (error) {
      const { t, tp } = refusalOf(error);
      this.#toasts.say(t, tp, { icon: 'warn' });
    }
  }
}

/** @param {PlainLayout} kind @param {boolean} isChosen @param {() => void} onclick */
function layoutItem(kind, isChosen, onclick) {
  return h(
    'button',
    {
      class: 'menu-item',
      type: 'button',
      role: 'menuitemradio',
      'aria-checked': String(isChosen),
      testid: `layout-${kind}`,
      onclick,
    },
    icon(LAYOUTS[kind]),
    h(
      'span',
      { class: 'grow menu-lines' },
      h('span', { t: `mix.layout.${kind}` }),
      h('span', { class: 'quiet small-text', t: `mix.layout.${kind}.text` }),
    ),
    icon('check', 'tick'),
  );
}
