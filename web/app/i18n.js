// Two languages, switchable while the page lives.

import en from './i18n/en.js';
import ko from './i18n/ko.js';
import { writePrefs } from './prefs.js';

/** @typedef {keyof typeof en} Key */
/** @typedef {Record<string, any>} Params */
/** @typedef {'en'|'ko'} Lang */

/** @type {Record<Lang, Record<string, string|((p: any) => string)>>} */
const LANGUAGES = { en, ko };

/** @type {WeakMap<Element, Map<string, Params|undefined>>} */
const parameters = new WeakMap();
const ATTRIBUTES = ['aria-label', 'title', 'placeholder'];
const watchers = new EventTarget();

/** @returns {Lang} */
export function lang() {
  return document.documentElement.lang === 'ko' ? 'ko' : 'en';
}

/**
 * @param {string} key
 * @param {Params} [params]
 * @returns {string}
 */
export function t(key, params = {}) {
  const text = LANGUAGES[lang()][key] ?? LANGUAGES.en[key];
  if (text === undefined) return key;
  return typeof text === 'function' ? text(params) : text;
}

/** The words of one page, which no other has to load. @param {Record<Lang, Record<string, string|((p: any) => string)>>} words */
export function addWords(words) {
  Object.assign(LANGUAGES.en, words.en);
  Object.assign(LANGUAGES.ko, words.ko);
}

/** @param {string} key */
export function knows(key) {
  return key in LANGUAGES.en;
}

/**
 * @param {Element} element
 * @param {string} key
 * @param {Params} [params]
 */
export function bindText(element, key, params) {
  element.setAttribute('data-t', key);
  remember(element, 'text', params);
  const text = t(key, params);
  if (element.textContent !== text) element.textContent = text;
}

/**
 * @param {Element} element
 * @param {string} attribute one of aria-label, title, placeholder
 * @param {string} key
 * @param {Params} [params]
 */
export function bindAttribute(element, attribute, key, params) {
  element.setAttribute(`data-t-${attribute}`, key);
  remember(element, attribute, params);
  const text = t(key, params);
  if (element.getAttribute(attribute) !== text) element.setAttribute(attribute, text);
}

/**
 * @param {Element} element
 * @param {string} slot
 * @param {Params} [params]
 */
function remember(element, slot, params) {
  const slots = parameters.get(element) ?? new Map();
  slots.set(slot, params);
  parameters.set(element, slots);
}

/** Fills in every bound text below a node. @param {ParentNode} [root] */
export function translate(root = document) {
  for (const element of root.querySelectorAll('[data-t]')) {
    element.textContent = t(element.getAttribute('data-t') ?? '', parameters.get(element)?.get('text'));
  }
  for (const attribute of ATTRIBUTES) {
    for (const element of root.querySelectorAll(`[data-t-${attribute}]`)) {
      const key = element.getAttribute(`data-t-${attribute}`) ?? '';
      element.setAttribute(attribute, t(key, parameters.get(element)?.get(attribute)));
    }
  }
}

/** @param {Lang} next */
export function setLang(next) {
  if (next === lang()) return;
  document.documentElement.lang = next;
  writePrefs({ lang: next });
  const url = new URL(location.href);
  if (url.searchParams.has('lang')) {
    url.searchParams.set('lang', next);
    history.replaceState(history.state, '', url);
  }
  translate();
  watchers.dispatchEvent(new Event('change'));
}

/** @param {() => void} listener @returns {() => void} stops listening */
export function onLang(listener) {
  watchers.addEventListener('change', listener);
  return () => watchers.removeEventListener('change', listener);
}
