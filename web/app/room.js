// The room page: from the door, through the mirror, into the call, and out again.

import { Room, SignalingError } from '/sdk/index.js';

import { Call } from './call/call.js';
import { openDevices } from './devices.js';
import { find } from './dom.js';
import { makeNotice } from './notice.js';
import { roomOfPath } from './names.js';
import { Prejoin, turnAsWished } from './prejoin.js';
import { readPrefs } from './prefs.js';

/**
 * @typedef {import('/sdk/index.js').LocalTrack} LocalTrack
 * @typedef {import('/sdk/index.js').RoomOptions} RoomOptions
 * @typedef {import('/sdk/index.js').MediaError} MediaError
 */

const TOPOLOGIES = /** @type {const} */ (['auto', 'mesh', 'sfu', 'mcu']);
const CODECS = /** @type {const} */ (['VP8', 'VP9', 'H264', 'AV1']);
const RELAYS = /** @type {const} */ (['udp', 'tcp', 'tls']);

const view = find('#view', HTMLElement);
/** @type {{element: Element, destroy?: (how: any) => void}|null} */
let shown = null;

function readAddress() {
  const query = new URLSearchParams(location.search);
  const fragment = new URLSearchParams(location.hash.slice(1));
  const relay = query.get('relay');
  return {
    room: roomOfPath(location.pathname),
    name: (query.get('name') ?? '').trim().slice(0, 64),
    autojoin: query.has('autojoin') && !['0', 'false'].includes(query.get('autojoin') ?? ''),
    topology: TOPOLOGIES.find((each) => each === query.get('topology')),
    // For tests, and for people who know what they do.
    codec: CODECS.find((each) => each === query.get('codec')?.toUpperCase()),
    relayOnly: relay === 'any' || RELAYS.some((each) => each === relay),
    relay: RELAYS.find((each) => each === relay),
    // In the fragment a token reaches no server's log.
    token: fragment.get('token') ?? query.get('token') ?? '',
  };
}

const address = readAddress();

/** The link for friends: without one's own name, token and wishes. */
function inviteLink() {
  return `${location.origin}/r/${address.room ?? ''}`;
}

/** @param {{element: Element, destroy?: (how: any) => void}} next @param {any} [how] */
function show(next, how) {
  shown?.destroy?.(how);
  shown = next;
  view.replaceChildren(next.element);
}

/** @param {string} code @param {string} [message] @param {LocalTrack[]} [tracks] */
function showNotice(code, message, tracks = []) {
  for (const track of tracks) track.stop();
  const retry = address.room ? () => showPrejoin() : undefined;
  show({ element: makeNotice(code, { message, retry }) }, { keepTracks: false });
  document.title = 'madang 마당';
  view.querySelector('h1')?.focus();
}

function showPrejoin() {
  if (!address.room) return showNotice('bad_room');
  const name = address.name || readPrefs().name || '';
  const prejoin = new Prejoin({
    room: address.room,
    token: address.token,
    name,
    onJoin: ({ name, tracks, late }) => join(name, tracks, { late }),
  });
  show(prejoin, { keepTracks: false });
  document.title = `${address.room} · madang`;
  prejoin.focus();
}

/**
 * @param {string} name
 * @param {LocalTrack[]} tracks
 * @param {{problems?: MediaError[], late?: Promise<import('./prejoin.js').Opened>}} [more] problems with devices, not told yet,
 *   and tracks that are still to come
 */
async function join(name, tracks, { problems = [], late } = {}) {
  /** @type {RoomOptions} */
  const options = { room: address.room ?? '', name, tracks };
  if (address.topology) options.topology = address.topology;
  if (address.codec) options.videoCodec = address.codec;
  if (address.relayOnly) options.iceTransportPolicy = 'relay';
  if (address.relay) options.relayTransport = address.relay;
  const room = new Room(options);
  Object.assign(window, { madang: { room } });
  let isIn = false;
  room.on('disconnected', ({ code, message }) => {
    if (isIn) showNotice(code, message);
  });
  room.once('connected', () => {
    isIn = true;
    // Who only watches is not sent, so camera and microphone are given back.
    if (room.localParticipant.role === 'viewer') for (const track of tracks) track.stop();
    const call = new Call(room, {
      link: inviteLink(),
      policy: address.topology,
      onLeave: () => void room.disconnect(),
    });
    show(call, { keepTracks: true });
    problems.forEach(call.tellMediaError);
    void late?.then(({ errors = [] }) => errors.forEach(call.tellMediaError));
  });
  void late?.then((tracks) => publishLate(room, tracks));
  try {
    await room.connect(location.origin, address.token || undefined);
  } catch (error) {
    const code = error instanceof SignalingError ? error.code : 'internal';
    if (!(error instanceof SignalingError)) console.error(error);
    showNotice(code, error instanceof Error ? error.message : '', tracks);
  }
}

/**
 * Whoever joins before the camera is awake is seen as soon as it is.
 * @param {Room} room
 * @param {LocalTrack[]} tracks
 */
function publishLate(room, tracks) {
  const publish = () => tracks.forEach((track) => publishOnce(room, track));
  if (room.state === 'connected') publish();
  else if (room.state === 'connecting') room.once('connected', publish);
  else for (const track of tracks) track.stop();
}

/** @param {Room} room @param {LocalTrack} track */
function publishOnce({ localParticipant }, track) {
  // Somebody may have pressed the camera's button in the meantime.
  if (localParticipant.getTrack(track.source)) track.stop();
  else localParticipant.publishTrack(track).catch(() => track.stop());
}

async function autojoin() {
  const tracks = await openDevices();
  const prefs = readPrefs();
  await turnAsWished(tracks);
  await join(address.name || prefs.name || 'Guest', tracks, { problems: tracks.errors });
}

if (!('RTCPeerConnection' in window)) showNotice('unsupported');
else if (address.room && address.autojoin) void autojoin();
else showPrejoin();

// What joining would otherwise wait for.
void Room.prepare();

// A page that comes back out of the browser's cache has lost its connection.
window.addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});
