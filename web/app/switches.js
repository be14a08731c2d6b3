// The switches for language and look.

import { h } from './dom.js';
import { lang, onLang, setLang } from './i18n.js';
import { icon } from './icons.js';
import { currentTheme, setTheme } from './theme.js';

/**
 * @template {string} V
 * @param {string} label
 * @param {{value: V, text?: string, t?: string, icon?: string, lang?: string, hint?: string}[]} choices
 * @param {() => V} current
 * @param {(value: V) => void} choose
 */
function segments(label, choices, current, choose) {
  const group = h('div', { class: 'segments', role: 'group', label });
  const show = () => {
    for (const button of group.querySelectorAll('button')) {
      button.setAttribute('aria-pressed', String(button.dataset.value === current()));
    }
  };
  for (const choice of choices) {
    const button = h('button', {
      type: 'button',
      'data-value': choice.value,
      lang: choice.lang,
      label: choice.icon ? choice.t : undefined,
      hint: choice.hint ?? (choice.icon ? choice.t : undefined),
      t: choice.icon ? undefined : choice.t,
      onclick: () => {
        choose(choice.value);
        show();
      },
    });
    if (choice.icon) button.append(icon(choice.icon, 'small'));
    if (choice.text) button.textContent = choice.text;
    group.append(button);
  }
  show();
  return { group, show };
}

/**
 * How a room finds its topology. The server tells what it came to, not what was asked for.
 * @typedef {'auto'|'mesh'|'sfu'|'mcu'} Policy
 * @param {() => Policy} current
 * @param {(policy: Policy) => void} choose
 */
export function topologySwitch(current, choose) {
  return segments(
    'topology.name',
    /** @type {const} */ (['auto', 'mesh', 'sfu', 'mcu']).map((value) => ({
      value,
      t: `topology.${value}`,
      hint: `topology.${value}.hint`,
    })),
    current,
    choose,
  ).group;
}

export function langSwitch() {
  const { group, show } = segments(
    'lang.name',
    [
      { value: 'en', text: 'English', lang: 'en' },
      { value: 'ko', text: '한국어', lang: 'ko' },
    ],
    lang,
    (value) => setLang(value === 'ko' ? 'ko' : 'en'),
  );
  onLang(show);
  return group;
}

export function themeSwitch() {
  return segments(
    'theme.name',
    [
      { value: /** @type {const} */ ('auto'), t: 'theme.auto', icon: 'auto' },
      { value: /** @type {const} */ ('light'), t: 'theme.light', icon: 'sun' },
      { value: /** @type {const} */ ('dark'), t: 'theme.dark', icon: 'moon' },
    ],
    currentTheme,
    setTheme,
  ).group;
}
