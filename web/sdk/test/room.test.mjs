import assert from 'node:assert/strict';
import test, { beforeEach } from 'node:test';
import { LocalTrack, Room } from '../src/index.js';
import {
  browser,
  FakeRoomConnection,
  FakeWebSocket,
  media,
  participant,
  passTime,
  settled,
  stopTime,
  track,
  welcome,
} from './fakes.mjs';

beforeEach(browser);

const LINK = { link: 'l_1', epoch: 0, kind: 'mesh', peer: 'p_a', offerer: 'you' };

async function joined(t, { tracks = [], more = {} } = {}) {
  stopTime(t, ['setTimeout', 'setInterval']);
  const room = new Room({ room: 'yard', name: 'Ana', storage: null, tracks });
  const events = [];
  for (const event of EVENTS) room.on(event, (...args) => events.push([event, args[0]?.id ?? args[0]]));
  const connecting = room.connect('https://yard.example');
  FakeWebSocket.last.open();
  const own = FakeWebSocket.last.sent[0].tracks.map((each, index) => track(`t_own${index}`, each));
  FakeWebSocket.last.say(welcome({ self: participant('p_me', { tracks: own }), ...more }));
  await connecting;
  await settled();
  return { room, events };
}

const EVENTS = [
  'connected',
  'reconnecting',
  'reconnected',
  'disconnected',
  'participantConnected',
  'participantDisconnected',
  'trackSubscribed',
  'trackUnsubscribed',
  'linkOpened',
  'linkClosed',
];

const withPeer = () => ({
  participants: [participant('p_a', { tracks: [track('t_a'), track('t_b', { kind: 'audio', source: 'microphone' })] })],
  links: [LINK],
});

test('tracks are in hello, links open with welcome, and the offer names the tracks', async (t) => {
  const { events } = await joined(t, {
    tracks: [new LocalTrack(media('audio'), 'microphone'), new LocalTrack(media('video'), 'camera')],
    more: withPeer(),
  });
  const [desc] = FakeWebSocket.last.of('desc');
  assert.deepEqual(desc.tracks, { 0: 't_own0', 1: 't_own1' });
  assert.equal(FakeRoomConnection.made.length, 1);
  assert.deepEqual(
    FakeRoomConnection.made[0].channels.map(({ id, negotiated }) => [id, negotiated]),
    [
      [0, true],
      [1, true],
    ],
  );
  assert.deepEqual(events, [
    ['participantConnected', 'p_a'],
    ['linkOpened', 'l_1'],
    ['connected', undefined],
  ]);
});

test('who publishes nothing still offers room for what the others publish', async (t) => {
  await joined(t, { more: withPeer() });
  assert.deepEqual(
    FakeRoomConnection.made[0].transceivers.map((each) => [each.receiver.track.kind, each.direction]),
    [
      ['audio', 'recvonly'],
      ['video', 'recvonly'],
    ],
  );
});

test('a track is subscribed once an answer has named its mid', async (t) => {
  const { room, events } = await joined(t, { more: withPeer() });
  const answer = { t: 'desc', s: 1, link: 'l_1', epoch: 0, n: 1, kind: 'answer', sdp: '', tracks: { 1: 't_a' } };
  FakeWebSocket.last.say(answer);
  await settled();
  assert.deepEqual(events.at(-1), ['trackSubscribed', 't_a']);
  const shown = room.remoteParticipants.get('p_a').getTrack('camera');
  assert.equal(shown.mediaStreamTrack, FakeRoomConnection.made[0].transceivers[1].receiver.track);
  FakeWebSocket.last.say({ t: 'track', s: 2, change: 'removed', participant: 'p_a', track: track('t_a') });
  assert.deepEqual(events.at(-1), ['trackUnsubscribed', 't_a']);
  assert.equal(shown.mediaStreamTrack, null);
});

test('a message of another epoch, or for a link that is gone, has no effect', async (t) => {
  await joined(t, { more: withPeer() });
  const [connection] = FakeRoomConnection.made;
  const before = connection.calls.length;
  FakeWebSocket.last.say({ t: 'desc', s: 1, link: 'l_1', epoch: 1, n: 1, kind: 'answer', sdp: '', tracks: {} });
  FakeWebSocket.last.say({ t: 'desc', s: 2, link: 'l_0', epoch: 0, n: 1, kind: 'answer', sdp: '', tracks: {} });
  FakeWebSocket.last.say({ t: 'negotiate', s: 3, link: 'l_0', epoch: 0, restart: true });
  await settled();
  assert.equal(connection.calls.length, before);
});

test('publishing while in the room asks the server, then offers again', async (t) => {
  const { room } = await joined(t, { more: withPeer() });
  FakeWebSocket.last.say({ t: 'desc', s: 1, link: 'l_1', epoch: 0, n: 1, kind: 'answer', sdp: '', tracks: {} });
  await settled();
  const publishing = room.localParticipant.publishTrack(media('video'), { source: 'screen' });
  const [publish] = FakeWebSocket.last.of('publish');
  assert.equal(publish.track.source, 'screen');
  FakeWebSocket.last.say({ t: 'ok', re: publish.id, track: 't_screen' });
  const published = await publishing;
  await settled();
  assert.equal(published.id, 't_screen');
  assert.deepEqual(Object.values(FakeWebSocket.last.of('desc').at(-1).tracks), ['t_screen']);
  assert.equal(FakeWebSocket.last.of('desc').at(-1).n, 2);
  await Promise.all([
    room.localParticipant.unpublishTrack(published),
    Promise.resolve().then(() => FakeWebSocket.last.say({ t: 'ok', re: FakeWebSocket.last.of('unpublish')[0].id })),
  ]);
  assert.equal(FakeRoomConnection.made[0].transceivers[1].sender.track, null);
});

test('a new session after a restart of the server: new links, same local tracks', async (t) => {
  const camera = new LocalTrack(media('video'), 'camera');
  const { room, events } = await joined(t, { tracks: [camera], more: withPeer() });
  events.length = 0;
  FakeWebSocket.last.break();
  passTime(500);
  FakeWebSocket.last.open();
  const [hello] = FakeWebSocket.last.sent;
  assert.equal(hello.tracks[0].cid, camera.cid);
  const self = participant('p_new', { tracks: [track('t_new', hello.tracks[0])] });
  FakeWebSocket.last.say(
    welcome({ session: 's_two', self, links: [{ ...LINK, peer: 'p_b' }], participants: [participant('p_b')] }),
  );
  await settled();
  assert.equal(FakeRoomConnection.made[0].closed, true, 'it was not connected');
  assert.equal(FakeRoomConnection.made.length, 2);
  assert.deepEqual(FakeWebSocket.last.of('desc')[0].tracks, { 0: 't_new' });
  assert.equal(room.localParticipant.id, 'p_new');
  assert.deepEqual([...room.localParticipant.tracks.keys()], ['t_new']);
  assert.equal(events[0][0], 'reconnecting');
  assert.equal(events.at(-1)[0], 'reconnected');
});

test('a resume with replay leaves links and people alone', async (t) => {
  const { room, events } = await joined(t, { more: withPeer() });
  events.length = 0;
  FakeWebSocket.last.break();
  assert.equal(room.state, 'reconnecting');
  passTime(500);
  FakeWebSocket.last.open();
  FakeWebSocket.last.say({ t: 'resumed', secret: 'x', replay: true });
  assert.equal(room.state, 'connected');
  assert.equal(FakeRoomConnection.made[0].closed, false);
  assert.deepEqual(
    events.map(([event]) => event),
    ['reconnecting', 'reconnected'],
  );
});

test('a limit of the server reaches the senders', async (t) => {
  await joined(t, { tracks: [new LocalTrack(media('video'), 'camera')], more: withPeer() });
  const [connection] = FakeRoomConnection.made;
  const { sender } = connection.transceivers.find((each) => each.sender.track);
  FakeWebSocket.last.say({ t: 'bitrate', link: 'l_1', max_send_bps: 300_000, reason: 'congestion' });
  await settled();
  assert.equal(sender.encoding.active, true);
  assert.ok(sender.encoding.maxBitrate < 300_000);
  assert.equal(sender.encoding.scaleResolutionDownBy, 2);
  FakeWebSocket.last.say({ t: 'bitrate', link: 'l_1', track: 't_own0', max_send_bps: 0, reason: 'not_watched' });
  await settled();
  assert.equal(sender.encoding.active, false);
});

test('bytes go by data channel where one is open, else by signaling', async (t) => {
  const { room } = await joined(t, { more: withPeer() });
  const [reliable] = FakeRoomConnection.made[0].channels;
  const bytes = Uint8Array.of(1, 2, 3);
  const sending = room.localParticipant.publishData(bytes, { topic: 'x' });
  const [data] = FakeWebSocket.last.of('data');
  assert.deepEqual({ ...data, id: 0 }, { t: 'data', id: 0, payload: 'AQID', to: [], topic: 'x' });
  FakeWebSocket.last.say({ t: 'ok', re: data.id });
  await sending;
  reliable.readyState = 'open';
  await room.localParticipant.publishData(bytes, { topic: 'x' });
  assert.deepEqual([...reliable.sent[0]], [1, 120, 1, 2, 3]);
  assert.equal(FakeWebSocket.last.of('data').length, 1);
});

test('a host mutes the microphone: it is silent here, and the page is told', async (t) => {
  const microphone = new LocalTrack(media('audio'), 'microphone');
  const { room } = await joined(t, { tracks: [microphone] });
  const muted = [];
  room.on('trackMuted', (which, who) => muted.push([which.id, who.id]));
  const info = track('t_own0', { cid: microphone.cid, kind: 'audio', source: 'microphone', muted: true });
  FakeWebSocket.last.say({ t: 'track', s: 1, change: 'changed', participant: 'p_me', track: info, by: 'p_host' });
  await settled();
  assert.deepEqual(muted, [['t_own0', 'p_me']]);
  assert.equal(microphone.mediaStreamTrack.enabled, false);
  assert.equal(room.localParticipant.isMicrophoneEnabled, false);
});

test('leaving ends the links, gives the devices back, and says why', async (t) => {
  const camera = media('video');
  const { room, events } = await joined(t, { tracks: [new LocalTrack(camera, 'camera')], more: withPeer() });
  await room.disconnect();
  assert.deepEqual(FakeWebSocket.last.sent.at(-1), { t: 'leave' });
  assert.equal(FakeRoomConnection.made[0].closed, true);
  assert.equal(camera.readyState, 'ended');
  assert.equal(room.state, 'disconnected');
  assert.deepEqual(events.at(-1), ['disconnected', { code: 'left', message: '' }]);
});

test('after a restart of the server, what flows between people goes on until they are back', async (t) => {
  const { room } = await joined(t, { more: withPeer() });
  const [former] = FakeRoomConnection.made;
  former.become('connected');
  FakeWebSocket.last.break();
  passTime(500);
  FakeWebSocket.last.open();
  FakeWebSocket.last.say(welcome({ session: 's_two', self: participant('p_new') }));
  await settled();
  assert.equal(former.closed, false);
  assert.equal(room.links.size, 0);
  assert.equal(room.remoteParticipants.get('p_a').presence, 'away');
  const tracks = [track('t_9', { cid: 'cid-t_a' })];
  FakeWebSocket.last.say({ t: 'participant', s: 1, change: 'added', participant: participant('p_b', { tracks }) });
  assert.equal(former.closed, true);
  assert.deepEqual([...room.remoteParticipants.keys()], ['p_b']);
});

test('what has gone for good after a restart does not linger', async (t) => {
  const { room, events } = await joined(t, { more: withPeer() });
  const [former] = FakeRoomConnection.made;
  former.become('connected');
  FakeWebSocket.last.break();
  passTime(500);
  FakeWebSocket.last.open();
  FakeWebSocket.last.say(welcome({ session: 's_two', self: participant('p_new') }));
  passTime(4000);
  assert.equal(former.closed, true);
  assert.equal(room.remoteParticipants.size, 0);
  assert.deepEqual(events.at(-1), ['participantDisconnected', 'p_a']);
});
