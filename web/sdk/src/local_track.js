// A track of one's own: a camera, a microphone, a screen or anything with a MediaStreamTrack.

import { Track } from './track.js';
import { acquire } from './capture.js';
import { canSimulcast } from './simulcast.js';

/**
 * @typedef {import('./protocol.js').PublishTrack} PublishTrack
 * @typedef {import('./protocol.js').TrackSource} TrackSource
 */

/** @returns {string} */
function randomName() {
  return [...crypto.getRandomValues(new Uint8Array(10))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

export class LocalTrack extends Track {
  /** @type {MediaTrackConstraints | undefined} */
  #constraints;
  /** @type {Promise<unknown>} */
  #turn = Promise.resolve();
  #onEnded = () => this.onMediaEnded?.();
  /** The device or the browser ended the track. @type {(() => void) | null} @internal */
  onMediaEnded = null;

  /**
   * @param {MediaStreamTrack} media
   * @param {TrackSource} source
   * @param {MediaTrackConstraints} [constraints] how to get the device again after a mute
   */
  constructor(media, source, constraints) {
    super(media.kind === 'audio' ? 'audio' : 'video', source, randomName());
    this.#constraints = constraints;
    if (source === 'screen' && 'contentHint' in media && media.kind === 'video') media.contentHint = 'detail';
    this.#take(media);
  }

  /** @override */
  get isLocal() {
    return true;
  }

  /** Whether a mute gives the device back. Only what can be had again is given back. */
  get releasesOnMute() {
    return this.source === 'camera' && this.#constraints !== undefined;
  }

  /** The device in use. */
  get deviceId() {
    return this.mediaStreamTrack?.getSettings().deviceId;
  }

  /**
   * Changes what this page sends; publishing it to the room is LocalParticipant's business.
   * A muted camera is off: its light is, too.
   * @param {boolean} muted
   * @returns {Promise<boolean>} whether that is a change
   * @internal
   */
  turn(muted) {
    return this.#inTurn(async () => {
      if (muted === this.isMuted) return false;
      if (this.releasesOnMute && this.#constraints) {
        if (muted) this.#release();
        else this.#take(await acquire(this.kind, this.#constraints));
      } else if (this.mediaStreamTrack) {
        this.mediaStreamTrack.enabled = !muted;
      }
      return this.setMuted(muted);
    });
  }

  /**
   * Uses another device from now on.
   * @param {string} deviceId
   * @returns {Promise<void>}
   */
  switchDevice(deviceId) {
    return this.#inTurn(async () => {
      const constraints = { ...this.#constraints, deviceId: { exact: deviceId } };
      if (this.mediaStreamTrack) {
        // Some cameras, and Firefox's microphones, can be opened only once.
        if (this.kind === 'video') this.mediaStreamTrack.stop();
        try {
          this.#replace(await acquire(this.kind, constraints));
        } catch (error) {
          if (this.kind === 'video' && this.#constraints) this.#replace(await acquire(this.kind, this.#constraints));
          throw error;
        }
      }
      this.#constraints = constraints;
    });
  }

  /** Ends it and gives the device back. */
  stop() {
    this.#release();
  }

  /**
   * What to tell the server.
   * @param {string[]} [videoCodecs] what a picture may be sent in; none means all
   * @returns {PublishTrack}
   * @internal
   */
  describe(videoCodecs = []) {
    return {
      cid: this.cid,
      kind: this.kind,
      source: /** @type {TrackSource} */ (this.source),
      muted: this.isMuted,
      simulcast: this.kind === 'video' && canSimulcast(),
      codecs: this.kind === 'video' ? videoCodecs : [],
      ...(this.width && this.height ? { width: this.width, height: this.height } : {}),
    };
  }

  /**
   * One change of the device after the other.
   * @template T
   * @param {() => Promise<T>} action
   * @returns {Promise<T>}
   */
  #inTurn(action) {
    const result = this.#turn.then(action);
    this.#turn = result.catch(() => {});
    return result;
  }

  /** @param {MediaStreamTrack} media */
  #replace(media) {
    const before = this.mediaStreamTrack;
    media.enabled = !this.isMuted;
    this.#take(media);
    before?.removeEventListener('ended', this.#onEnded);
    before?.stop();
  }

  /** @param {MediaStreamTrack} media */
  #take(media) {
    media.addEventListener('ended', this.#onEnded);
    const { width, height } = media.getSettings();
    this.width = width;
    this.height = height;
    this.setMedia(media);
  }

  #release() {
    const media = this.mediaStreamTrack;
    media?.removeEventListener('ended', this.#onEnded);
    this.setMedia(null);
    media?.stop();
  }
}
