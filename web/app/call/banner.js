// What holds on for a while: reconnecting, sound held back, a smaller picture.

import { h } from '../dom.js';
import { bindText } from '../i18n.js';
import { icon } from '../icons.js';

/** @typedef {import('/sdk/index.js').Room} Room */

// A notice of a smaller picture comes when it lasts, and stays long enough to be read.
const SETTLES_MS = 4000;
const STAYS_MS = 12_000;

export class Banner {
  #room;
  #words = h('span', {});
  #reconnecting;
  #sound;
  #limit;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #limitTimer;
  #wasTold = false;

  /** @param {Room} room */
  constructor(room) {
    this.#room = room;
    this.#reconnecting = h(
      'div',
      { class: 'banner attention', role: 'status', testid: 'reconnecting', hidden: true },
      h('span', { class: 'pulse', 'aria-hidden': 'true' }),
      h('span', { t: 'banner.reconnecting' }),
    );
    const start = h(
      'button',
      { class: 'button strong', type: 'button', testid: 'start-audio', onclick: () => void room.startAudio() },
      icon('speaker', 'small'),
      h('span', { t: 'sound.start' }),
    );
    this.#sound = h(
      'div',
      { class: 'banner', role: 'alert', hidden: true },
      icon('speaker-off', 'small'),
      h('span', { t: 'sound.blocked' }),
      start,
    );
    const dismiss = h(
      'button',
      { class: 'icon-button', type: 'button', label: 'close', onclick: () => (this.#limit.hidden = true) },
      icon('close', 'small'),
    );
    this.#limit = h(
      'div',
      { class: 'banner', role: 'status', testid: 'bitrate-notice', hidden: true },
      icon('signal-poor', 'small'),
      this.#words,
      dismiss,
    );
    this.element = h('div', { class: 'banners' }, this.#reconnecting, this.#sound, this.#limit);
  }

  sync() {
    this.#reconnecting.hidden = this.#room.state !== 'reconnecting';
    this.#sound.hidden = this.#room.canPlaybackAudio;
  }

  /**
   * @param {string} reason of a bitrate event
   * @param {boolean} isSmaller whether the picture is really sent smaller for it
   */
  limitChanged(reason, isSmaller) {
    const key = { congestion: 'banner.congestion', room_limit: 'banner.limit', participant_limit: 'banner.limit' }[
      reason
    ];
    clearTimeout(this.#limitTimer);
    if (!key || !isSmaller) {
      this.#limit.hidden = true;
      this.#wasTold = false;
      return;
    }
    if (this.#wasTold) return;
    this.#limitTimer = setTimeout(() => {
      this.#wasTold = true;
      bindText(this.#words, key);
      this.#limit.dataset.reason = reason;
      this.#limit.hidden = false;
      this.#limitTimer = setTimeout(() => (this.#limit.hidden = true), STAYS_MS);
    }, SETTLES_MS);
  }

  destroy() {
    clearTimeout(this.#limitTimer);
    this.element.remove();
  }
}
