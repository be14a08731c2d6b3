// Oneself: what one publishes, and how one appears.

import { createLocalTrack, createScreenTracks } from './devices.js';
import { MediaError, SignalingError } from './errors.js';
import { LocalTrack } from './local_track.js';
import { Participant } from './participant.js';

/**
 * @typedef {import('./protocol.js').ClientFrame} ClientMessage
 * @typedef {import('./protocol.js').Done} Done
 * @typedef {import('./protocol.js').ParticipantInfo} ParticipantInfo
 * @typedef {import('./protocol.js').TrackInfo} TrackInfo
 * @typedef {import('./protocol.js').TrackSource} TrackSource
 * @typedef {{ reliable?: boolean, to?: string[], topic?: string }} DataOptions
 *
 * @typedef {object} LocalHost what the local participant needs of the room
 * @property {(message: ClientMessage) => Promise<Done>} request
 * @property {() => boolean} isJoined
 * @property {(track: LocalTrack) => void} published
 * @property {(track: LocalTrack) => void} unpublished
 * @property {(track: LocalTrack) => void} muteChanged
 * @property {(track: LocalTrack) => void} mediaChanged
 * @property {() => void} changed
 * @property {(bytes: Uint8Array, options: DataOptions) => Promise<void>} publishData
 * @property {(error: MediaError) => void} mediaError
 * @property {(kind: 'audio' | 'video') => boolean | MediaTrackConstraints} constraints
 * @property {() => string[]} videoCodecs what a picture may be sent in; none means all
 */

export class LocalParticipant extends Participant {
  #host;
  /** What is, or is to be, published; the server may not know of it yet. @type {Set<LocalTrack>} */
  #own = new Set();
  /** @type {Map<TrackSource, Promise<unknown>>} */
  #switching = new Map();

  /** @param {LocalHost} host */
  constructor(host) {
    super();
    this.#host = host;
  }

  /** @override */
  get isLocal() {
    return true;
  }

  get isCameraEnabled() {
    return this.#isEnabled('camera');
  }
  get isMicrophoneEnabled() {
    return this.#isEnabled('microphone');
  }
  get isScreenShareEnabled() {
    return this.#isEnabled('screen');
  }

  /** One's own tracks, those on their way to the server included. @returns {LocalTrack[]} */
  get localTracks() {
    return [...this.#own];
  }

  /** Those that the server knows. @returns {LocalTrack[]} */
  get publishedTracks() {
    return this.localTracks.filter((track) => track.id !== '');
  }

  /**
   * Opens the camera and publishes it, or turns it off, light and all.
   * @param {boolean} enabled
   * @param {MediaTrackConstraints} [constraints]
   * @returns {Promise<LocalTrack | undefined>}
   * @throws {MediaError}
   */
  setCameraEnabled(enabled, constraints) {
    return this.#setDevice('camera', enabled, constraints);
  }

  /**
   * @param {boolean} enabled
   * @param {MediaTrackConstraints} [constraints]
   * @returns {Promise<LocalTrack | undefined>}
   * @throws {MediaError}
   */
  setMicrophoneEnabled(enabled, constraints) {
    return this.#setDevice('microphone', enabled, constraints);
  }

  /**
   * Shares a screen, a window or a tab, which the person chooses in the browser's own question.
   * @param {boolean} enabled
   * @param {DisplayMediaStreamOptions} [options]
   * @returns {Promise<LocalTrack | undefined>} its picture
   * @throws {MediaError}
   */
  async setScreenShareEnabled(enabled, options) {
    if (enabled === this.isScreenShareEnabled) return this.#find('screen');
    if (!enabled) {
      await Promise.all(
        this.localTracks.filter((track) => track.source === 'screen').map((t) => this.unpublishTrack(t)),
      );
      return undefined;
    }
    const tracks = await this.#reporting(createScreenTracks(options));
    await Promise.all(tracks.map((track) => this.publishTrack(track)));
    return this.#find('screen');
  }

  /**
   * @param {MediaStreamTrack | LocalTrack} media
   * @param {{ source?: TrackSource }} [options]
   * @returns {Promise<LocalTrack>} once the server knows it
   */
  async publishTrack(media, options = {}) {
    const track = this.addTrack(media, options.source);
    if (!this.#host.isJoined()) return track;
    try {
      const done = await this.#host.request({ t: 'publish', track: this.describe(track) });
      if (done.track) this.#named(track, done.track);
    } catch (error) {
      // A new session has been told of it in `hello`.
      const known = track.id !== '' && error instanceof SignalingError && error.code === 'closed';
      if (!known) {
        this.#own.delete(track);
        throw error;
      }
    }
    return track;
  }

  /**
   * Withdraws a track, and gives its device back.
   * @param {LocalTrack} track
   */
  async unpublishTrack(track) {
    if (!this.#own.delete(track)) return;
    const id = track.id;
    this.tracks.delete(id);
    this.#host.unpublished(track);
    track.onMediaEnded = null;
    track.stop();
    if (id) await this.#host.request({ t: 'unpublish', track: id });
  }

  /**
   * Sends bytes, by data channel where one is open.
   * @param {Uint8Array} bytes at most 64 KiB with the topic
   * @param {DataOptions} [options] default: reliable, to everyone
   */
  publishData(bytes, options = {}) {
    return this.#host.publishData(bytes, options);
  }

  /** @param {boolean} raised */
  async setHandRaised(raised) {
    await this.#setState({ hand: raised });
  }

  /** @param {string} name */
  async setName(name) {
    await this.#setState({ name });
  }

  /** @param {{ hand?: boolean, name?: string }} state */
  async #setState(state) {
    if (state.hand !== undefined) this.handRaised = state.hand;
    if (state.name !== undefined) this.name = state.name;
    this.#host.changed();
    if (this.#host.isJoined()) await this.#host.request({ t: 'state', ...state });
  }

  /**
   * Takes a track in, without telling the server.
   * @param {MediaStreamTrack | LocalTrack} media
   * @param {TrackSource} [source]
   * @returns {LocalTrack}
   * @internal
   */
  addTrack(media, source) {
    const track =
      media instanceof LocalTrack
        ? media
        : new LocalTrack(media, source ?? (media.kind === 'audio' ? 'microphone' : 'camera'));
    if (this.#own.has(track)) return track;
    this.#own.add(track);
    track.participant = this;
    track.on('mediaChanged', () => this.#host.mediaChanged(track));
    track.onMediaEnded = () => this.#mediaEnded(track);
    return track;
  }

  /** @param {LocalTrack} track @returns {import('./protocol.js').PublishTrack} @internal */
  describe(track) {
    return track.describe(this.#host.videoCodecs());
  }

  /**
   * A new picture of the room: the ids in it are the valid ones.
   * @param {ParticipantInfo} info
   * @param {boolean} fresh a new session, which knows nothing of the old
   * @internal
   */
  welcome(info, fresh) {
    const { handRaised } = this;
    this.update(info);
    this.tracks.clear();
    for (const track of this.#own) {
      if (fresh) track.id = '';
      const known = info.tracks.find((each) => each.cid === track.cid);
      if (known) this.#named(track, known.id);
      else this.publishTrack(track).catch(() => {});
    }
    const own = new Set(this.localTracks.map((track) => track.cid));
    for (const stale of info.tracks.filter((each) => !own.has(each.cid))) {
      this.#host.request({ t: 'unpublish', track: stale.id }).catch(() => {});
    }
    if (handRaised && !info.hand) this.setHandRaised(true).catch(() => {});
  }

  /**
   * The server speaks of one of one's own tracks.
   * @param {TrackInfo} info
   * @param {boolean} byHost
   * @internal
   */
  trackChanged(info, byHost) {
    const track = this.localTracks.find((each) => each.cid === info.cid);
    if (!track) return;
    if (track.id === '') this.#named(track, info.id);
    if (byHost && info.muted && !track.isMuted) {
      track.turn(true).then((changed) => changed && this.#host.muteChanged(track));
    }
  }

  /**
   * The room is over for this client.
   * @param {boolean} stop whether to give the devices back; else the tracks can be used elsewhere
   * @internal
   */
  leave(stop) {
    for (const track of this.#own) {
      track.onMediaEnded = null;
      track.id = '';
      if (stop) track.stop();
    }
    if (stop) this.#own.clear();
    this.tracks.clear();
  }

  /**
   * Mutes or unmutes a track, and tells the room.
   * @param {LocalTrack} track
   * @param {boolean} muted
   */
  async setTrackMuted(track, muted) {
    const changed = await this.#reporting(track.turn(muted));
    if (!changed) return;
    this.#host.muteChanged(track);
    if (track.id && this.#host.isJoined()) await this.#host.request({ t: 'mute', track: track.id, muted });
  }

  /**
   * @param {LocalTrack} track
   * @param {string} id
   */
  #named(track, id) {
    if (track.id === id && this.tracks.get(id) === track) return;
    if (track.id) this.tracks.delete(track.id);
    track.id = id;
    this.tracks.set(id, track);
    this.#host.published(track);
  }

  /**
   * One change of a device after the other: two quick clicks are an on and an off.
   * @param {'camera' | 'microphone'} source
   * @param {boolean} enabled
   * @param {MediaTrackConstraints} [constraints]
   * @returns {Promise<LocalTrack | undefined>}
   */
  #setDevice(source, enabled, constraints) {
    const before = this.#switching.get(source) ?? Promise.resolve();
    const result = before.then(async () => {
      const track = this.#find(source);
      if (track) {
        await this.setTrackMuted(track, !enabled);
        return track;
      }
      if (!enabled) return undefined;
      const kind = source === 'camera' ? 'video' : 'audio';
      const wish = constraints ?? this.#host.constraints(kind);
      return this.publishTrack(await this.#reporting(createLocalTrack(kind, wish)));
    });
    this.#switching.set(
      source,
      result.catch(() => {}),
    );
    return result;
  }

  /** @param {LocalTrack} track */
  #mediaEnded(track) {
    if (track.source === 'screen') {
      // "Stop sharing" in the browser's own bar ends the picture and the sound.
      this.setScreenShareEnabled(false).catch(() => {});
    } else {
      this.#host.mediaError(new MediaError('missing', track.kind));
      this.setTrackMuted(track, true).catch(() => {});
    }
  }

  /**
   * @template T
   * @param {Promise<T>} attempt
   * @returns {Promise<T>}
   */
  async #reporting(attempt) {
    try {
      return await attempt;
    } catch (error) {
      if (error instanceof MediaError) this.#host.mediaError(error);
      throw error;
    }
  }

  /** @param {TrackSource} source @returns {LocalTrack | undefined} */
  #find(source) {
    const kind = source === 'microphone' ? 'audio' : 'video';
    return this.localTracks.find((track) => track.source === source && track.kind === kind);
  }

  /** @param {TrackSource} source */
  #isEnabled(source) {
    const track = this.#find(source);
    return track !== undefined && !track.isMuted;
  }
}
