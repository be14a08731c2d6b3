// The parts of a room, and how they reach each other.

import { SignalingError } from './errors.js';
import { iceServersFor } from './ice_servers.js';
import { Links } from './links.js';
import { LocalParticipant } from './local_participant.js';
import { Playback } from './playback.js';
import { Reporter } from './report.js';
import { Roster } from './roster.js';
import { Speakers } from './speakers.js';
import { startKbps } from './start_bitrate.js';
import { certificates } from './warm.js';

/**
 * @typedef {import('./protocol.js').ClientFrame} ClientMessage
 * @typedef {import('./protocol.js').Codecs} Codecs
 * @typedef {import('./protocol.js').Done} Done
 * @typedef {import('./protocol.js').IceServer} IceServer
 * @typedef {import('./participant.js').RemoteParticipant} RemoteParticipant
 * @typedef {import('./room.js').RoomOptions} RoomOptions
 * @typedef {import('./room_events.js').RoomEvents} RoomEvents
 * @typedef {import('./signaling.js').Signaling} Signaling
 * @typedef {import('./remote_track.js').RemoteTrack} RemoteTrack
 *
 * @typedef {object} RoomHost what the parts need of the room
 * @property {<K extends keyof RoomEvents>(event: K, ...args: RoomEvents[K]) => void} emit
 * @property {() => Signaling | null} signaling null while the room is not joined
 * @property {() => boolean} isJoined
 * @property {() => Codecs} codecs
 * @property {() => IceServer[]} iceServers
 * @property {(from: string | null, bytes: Uint8Array, topic: string) => void} data
 * @property {RoomOptions} options
 *
 * @typedef {object} Parts
 * @property {Playback} playback
 * @property {LocalParticipant} local
 * @property {Roster} roster
 * @property {Links} links
 * @property {Speakers} speakers
 * @property {Reporter} reporter
 */

/** @param {RoomHost} room @returns {Parts} */
export function makeParts(room) {
  const parts = /** @type {Parts} */ ({});
  parts.playback = new Playback(() => room.emit('audioPlaybackChanged', parts.playback.isAllowed));
  parts.local = makeLocal(room, parts);
  parts.roster = makeRoster(room, parts);
  parts.links = makeLinks(room, parts);
  parts.speakers = new Speakers({
    local: parts.local,
    remotes: () => parts.roster.remotes.values(),
    receiverOf: (id) => parts.links.receiversOf(id)[0] ?? null,
    changed: (speakers) => room.emit('activeSpeakersChanged', speakers),
  });
  parts.reporter = new Reporter(
    () => parts.links.all.values(),
    (message) => room.signaling()?.sendVolatile(message),
    () => parts.links.applyLimits(),
  );
  return parts;
}

/**
 * @param {RoomHost} room
 * @param {ClientMessage} message
 * @returns {Promise<Done>}
 */
export function request(room, message) {
  const signaling = room.signaling();
  if (!signaling) return Promise.reject(new SignalingError('closed', 'The room is not connected.'));
  return signaling.request(message);
}

/** @param {RoomHost} room @param {Parts} parts */
function makeLocal(room, parts) {
  return new LocalParticipant({
    request: (message) => request(room, message),
    isJoined: room.isJoined,
    published: (track) => {
      parts.links.published();
      room.emit('localTrackPublished', track);
    },
    unpublished: (track) => {
      parts.links.unpublished(parts.local.publishedTracks);
      room.emit('localTrackUnpublished', track);
    },
    muteChanged: (track) => room.emit(track.isMuted ? 'trackMuted' : 'trackUnmuted', track, parts.local),
    mediaChanged: (track) => parts.links.refresh(track),
    changed: () => room.emit('participantChanged', parts.local),
    publishData: (bytes, { reliable = true, to = [], topic = '' }) =>
      parts.links.publishData(bytes, { reliable, to, topic }),
    mediaError: (error) => room.emit('mediaDevicesError', error),
    constraints: (kind) => room.options[kind] ?? true,
  });
}

/** @param {RoomHost} room @param {Parts} parts */
function makeRoster(room, parts) {
  return new Roster(parts.local, {
    emit: room.emit,
    sized: (track, size) =>
      room.signaling()?.send({ t: 'subscribe', track: track.id, on: size !== null, priority: 0, ...size }),
    removed: (id) => parts.links.release(id),
    added: (track) => {
      track.playThrough(parts.playback);
      bind(room, parts, track);
    },
  });
}

/** @param {RoomHost} room @param {Parts} parts */
function makeLinks(room, parts) {
  return new Links({
    send: (message) => room.signaling()?.send(message),
    request: (message) => request(room, message),
    localTracks: () => parts.local.publishedTracks,
    peerTracks: (peer) => parts.roster.countTracks(peer),
    configuration: () => configuration(room),
    codecs: room.codecs,
    canAct: (link) =>
      room.signaling()?.isReady === true &&
      (link.peer === null || parts.roster.participant(link.peer)?.presence === 'present'),
    sourceOf: (id) => (parts.local.tracks.get(id) ?? parts.roster.remoteTrack(id))?.source ?? null,
    startKbps: (link, limitBps) => startKbps(link.peer === null ? 1 : parts.roster.remotes.size, limitBps),
    mapped: (link) => {
      for (const id of link.receivedIds) {
        const track = parts.roster.remoteTrack(id);
        if (track) bind(room, parts, track);
      }
      rebind(room, parts, link);
    },
    changed: (link) => room.emit('linkChanged', link),
    data: (_link, bytes, topic, sender) => room.data(sender, bytes, topic),
    opened: (link) => room.emit('linkOpened', link),
    closed: (link) => room.emit('linkClosed', link),
    retired: (link) => rebind(room, parts, link),
  });
}

/**
 * What a link carried may arrive elsewhere now, or be another track's: a server uses its media
 * descriptions again.
 * @param {RoomHost} room
 * @param {Parts} parts
 * @param {import('./link.js').Link} link
 */
function rebind(room, parts, link) {
  for (const track of parts.roster.remoteTracks()) {
    const media = track.mediaStreamTrack;
    if (media && link.receives(media)) bind(room, parts, track);
  }
}

/**
 * Gives a track the media that a link receives for it, once both are known.
 * @param {RoomHost} room
 * @param {Parts} parts
 * @param {RemoteTrack} track
 */
function bind(room, parts, track) {
  const participant = /** @type {RemoteParticipant} */ (track.participant);
  const receivers = parts.links.receiversOf(track.id);
  const shown = receivers.find((each) => each.track === track.mediaStreamTrack);
  // What flows already is shown until the newer link has its first packet.
  const receiver = receivers.find((each) => !each.track.muted) ?? shown ?? receivers[0];
  for (const each of receivers) each.track.onunmute = () => bind(room, parts, track);
  track.setMedia(receiver?.track ?? null);
  parts.links.endUnused((link) => isShown(parts, link));
  if (track.isSubscribed === Boolean(receiver)) return;
  track.setSubscribed(Boolean(receiver));
  room.emit(receiver ? 'trackSubscribed' : 'trackUnsubscribed', track, participant);
}

/** @param {Parts} parts @param {import('./link.js').Link} link */
function isShown({ roster }, link) {
  return [...roster.remoteTracks()].some(({ mediaStreamTrack: media }) => media !== null && link.receives(media));
}

/** @param {RoomHost} room @returns {RTCConfiguration} */
function configuration({ options, iceServers }) {
  const made = certificates();
  return {
    iceServers: iceServersFor(iceServers(), options.relayTransport),
    iceTransportPolicy: options.iceTransportPolicy ?? 'all',
    bundlePolicy: 'max-bundle',
    rtcpMuxPolicy: 'require',
    ...(made ? { certificates: made } : {}),
  };
}
