// Builds elements. Text enters the page only through textContent; styles only through CSSOM.

import { bindAttribute, bindText } from './i18n.js';

/** @typedef {Node|string|null|undefined|false} Child */
/** @typedef {Record<string, any>} Props */

/**
 * `t` and `label` name a translated text and a translated accessible name, `tp` their
 * parameters; functions named `on…` listen; `true` and `false` set or leave out an attribute.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Props} [props]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) applyProp(element, key, value, props);
  for (const child of children) if (child) element.append(child);
  return element;
}

/**
 * @param {HTMLElement} element
 * @param {string} key
 * @param {any} value
 * @param {Props} props
 */
function applyProp(element, key, value, props) {
  if (value === undefined || value === null || value === false || key === 'tp') return;
  if (key === 't') bindText(element, value, props.tp);
  else if (key === 'label') bindAttribute(element, 'aria-label', value, props.tp);
  else if (key === 'hint') bindAttribute(element, 'title', value, props.tp);
  else if (key === 'placeholderKey') bindAttribute(element, 'placeholder', value);
  else if (key === 'testid') element.dataset.testid = value;
  else if (key.startsWith('on') && typeof value === 'function') element.addEventListener(key.slice(2), value);
  else element.setAttribute(key === 'class' ? 'class' : key, value === true ? '' : String(value));
}

/**
 * @template {Element} T
 * @param {string} selector
 * @param {new () => T} type
 * @param {ParentNode} [within]
 * @returns {T}
 */
export function find(selector, type, within = document) {
  const found = within.querySelector(selector);
  if (!(found instanceof type)) throw new Error(`The page lacks ${selector}`);
  return found;
}

/**
 * Sets an attribute only when it changes, so that observers and screen readers rest.
 * @param {Element} element
 * @param {string} name
 * @param {string|null} value
 */
export function setAttr(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
