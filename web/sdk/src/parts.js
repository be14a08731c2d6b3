// The parts of a room, and how they reach each other.

import { bind, bindAll, bindKind, isForwarded, rebind, unbindMix } from './binding.js';
import { preferred, sendable } from './codecs.js';
import { SignalingError } from './errors.js';
import { iceServersFor } from './ice_servers.js';
import { Links } from './links.js';
import { LocalParticipant } from './local_participant.js';
import { Mixes } from './mix.js';
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
 * @typedef {import('./hello.js').RoomOptions} RoomOptions
 * @typedef {import('./room_events.js').RoomEvents} RoomEvents
 * @typedef {import('./signaling.js').Signaling} Signaling
 * @typedef {import('./remote_track.js').RemoteTrack} RemoteTrack
 *
 * @typedef {object} RoomHost what the parts need of the room
 * @property {<K extends keyof RoomEvents>(event: K, ...args: RoomEvents[K]) => void} emit
 * @property {() => Signaling | null} signaling null while the room is not joined
 * @property {() => boolean} isJoined
 * @property {() => Codecs} codecs
 * @property {() => import('./protocol.js').Topology} topology
 * @property {() => IceServer[]} iceServers
 * @property {(from: string | null, bytes: Uint8Array, topic: string) => void} data
 * @property {RoomOptions} options
 *
 * @typedef {object} Parts
 * @property {Playback} playback
 * @property {LocalParticipant} local
 * @property {Roster} roster
 * @property {Links} links
 * @property {Mixes} mixes
 * @property {Speakers} speakers
 * @property {Reporter} reporter
 */

/** @param {RoomHost} room @returns {Parts} */
export function makeParts(room) {
  const parts = /** @type {Parts} */ ({});
  parts.playback = new Playback(() => room.emit('audioPlaybackChanged', parts.playback.isAllowed));
  parts.local = makeLocal(room, parts);
  parts.roster = makeRoster(room, parts);
  parts.mixes = makeMixes(room, parts);
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
    videoCodecs: () => sendable(room.options.videoCodec),
  });
}

/** @param {RoomHost} room @param {Parts} parts */
function makeRoster(room, parts) {
  return new Roster(parts.local, {
    emit: room.emit,
    sized: (track, size) => {
      // What a mix hides is wanted at once when the mix ends.
      if (size === null && parts.mixes.current) return false;
      return saySize(room, track, size);
    },
    removed: (id) => parts.links.release(id),
    added: (track) => {
      track.playThrough(parts.playback);
      bind(room, parts, track);
    },
  });
}

/** @param {RoomHost} room @param {Parts} parts */
function makeMixes(room, parts) {
  return new Mixes({
    request: (message) => request(room, message),
    isForEveryone: () => room.topology() === 'mcu',
    sized: (track, size) => saySize(room, track, size),
    added: (track) => {
      track.playThrough(parts.playback);
      bind(room, parts, track);
    },
    ended: (track) => unbindMix(room, track),
    arrived: (kind) => bindKind(room, parts, kind),
    isForwarded: (kind) => isForwarded(parts, kind),
    changed: (mix) => room.emit('mixChanged', mix),
    stateChanged: (state, mix) => room.emit('mixStateChanged', state, mix),
  });
}

/** @param {RoomHost} room @param {RemoteTrack} track @param {import('./shown_size.js').Size | null} size */
function saySize(room, track, size) {
  room.signaling()?.send({ t: 'subscribe', track: track.id, on: size !== null, priority: 0, ...size });
}

/** @param {RoomHost} room @param {Parts} parts */
function makeLinks(room, parts) {
  return new Links({
    send: (message) => room.signaling()?.send(message),
    request: (message) => request(room, message),
    localTracks: () => parts.local.publishedTracks,
    peerTracks: (peer) => parts.roster.countTracks(peer),
    configuration: () => configuration(room),
    codecs: () => preferred(room.codecs(), room.options.videoCodec),
    canAct: (link) =>
      room.signaling()?.isReady === true &&
      (link.peer === null || parts.roster.participant(link.peer)?.presence === 'present'),
    sourceOf: (id) =>
      (parts.local.tracks.get(id) ?? parts.roster.remoteTrack(id) ?? parts.mixes.track(id))?.source ?? null,
    startKbps: (link, limitBps) => startKbps(link.peer === null ? 1 : parts.roster.remotes.size, limitBps),
    mapped: (link) => bindAll(room, parts, link),
    changed: (link) => room.emit('linkChanged', link),
    data: (_link, bytes, topic, sender) => room.data(sender, bytes, topic),
    opened: (link) => room.emit('linkOpened', link),
    closed: (link) => room.emit('linkClosed', link),
    retired: (link) => rebind(room, parts, link, { keep: false }),
  });
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
