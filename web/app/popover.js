// Menus that hang from a button, and dialogs: the browser's own, so Esc, focus and the layer
// above everything are theirs.

import { h } from './dom.js';
import { icon } from './icons.js';

const MARGIN = 8;

/**
 * Opens a menu beside a button, or closes it when it is open.
 * @param {HTMLElement} anchor
 * @param {(close: () => void) => Node[]} fill
 * @param {{role?: string, label?: string, labelParams?: Record<string, any>, className?: string}} [options]
 */
export function toggleMenu(anchor, fill, { role = 'menu', label, labelParams, className = '' } = {}) {
  if (anchor.getAttribute('aria-expanded') === 'true') return;
  const menu = h('div', { class: `menu ${className}`.trim(), popover: 'auto', role, label, tp: labelParams });
  const close = () => menu.hidePopover();
  menu.append(...fill(close));
  menu.addEventListener('toggle', (event) => {
    if (!(event instanceof ToggleEvent) || event.newState !== 'closed') return;
    const hadFocus = menu.contains(document.activeElement) || document.activeElement === document.body;
    menu.remove();
    if (hadFocus) anchor.focus({ preventScroll: true });
    // After this click, so that a click on the anchor itself does not open it anew.
    setTimeout(() => anchor.setAttribute('aria-expanded', 'false'), 0);
  });
  menu.addEventListener('keydown', moveFocus);
  // In full screen only what is inside it is seen; the top layer is.
  document.body.append(menu);
  menu.showPopover();
  anchor.setAttribute('aria-expanded', 'true');
  place(menu, anchor);
  const first = menu.querySelector('button:not([disabled]), a[href], select');
  if (first instanceof HTMLElement) first.focus({ preventScroll: true });
}

/** @param {HTMLElement} menu @param {HTMLElement} anchor */
function place(menu, anchor) {
  const at = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const left = Math.min(Math.max(MARGIN, at.left + at.width / 2 - width / 2), innerWidth - width - MARGIN);
  const above = at.top - height - MARGIN;
  const below = at.bottom + MARGIN;
  const top = above >= MARGIN ? above : Math.min(below, innerHeight - height - MARGIN);
  menu.style.left = `${Math.max(MARGIN, left)}px`;
  menu.style.top = `${Math.max(MARGIN, top)}px`;
}

/** @param {KeyboardEvent} event */
function moveFocus(event) {
  const menu = event.currentTarget;
  if (!(menu instanceof HTMLElement) || !['ArrowDown', 'ArrowUp', 'Home', 'End'].includes(event.key)) return;
  if (event.target instanceof HTMLSelectElement) return;
  event.preventDefault();
  const items = [...menu.querySelectorAll('button:not([disabled]), a[href], select')];
  const at = items.findIndex((item) => item === document.activeElement);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key] ?? 0;
  const item = items.at(next >= items.length ? 0 : next);
  if (item instanceof HTMLElement) item.focus();
}

/**
 * @param {object} options
 * @param {string} options.icon
 * @param {string} options.t
 * @param {Record<string, any>} [options.tp]
 * @param {() => void} options.onclick
 * @param {string} [options.className]
 * @param {string} [options.testid]
 */
export function menuItem({ icon: name, t, tp, onclick, className = '', testid }) {
  return h(
    'button',
    { class: `menu-item ${className}`.trim(), type: 'button', role: 'menuitem', testid, onclick },
    icon(name),
    h('span', { class: 'grow', t, tp }),
  );
}

/**
 * @param {object} options
 * @param {string} options.icon
 * @param {string} options.t
 * @param {string} options.text key of a line beneath
 * @param {boolean} options.checked
 * @param {boolean} [options.fixed] shown, and not to be changed here
 * @param {() => void} options.onclick
 * @param {string} [options.testid]
 */
export function menuSwitch({ icon: name, t, text, checked, fixed = false, onclick, testid }) {
  return h(
    'button',
    {
      class: 'menu-item menu-switch',
      type: 'button',
      role: 'menuitemcheckbox',
      'aria-checked': String(checked),
      'aria-disabled': fixed ? 'true' : undefined,
      testid,
      onclick: () => fixed || onclick(),
    },
    icon(name),
    h('span', { class: 'grow menu-lines' }, h('span', { t }), h('span', { class: 'quiet small-text', t: text })),
    h('span', { class: 'switch-mark', 'aria-hidden': 'true' }),
  );
}

/**
 * @param {string} title key of its title
 * @param {(close: () => void) => Node[]} fill
 * @param {Record<string, any>} [params] of the title
 * @returns {HTMLDialogElement}
 */
export function openDialog(title, fill, params) {
  const dialog = h('dialog', { class: 'dialog', 'aria-labelledby': 'dialog-title' });
  const close = () => dialog.close();
  dialog.append(
    h(
      'div',
      { class: 'dialog-head' },
      h('h2', { id: 'dialog-title', t: title, tp: params, tabindex: -1 }),
      h('button', { class: 'icon-button', type: 'button', label: 'close', onclick: close }, icon('close')),
    ),
    ...fill(close),
  );
  dialog.addEventListener('close', () => dialog.remove());
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog && !within(dialog, event)) close();
  });
  document.body.append(dialog);
  dialog.showModal();
  const first = dialog.querySelector('[autofocus], select') ?? dialog.querySelector('h2');
  if (first instanceof HTMLElement) first.focus();
  return dialog;
}

/** @param {HTMLElement} element @param {MouseEvent} event */
function within(element, event) {
  const box = element.getBoundingClientRect();
  return (
    event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom
  );
}
