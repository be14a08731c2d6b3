// @madang/sdk: rooms, people and their tracks. See README.md.

export { Room } from './room.js';
export { Participant, RemoteParticipant } from './participant.js';
export { LocalParticipant } from './local_participant.js';
export { Track } from './track.js';
export { RemoteTrack } from './remote_track.js';
export { LocalTrack } from './local_track.js';
export { Mix } from './mix.js';
export { Link } from './link.js';
export { createLocalTrack, createLocalTracks, createScreenTracks, listDevices, watchDevices } from './devices.js';
export { createLevelMeter, LevelMeter } from './level.js';
export { MediaError, SignalingError } from './errors.js';

/**
 * @typedef {import('./hello.js').RoomOptions} RoomOptions
 * @typedef {import('./room.js').RoomState} RoomState
 * @typedef {import('./room_events.js').RoomEvents} RoomEvents
 * @typedef {import('./room_events.js').ChatMessage} ChatMessage
 * @typedef {import('./mix.js').MixState} MixState
 * @typedef {import('./mix.js').MixWish} MixWish
 * @typedef {import('./mix.js').PlainLayout} PlainLayout
 * @typedef {import('./link.js').LinkState} LinkState
 * @typedef {import('./stats.js').LinkNumbers} LinkNumbers
 * @typedef {import('./stats.js').TrackNumbers} TrackNumbers
 * @typedef {import('./remote_track.js').Delivery} Delivery
 */
