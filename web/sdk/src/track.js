// A published track: the server's id is its name, whatever link or transceiver carries it.

import { Emitter } from './emitter.js';

/**
 * @typedef {import('./protocol.js').TrackKind} TrackKind
 * @typedef {import('./protocol.js').TrackSource} TrackSource
 * @typedef {TrackSource | 'mix'} AnySource
 * @typedef {import('./participant.js').Participant} Participant
 * @typedef {import('./playback.js').Playback} Playback
 * @typedef {import('./shown_size.js').Size} Size
 * @typedef {{ muted: [], unmuted: [], mediaChanged: [MediaStreamTrack | null] }} TrackEvents
 */

/** @extends {Emitter<TrackEvents>} */
export class Track extends Emitter {
  /** The server's name for it; empty for a local track until it is published. */
  id = '';
  /** Whose it is; null for a mix. @type {Participant | null} */
  participant = null;
  /** Picture size in pixels, where known. @type {number | undefined} */
  width;
  /** @type {number | undefined} */
  height;
  /** @type {MediaStreamTrack | null} */
  #media = null;
  #muted = false;
  /** What each element plays. @type {Map<HTMLMediaElement, MediaStream>} */
  #elements = new Map();
  /** @type {Playback | null} */
  #playback = null;

  /**
   * @param {TrackKind} kind
   * @param {AnySource} source
   * @param {string} cid
   */
  constructor(kind, source, cid) {
    super();
    /** `audio` or `video`. */
    this.kind = kind;
    /** `camera`, `microphone` or `screen`; `mix` of what the server mixes. */
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
    return [...this.#elements.keys()];
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
    if (!this.#elements.has(element)) this.#elements.set(element, new MediaStream());
    this.#feed(element);
    return element;
  }

  /**
   * @param {HTMLMediaElement} [element] else all of them
   * @returns {HTMLMediaElement[]} those detached
   */
  detach(element) {
    const detached = element ? [element].filter((each) => this.#elements.has(each)) : this.attachedElements;
    for (const each of detached) {
      this.#elements.delete(each);
      this.#playback?.forget(each);
      each.srcObject = null;
    }
    return detached;
  }

  /**
   * Says how large the picture is on screen, in device pixels, or null when it is not shown, so
   * that nothing larger is sent. Without a call the attached elements are measured; without those
   * all of it is sent.
   * @param {Size | null} _size
   */
  setSize(_size) {}

  /**
   * The stream stays and its track is exchanged, so that the last picture stands until the first
   * new one. Taken out first: Firefox goes on with the old track otherwise.
   * @param {HTMLMediaElement} element
   */
  #feed(element) {
    const stream = this.#elements.get(element);
    if (!this.#media || !stream) {
      element.srcObject = null;
      return;
    }
    const playing = stream.getTracks();
    if (element.srcObject === stream && playing[0] === this.#media) return;
    for (const each of playing) stream.removeTrack(each);
    stream.addTrack(this.#media);
    element.srcObject = stream;
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
    for (const element of this.attachedElements) this.#feed(element);
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
