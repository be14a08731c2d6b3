// What one can do about the mix: its layout, oneself in it, taking it or not. And a word when the
// server makes less of it than usual.

import { h, setAttr } from '../dom.js';
import { bindAttribute, bindText, t } from '../i18n.js';
import { icon, setIcon } from '../icons.js';
import { menuSwitch, toggleMenu } from '../popover.js';
import { noteOf, refusalOf } from './mix_words.js';

/**
 * @typedef {import('/sdk/index.js').Room} Room
 * @typedef {import('/sdk/index.js').MixWish} MixWish
 * @typedef {import('/sdk/index.js').PlainLayout} PlainLayout
 * @typedef {import('./mix_words.js').Note} Note
 */

/** @type {Record<PlainLayout, string>} */
export const LAYOUTS = {
  auto: 'layout-auto',
  grid: 'layout-grid',
  speaker: 'layout-speaker',
  presentation: 'layout-presentation',
  picture_in_picture: 'pip',
};

export class MixControls {
  #room;
  #toasts;
  #icon = icon('layout-auto', 'small');
  #word = h('span', { 'aria-hidden': 'true' });
  #button;
  #note;
  /** What was told already of this mix. @type {Set<string>} */
  #told = new Set();

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
      'button',
      { class: 'mix-note', type: 'button', testid: 'mix-note', hidden: true, onclick: () => this.#tell() },
      icon('signal-poor', 'small'),
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
    if (!mix) {
      this.#told.clear();
      return;
    }
    const { kind } = mix.layout;
    setIcon(this.#icon, kind === 'custom' ? LAYOUTS.auto : LAYOUTS[kind]);
    bindText(this.#word, `mix.layout.${kind}`);
    for (const attribute of ['aria-label', 'title'])
      bindAttribute(this.#button, attribute, 'mix.layout.button', { name: t(`mix.layout.${kind}`) });
    this.#syncNote(noteOf(mix));
  }

  /**
   * In words when it begins for the first time; a small sign stays, and says more when it is asked.
   * @param {Note|null} note
   */
  #syncNote(note) {
    this.#note.hidden = note === null;
    if (note === null) return;
    bindAttribute(this.#note, 'aria-label', note.key);
    const more = `${t(note.key)}. ${note.more}`;
    setAttr(this.#note, 'title', more);
    setAttr(this.#note, 'aria-description', note.more);
    this.#note.dataset.reason = note.more;
    if (this.#told.has(note.key)) return;
    this.#told.add(note.key);
    this.#toasts.say(note.key, {}, { icon: 'signal-poor' });
  }

  #tell() {
    this.#toasts.say('mix.note', { text: this.#note.title }, { icon: 'signal-poor' });
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
            icon: 'remove',
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
      const { t, tp } = refusalOf(error, this.#room.topology);
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
