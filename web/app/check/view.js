// How a check looks: what it is for, the steps, the verdict, the report.

import { h, setAttr } from '../dom.js';
import { bindText, t } from '../i18n.js';
import { icon, setIcon, sign } from '../icons.js';
import { langSwitch, themeSwitch } from '../switches.js';
import { GROUPS, STEPS } from './steps.js';

/**
 * @typedef {import('./steps.js').StepName} StepName
 * @typedef {import('./types.js').Judgement} Judgement
 * @typedef {import('./types.js').StepState} StepState
 * @typedef {import('./verdict.js').Verdict} Verdict
 */

/** @type {Record<StepState, string>} */
const STATE_ICONS = {
  waiting: 'dot',
  running: 'dot',
  passed: 'check',
  warning: 'mind',
  failed: 'close',
  skipped: 'minus',
};
const TONE_ICONS = { good: 'check', mind: 'mind', bad: 'close' };

/** One step's row. */
class Row {
  #mark = h('span', { class: 'step-mark' });
  #icon = icon('dot', 'small');
  #state = h('span', { class: 'unseen' });
  #words = h('p', { class: 'step-words' });
  #value = h('span', { class: 'step-value' });
  #facts = h('ul', { class: 'step-facts', hidden: true });
  /** Where the camera's picture and the microphone's line stand. */
  live = h('div', { class: 'step-live', hidden: true });

  /** @param {StepName} name */
  constructor(name) {
    this.#mark.append(this.#icon);
    this.element = h(
      'li',
      { class: 'step', testid: `step-${name}` },
      this.#mark,
      h(
        'div',
        { class: 'step-head' },
        h('h3', { class: 'step-name', t: `check.name.${name}` }),
        this.#state,
        this.#value,
      ),
      this.#words,
      this.#facts,
      this.live,
    );
    this.show({ state: 'waiting', say: '' });
  }

  /** @param {Judgement} judgement */
  show({ state, say, value = '', facts = [], with: params }) {
    setAttr(this.element, 'data-state', state);
    setIcon(this.#icon, STATE_ICONS[state]);
    bindText(this.#state, `check.state.${state}`);
    this.#words.hidden = !say;
    if (say) bindText(this.#words, say, params);
    this.#value.textContent = value;
    this.#facts.hidden = facts.length === 0;
    this.#facts.replaceChildren(...facts.map((fact) => h('li', {}, fact)));
    setAttr(this.element, 'data-say', say || null);
  }
}

export class View {
  /** @type {Map<StepName, Row>} */
  #rows = new Map(STEPS.map((name) => [name, new Row(name)]));
  #title = h('h1', { class: 'check-title', t: 'check.title', tabindex: -1 });
  #intro = h(
    'div',
    { class: 'check-intro' },
    h('p', { t: 'check.intro' }),
    h('p', { class: 'small-text', t: 'check.promise' }),
  );
  #verdict = h('section', {
    class: 'verdict',
    hidden: true,
    tabindex: -1,
    testid: 'verdict',
    'aria-labelledby': 'verdict-title',
  });
  #start;
  #status = h('p', { class: 'check-status quiet', role: 'status', hidden: true });
  #bar = h('span', { class: 'check-bar-done' });
  #progress = h('div', { class: 'check-bar', hidden: true, 'aria-hidden': 'true' }, this.#bar);
  #report;

  /** @param {{onStart: () => void, report: HTMLElement}} options */
  constructor({ onStart, report }) {
    this.#report = report;
    this.#start = h('button', {
      class: 'button strong large',
      type: 'button',
      t: 'check.start',
      testid: 'start',
      onclick: onStart,
    });
    this.element = this.#build();
  }

  /** @param {StepName} name @returns {HTMLElement} */
  liveOf(name) {
    return /** @type {Row} */ (this.#rows.get(name)).live;
  }

  begin() {
    for (const row of this.#rows.values()) row.show({ state: 'waiting', say: '' });
    this.#verdict.hidden = true;
    this.#report.hidden = true;
    this.#intro.hidden = false;
    this.#start.disabled = true;
    setAttr(this.#start, 'aria-busy', 'true');
    bindText(this.#start, 'check.running');
    this.#progress.hidden = false;
    this.#status.hidden = false;
    bindText(this.#status, 'check.asking');
    this.progress(0);
  }

  /** @param {StepName} name @param {Judgement} judgement */
  step(name, judgement) {
    this.#rows.get(name)?.show(judgement);
  }

  /** @param {number} done steps */
  progress(done) {
    this.#bar.style.inlineSize = `${(100 * done) / STEPS.length}%`;
    if (done > 0) bindText(this.#status, 'check.progress', { done, all: STEPS.length });
  }

  /** @param {Verdict} verdict */
  end(verdict) {
    setAttr(this.#verdict, 'data-tone', verdict.tone);
    setAttr(this.#verdict, 'data-say', verdict.say);
    const notes = verdict.notes.map((note) => h('li', { t: note, 'data-note': note }));
    this.#verdict.replaceChildren(
      h('span', { class: 'verdict-mark' }, icon(TONE_ICONS[verdict.tone])),
      h('h2', { t: verdict.say, id: 'verdict-title' }),
      h('p', { t: `${verdict.say}.text` }),
      ...(notes.length > 0 ? [h('ul', { class: 'verdict-notes' }, ...notes)] : []),
    );
    this.#verdict.hidden = false;
    this.#report.hidden = false;
    this.#intro.hidden = true;
    this.#progress.hidden = true;
    this.#status.hidden = true;
    this.#start.disabled = false;
    setAttr(this.#start, 'aria-busy', null);
    this.#start.classList.remove('strong', 'large');
    bindText(this.#start, 'check.again');
    // Whoever cannot see hears it; on a phone it is above what was just looked at.
    this.#verdict.focus({ preventScroll: true });
    this.#verdict.scrollIntoView({ block: 'nearest' });
  }

  retitle() {
    document.title = `${t('check.title')} · madang`;
  }

  #build() {
    const home = h('a', { class: 'pre-home', href: '/', label: 'check.home' }, sign());
    const groups = GROUPS.map(({ name, steps }) =>
      h(
        'section',
        { class: 'check-group' },
        h('h2', { class: 'check-group-name', t: `check.group.${name}` }),
        name === 'relay' && h('p', { class: 'small-text quiet', t: 'check.group.relay.text' }),
        h('ol', { class: 'step-list' }, ...steps.map((step) => this.#rows.get(step)?.element)),
      ),
    );
    return h(
      'main',
      { class: 'check-page' },
      h('header', { class: 'pre-top' }, home, h('div', { class: 'home-switches' }, langSwitch(), themeSwitch())),
      h(
        'div',
        { class: 'check-main' },
        h(
          'div',
          { class: 'check-lead' },
          this.#title,
          this.#intro,
          this.#verdict,
          this.#start,
          this.#progress,
          this.#status,
        ),
        h('div', { class: 'check-steps' }, ...groups),
        this.#report,
      ),
    );
  }
}
