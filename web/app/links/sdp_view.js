// Offer and answer side by side, section beside section, with words under the lines that matter.

import { h, say, set } from './dom.js';
import { sentence } from './strings.js';

/** @typedef {import('./sdp.js').SdpSection} SdpSection */
/** @typedef {import('./sdp.js').SdpLine} SdpLine */
/** @typedef {import('./strings.js').Strings} Strings */

export class SdpView {
  #intro = h('p', { class: 'inspector-intro' });
  #offer = new Column('inspector-offer');
  #answer = new Column('inspector-answer');
  #switches = [
    h('button', { type: 'button', 'aria-pressed': 'true' }),
    h('button', { type: 'button', 'aria-pressed': 'false' }),
  ];
  #pair = h('div', { class: 'sdp-pair', 'data-shown': '0' }, this.#offer.element, this.#answer.element);
  element = h('div', {}, this.#intro, h('div', { class: 'sdp-switch', role: 'group' }, ...this.#switches), this.#pair);

  constructor() {
    // On a narrow screen one of the two is shown at a time.
    this.#switches.forEach((button, place) => button.addEventListener('click', () => this.#show(place)));
  }

  /** @param {number} place */
  #show(place) {
    set(this.#pair, { 'data-shown': place });
    this.#switches.forEach((button, i) => set(button, { 'aria-pressed': String(i === place) }));
  }

  /**
   * @param {import('./agreement.js').Descriptions} descriptions
   * @param {string} peer
   * @param {Strings} strings
   */
  update(descriptions, peer, strings) {
    const words = strings.inspector;
    const ends = [words.byYou, words.by(peer)];
    if (!descriptions.isOfferOurs) ends.reverse();
    const [offerer = '', answerer = ''] = ends;
    say(this.#intro, words.sdpIntro);
    const [offerSwitch, answerSwitch] = this.#switches;
    if (offerSwitch) say(offerSwitch, words.offer);
    if (answerSwitch) say(answerSwitch, words.answer);
    const rows = Math.max(descriptions.offer?.length ?? 0, descriptions.answer?.length ?? 0, 1) + 1;
    this.#pair.style.setProperty('--rows', String(rows));
    this.#offer.update(descriptions.offer, words.offer, offerer, strings);
    this.#answer.update(descriptions.answer, words.answer, answerer, strings);
  }
}

class Column {
  #title = h('span');
  #by = h('span', { class: 'quiet' });
  #heading = h('h4', {}, this.#title, ' ', this.#by);
  #shown = '';

  /** @param {string} testId */
  constructor(testId) {
    this.element = h('section', { class: 'sdp-column', 'data-testid': testId }, this.#heading);
  }

  /** @param {SdpSection[]|null} sections @param {string} title @param {string} by @param {Strings} strings */
  update(sections, title, by, strings) {
    say(this.#title, title);
    say(this.#by, by);
    set(this.element, { 'aria-label': `${title} ${by}` });
    const shown = `${strings.locale}\n${(sections ?? []).flatMap((s) => s.lines.map((l) => l.text)).join('\n')}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    const open = new Set([...this.element.querySelectorAll('details[open]')].map((d) => d.getAttribute('data-first')));
    const blocks = sections
      ? sections.map((section) => block(section, open, strings))
      : [h('p', { class: 'quiet' }, strings.inspector.noDescription)];
    this.element.replaceChildren(this.#heading, ...blocks);
  }
}

/** @param {SdpSection} section @param {Set<string|null>} open lines whose fold was open @param {Strings} strings */
function block(section, open, strings) {
  const words = strings.inspector;
  const kind = Object.hasOwn(words.kinds, section.kind)
    ? words.kinds[/** @type {keyof typeof words.kinds} */ (section.kind)]
    : section.kind;
  const title = section.kind === 'session' ? words.session : words.media({ kind, mid: section.mid });
  const list = h('ol', { class: 'sdp-lines' });
  /** @type {SdpLine[]} */
  let folded = [];
  const flush = () => {
    if (folded.length > 0) list.append(fold(folded, open, strings));
    folded = [];
  };
  for (const line of section.lines) {
    if (!line.essential) {
      folded.push(line);
      continue;
    }
    flush();
    list.append(row(line, strings));
  }
  flush();
  return h(
    'section',
    { class: 'sdp-section', 'data-kind': section.kind, 'data-refused': String(section.rejected) },
    h('h5', {}, title),
    list,
  );
}

/** @param {SdpLine[]} lines @param {Set<string|null>} open @param {Strings} strings */
function fold(lines, open, strings) {
  const first = lines[0]?.text ?? '';
  const details = h(
    'details',
    { 'data-first': first },
    h('summary', {}, strings.inspector.fold(lines.length)),
    h('ol', { class: 'sdp-lines' }, ...lines.map((line) => row(line, strings))),
  );
  details.open = open.has(first);
  return h('li', { class: 'sdp-fold' }, details);
}

/** @param {SdpLine} line @param {Strings} strings */
function row(line, strings) {
  const words = line.notes
    .map((note) => sentence(note, strings.locale))
    .filter(Boolean)
    .join(' ');
  return h('li', { class: 'sdp-line', value: line.number }, h('code', {}, line.text), words ? h('p', {}, words) : null);
}
