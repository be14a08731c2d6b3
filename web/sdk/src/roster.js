// Who is in the room and what they publish: the server's picture, as objects that last.

import { RemoteParticipant } from './participant.js';
import { RemoteTrack, deliveryOf } from './remote_track.js';

/**
 * @typedef {import('./protocol.js').ParticipantInfo} ParticipantInfo
 * @typedef {import('./protocol.js').ParticipantEvent} ParticipantEvent
 * @typedef {import('./protocol.js').TrackEvent} TrackEvent
 * @typedef {import('./protocol.js').TrackInfo} TrackInfo
 * @typedef {import('./protocol.js').LeaveReason} LeaveReason
 * @typedef {import('./participant.js').Participant} Participant
 * @typedef {import('./local_participant.js').LocalParticipant} LocalParticipant
 * @typedef {import('./room_events.js').RoomEvents} RoomEvents
 *
 * @typedef {object} RosterHost
 * @property {<K extends keyof RoomEvents>(event: K, ...args: RoomEvents[K]) => void} emit
 * @property {(track: RemoteTrack, size: { width: number, height: number } | null) => boolean | void} sized
 * @property {(track: RemoteTrack) => void} added a track to be bound to its media
 * @property {(id: string) => void} removed somebody has gone
 */

// After a restart of the server, people come back one by one within this time.
const LINGER_MS = 4000;

/**
 * Whether a newcomer is somebody from before a restart of the server, which gives new ids.
 * @param {RemoteParticipant} former
 * @param {ParticipantInfo} info
 */
function isSame(former, info) {
  if (former.identity !== former.id && former.identity === info.identity) return true;
  const cids = new Set([...former.tracks.values()].map((track) => track.cid));
  if (cids.size === 0) return former.name === info.name;
  return info.tracks.some((track) => cids.has(track.cid));
}

export class Roster {
  /** By id, in the order in which they came. @type {Map<string, RemoteParticipant>} */
  remotes = new Map();
  #local;
  #host;
  /** Of the session before, and expected back. @type {Set<RemoteParticipant>} */
  #lingering = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #lingerTimer;

  /**
   * @param {LocalParticipant} local
   * @param {RosterHost} host
   */
  constructor(local, host) {
    this.#local = local;
    this.#host = host;
  }

  /** @param {string} id @returns {Participant | undefined} */
  participant(id) {
    return id === this.#local.id ? this.#local : this.remotes.get(id);
  }

  /** @param {string} id @returns {RemoteTrack | undefined} */
  remoteTrack(id) {
    return [...this.remoteTracks()].find((track) => track.id === id);
  }

  /** @returns {Generator<RemoteTrack>} everybody's */
  *remoteTracks() {
    for (const participant of this.remotes.values()) {
      for (const track of participant.tracks.values()) if (track instanceof RemoteTrack) yield track;
    }
  }

  /** @param {string | null} id @returns {{ audio: number, video: number }} published tracks */
  countTracks(id) {
    const tracks = [...((id !== null && this.remotes.get(id)?.tracks.values()) || [])];
    const video = tracks.filter((track) => track.kind === 'video').length;
    return { audio: tracks.length - video, video };
  }

  /**
   * The whole room anew: what is not in it has gone, or is about to come back to a server that
   * was restarted.
   * @param {ParticipantInfo[]} infos
   * @param {{ linger?: boolean }} [options]
   */
  reset(infos, { linger = false } = {}) {
    const present = new Set(infos.map((info) => info.id));
    for (const [id, participant] of [...this.remotes]) {
      if (present.has(id)) continue;
      if (linger) this.#linger(participant);
      else this.#remove(id);
    }
    for (const info of infos) this.#put(info);
  }

  /** @param {RemoteParticipant} participant */
  #linger(participant) {
    this.#lingering.add(participant);
    participant.presence = 'away';
    this.#host.emit('participantChanged', participant);
    clearTimeout(this.#lingerTimer);
    this.#lingerTimer = setTimeout(() => {
      for (const each of [...this.#lingering]) this.#remove(each.id, 'lost');
    }, LINGER_MS);
  }

  /** @param {ParticipantEvent} event */
  participantEvent({ change, participant: info, reason }) {
    if (info.id === this.#local.id) {
      if (change !== 'removed' && this.#local.update(info)) this.#host.emit('participantChanged', this.#local);
    } else if (change === 'removed') {
      this.#remove(info.id, reason);
    } else {
      this.#put(info);
    }
  }

  /** @param {TrackEvent} event */
  trackEvent({ change, participant: id, track: info, by }) {
    if (id === this.#local.id) {
      if (change !== 'removed') this.#local.trackChanged(info, by !== undefined && by !== id);
      return;
    }
    const participant = this.remotes.get(id);
    if (!participant) return;
    if (change === 'removed') this.#removeTrack(participant, info.id);
    else this.#putTrack(participant, info);
  }

  /** @param {import('./protocol.js').Delivery} event of a link that is open */
  deliveryEvent(event) {
    const track = this.remoteTrack(event.track);
    if (!track) return;
    track.setDelivery(deliveryOf(event));
    this.#host.emit('trackDeliveryChanged', track, /** @type {RemoteParticipant} */ (track.participant));
  }

  /** Nobody but a server that forwards chooses between layers. */
  forgetDeliveries() {
    for (const track of this.remoteTracks()) track.setDelivery(null);
  }

  /** @param {ParticipantInfo} info */
  #put(info) {
    const known = this.remotes.get(info.id);
    const former = known ? undefined : [...this.#lingering].find((each) => isSame(each, info));
    if (former) this.#remove(former.id);
    const participant = known ?? new RemoteParticipant();
    const changed = participant.update(info);
    if (!known) {
      this.remotes.set(info.id, participant);
      this.#host.emit('participantConnected', participant);
    } else if (changed) {
      this.#host.emit('participantChanged', participant);
    }
    const published = new Set(info.tracks.map((track) => track.id));
    for (const id of [...participant.tracks.keys()]) if (!published.has(id)) this.#removeTrack(participant, id);
    for (const track of info.tracks) this.#putTrack(participant, track);
  }

  /** @param {string} id @param {LeaveReason} [reason] */
  #remove(id, reason) {
    const participant = this.remotes.get(id);
    if (!participant) return;
    for (const trackId of [...participant.tracks.keys()]) this.#removeTrack(participant, trackId);
    this.remotes.delete(id);
    this.#lingering.delete(participant);
    this.#host.removed(id);
    this.#host.emit('participantDisconnected', participant, reason);
  }

  /** @param {RemoteParticipant} participant @param {TrackInfo} info */
  #putTrack(participant, info) {
    const { track, added, muteChanged } = participant.putTrack(info, this.#host.sized);
    if (added) {
      this.#host.emit('trackPublished', track, participant);
      this.#host.added(track);
    } else if (muteChanged) {
      this.#host.emit(track.isMuted ? 'trackMuted' : 'trackUnmuted', track, participant);
    }
  }

  /** @param {RemoteParticipant} participant @param {string} id */
  #removeTrack(participant, id) {
    const track = participant.tracks.get(id);
    if (!(track instanceof RemoteTrack)) return;
    participant.tracks.delete(id);
    if (track.isSubscribed) {
      track.setSubscribed(false);
      this.#host.emit('trackUnsubscribed', track, participant);
    }
    track.end();
    this.#host.emit('trackUnpublished', track, participant);
  }
}
