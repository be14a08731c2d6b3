// One key each, unless somebody is typing.

import { h } from '../dom.js';
import { openDialog } from '../popover.js';

/** @typedef {'m'|'v'|'s'|'h'|'c'|'l'|'f'|'?'|'Escape'} KeyName */

/** Keys by their place, for keyboards that write other letters there. @type {Record<string, KeyName>} */
const PLACES = { KeyM: 'm', KeyV: 'v', KeyS: 's', KeyH: 'h', KeyC: 'c', KeyL: 'l', KeyF: 'f' };
const LETTERS = /** @type {const} */ (['m', 'v', 's', 'h', 'c', 'l', 'f', '?', 'Escape']);

/**
 * @param {Record<KeyName, () => void>} actions
 * @returns {() => void} stops listening
 */
export function listenForKeys(actions) {
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat)
      return;
    const name = keyOf(event);
    if (!name) return;
    if (name !== 'Escape' && isTyping(event.target)) return;
    if (document.querySelector('dialog[open], .menu:popover-open')) return;
    event.preventDefault();
    actions[name]();
  };
  document.addEventListener('keydown', onKey);
  return () => document.removeEventListener('keydown', onKey);
}

/** @param {KeyboardEvent} event @returns {KeyName|undefined} */
function keyOf(event) {
  const letter = LETTERS.find((name) => name.toLowerCase() === event.key.toLowerCase());
  if (letter) return letter;
  // A Latin letter means what it says; ㅁ on a Korean keyboard means the key that it is on.
  return /^[a-z]$/i.test(event.key) ? undefined : PLACES[event.code];
}

/** @param {EventTarget|null} target */
function isTyping(target) {
  if (target instanceof HTMLInputElement && target.type === 'checkbox') return false;
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

/** The list of keys. */
export function showKeys() {
  const rows = /** @type {const} */ ([
    ['M', 'keys.m'],
    ['V', 'keys.v'],
    ['S', 'keys.s'],
    ['H', 'keys.h'],
    ['C', 'keys.c'],
    ['L', 'keys.l'],
    ['F', 'keys.f'],
    ['Esc', 'keys.esc'],
    ['?', 'keys.help'],
  ]);
  openDialog('keys.title', () => [
    h('dl', { class: 'key-list' }, ...rows.flatMap(([key, t]) => [h('dt', {}, h('kbd', {}, key)), h('dd', { t })])),
  ]);
}
