// What happened to a link, in words. The SDK notes events in a few words of its own; those that
// are not known here are shown as they are.

import { h, say, set } from './dom.js';

/** @typedef {import('./strings.js').Strings} Strings */
/** @typedef {Strings['inspector']['events']} Events */
/** @typedef {'start'|'good'|'bad'|'plain'} Tone */

/** @type {[RegExp, Tone, (events: Events, found: RegExpExecArray, strings: Strings) => string][]} */
const KNOWN = [
  [/^open, offering$/, 'start', (e) => e.offering],
  [/^open, awaiting an offer$/, 'start', (e) => e.awaiting],
  [/^offer (\d+) sent$/, 'plain', (e, m) => e.offerSent(m[1] ?? '')],
  [/^offer (\d+) received$/, 'plain', (e, m) => e.offerReceived(m[1] ?? '')],
  [/^answer (\d+) sent$/, 'plain', (e, m) => e.answerSent(m[1] ?? '')],
  [/^answer (\d+) received$/, 'plain', (e, m) => e.answerReceived(m[1] ?? '')],
  [/^ice checking$/, 'plain', (e) => e.checking],
  [/^ice connected$/, 'plain', (e) => e.found],
  [/^ice completed$/, 'plain', (e) => e.completed],
  [/^ice disconnected$/, 'bad', (e) => e.iceLost],
  [/^ice failed$/, 'bad', (e) => e.iceFailed],
  [/^connection connecting$/, 'plain', (e) => e.handshake],
  [/^connection connected$/, 'good', (e) => e.connected],
  [/^connection disconnected$/, 'bad', (e) => e.disconnected],
  [/^connection failed$/, 'bad', (e) => e.failed],
  [/^ice restart$/, 'start', (e) => e.restart],
  [/^asks to be replaced$/, 'bad', (e) => e.replace],
  [/^rollback$/, 'plain', (e) => e.rollback],
  [
    /^at most (\d+) kbit\/s: (\w+)$/,
    'plain',
    (e, m, s) => e.atMost({ kbps: m[1] ?? '', why: limitReason(m[2] ?? '', s) }),
  ],
  [/^no limit$/, 'plain', (e) => e.noLimit],
  [/^closed$/, 'plain', (e) => e.closed],
];

/** @param {string} reason @param {Strings} strings */
function limitReason(reason, strings) {
  return Object.hasOwn(strings.limits, reason)
    ? strings.limits[/** @type {keyof Strings['limits']} */ (reason)]
    : reason;
}

/**
 * @param {string} event
 * @param {Strings} strings
 * @returns {{words: string, tone: Tone}}
 */
export function eventWords(event, strings) {
  for (const [pattern, tone, words] of KNOWN) {
    const found = pattern.exec(event);
    if (found) return { words: words(strings.inspector.events, found, strings), tone };
  }
  return { words: event, tone: 'plain' };
}

/**
 * The number of the newest offer, as the history tells it.
 * @param {ReadonlyArray<{event: string}>} history
 */
export function offerNumber(history) {
  const numbers = history.map(({ event }) => Number(/^offer (\d+) /.exec(event)?.[1] ?? 0));
  return Math.max(0, ...numbers);
}

/** Seconds since the link was opened, as in `+0.412 s`. @param {number} ms */
export function sinceOpen(ms) {
  return `+${(ms / 1000).toFixed(ms < 60_000 ? 3 : 0)} s`;
}

export class History {
  #list = h('ol', { class: 'history-list' });
  #empty = h('p', { class: 'quiet' });
  element = h('div', {}, this.#empty, this.#list);
  #shown = '';

  /** @param {ReadonlyArray<{at: number, event: string}>} history @param {Strings} strings */
  update(history, strings) {
    say(this.#empty, strings.inspector.noHistory);
    this.#empty.hidden = history.length > 0;
    // Old entries never change: only a new one, or another language, draws the list again.
    const shown = `${strings.locale} ${history.length} ${history.at(-1)?.at ?? 0}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    const start = history[0]?.at ?? 0;
    const clock = new Intl.DateTimeFormat(strings.locale, { timeStyle: 'medium' });
    this.#list.replaceChildren(
      ...history.map(({ at, event }) => {
        const { words, tone } = eventWords(event, strings);
        const item = h(
          'li',
          { 'data-tone': tone },
          h('time', { title: clock.format(at) }, sinceOpen(at - start)),
          h('span', {}, words),
        );
        set(item, { 'data-event': event });
        return item;
      }),
    );
  }
}
