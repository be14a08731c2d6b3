// Holds what a link sends to the server's word: less resolution first, then no picture, and the
// sound last of all.

import { TEMPORAL_LAYERS, shareLayers } from './simulcast.js';

/**
 * @typedef {import('./protocol.js').Bitrate} Bitrate
 * @typedef {import('./protocol.js').BitrateReason} BitrateReason
 * @typedef {import('./local_track.js').LocalTrack} LocalTrack
 * @typedef {{ bps: number, reason: BitrateReason }} Limit
 * @typedef {{ rid?: string, active: boolean, maxBitrate: number, scale: number, maxFramerate?: number, scalabilityMode?: string }} Encoding
 *
 * @typedef {object} Sending
 * @property {string} id
 * @property {'audio' | 'video'} kind
 * @property {string} source
 * @property {number} width of what reaches the encoder, 0 where not known yet
 * @property {number} height
 * @property {string[]} rids the layers that it is sent in, where there are several
 * @property {boolean} isForwarded whether a server forwards it, and can leave frames out
 *
 * @typedef {object} TrackLimit
 * @property {number | null} bps
 * @property {boolean} stopped
 * @property {number | null} maxHeight
 * @property {string[] | null} layers RIDs that are watched; null means all
 */

const AUDIO_BPS = 48_000;
const AUDIO_FLOOR_BPS = 24_000;
const CAMERA_BPS = 2_500_000;
const SCREEN_BPS = 4_000_000;
// A mesh encodes and sends one's camera once for each of the others: together no more than this,
// which a laptop's processor and a home's uplink can bear.
const MESH_CAMERA_BPS = 1_500_000;
// Below this a picture would only take what the sound needs.
const VIDEO_FLOOR_BPS = 60_000;
// What packets need around their payload (IP, UDP, SRTP, RTCP).
const OVERHEAD = 0.08;
const SCREEN_SHARE = 0.7;
// A picture that is nearly small enough is left whole.
const SCALE_LEAST = 1.2;
/** The tallest picture that looks well at a bit rate. @type {[number, number][]} */
const LADDER = [
  [900_000, Infinity],
  [550_000, 540],
  [200_000, 360],
  [90_000, 270],
  [0, 180],
];

/**
 * How a track starts, before the server has said anything.
 * @param {{ kind: 'audio' | 'video', source: string }} track
 * @returns {RTCRtpEncodingParameters}
 */
export function initialEncoding(track) {
  if (track.kind === 'audio') return { maxBitrate: AUDIO_BPS, priority: 'high', networkPriority: 'high' };
  return { maxBitrate: track.source === 'screen' ? SCREEN_BPS : CAMERA_BPS };
}

/**
 * @param {boolean} isScreen
 * @param {number} links that carry it
 * @returns {number} the most for one track on one link
 */
function ceiling(isScreen, links) {
  if (links <= 1) return isScreen ? SCREEN_BPS : CAMERA_BPS;
  return isScreen ? SCREEN_BPS / links : MESH_CAMERA_BPS / links;
}

/**
 * Shares a link's limit between its tracks.
 * @param {number | null} linkBps null: no limit
 * @param {Sending[]} tracks
 * @param {(id: string) => TrackLimit} limitOf
 * @param {number} [links] how many carry the same tracks
 * @returns {Map<string, Encoding[]>} by track id, one for each of its layers
 */
export function plan(linkBps, tracks, limitOf, links = 1) {
  /** @type {Map<string, Encoding[]>} */
  const encodings = new Map();
  const sounds = tracks.filter((track) => track.kind === 'audio');
  const pictures = tracks.filter((track) => track.kind === 'video' && !limitOf(track.id).stopped);
  const usable = linkBps === null ? Infinity : linkBps * (1 - OVERHEAD);
  // A quarter for the sound when there is little, so that the picture has something too.
  const perSound = Math.max(AUDIO_FLOOR_BPS, Math.min(AUDIO_BPS, usable / 4 / Math.max(1, sounds.length)));
  for (const track of sounds) {
    const { stopped, bps } = limitOf(track.id);
    encodings.set(track.id, [{ active: !stopped, maxBitrate: Math.min(perSound, bps ?? Infinity), scale: 1 }]);
  }
  const heard = sounds.filter((track) => !limitOf(track.id).stopped).length;
  const left = Math.max(0, usable - heard * perSound);
  const screens = pictures.filter((track) => track.source === 'screen').length;
  const cameras = pictures.length - screens;
  for (const track of tracks.filter((each) => each.kind === 'video')) {
    const isScreen = track.source === 'screen';
    const group = screens && cameras ? (isScreen ? SCREEN_SHARE : 1 - SCREEN_SHARE) : 1;
    const share = (left * group) / Math.max(1, isScreen ? screens : cameras);
    const limit = limitOf(track.id);
    const isLayered = track.rids.length > 1;
    encodings.set(
      track.id,
      isLayered ? shareLayers(track, share, limit) : [picture(track, Math.min(share, ceiling(isScreen, links)), limit)],
    );
  }
  return encodings;
}

/**
 * @param {Sending} track
 * @param {number} share
 * @param {TrackLimit} limit
 * @returns {Encoding}
 */
function picture(track, share, limit) {
  const isScreen = track.source === 'screen';
  const bps = Math.min(share, limit.bps ?? Infinity);
  const active = !limit.stopped && bps >= VIDEO_FLOOR_BPS;
  const shown = limit.maxHeight ?? Infinity;
  // Letters on a screen become unreadable when they shrink; let it be slow instead.
  const affordable = isScreen ? Infinity : (LADDER.find(([least]) => bps >= least)?.[1] ?? 180);
  const wanted = track.height / Math.min(affordable, shown);
  const scale = wanted < SCALE_LEAST ? 1 : wanted;
  return {
    active,
    maxBitrate: Math.round(Math.max(bps, VIDEO_FLOOR_BPS)),
    scale: Math.round(scale * 1e6) / 1e6,
    ...(isScreen && bps < SCREEN_BPS / 4 ? { maxFramerate: 5 } : {}),
    ...(track.isForwarded ? { scalabilityMode: TEMPORAL_LAYERS } : {}),
  };
}

/** The server's limits, as this client has last heard them. */
export class Limits {
  /** @type {Limit | null} */
  #total = null;
  /** @type {Map<string, Limit>} */
  #links = new Map();
  /** By link and track. @type {Map<string, TrackLimit>} */
  #tracks = new Map();

  /** @param {Bitrate} bitrate */
  hear(bitrate) {
    const { link, track, layers, max_send_bps: bps, max_height: height, reason } = bitrate;
    if (track !== undefined) {
      this.#tracks.set(`${link ?? ''}/${track}`, {
        bps: bps === undefined || bps === 0 ? null : bps,
        stopped: bps === 0 || layers?.length === 0,
        maxHeight: height ?? null,
        layers: layers ?? null,
      });
      return;
    }
    const limit = bps === undefined ? null : { bps, reason };
    if (link === undefined) this.#total = limit;
    else if (limit) this.#links.set(link, limit);
    else this.#links.delete(link);
  }

  /** @param {string} link */
  forget(link) {
    this.#links.delete(link);
    for (const key of this.#tracks.keys()) if (key.startsWith(`${link}/`)) this.#tracks.delete(key);
  }

  clear() {
    this.#total = null;
    this.#links.clear();
    this.#tracks.clear();
  }

  /**
   * @param {string} link
   * @param {number} links how many share the total
   * @returns {Limit | null}
   */
  ofLink(link, links) {
    const own = this.#links.get(link) ?? null;
    const share = this.#total && { ...this.#total, bps: this.#total.bps / Math.max(1, links) };
    if (!own || !share) return own ?? share;
    return own.bps <= share.bps ? own : share;
  }

  /**
   * @param {string} link
   * @param {string} track
   * @returns {TrackLimit}
   */
  ofTrack(link, track) {
    return (
      this.#tracks.get(`${link}/${track}`) ??
      this.#tracks.get(`/${track}`) ?? { bps: null, stopped: false, maxHeight: null, layers: null }
    );
  }
}
