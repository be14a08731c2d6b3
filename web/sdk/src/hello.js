// What a client says of itself when it comes in.

import { ownCodecs, preferred } from './codecs.js';
import { canSimulcast } from './simulcast.js';

/**
 * @typedef {import('./protocol.js').Hello} Hello
 * @typedef {import('./protocol.js').TopologyPolicy} TopologyPolicy
 * @typedef {import('./local_participant.js').LocalParticipant} LocalParticipant
 *
 * @typedef {object} RoomOptions
 * @property {string} [room] its name, 1 to 64 letters, digits, `-`, `_`
 * @property {string} [name] the name to show for oneself
 * @property {TopologyPolicy} [topology] wished for by whoever creates the room
 * @property {import('./local_track.js').LocalTrack[]} [tracks] published at once
 * @property {RTCIceTransportPolicy} [iceTransportPolicy] `relay`: by TURN only
 * @property {import('./ice_servers.js').RelayTransport} [relayTransport] use relays over this alone
 * @property {MediaTrackConstraints} [video]
 * @property {MediaTrackConstraints} [audio]
 * @property {'VP8' | 'VP9' | 'H264' | 'AV1'} [videoCodec] send pictures in this alone; without effect in
 *   a browser that has not got it
 * @property {Storage | null} [storage] where a reloaded page finds itself; default sessionStorage
 */

/**
 * @param {RoomOptions} options
 * @param {LocalParticipant} local
 * @param {{ room: string, token: string }} where
 * @returns {Omit<Hello, 'resume'>}
 */
export function helloOf({ topology, videoCodec }, local, { room, token }) {
  return {
    versions: [1],
    room,
    name: local.name || 'Guest',
    capabilities: { codecs: preferred(ownCodecs(), videoCodec), simulcast: canSimulcast(), topologies: [] },
    tracks: local.localTracks.map((track) => local.describe(track)),
    ...(token ? { token } : {}),
    ...(topology ? { topology } : {}),
  };
}
