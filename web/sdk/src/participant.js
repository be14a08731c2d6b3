// People in the room.

import { Emitter } from './emitter.js';
import { RemoteTrack } from './remote_track.js';

/**
 * @typedef {import('./protocol.js').ParticipantInfo} ParticipantInfo
 * @typedef {import('./protocol.js').ConnectionQuality} ConnectionQuality
 * @typedef {import('./protocol.js').Role} Role
 * @typedef {import('./protocol.js').Presence} Presence
 * @typedef {import('./track.js').AnySource} AnySource
 * @typedef {import('./protocol.js').TrackKind} TrackKind
 * @typedef {import('./track.js').Track} Track
 */

/** @extends {Emitter<{ changed: [] }>} */
export class Participant extends Emitter {
  /** The server's name for it. */
  id = '';
  /** From the token, or the id where the server runs open. */
  identity = '';
  /** The name to show. */
  name = '';
  /** @type {Role} */
  role = 'participant';
  /** Whether its signaling is connected. @type {Presence} */
  presence = 'present';
  handRaised = false;
  /** Its place in the room: grows with every join. */
  order = 0;
  /** @type {ConnectionQuality} */
  connectionQuality = 'excellent';
  isSpeaking = false;
  /** 0 to 1. */
  audioLevel = 0;
  /** By the server's track id. @type {Map<string, Track>} */
  tracks = new Map();

  /** Whether it is this client. */
  get isLocal() {
    return false;
  }

  /**
   * @param {AnySource} source
   * @param {TrackKind} [kind] a shared screen may have both
   * @returns {Track | undefined}
   */
  getTrack(source, kind = source === 'microphone' ? 'audio' : 'video') {
    return [...this.tracks.values()].find((track) => track.source === source && track.kind === kind);
  }

  /**
   * @param {ParticipantInfo} info
   * @returns {boolean} whether anything changed
   * @internal
   */
  update(info) {
    const changed =
      this.name !== info.name ||
      this.role !== info.role ||
      this.presence !== info.presence ||
      this.handRaised !== info.hand;
    this.id = info.id;
    this.identity = info.identity;
    this.name = info.name;
    this.role = info.role;
    this.presence = info.presence;
    this.handRaised = info.hand;
    this.order = info.order;
    if (changed) this.emit('changed');
    return changed;
  }
}

/** Somebody else. */
export class RemoteParticipant extends Participant {
  /**
   * The track that an id names, made or brought up to date.
   * @param {import('./protocol.js').TrackInfo} info
   * @param {(track: RemoteTrack, size: { width: number, height: number } | null) => boolean | void} onSize
   * @returns {{ track: RemoteTrack, added: boolean, muteChanged: boolean }}
   * @internal
   */
  putTrack(info, onSize) {
    const known = this.tracks.get(info.id);
    if (known instanceof RemoteTrack) return { track: known, added: false, muteChanged: known.update(info) };
    const track = new RemoteTrack(info, this, onSize);
    this.tracks.set(info.id, track);
    return { track, added: true, muteChanged: false };
  }
}
