import assert from 'node:assert/strict';
import test, { beforeEach } from 'node:test';
import { ResumeStore } from '../src/resume_store.js';
import { Signaling, signalingUrl } from '../src/signaling.js';
import { FakeStorage, FakeWebSocket, passTime, settled, stopTime, welcome } from './fakes.mjs';

beforeEach((t) => {
  FakeWebSocket.made = [];
  globalThis.WebSocket = FakeWebSocket;
});

function session(t, { storage = new FakeStorage() } = {}) {
  stopTime(t, ['setTimeout', 'setInterval']);
  const heard = [];
  const signaling = new Signaling('https://yard.example', new ResumeStore('yard', storage), {
    hello: () => ({ versions: [1], room: 'yard', name: 'Ana', capabilities: {}, tracks: [] }),
    welcome: (message, fresh) => heard.push(['welcome', message.session, fresh]),
    resumed: () => heard.push(['resumed']),
    event: (frame) => heard.push([frame.t, frame.s]),
    interrupted: () => heard.push(['interrupted']),
    ended: (end) => heard.push(['ended', end.code]),
  });
  return { signaling, heard, storage };
}

async function joined(t, options) {
  const made = session(t, options);
  const connecting = made.signaling.connect();
  FakeWebSocket.last.open();
  FakeWebSocket.last.say(welcome());
  await connecting;
  return made;
}

/** The connection breaks, and the next one is there. */
function reconnect(t) {
  FakeWebSocket.last.break();
  passTime(2000);
  FakeWebSocket.last.open();
  return FakeWebSocket.last;
}

test('the address of the WebSocket follows from the address of the server', () => {
  assert.equal(signalingUrl('https://yard.example'), 'wss://yard.example/v1/ws');
  assert.equal(signalingUrl('http://127.0.0.1:8080/'), 'ws://127.0.0.1:8080/v1/ws');
  assert.equal(signalingUrl('wss://yard.example/v1/ws'), 'wss://yard.example/v1/ws');
});

test('hello comes first, without a resume where there is nothing to resume', async (t) => {
  const { heard } = await joined(t);
  const [hello] = FakeWebSocket.last.sent;
  assert.equal(FakeWebSocket.last.protocol, 'madang.v1');
  assert.equal(hello.t, 'hello');
  assert.equal('resume' in hello, false);
  assert.deepEqual(heard, [['welcome', 's_one', true]]);
});

test('events are handled once each, in order, and acknowledged', async (t) => {
  const { heard } = await joined(t);
  const socket = FakeWebSocket.last;
  socket.say({ t: 'chat', s: 1, from: 'p_a', text: 'a', at_ms: 1 });
  socket.say({ t: 'chat', s: 2, from: 'p_a', text: 'b', at_ms: 2 });
  socket.say({ t: 'chat', s: 2, from: 'p_a', text: 'b', at_ms: 2 });
  socket.say({ t: 'quality', participant: 'p_a', quality: 'good' });
  passTime(1000);
  assert.deepEqual(heard.slice(1), [
    ['chat', 1],
    ['chat', 2],
    ['quality', undefined],
  ]);
  assert.deepEqual(socket.of('ack'), [{ t: 'ack', s: 2 }]);
});

test('a gap in the events makes it connect again and ask for what is missing', async (t) => {
  const { heard } = await joined(t);
  FakeWebSocket.last.say({ t: 'chat', s: 1, from: 'p_a', text: 'a', at_ms: 1 });
  FakeWebSocket.last.say({ t: 'chat', s: 3, from: 'p_a', text: 'c', at_ms: 3 });
  assert.deepEqual(heard.slice(1), [['chat', 1], ['interrupted']]);
  passTime(2000);
  FakeWebSocket.last.open();
  assert.deepEqual(FakeWebSocket.last.sent[0].resume, { session: 's_one', secret: 'first', last_s: 1 });
});

test('a broken connection is taken up with the newest secret, and nothing is said twice', async (t) => {
  const { signaling, heard } = await joined(t);
  const first = FakeWebSocket.last;
  signaling.send({ t: 'chat', text: 'arrived', to: [] });
  signaling.send({ t: 'chat', text: 'lost', to: [] });
  assert.equal(first.of('chat').length, 2);
  let socket = reconnect(t);
  signaling.send({ t: 'chat', text: 'meanwhile', to: [] });
  socket.say({ t: 'resumed', secret: 'second', replay: true, last_id: 1 });
  assert.deepEqual(
    socket.of('chat').map((message) => message.text),
    ['lost', 'meanwhile'],
  );
  socket.say({ t: 'chat', s: 1, from: 'p_me', text: 'arrived', at_ms: 1 });
  socket = reconnect(t);
  assert.deepEqual(socket.sent[0].resume, { session: 's_one', secret: 'second', last_s: 1 });
  assert.deepEqual(heard.slice(1), [['interrupted'], ['resumed'], ['chat', 1], ['interrupted']]);
});

test('after too many missed events the whole room comes, and it is the same session', async (t) => {
  const { heard } = await joined(t);
  const socket = reconnect(t);
  socket.say({ t: 'resumed', secret: 'second', replay: false });
  socket.say(welcome({ secret: 'third', last_s: 40 }));
  assert.deepEqual(heard.at(-1), ['welcome', 's_one', false]);
  socket.say({ t: 'chat', s: 41, from: 'p_a', text: 'next', at_ms: 1 });
  assert.deepEqual(heard.at(-1), ['chat', 41]);
});

test('a server that forgot everything gives a new session; only what still means something is said', async (t) => {
  const { signaling, heard } = await joined(t);
  FakeWebSocket.last.break();
  const muted = signaling.request({ t: 'mute', track: 't_old', muted: true });
  signaling.send({ t: 'chat', text: 'hello again', to: [] });
  passTime(2000);
  FakeWebSocket.last.open();
  FakeWebSocket.last.say(welcome({ session: 's_two', secret: 'x' }));
  await assert.rejects(muted, { code: 'closed' });
  assert.deepEqual(heard.at(-1), ['welcome', 's_two', true]);
  assert.deepEqual(
    FakeWebSocket.last.sent.map((message) => message.t),
    ['hello', 'chat'],
  );
});

test('a reloaded page resumes without the state it has lost', async (t) => {
  const storage = new FakeStorage();
  const before = new ResumeStore('yard', storage);
  before.save({ session: 's_one', secret: 'kept' });
  storage.setItem('madang:resume:yard', storage.getItem('madang:resume:yard').replace('true', 'false'));
  const { signaling, heard } = session(t, { storage });
  const connecting = signaling.connect();
  FakeWebSocket.last.open();
  assert.deepEqual(FakeWebSocket.last.sent[0].resume, { session: 's_one', secret: 'kept' });
  FakeWebSocket.last.say({ t: 'resumed', secret: 'next', replay: false });
  FakeWebSocket.last.say(welcome({ secret: 'newest' }));
  await connecting;
  assert.deepEqual(heard, [['welcome', 's_one', true]]);
  assert.match(storage.getItem('madang:resume:yard'), /newest/);
});

test('a secret that is refused is forgotten, and the client joins as anybody else', async (t) => {
  const { heard } = await joined(t);
  const socket = reconnect(t);
  socket.say({ t: 'error', code: 'unauthorized', message: 'no', fatal: true });
  assert.notEqual(FakeWebSocket.last, socket);
  FakeWebSocket.last.open();
  assert.equal('resume' in FakeWebSocket.last.sent[0], false);
  assert.equal(heard.filter(([what]) => what === 'ended').length, 0);
});

test('a refusal of hello rejects with the code of the server', async (t) => {
  const { signaling, heard } = session(t);
  const connecting = signaling.connect();
  FakeWebSocket.last.open();
  FakeWebSocket.last.say({ t: 'error', code: 'room_full', message: 'The room is full.', fatal: true });
  await assert.rejects(connecting, { code: 'room_full', message: 'The room is full.' });
  assert.deepEqual(heard, []);
});

test('a server that is not there is reported after a few attempts', async (t) => {
  const { signaling } = session(t);
  const connecting = signaling.connect();
  for (let i = 0; i < 4; i++) {
    FakeWebSocket.last.break();
    passTime(2000);
  }
  await assert.rejects(connecting, { code: 'unreachable' });
  assert.equal(FakeWebSocket.made.length, 4);
});

test('a server that never answers does not hold the client', async (t) => {
  await joined(t);
  const silent = reconnect(t);
  passTime(5000);
  passTime(2000);
  assert.equal(silent.closed, true);
  assert.notEqual(FakeWebSocket.last, silent);
});

test('bye says whether to stop, to resume or to come in anew', async (t) => {
  const { heard } = await joined(t);
  FakeWebSocket.last.say({ t: 'bye', action: 'resume', code: 'server_draining', message: '', retry_after_ms: 500 });
  passTime(2500);
  FakeWebSocket.last.open();
  assert.equal(FakeWebSocket.last.sent[0].resume.session, 's_one');
  FakeWebSocket.last.say({ t: 'resumed', secret: 'second', replay: true });
  FakeWebSocket.last.say({ t: 'bye', action: 'rejoin', message: '' });
  passTime(2000);
  FakeWebSocket.last.open();
  assert.equal('resume' in FakeWebSocket.last.sent[0], false);
  FakeWebSocket.last.say(welcome({ session: 's_three' }));
  FakeWebSocket.last.say({ t: 'bye', action: 'stop', code: 'kicked', message: 'Removed.' });
  assert.deepEqual(heard.at(-1), ['ended', 'kicked']);
  const count = FakeWebSocket.made.length;
  passTime(60_000);
  assert.equal(FakeWebSocket.made.length, count);
});

test('leaving says so, forgets the secret and refuses what comes after', async (t) => {
  const { signaling, storage } = await joined(t);
  const socket = FakeWebSocket.last;
  signaling.leave();
  assert.deepEqual(socket.sent.at(-1), { t: 'leave' });
  assert.equal(socket.closed, true);
  assert.equal(storage.getItem('madang:resume:yard'), null);
  await assert.rejects(signaling.request({ t: 'chat', text: 'x', to: [] }), { code: 'closed' });
});

test('it pings as often as the server asks', async (t) => {
  await joined(t);
  passTime(15_000);
  await settled();
  assert.equal(FakeWebSocket.last.of('ping').length, 1);
  FakeWebSocket.last.say({ t: 'pong' });
  passTime(15_000);
  assert.equal(FakeWebSocket.last.of('ping').length, 2);
});

test('garbage and unknown messages do no harm', async (t) => {
  const { heard } = await joined(t);
  FakeWebSocket.last.onmessage({ data: 'not json' });
  FakeWebSocket.last.say({ t: 'from_the_future', s: 1 });
  FakeWebSocket.last.say({ t: 'chat', s: 2, from: 'p_a', text: 'on', at_ms: 1 });
  assert.deepEqual(heard.at(-1), ['chat', 2]);
});
