// The report on the page: read it, choose what is in it, copy it.

import { h } from '../dom.js';
import { bindText, onLang } from '../i18n.js';
import { icon } from '../icons.js';

export class ReportView {
  #text;
  #pre = h('pre', { class: 'report-text', tabindex: 0, testid: 'report-text' });
  #details = h('details', { class: 'report-details' }, h('summary', { t: 'report.show' }), this.#pre);
  #full = h('input', { type: 'checkbox', id: 'report-full', testid: 'report-full', onchange: () => this.refresh() });
  #words = h('p', { class: 'quiet', t: 'report.text' });
  #said = h('p', { class: 'small-text report-said', role: 'status' });

  /** @param {(isFull: boolean) => string} text */
  constructor(text) {
    this.#text = text;
    const copy = h(
      'button',
      { class: 'button strong', type: 'button', testid: 'copy', onclick: () => void this.#copy() },
      icon('copy', 'small'),
      h('span', { t: 'report.copy' }),
    );
    this.element = h(
      'section',
      { class: 'report', hidden: true, 'aria-labelledby': 'report-title' },
      h('h2', { t: 'report.title', id: 'report-title' }),
      this.#words,
      h('label', { class: 'report-switch', for: 'report-full' }, this.#full, h('span', { t: 'report.full' })),
      h('div', { class: 'report-actions' }, copy, this.#said),
      this.#details,
    );
    onLang(() => this.refresh());
  }

  refresh() {
    if (this.element.hidden) return;
    this.#pre.textContent = this.#text(this.#full.checked);
    bindText(this.#words, this.#full.checked ? 'report.text.full' : 'report.text');
    this.#said.removeAttribute('data-t');
    this.#said.textContent = '';
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.#text(this.#full.checked));
      bindText(this.#said, 'report.copied');
    } catch {
      // Closed to pages without https, and where the browser says no.
      bindText(this.#said, 'report.failed');
      this.#details.open = true;
      getSelection()?.selectAllChildren(this.#pre);
    }
  }
}
