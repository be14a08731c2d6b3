// Full screens for what ends or bars a call: what happened, what it means, what to do.

import { h } from './dom.js';
import { knows } from './i18n.js';
import { icon, sign } from './icons.js';
import { langSwitch } from './switches.js';

/** Codes whose cause will not go away by trying again. */
const FINAL = [
  'bad_room',
  'not_found',
  'codec_unsupported',
  'unauthorized',
  'token_expired',
  'forbidden',
  'unsupported',
];
const ICONS = /** @type {Record<string, string>} */ ({
  left: 'door',
  kicked: 'door',
  room_full: 'people',
  room_locked: 'lock',
  unreachable: 'signal-lost',
  duplicate_identity: 'people',
});

/**
 * @param {string} code
 * @param {{message?: string, retry?: () => void}} [options]
 * @returns {HTMLElement}
 */
export function makeNotice(code, { message, retry } = {}) {
  const known = knows(`notice.${code}.title`) ? code : 'internal';
  const home = h('a', { class: 'button', href: '/', t: 'notice.home', testid: 'notice-home' });
  const again =
    retry && !FINAL.includes(code)
      ? h('button', {
          class: 'button strong',
          type: 'button',
          t: code === 'left' || code === 'kicked' || code === 'duplicate_identity' ? 'notice.rejoin' : 'notice.retry',
          testid: 'notice-retry',
          onclick: retry,
        })
      : null;
  const title = h('h1', { t: `notice.${known}.title`, tabindex: -1, id: 'notice-title' });
  return h(
    'main',
    { class: 'notice', testid: 'notice', 'data-code': code },
    h(
      'header',
      { class: 'pre-top' },
      h('a', { class: 'pre-home', href: '/', label: 'notice.home' }, sign()),
      langSwitch(),
    ),
    h(
      'section',
      { class: 'notice-card', role: 'alert', 'aria-labelledby': 'notice-title' },
      h('div', { class: 'notice-mark' }, icon(ICONS[code] ?? 'warn')),
      title,
      h('p', { class: 'quiet', t: `notice.${known}.text` }),
      known !== code || code === 'internal' ? detail(message) : null,
      h('div', { class: 'notice-actions' }, again, home),
    ),
  );
}

/** @param {string|undefined} text */
function detail(text) {
  return text ? h('p', { class: 'small-text quiet', t: 'notice.detail', tp: { text } }) : null;
}
