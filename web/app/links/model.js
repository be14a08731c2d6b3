// From the room and its figures to what the panel shows. Pure: the same data, the same picture.

import { streamsOf } from './streams.js';

/** @typedef {import('./types.js').RoomLike} RoomLike */
/** @typedef {import('./types.js').RoomFigures} RoomFigures */
/** @typedef {import('./types.js').LinkFigures} LinkFigures */
/** @typedef {import('./types.js').TrackFigures} TrackFigures */
/** @typedef {{id: string, name: string, isYou: boolean, isAway: boolean}} Person */
/** @typedef {'excellent'|'good'|'poor'|'lost'|'waiting'} Shade how a link looks */
/**
 * @typedef {object} LinkView
 * @property {string} id
 * @property {import('./types.js').Topology} kind
 * @property {string|null} peer null is the server
 * @property {string} name of whoever is at the other end; empty for the server
 * @property {import('./types.js').LinkState} state
 * @property {import('./types.js').LinkPath|null} path
 * @property {boolean} isRelayed
 * @property {Shade} shade
 * @property {number|null} upBps
 * @property {number|null} downBps
 * @property {number|null} rttMs
 * @property {number|null} lossUp
 * @property {number|null} lossDown
 * @property {number|null} loss the worse of both directions
 * @property {number|null} availableUpBps
 * @property {string|null} srtpCipher
 * @property {import('./streams.js').StreamView[]} streams
 * @property {TrackFigures[]} upPictures
 * @property {TrackFigures[]} downPictures
 * @property {{bps: number|null, reason: string}|null} limit
 */
/**
 * @typedef {object} View
 * @property {import('./types.js').Topology} topology
 * @property {boolean} isMixed whether the server mixes for you
 * @property {import('./types.js').MixStateLike|null} mixer
 * @property {Person[]} people you first, then the others in the order in which they came
 * @property {LinkView[]} links
 * @property {[string, string][]} among pairs of people whose link is not ours
 * @property {number} linkCount links in the whole room
 * @property {number} relayed links of ours that a TURN server carries
 * @property {{up: number, down: number, upBps: number, downBps: number, serverUp: number, serverDown: number}} figures
 */

/**
 * @param {RoomLike} room
 * @param {RoomFigures} stats
 * @returns {View}
 */
export function viewOf(room, stats) {
  const topology = stats.topology ?? 'mesh';
  const people = peopleOf(room);
  const names = new Map(people.map((p) => [p.id, p.name]));
  const links = stats.links.filter((link) => link.state !== 'closed').map((link) => linkView(link, names, room));
  sortLike(links, people);
  const among = topology === 'mesh' ? pairsAmong(people.filter((p) => !p.isYou)) : [];
  const n = people.length;
  return {
    topology,
    isMixed: topology === 'mcu' || Boolean(room.mix),
    mixer: room.mix?.state ?? null,
    people,
    links,
    among,
    linkCount: topology === 'mesh' ? (n * (n - 1)) / 2 : n,
    relayed: links.filter((link) => link.isRelayed).length,
    figures: {
      up: stats.uplinks,
      down: stats.downlinks,
      upBps: sum(links.map((link) => link.upBps)),
      downBps: sum(links.map((link) => link.downBps)),
      serverUp: stats.server.uplinks,
      serverDown: stats.server.downlinks,
    },
  };
}

/** @param {RoomLike} room @returns {Person[]} */
function peopleOf(room) {
  const others = [...room.remoteParticipants.values()].map((p) => ({
    id: p.id,
    name: p.name,
    isYou: false,
    isAway: p.presence === 'away',
  }));
  const me = room.localParticipant;
  return me ? [{ id: me.id, name: me.name, isYou: true, isAway: false }, ...others] : others;
}

/** @param {LinkFigures} link @param {Map<string, string>} names @param {RoomLike} room @returns {LinkView} */
function linkView(link, names, room) {
  const tracks = link.tracks ?? [];
  return {
    id: link.id,
    kind: link.kind,
    peer: link.peer,
    name: link.peer === null ? '' : (names.get(link.peer) ?? '?'),
    state: link.state,
    path: link.path,
    isRelayed: link.path !== null && link.path !== 'direct',
    shade: shadeOf(link),
    upBps: link.upBps ?? null,
    downBps: link.downBps ?? null,
    rttMs: link.rttMs ?? null,
    lossUp: link.lossUp ?? null,
    lossDown: link.lossDown ?? null,
    loss: worse(link.lossUp, link.lossDown),
    availableUpBps: link.availableUpBps ?? null,
    srtpCipher: link.srtpCipher ?? null,
    streams: streamsOf(room, link),
    upPictures: picturesOf(tracks, 'up'),
    downPictures: picturesOf(tracks, 'down'),
    limit: limitOf(link, tracks),
  };
}

/** @param {LinkFigures} link @returns {Shade} */
function shadeOf(link) {
  if (link.state === 'failed') return 'lost';
  if (link.state !== 'connected') return 'waiting';
  return link.quality ?? 'waiting';
}

/** @param {number|null|undefined} a @param {number|null|undefined} b */
function worse(a, b) {
  const known = [a, b].filter((x) => typeof x === 'number');
  return known.length > 0 ? Math.max(...known) : null;
}

/** @param {TrackFigures[]} tracks @param {'up'|'down'} direction the largest picture first */
function picturesOf(tracks, direction) {
  return tracks
    .filter((t) => t.direction === direction && t.kind === 'video' && t.active !== false && (t.width ?? 0) > 0)
    .sort((a, b) => (b.width ?? 0) * (b.height ?? 0) - (a.width ?? 0) * (a.height ?? 0));
}

/**
 * What holds this end back: what the server said first, else what the encoder says of itself.
 * @param {LinkFigures} link
 * @param {TrackFigures[]} tracks
 */
function limitOf(link, tracks) {
  if (link.limit && (link.limit.bps !== null || link.limit.reason !== 'unlimited')) return link.limit;
  const encoder = tracks.find(
    (t) => t.direction === 'up' && t.active !== false && t.limitation && t.limitation !== 'none',
  );
  return encoder?.limitation ? { bps: null, reason: encoder.limitation } : null;
}

/** @param {LinkView[]} links @param {Person[]} people */
function sortLike(links, people) {
  const place = new Map(people.map((p, i) => [p.id, i]));
  const of = (/** @type {LinkView} */ link) => (link.peer === null ? -1 : (place.get(link.peer) ?? people.length));
  links.sort((a, b) => of(a) - of(b));
}

/** @param {Person[]} people @returns {[string, string][]} */
function pairsAmong(people) {
  return people.flatMap((a, i) => people.slice(i + 1).map((b) => /** @type {[string, string]} */ ([a.id, b.id])));
}

/** @param {(number|null)[]} values */
function sum(values) {
  return values.reduce((/** @type {number} */ total, value) => total + (value ?? 0), 0);
}
