// A published track: the server's id is its name, whatever link or transceiver carries it.

import { Emitter } from './emitter.js';

/**
 * @typedef {import('./protocol.js').TrackInfo} TrackInfo
 * @typedef {import('./protocol.js').TrackKind} TrackKind
 * @typedef {import('./protocol.js').TrackSource} TrackSource
 * @typedef {import('./participant.js').Participant} Participant
 * @typedef {import('./playback.js').Playback} Playback
 * @typedef {{ muted: [], unmuted: [], mediaChanged: [MediaStreamTrack | null] }} TrackEvents
 */

/** @extends {Emitter<TrackEvents>} */
export class Track extends Emitter {
  /** The server's name for it; empty for a local track until it is published. */
  id = '';
  /** Whose it is. @type {Participant | null} */
  participant = null;
  /** Picture size in pixels, where known. @type {number | undefined} */
  width;
  /** @type {number | undefined} */
  height;
  /** @type {MediaStreamTrack | null} */
  #media = null;
  #muted = false;
  /** @type {Set<HTMLMediaElement>} */
  #elements = new Set();
  /** @type {Playback | null} */
  #playback = null;

  /**
   * @param {TrackKind} kind
   * @param {TrackSource} source
   * @param {string} cid
   */
  constructor(kind, source, cid) {
    super();
    /** `audio` or `video`. */
    this.kind = kind;
    /** `camera`, `microphone` or `screen`. */
    this.source = source;
    /** The publisher's own name for it. */
    this.cid = cid;
  }

  /** Whether it is one's own. */
  get isLocal() {
    return false;
  }

  /** Whether its publisher has muted it. */
  get isMuted() {
    return this.#muted;
  }

  /** The browser's track; null while nothing flows. A new one may take its place at any time. */
  get mediaStreamTrack() {
    return this.#media;
  }

  /** The elements that show or play it. */
  get attachedElements() {
    return [...this.#elements];
  }

  /**
   * Shows or plays the track, and goes on doing so when the browser's track is exchanged.
   * @param {HTMLMediaElement} [element] one of yours; else a new one
   * @returns {HTMLMediaElement}
   */
  attach(element = document.createElement(this.kind)) {
    element.autoplay = true;
    if (element instanceof HTMLVideoElement) element.playsInline = true;
    // A track's sound is in its audio track; a muted picture may always start by itself.
    if (this.kind === 'video' || this.isLocal) element.muted = true;
    this.#elements.add(element);
    this.#feed(element);
    return element;
  }

  /**
   * @param {HTMLMediaElement} [element] else all of them
   * @returns {HTMLMediaElement[]} those detached
   */
  detach(element) {
    const detached = element ? [element].filter((each) => this.#elements.has(each)) : [...this.#elements];
    for (const each of detached) {
      this.#elements.delete(each);
      this.#playback?.forget(each);
      each.srcObject = null;
    }
    return detached;
  }

  /**
   * Says how large the picture is on screen, in device pixels, or null when it is not shown, so
   * that nothing larger is sent. Without a call, all of it is.
   * @param {{ width: number, height: number } | null} _size
   */
  setSize(_size) {}

  /** @param {HTMLMediaElement} element */
  #feed(element) {
    if (!this.#media) {
      element.srcObject = null;
      return;
    }
    const playing = element.srcObject instanceof MediaStream ? element.srcObject.getTracks()[0] : undefined;
    if (playing === this.#media) return;
    element.srcObject = new MediaStream([this.#media]);
    this.#playback?.play(element, this.kind);
  }

  /**
   * @param {Playback} playback
   * @internal
   */
  playThrough(playback) {
    this.#playback = playback;
  }

  /**
   * @param {MediaStreamTrack | null} media
   * @internal
   */
  setMedia(media) {
    if (this.#media === media) return;
    this.#media = media;
    for (const element of this.#elements) this.#feed(element);
    this.emit('mediaChanged', media);
  }

  /**
   * @param {boolean} muted
   * @returns {boolean} whether that is a change
   * @internal
   */
  setMuted(muted) {
    if (this.#muted === muted) return false;
    this.#muted = muted;
    this.emit(muted ? 'muted' : 'unmuted');
    return true;
  }
}

/** A track of somebody else. */
export class RemoteTrack extends Track {
  /** @type {((size: { width: number, height: number } | null) => void) | null} */
  #onSize;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #sizeTimer;
  /** @type {string | undefined} */
  #saidSize;
  // Whether the app has been told `trackSubscribed`.
  #subscribed = false;

  /**
   * @param {TrackInfo} info
   * @param {Participant} participant
   * @param {(track: RemoteTrack, size: { width: number, height: number } | null) => void} onSize
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

  /**
   * @param {boolean} subscribed
   * @internal
   */
  setSubscribed(subscribed) {
    this.#subscribed = subscribed;
  }

  /**
   * @param {TrackInfo} info
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
   * @param {{ width: number, height: number } | null} size
   */
  setSize(size) {
    const rounded = size && { width: Math.round(size.width), height: Math.round(size.height) };
    clearTimeout(this.#sizeTimer);
    this.#sizeTimer = setTimeout(() => {
      const said = JSON.stringify(rounded);
      if (said === this.#saidSize) return;
      this.#saidSize = said;
      this.#onSize?.(rounded);
    }, SIZE_SETTLES_MS);
  }

  /** @internal */
  end() {
    clearTimeout(this.#sizeTimer);
    this.#onSize = null;
    this.setMedia(null);
  }
}

// A window being resized would otherwise send a message for each frame.
const SIZE_SETTLES_MS = 200;
