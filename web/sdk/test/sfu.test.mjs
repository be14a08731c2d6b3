// A room whose server forwards, with the server's part played by the test.
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
  serverOffer,
  settled,
  stopTime,
  track,
  welcome,
} from './fakes.mjs';

beforeEach(browser);

const LINK = { link: 'l_1', epoch: 1, kind: 'sfu', offerer: 'peer' };
const OTHERS = [
  participant('p_a', { tracks: [track('t_a'), track('t_b', { kind: 'audio', source: 'microphone' })] }),
  participant('p_c', { tracks: [track('t_c')] }),
];
const MIC = { mid: '0', kind: 'audio', direction: 'recvonly' };
const CAMERA = { mid: '1', kind: 'video', direction: 'recvonly', rids: ['h', 'm', 'l'] };
const theirs = (mid, kind = 'video') => ({ mid, kind, direction: 'sendonly' });

let s = 0;
const say = (message) => FakeWebSocket.last.say({ s: ++s, ...message });

async function joined(t, { tracks = own(), more = {} } = {}) {
  stopTime(t, ['setTimeout', 'setInterval']);
  const room = new Room({ room: 'yard', name: 'Ana', storage: null, tracks });
  const events = [];
  for (const event of EVENTS) room.on(event, (...args) => events.push([event, args[0]?.id ?? args[0]]));
  const connecting = room.connect('https://yard.example');
  FakeWebSocket.last.open();
  const known = FakeWebSocket.last.sent[0].tracks.map((each) => track(`t_my_${each.source}`, each));
  s = 0;
  const self = participant('p_me', { tracks: known });
  const there = { topology: 'sfu', epoch: 1, participants: OTHERS, links: [LINK] };
  FakeWebSocket.last.say(welcome({ self, ...there, ...more }));
  await connecting;
  await settled();
  return { room, events, connection: FakeRoomConnection.made.at(-1) };
}

const own = () => [new LocalTrack(media('audio'), 'microphone'), new LocalTrack(media('video'), 'camera')];
const EVENTS = [
  'trackSubscribed',
  'trackUnsubscribed',
  'trackDeliveryChanged',
  'topologyChanged',
  'activeSpeakersChanged',
];

let n = 0;
async function offer(sections, tracks, link = LINK) {
  say({ t: 'desc', link: link.link, epoch: link.epoch, n: ++n, kind: 'offer', sdp: serverOffer(sections), tracks });
  await settled();
}

const MINE = { 0: 't_my_microphone', 1: 't_my_camera' };
const ALL = [MIC, CAMERA, theirs('2'), theirs('3', 'audio'), theirs('4')];
const ALL_TRACKS = { ...MINE, 2: 't_a', 3: 't_b', 4: 't_c' };
const at = (connection, mid) => connection.transceivers.find((each) => each.mid === mid);

test('the server offers, and one link carries what is sent and what is received', async (t) => {
  const { room, events, connection } = await joined(t);
  assert.equal(FakeWebSocket.last.of('desc').length, 0);
  await offer(ALL, ALL_TRACKS);
  assert.deepEqual(
    connection.transceivers.map(({ mid, direction }) => [mid, direction]),
    [
      ['0', 'sendonly'],
      ['1', 'sendonly'],
      ['2', 'recvonly'],
      ['3', 'recvonly'],
      ['4', 'recvonly'],
    ],
  );
  assert.equal(at(connection, '0').sender.track.kind, 'audio');
  assert.equal(at(connection, '1').sender.track, room.localParticipant.getTrack('camera').mediaStreamTrack);
  const [answer] = FakeWebSocket.last.of('desc');
  assert.deepEqual({ kind: answer.kind, n: answer.n, tracks: answer.tracks }, { kind: 'answer', n, tracks: {} });
  assert.deepEqual(events, [
    ['trackSubscribed', 't_a'],
    ['trackSubscribed', 't_b'],
    ['trackSubscribed', 't_c'],
  ]);
  const shown = room.remoteParticipants.get('p_c').getTrack('camera');
  assert.equal(shown.mediaStreamTrack, at(connection, '4').receiver.track);
  assert.equal(FakeRoomConnection.made.length, 1);
});

test('the layers have their sizes before the answer is made', async (t) => {
  const { connection } = await joined(t);
  const { createAnswer } = connection;
  let before;
  connection.createAnswer = () => {
    before = at(connection, '1').sender.encodings;
    return createAnswer.call(connection);
  };
  await offer(ALL, ALL_TRACKS);
  assert.deepEqual(
    before.map(({ rid, scaleResolutionDownBy }) => [rid, scaleResolutionDownBy]),
    [
      ['h', 1],
      ['m', 2],
      ['l', 4],
    ],
  );
});

test('a media description that is used again carries the new track, and no longer the old', async (t) => {
  const { room, events, connection } = await joined(t);
  await offer(ALL, ALL_TRACKS);
  const left = room.remoteParticipants.get('p_a').getTrack('camera');
  const receiver = at(connection, '2').receiver;
  events.length = 0;
  await offer(ALL, { ...MINE, 2: 't_c', 3: 't_b' });
  assert.equal(left.mediaStreamTrack, null);
  assert.deepEqual(events, [['trackUnsubscribed', 't_a']]);
  assert.equal(room.remoteParticipants.get('p_c').getTrack('camera').mediaStreamTrack, receiver.track);
  assert.equal(at(connection, '4').direction, 'inactive');
});

test('a track that is withdrawn is not sent, and its place serves the next', async (t) => {
  const { room, connection } = await joined(t);
  await offer(ALL, ALL_TRACKS);
  const camera = room.localParticipant.getTrack('camera');
  void room.localParticipant.unpublishTrack(camera);
  await settled();
  assert.equal(at(connection, '1').sender.track, null);
  await offer([MIC, { ...CAMERA, direction: 'inactive' }], { 0: 't_my_microphone' });
  assert.equal(at(connection, '1').direction, 'inactive');
  const publishing = room.localParticipant.publishTrack(media('video'), { source: 'screen' });
  FakeWebSocket.last.say({ t: 'ok', re: FakeWebSocket.last.of('publish')[0].id, track: 't_screen' });
  await publishing;
  await offer([MIC, CAMERA], { 0: 't_my_microphone', 1: 't_screen' });
  assert.equal(at(connection, '1').direction, 'sendonly');
  assert.equal(at(connection, '1').sender.track, room.localParticipant.getTrack('screen').mediaStreamTrack);
  assert.equal(at(connection, '1').sender.encodings[2].scaleResolutionDownBy, 2, 'a screen has other layers');
});

test('layers that nobody watches rest when the server says so', async (t) => {
  const { connection } = await joined(t);
  await offer(ALL, ALL_TRACKS);
  const active = () => at(connection, '1').sender.encodings.flatMap((each) => (each.active ? each.rid : []));
  const bitrate = async (more) => {
    FakeWebSocket.last.say({ t: 'bitrate', link: 'l_1', ...more });
    await settled();
  };
  assert.deepEqual(active(), ['h', 'm', 'l']);
  await bitrate({ track: 't_my_camera', layers: ['l'], reason: 'not_watched' });
  assert.deepEqual(active(), ['l']);
  await bitrate({ track: 't_my_camera', layers: [], reason: 'not_watched' });
  assert.deepEqual(active(), []);
  await bitrate({ track: 't_my_camera', reason: 'unlimited' });
  assert.deepEqual(active(), ['h', 'm', 'l']);
  await bitrate({ max_send_bps: 900_000, reason: 'room_limit' });
  assert.deepEqual(active(), ['m', 'l']);
});

test('the server says in which layer a track comes, and why', async (t) => {
  const { room, events } = await joined(t);
  await offer(ALL, ALL_TRACKS);
  events.length = 0;
  const delivery = {
    t: 'delivery',
    link: 'l_1',
    track: 't_a',
    paused: false,
    layer: 'l',
    height: 180,
    reason: 'bandwidth',
  };
  FakeWebSocket.last.say({ ...delivery, available_bps: 400_000 });
  FakeWebSocket.last.say({ ...delivery, link: 'l_0', layer: 'h' });
  assert.deepEqual(events, [['trackDeliveryChanged', 't_a']]);
  assert.deepEqual(room.remoteParticipants.get('p_a').getTrack('camera').delivery, {
    paused: false,
    layer: 'l',
    height: 180,
    temporal: null,
    availableBps: 400_000,
    reason: 'bandwidth',
  });
});

test('who speaks is the word of the server', async (t) => {
  const { room } = await joined(t);
  FakeWebSocket.last.say({ t: 'speakers', participants: ['p_c', 'p_a'] });
  assert.deepEqual(
    room.activeSpeakers.map(({ id }) => id),
    ['p_c', 'p_a'],
  );
  assert.equal(room.remoteParticipants.get('p_c').isSpeaking, true);
  passTime(1000);
  assert.equal(room.activeSpeakers.length, 2, 'no measurement of our own contradicts it');
});

test('bytes name their receivers to the server, and come with their sender', async (t) => {
  const { room, connection } = await joined(t);
  const [reliable, lossy] = connection.channels;
  const heard = [];
  room.on('dataReceived', (bytes, from, topic) => heard.push([[...bytes], from?.id, topic]));
  reliable.readyState = lossy.readyState = 'open';
  await room.localParticipant.publishData(Uint8Array.of(7), { topic: 'x' });
  await room.localParticipant.publishData(Uint8Array.of(8), { to: ['p_a'], reliable: false });
  assert.deepEqual([...reliable.sent[0]], [0, 1, 120, 7]);
  assert.deepEqual([...lossy.sent[0]], [1, 3, 112, 95, 97, 0, 8]);
  reliable.onmessage({ data: Uint8Array.of(3, 112, 95, 99, 1, 120, 9).buffer });
  reliable.onmessage({ data: Uint8Array.of(200, 1).buffer });
  assert.deepEqual(heard, [[[9], 'p_c', 'x']]);
  await assert.rejects(room.localParticipant.publishData(new Uint8Array(64 * 1024 - 1)), RangeError);
  assert.equal(FakeWebSocket.last.of('data').length, 0);
});

test('until the link is open bytes for some go by signaling, with their receivers', async (t) => {
  const { room } = await joined(t);
  void room.localParticipant.publishData(Uint8Array.of(1), { to: ['p_a'] });
  assert.deepEqual(FakeWebSocket.last.of('data')[0].to, ['p_a']);
});

test('a server link that is interrupted for two seconds is restarted by this end', async (t) => {
  const { connection } = await joined(t);
  await offer(ALL, ALL_TRACKS);
  connection.become('connected');
  connection.become('disconnected');
  passTime(2000);
  assert.deepEqual(
    FakeWebSocket.last.of('restart').map(({ link, replace }) => [link, replace]),
    [['l_1', false]],
  );
});

test('a server link that is not connected in five seconds is replaced', async (t) => {
  await joined(t);
  await offer(ALL, ALL_TRACKS);
  passTime(5000);
  assert.equal(FakeWebSocket.last.of('restart')[0].replace, true);
});

const MESH = { link: 'l_m', epoch: 0, kind: 'mesh', peer: 'p_a', offerer: 'you' };

async function moving(t) {
  const there = { topology: 'mesh', epoch: 0, participants: OTHERS.slice(0, 1), links: [MESH] };
  const made = await joined(t, { more: there });
  say({ t: 'desc', link: 'l_m', epoch: 0, n: 1, kind: 'answer', sdp: '', tracks: { 1: 't_a' } });
  await settled();
  made.connection.become('connected');
  const shown = made.room.remoteParticipants.get('p_a').getTrack('camera');
  assert.equal(shown.mediaStreamTrack, made.connection.transceivers[1].receiver.track);
  made.events.length = 0;
  n = 0;
  say({ t: 'topology', epoch: 1, kind: 'sfu', reason: 'three people', phase: 'commit' });
  say({ t: 'link', op: 'open', ...LINK });
  say({ t: 'link', op: 'close', link: 'l_m', epoch: 0 });
  await offer([MIC, CAMERA, theirs('2')], { ...MINE, 2: 't_a' });
  return { ...made, shown, server: FakeRoomConnection.made.at(-1) };
}

test('a move to the server keeps tracks and their last picture until the new one comes', async (t) => {
  const { room, events, connection, shown, server } = await moving(t);
  assert.equal(room.topology, 'sfu');
  assert.deepEqual([...room.links.keys()], ['l_1']);
  assert.equal(connection.closed, false);
  assert.equal(shown.mediaStreamTrack, connection.transceivers[1].receiver.track);
  const { track: arriving } = at(server, '2').receiver;
  arriving.muted = false;
  arriving.onunmute();
  assert.equal(shown.mediaStreamTrack, arriving);
  assert.equal(connection.closed, true);
  assert.deepEqual(events, [['topologyChanged', 'sfu']], 'nobody was unsubscribed');
});

test('what the old topology showed ends after three seconds, whatever the new one shows', async (t) => {
  const { connection, shown, server } = await moving(t);
  passTime(3000);
  assert.equal(connection.closed, true);
  assert.equal(shown.mediaStreamTrack, at(server, '2').receiver.track);
});

test('while a room moves, bytes arrive once', async (t) => {
  const { room, connection } = await joined(t, { more: { links: [MESH, LINK] } });
  const [mesh, server] = FakeRoomConnection.made;
  assert.equal(server, connection);
  mesh.channels[0].readyState = 'open';
  await room.localParticipant.publishData(Uint8Array.of(1));
  server.channels[0].readyState = 'open';
  await room.localParticipant.publishData(Uint8Array.of(2));
  assert.deepEqual(
    [mesh, server].map(({ channels }) => channels[0].sent.map((bytes) => bytes.at(-1))),
    [[1], [2]],
  );
});

test('back in a mesh nobody chooses layers, and speakers are measured here', async (t) => {
  const { room } = await joined(t);
  FakeWebSocket.last.say({ t: 'delivery', link: 'l_1', track: 't_a', paused: false, reason: 'best' });
  assert.equal(room.remoteParticipants.get('p_a').getTrack('camera').delivery.reason, 'best');
  FakeWebSocket.last.say({ t: 'speakers', participants: ['p_c'] });
  say({ t: 'topology', epoch: 2, kind: 'mesh', reason: 'two people', phase: 'commit' });
  assert.equal(room.remoteParticipants.get('p_a').getTrack('camera').delivery, null);
  passTime(2000);
  assert.deepEqual(room.activeSpeakers, []);
});
