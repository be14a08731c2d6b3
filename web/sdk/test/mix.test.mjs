// The mix, with the server's part played by the test.
import assert from 'node:assert/strict';
import test, { beforeEach } from 'node:test';
import { preferred } from '../src/codecs.js';
import { LocalTrack, Room } from '../src/index.js';
import { countStreams } from '../src/report.js';
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

const OTHERS = [
  participant('p_a', { tracks: [track('t_a'), track('t_b', { kind: 'audio', source: 'microphone' })] }),
  participant('p_c', { tracks: [track('t_c')] }),
];
const MIX = { audio: 't_mix_a', video: 't_mix_v', layout: { kind: 'auto' }, hide_self: false };
const theirs = (mid, kind = 'video') => ({ mid, kind, direction: 'sendonly' });
const idle = (mid, kind = 'video') => ({ mid, kind, direction: 'inactive' });
const MIXED = [theirs('0', 'audio'), theirs('1')];
const MIXED_TRACKS = { 0: 't_mix_a', 1: 't_mix_v' };
const FORWARDED = [theirs('2'), theirs('3', 'audio'), theirs('4')];
const FORWARDED_TRACKS = { 2: 't_a', 3: 't_b', 4: 't_c' };

let s = 0;
let n = 0;
const say = (message) => FakeWebSocket.last.say({ s: ++s, ...message });
const linkOf = (kind) => ({ link: 'l_1', epoch: 1, kind, offerer: 'peer' });

async function joined(t, kind, { more = {}, options = {} } = {}) {
  stopTime(t, ['setTimeout', 'setInterval']);
  const room = new Room({ room: 'yard', name: 'Ana', storage: null, ...options });
  const events = [];
  for (const event of EVENTS) room.on(event, (first) => events.push([event, first?.id ?? first]));
  const connecting = room.connect('https://yard.example');
  FakeWebSocket.last.open();
  s = n = 0;
  FakeWebSocket.last.say(welcome({ topology: kind, epoch: 1, participants: OTHERS, links: [linkOf(kind)], ...more }));
  await connecting;
  await settled();
  return { room, events, connection: FakeRoomConnection.made.at(-1) };
}

const EVENTS = ['trackSubscribed', 'trackUnsubscribed', 'mixTrackSubscribed', 'mixTrackUnsubscribed'];

async function offer(sections, tracks) {
  say({ t: 'desc', link: 'l_1', epoch: 1, n: ++n, kind: 'offer', sdp: serverOffer(sections), tracks });
  await settled();
}

const at = (connection, mid) => connection.transceivers.find((each) => each.mid === mid);
function flow(connection, ...mids) {
  for (const mid of mids) {
    const { track: arriving } = at(connection, mid).receiver;
    arriving.muted = false;
    arriving.onunmute?.();
  }
}
const cameraOf = (room, id) => room.remoteParticipants.get(id).getTrack('camera');

test('in a mixed room one picture and one sound come, and nobody else’s tracks', async (t) => {
  const { room, events, connection } = await joined(t, 'mcu', { more: { mix: MIX } });
  assert.equal(room.mix.video.mediaStreamTrack, null);
  await offer(MIXED, MIXED_TRACKS);
  assert.deepEqual(events, [
    ['mixTrackSubscribed', 't_mix_a'],
    ['mixTrackSubscribed', 't_mix_v'],
  ]);
  assert.equal(room.mix.audio.mediaStreamTrack, at(connection, '0').receiver.track);
  assert.equal(room.mix.video.mediaStreamTrack, at(connection, '1').receiver.track);
  assert.deepEqual([room.mix.layout, room.mix.hideSelf, room.mix.state], [{ kind: 'auto' }, false, null]);
  assert.deepEqual([room.mix.video.kind, room.mix.video.source, room.mix.video.isSubscribed], ['video', 'mix', true]);
  assert.equal(cameraOf(room, 'p_a').isSubscribed, false);
  const stats = await room.getStats();
  assert.deepEqual([stats.uplinks, stats.downlinks], [1, 1]);
});

test('a description that comes before the news of the mix serves it all the same', async (t) => {
  const { room, events, connection } = await joined(t, 'mcu');
  await offer(MIXED, MIXED_TRACKS);
  assert.deepEqual(events, []);
  say({ t: 'mix', mix: MIX });
  assert.equal(events.length, 2);
  assert.equal(room.mix.video.mediaStreamTrack, at(connection, '1').receiver.track);
});

test('the mix is asked for in the words of the protocol', async (t) => {
  const { room } = await joined(t, 'sfu');
  const asked = room.takeMix({ layout: 'speaker', hideSelf: true });
  const { id, ...request } = FakeWebSocket.last.of('take_mix')[0];
  assert.deepEqual(request, { t: 'take_mix', on: true, layout: { kind: 'speaker' }, hide_self: true });
  FakeWebSocket.last.say({ t: 'ok', re: id });
  await asked;
  void room.takeMix({ on: false });
  const { id: _, ...second } = FakeWebSocket.last.of('take_mix')[1];
  assert.deepEqual(second, { t: 'take_mix', on: false });
});

test('a refusal reaches whoever asked, and changes nothing', async (t) => {
  const { room } = await joined(t, 'sfu');
  const asked = room.takeMix();
  const [{ id }] = FakeWebSocket.last.of('take_mix');
  FakeWebSocket.last.say({ t: 'error', re: id, code: 'room_full', message: 'The mixer is busy.', fatal: false });
  await assert.rejects(asked, { code: 'room_full', message: 'The mixer is busy.' });
  assert.equal(room.mix, null);
  assert.equal(room.state, 'connected');
});

test('what was forwarded is shown until the mix has its first packet', async (t) => {
  const { room, events, connection } = await joined(t, 'sfu');
  await offer(FORWARDED, FORWARDED_TRACKS);
  flow(connection, '2', '3', '4');
  const before = cameraOf(room, 'p_a').mediaStreamTrack;
  events.length = 0;
  say({ t: 'mix', mix: MIX });
  await offer([...MIXED, idle('2'), idle('3', 'audio'), idle('4')], MIXED_TRACKS);
  assert.equal(cameraOf(room, 'p_a').mediaStreamTrack, before);
  assert.equal(cameraOf(room, 'p_a').isSubscribed, true);
  flow(connection, '1');
  assert.equal(cameraOf(room, 'p_a').mediaStreamTrack, null);
  assert.equal(cameraOf(room, 'p_a').isSubscribed, false);
  assert.ok(room.remoteParticipants.get('p_a').getTrack('microphone').isSubscribed, 'its sound has not come yet');
  flow(connection, '0');
  assert.deepEqual(
    events.map(([event, id]) => [event, id]),
    [
      ['mixTrackSubscribed', 't_mix_a'],
      ['mixTrackSubscribed', 't_mix_v'],
      ['trackUnsubscribed', 't_a'],
      ['trackUnsubscribed', 't_c'],
      ['trackUnsubscribed', 't_b'],
    ],
  );
});

test('a mix that never comes does not keep old pictures for ever', async (t) => {
  const { room, connection } = await joined(t, 'sfu');
  await offer(FORWARDED, FORWARDED_TRACKS);
  flow(connection, '2', '3', '4');
  say({ t: 'mix', mix: MIX });
  await offer([...MIXED, idle('2'), idle('3', 'audio'), idle('4')], MIXED_TRACKS);
  passTime(3000);
  assert.equal(cameraOf(room, 'p_a').isSubscribed, false);
});

test('a media description that carries the mix now shows nobody’s tile something wrong', async (t) => {
  const { room, connection } = await joined(t, 'sfu');
  await offer(FORWARDED, FORWARDED_TRACKS);
  flow(connection, '2', '3', '4');
  say({ t: 'mix', mix: MIX });
  await offer([theirs('2'), theirs('3', 'audio'), idle('4')], { 2: 't_mix_v', 3: 't_mix_a' });
  assert.equal(cameraOf(room, 'p_a').mediaStreamTrack, null);
  assert.equal(room.mix.video.mediaStreamTrack, at(connection, '2').receiver.track);
});

test('without a mix the mixed picture is shown until everybody’s are there', async (t) => {
  const { room, events, connection } = await joined(t, 'sfu', { more: { mix: MIX } });
  await offer(MIXED, MIXED_TRACKS);
  flow(connection, '0', '1');
  const { video } = room.mix;
  events.length = 0;
  const told = [];
  room.on('mixChanged', (mix) => told.push(mix));
  say({ t: 'mix' });
  assert.deepEqual([room.mix, told], [null, [null]]);
  await offer([idle('0', 'audio'), idle('1'), ...FORWARDED], FORWARDED_TRACKS);
  assert.equal(video.mediaStreamTrack, at(connection, '1').receiver.track);
  flow(connection, '2', '3');
  assert.ok(video.isSubscribed, 'one picture is missing');
  flow(connection, '4');
  assert.equal(video.mediaStreamTrack, null);
  assert.deepEqual(events.slice(-1), [['mixTrackUnsubscribed', 't_mix_v']]);
  assert.equal(cameraOf(room, 'p_c').mediaStreamTrack, at(connection, '4').receiver.track);
});

test('another arrangement keeps the tracks', async (t) => {
  const { room } = await joined(t, 'mcu', { more: { mix: MIX } });
  const { mix } = room;
  const told = [];
  room.on('mixChanged', (now) => told.push(now.layout.kind));
  say({ t: 'mix', mix: { ...MIX, layout: { kind: 'grid' }, hide_self: true } });
  say({ t: 'mix', mix: { ...MIX, layout: { kind: 'grid' }, hide_self: true } });
  assert.equal(room.mix, mix);
  assert.deepEqual(told, ['grid']);
  assert.equal(mix.hideSelf, true);
});

const WORK = { decoding: 3, encoding: 2, listeners: 4, decode_ms: 50, encode_ms: 120, sound_ms: 10 };
const PLACE = { participant: 'p_a', source: 'camera', left: 0, top: 0, width: 0.5, height: 1 };

test('how the mix is made is told beside it', async (t) => {
  const { room } = await joined(t, 'mcu', { more: { mix: MIX } });
  const told = [];
  room.on('mixStateChanged', (state, mix) => told.push([state, mix]));
  FakeWebSocket.last.say({ t: 'mix_state', places: [PLACE], fps: 15, max_height: 360, limited: 'busy', work: WORK });
  const { state } = room.mix;
  assert.deepEqual(told, [[state, room.mix]]);
  assert.deepEqual([state.places, state.fps, state.maxHeight, state.limited], [[PLACE], 15, 360, 'busy']);
  assert.deepEqual(
    [state.work.decoding, state.work.encoding, state.work.decodeMs, state.work.encodeMs, state.work.soundMs],
    [3, 2, 50, 120, 10],
  );
  FakeWebSocket.last.say({ t: 'mix_state', places: [], fps: 30, max_height: 720, work: WORK });
  assert.equal(room.mix.state.limited, null);
});

test('the delivery of the mix’s picture is its own', async (t) => {
  const { room } = await joined(t, 'mcu', { more: { mix: MIX } });
  const told = [];
  room.on('mixDeliveryChanged', (mix) => told.push(mix.delivery.height));
  const delivery = { t: 'delivery', link: 'l_1', track: 't_mix_v', paused: false, layer: 'm', height: 360 };
  FakeWebSocket.last.say({ ...delivery, reason: 'bandwidth', available_bps: 400_000 });
  assert.deepEqual(told, [360]);
  assert.equal(room.mix.delivery.reason, 'bandwidth');
});

test('the size of the mix on screen is told as any track’s', async (t) => {
  const { room } = await joined(t, 'mcu', { more: { mix: MIX } });
  room.mix.video.setSize({ width: 1280, height: 720 });
  passTime(250);
  const { id: _, ...said } = FakeWebSocket.last.of('subscribe')[0];
  assert.deepEqual(said, { t: 'subscribe', track: 't_mix_v', on: true, priority: 0, width: 1280, height: 720 });
});

test('what the mix hides is not called unwatched, so that it is there at once afterwards', async (t) => {
  const { room } = await joined(t, 'sfu', { more: { mix: MIX } });
  const camera = cameraOf(room, 'p_a');
  const said = () => FakeWebSocket.last.of('subscribe').map(({ track, on }) => [track, on]);
  camera.setSize({ width: 640, height: 360 });
  passTime(250);
  camera.setSize(null);
  passTime(250);
  assert.deepEqual(said(), [['t_a', true]]);
  say({ t: 'mix' });
  camera.setSize(null);
  passTime(250);
  assert.deepEqual(said().at(-1), ['t_a', false]);
});

async function reconnected(more) {
  FakeWebSocket.last.break();
  passTime(2000);
  FakeWebSocket.last.open();
  s = 0;
  FakeWebSocket.last.say(welcome(more));
  await settled();
}

test('a session taken up anew keeps the mix that it had', async (t) => {
  const more = { topology: 'mcu', epoch: 1, participants: OTHERS, links: [linkOf('mcu')], mix: MIX };
  const { room, connection } = await joined(t, 'mcu', { more });
  await offer(MIXED, MIXED_TRACKS);
  const { mix } = room;
  mix.video.setSize({ width: 640, height: 360 });
  passTime(250);
  FakeWebSocket.last.say({ t: 'ok', re: FakeWebSocket.last.of('subscribe')[0].id });
  await reconnected({ ...more, secret: 'second' });
  assert.equal(room.mix, mix);
  passTime(250);
  assert.deepEqual(
    FakeWebSocket.last.of('subscribe').map(({ track, width }) => [track, width]),
    [['t_mix_v', 640]],
    'its size is said again after a welcome',
  );
  assert.equal(mix.video.mediaStreamTrack, at(connection, '1').receiver.track);
});

test('in a new session the mix begins anew, and is asked for where the server has forgotten it', async (t) => {
  const { room } = await joined(t, 'sfu');
  const asked = room.takeMix({ layout: 'grid' });
  say({ t: 'mix', mix: { ...MIX, layout: { kind: 'grid' } } });
  FakeWebSocket.last.say({ t: 'ok', re: FakeWebSocket.last.of('take_mix')[0].id });
  await asked;
  const { mix } = room;
  const there = { topology: 'sfu', epoch: 1, participants: OTHERS, links: [linkOf('sfu')] };
  await reconnected({ ...there, session: 's_two' });
  assert.equal(room.mix, null);
  assert.equal(mix.video.mediaStreamTrack, null);
  const again = FakeWebSocket.last.of('take_mix');
  assert.deepEqual(
    again.map(({ on, layout }) => [on, layout]),
    [[true, { kind: 'grid' }]],
  );
  await reconnected({ ...there, session: 's_three', mix: { ...MIX, layout: { kind: 'grid' } } });
  assert.notEqual(room.mix, mix);
  assert.equal(FakeWebSocket.last.of('take_mix').length, 0);
});

test('an arrangement chosen in a mixed room does not ask for the mix in another', async (t) => {
  const more = { topology: 'mcu', epoch: 1, participants: OTHERS, links: [linkOf('mcu')], mix: MIX };
  const { room } = await joined(t, 'mcu', { more });
  const asked = room.takeMix({ layout: 'grid' });
  FakeWebSocket.last.say({ t: 'ok', re: FakeWebSocket.last.of('take_mix')[0].id });
  await asked;
  await reconnected({ ...more, mix: undefined, topology: 'sfu', links: [linkOf('sfu')], session: 's_two' });
  assert.equal(FakeWebSocket.last.of('take_mix').length, 0);
  await reconnected({ ...more, session: 's_three' });
  assert.deepEqual(
    FakeWebSocket.last.of('take_mix').map(({ on, layout }) => [on, layout.kind]),
    [[true, 'grid']],
  );
});

test('a move to a mesh ends the mix', async (t) => {
  const { room } = await joined(t, 'mcu', { more: { mix: MIX } });
  say({ t: 'topology', epoch: 2, kind: 'mesh', reason: 'two people', phase: 'commit' });
  assert.equal(room.mix, null);
});

test('the end of the room is the end of the mix', async (t) => {
  const { room, events } = await joined(t, 'mcu', { more: { mix: MIX } });
  await offer(MIXED, MIXED_TRACKS);
  await room.disconnect();
  assert.equal(room.mix, null);
  assert.deepEqual(
    events.slice(-2).map(([event]) => event),
    ['mixTrackUnsubscribed', 'mixTrackUnsubscribed'],
  );
});

test('streams are counted as the mix makes them', () => {
  const counted = countStreams('sfu', 1, 4, true);
  assert.deepEqual(counted, { uplinks: 1, downlinks: 1, server: { uplinks: 10, downlinks: 4 } });
});

test('the codec asked for comes first, and pictures are published in it alone', async (t) => {
  const known = { audio: ['OPUS'], video: ['VP8', 'H264'] };
  assert.deepEqual(preferred(known, 'H264').video, ['H264', 'VP8']);
  assert.deepEqual(preferred(known, 'AV1').video, ['VP8', 'H264'], 'what this browser has not got is not promised');
  assert.equal(preferred(known), known);
  const tracks = [new LocalTrack(media('audio'), 'microphone'), new LocalTrack(media('video'), 'camera')];
  await joined(t, 'sfu', { options: { videoCodec: 'VP8', tracks } });
  const [hello] = FakeWebSocket.last.sent;
  assert.equal(hello.capabilities.codecs.video[0], 'VP8');
  assert.deepEqual(
    hello.tracks.map(({ codecs }) => codecs),
    [[], ['VP8']],
  );
});
