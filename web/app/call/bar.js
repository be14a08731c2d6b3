// The controls: one bar at the bottom, round buttons with words beneath.

import { h, setAttr } from '../dom.js';
import { bindAttribute, bindText } from '../i18n.js';
import { icon, setIcon } from '../icons.js';

/**
 * @typedef {'mic'|'camera'|'screen'|'hand'|'chat'|'people'|'links'|'more'|'leave'} Control
 * @typedef {Record<Control, (button: HTMLButtonElement) => void>} Actions
 *
 * @typedef {object} BarState
 * @property {boolean} mic
 * @property {boolean} camera
 * @property {boolean} screen
 * @property {boolean} hand
 * @property {'chat'|'people'|'links'|null} panel
 * @property {number} unread
 * @property {number} people
 * @property {boolean} canPublish
 */

const ORDER = /** @type {const} */ (['mic', 'camera', 'screen', 'hand', 'chat', 'people', 'links', 'more', 'leave']);

export class Bar {
  /** @type {Map<Control, {button: HTMLButtonElement, icon: SVGSVGElement, word: HTMLElement, badge: HTMLElement}>} */
  #controls = new Map();

  /** @param {Actions} actions */
  constructor(actions) {
    this.element = h('div', { class: 'bar', role: 'toolbar', label: 'bar.label', testid: 'bar' });
    for (const control of ORDER) {
      const svg = icon(control);
      const badge = h('span', { class: 'badge', 'aria-hidden': 'true', hidden: true });
      const word = h('span', { class: 'control-word', 'aria-hidden': 'true', t: `bar.${control}` });
      const button = h(
        'button',
        { class: `control control-${control}`, type: 'button', testid: control, label: `bar.${control}` },
        h('span', { class: 'round' }, svg, badge),
        word,
      );
      button.addEventListener('click', () => actions[control](button));
      if (control === 'more') {
        setAttr(button, 'aria-haspopup', 'menu');
        setAttr(button, 'aria-expanded', 'false');
      }
      this.#controls.set(control, { button, icon: svg, word, badge });
      this.element.append(button);
    }
    if (!navigator.mediaDevices || !('getDisplayMedia' in navigator.mediaDevices)) this.button('screen').hidden = true;
    this.#labels('leave', 'bar.leave', 'hint.leave');
  }

  /** @param {Control} control @returns {HTMLButtonElement} */
  button(control) {
    const found = this.#controls.get(control);
    if (!found) throw new Error(`There is no control ${control}`);
    return found.button;
  }

  /**
   * Whether a control that could be used has no place in a bar this narrow.
   * @param {Control} control
   */
  isFolded(control) {
    const button = this.button(control);
    return !button.hidden && !button.disabled && button.offsetWidth === 0;
  }

  /** @param {BarState} state */
  sync(state) {
    this.#device('mic', state.mic);
    this.#device('camera', state.camera);
    for (const control of /** @type {const} */ (['mic', 'camera', 'screen']))
      this.button(control).disabled = !state.canPublish;
    this.#toggle('screen', state.screen);
    if (!state.canPublish)
      for (const control of /** @type {const} */ (['mic', 'camera', 'screen']))
        bindAttribute(this.button(control), 'title', 'hint.viewer');
    this.#toggle('hand', state.hand);
    const screen = this.#controls.get('screen');
    if (screen) setIcon(screen.icon, state.screen ? 'screen-stop' : 'screen');
    for (const control of /** @type {const} */ (['chat', 'people', 'links'])) {
      setAttr(this.button(control), 'aria-expanded', String(state.panel === control));
    }
    this.#count('chat', state.unread, state.unread > 0 ? 'bar.chat.unread' : 'bar.chat');
    this.#count('people', state.people > 1 ? state.people : 0, 'bar.people.count', state.people);
  }

  /** @param {'mic'|'camera'} control @param {boolean} on */
  #device(control, on) {
    const parts = this.#controls.get(control);
    if (!parts) return;
    parts.button.classList.toggle('off', !on);
    setAttr(parts.button, 'aria-pressed', String(on));
    setIcon(parts.icon, on ? control : `${control}-off`);
    const hint = `hint.${control}.${on ? 'off' : 'on'}`;
    this.#labels(control, on ? `bar.${control}` : `bar.${control}.off`, hint);
    bindAttribute(parts.button, 'aria-label', hint);
  }

  /** @param {'screen'|'hand'} control @param {boolean} on */
  #toggle(control, on) {
    const button = this.button(control);
    button.classList.toggle('on', on);
    setAttr(button, 'aria-pressed', String(on));
    const more = on ? '.on' : '';
    this.#labels(control, `bar.${control}${more}`, `hint.${control}${more}`);
    bindAttribute(button, 'aria-label', `hint.${control}${more}`);
  }

  /** @param {Control} control @param {string} word @param {string} hint */
  #labels(control, word, hint) {
    const parts = this.#controls.get(control);
    if (!parts) return;
    bindText(parts.word, word);
    bindAttribute(parts.button, 'title', hint);
  }

  /** @param {'chat'|'people'} control @param {number} shown @param {string} label @param {number} [count] */
  #count(control, shown, label, count = shown) {
    const parts = this.#controls.get(control);
    if (!parts) return;
    parts.badge.hidden = shown === 0;
    parts.badge.textContent = shown > 99 ? '99+' : String(shown);
    bindAttribute(parts.button, 'aria-label', label, { count });
  }
}
