// A track of somebody else.

import { ShownSize } from './shown_size.js';
import { Track } from './track.js';

/**
 * @typedef {import('./protocol.js').TrackInfo} TrackInfo
 * @typedef {Omit<TrackInfo, 'source'> & { source: import('./track.js').AnySource }} RemoteInfo
 * @typedef {import('./participant.js').Participant} Participant
 * @typedef {import('./shown_size.js').Size} Size
 *
 * @typedef {object} Delivery in which layer a server forwards a track to this client
 * @property {boolean} paused nothing of it comes at present
 * @property {string | null} layer its RID; null where there is but one, or none comes
 * @property {number | null} height of that layer, in pixels
 * @property {number | null} temporal the highest temporal layer that comes, where some are left out
 * @property {number | null} availableBps what the server believes that it can send here in all
 * @property {import('./protocol.js').DeliveryReason} reason why in that layer
 */

// A window being resized would otherwise send a message for each frame.
const SIZE_SETTLES_MS = 250;
// No layer is chosen anew for less.
const SIZE_STEP = 1.1;

/**
 * @param {import('./protocol.js').Delivery} event
 * @returns {Delivery}
 */
export const deliveryOf = ({ paused, layer, height, temporal, available_bps, reason }) => ({
  paused,
  layer: layer ?? null,
  height: height ?? null,
  temporal: temporal ?? null,
  availableBps: available_bps ?? null,
  reason,
});

export class RemoteTrack extends Track {
  /** @type {((size: Size | null) => boolean | void) | null} */
  #onSize;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #sizeTimer;
  /** @type {Size | null | undefined} */
  #size;
  /** Undefined until anything was said. @type {Size | null | undefined} */
  #saidSize;
  /** @type {ShownSize | null} */
  #shown = null;
  #sizeIsGiven = false;
  // Whether the app has been told `trackSubscribed`.
  #subscribed = false;
  /** @type {Delivery | null} */
  #delivery = null;

  /**
   * @param {RemoteInfo} info
   * @param {Participant | null} participant null: everybody's, mixed
   * @param {(track: RemoteTrack, size: Size | null) => boolean | void} onSize false: it was not said
   */
  constructor(info, participant, onSize) {
    super(info.kind, info.source, info.cid);
    this.id = info.id;
    this.participant = participant;
    this.#onSize = (size) => onSize(this, size);
    this.update(info);
  }

  /** Whether its media arrives, or would if its publisher sent any. */
  get isSubscribed() {
    return this.#subscribed;
  }

  /** What a server that forwards makes of it; null where there is none, or it has not said. */
  get delivery() {
    return this.#delivery;
  }

  /**
   * @param {Delivery | null} delivery
   * @internal
   */
  setDelivery(delivery) {
    this.#delivery = delivery;
  }

  /**
   * @param {boolean} subscribed
   * @internal
   */
  setSubscribed(subscribed) {
    this.#subscribed = subscribed;
  }

  /**
   * @param {RemoteInfo} info
   * @returns {boolean} whether mute changed
   * @internal
   */
  update(info) {
    this.width = info.width;
    this.height = info.height;
    return this.setMuted(info.muted);
  }

  /**
   * @override
   * @param {HTMLMediaElement} [element]
   */
  attach(element) {
    const attached = super.attach(element);
    if (this.kind === 'video' && !this.#sizeIsGiven && this.#onSize) {
      this.#shown ??= new ShownSize((size) => this.#say(size));
      this.#shown.watch(attached);
    }
    return attached;
  }

  /**
   * @override
   * @param {HTMLMediaElement} [element]
   */
  detach(element) {
    const detached = super.detach(element);
    for (const each of detached) this.#shown?.unwatch(each);
    return detached;
  }

  /**
   * @override
   * @param {Size | null} size
   */
  setSize(size) {
    this.#sizeIsGiven = true;
    this.#shown?.end();
    this.#shown = null;
    this.#say(size);
  }

  /** @param {Size | null} size */
  #say(size) {
    this.#size = size && { width: Math.round(size.width), height: Math.round(size.height) };
    this.#sizeTimer ??= setTimeout(() => {
      this.#sizeTimer = undefined;
      if (this.#size === undefined || isNear(this.#size, this.#saidSize)) return;
      if (this.#onSize?.(this.#size) !== false) this.#saidSize = this.#size;
    }, SIZE_SETTLES_MS);
  }

  /** The server has forgotten what was said. @internal */
  sayAgain() {
    // What was about to be said is newer.
    const size = this.#size === undefined ? this.#saidSize : this.#size;
    this.#saidSize = undefined;
    if (size !== undefined) this.#say(size);
  }

  /** @internal */
  end() {
    clearTimeout(this.#sizeTimer);
    this.#shown?.end();
    this.#onSize = null;
    this.setMedia(null);
  }
}

/** @param {Size | null} size @param {Size | null | undefined} said */
function isNear(size, said) {
  if (!size || !said) return size === said;
  const near = (/** @type {number} */ a, /** @type {number} */ b) =>
    Math.max(a, b) <= Math.max(1, Math.min(a, b)) * SIZE_STEP;
  return near(size.width, said.width) && near(size.height, said.height);
}
