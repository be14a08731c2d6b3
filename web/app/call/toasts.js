// Short words that come and go, and are read out.

import { h } from '../dom.js';
import { icon } from '../icons.js';

const STAY_MS = 5000;
const MOST = 2;

export class Toasts {
  element = h('div', { class: 'toasts', role: 'status', 'aria-live': 'polite', testid: 'toasts' });

  /**
   * @param {string} t key
   * @param {Record<string, any>} [tp]
   * @param {{icon?: string, onclick?: () => void, tone?: 'hand'|'warn'}} [options]
   */
  say(t, tp, { icon: name, onclick, tone } = {}) {
    const words = h('span', { class: 'toast-words', t, tp });
    const toast = onclick
      ? h(
          'button',
          { class: 'toast', type: 'button', onclick: () => (onclick(), remove()) },
          name ? icon(name, 'small') : null,
          words,
        )
      : h('div', { class: 'toast' }, name ? icon(name, 'small') : null, words);
    if (tone) toast.classList.add(tone);
    const remove = () => {
      toast.classList.add('leaving');
      setTimeout(() => toast.remove(), 240);
    };
    // The same word again is heard once.
    for (const old of this.element.children) if (old.textContent === toast.textContent) old.remove();
    this.element.append(toast);
    while (this.element.childElementCount > MOST) this.element.firstElementChild?.remove();
    setTimeout(remove, STAY_MS);
  }

  clear() {
    this.element.replaceChildren();
  }
}
