// The messages that the server's own tests hold to: the SDK reads and writes the very same.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test, { beforeEach } from 'node:test';
import { Room } from '../src/index.js';
import { browser, FakeWebSocket, settled, stopTime } from './fakes.mjs';

const FOLDER = new URL('../../../crates/protocol/tests/golden/', import.meta.url);
const golden = (name) => JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8'));
const names = readdirSync(FOLDER).map((file) => file.replace('.json', ''));

beforeEach(browser);

async function joined(t) {
  stopTime(t, ['setTimeout', 'setInterval']);
  const room = new Room({ room: 'yard', name: '미나', storage: null });
  const connecting = room.connect('http://127.0.0.1');
  FakeWebSocket.last.open();
  FakeWebSocket.last.say(golden('server_welcome'));
  await connecting;
  await settled();
  return room;
}

test('the room is as its welcome says', async (t) => {
  const room = await joined(t);
  const message = golden('server_welcome');
  assert.equal(room.localParticipant.id, message.self.id);
  assert.equal(room.locked, message.room.locked);
  assert.deepEqual(room.codecs, message.room.codecs);
  assert.deepEqual(
    [...room.remoteParticipants.keys()],
    message.participants.map((each) => each.id),
  );
  assert.deepEqual(
    [...room.links.keys()],
    message.links.map((each) => each.link),
  );
});

for (const name of names.filter((each) => /^server_(?!welcome|resumed|error|bye)/.test(each))) {
  test(`${name} is understood`, async (t) => {
    const room = await joined(t);
    const faults = [];
    const onFault = (error) => faults.push(error);
    process.on('uncaughtException', onFault);
    const { s, ...message } = golden(name);
    FakeWebSocket.last.say(s === undefined ? message : { ...message, s: 1 });
    await settled();
    process.off('uncaughtException', onFault);
    assert.deepEqual(faults, []);
    assert.equal(room.state, 'connected');
  });
}

test('what the server says shows in the room', async (t) => {
  const room = await joined(t);
  const heard = [];
  room.on('chatReceived', ({ text, isPrivate }) => heard.push(['chat', text, isPrivate]));
  room.on('connectionQualityChanged', (quality, who) => heard.push(['quality', quality, who.id]));
  room.on('dataReceived', (bytes, _who, topic) => heard.push(['data', [...bytes], topic]));
  const said = [golden('server_chat'), golden('server_data'), { ...golden('server_quality'), quality: 'poor' }];
  said.forEach((message, index) => FakeWebSocket.last.say('s' in message ? { ...message, s: index + 1 } : message));
  const [chat, data, quality] = said;
  assert.deepEqual(heard, [
    ['chat', chat.text, chat.private],
    ['data', [...Buffer.from(data.payload, 'base64')], data.topic ?? ''],
    ['quality', quality.quality, quality.participant],
  ]);
});

/** What makes the SDK say each message. @type {Record<string, (room: Room, message: any) => Promise<unknown>>} */
const ACTIONS = {
  client_chat: (room, { text, to }) => room.sendChat(text, { to }),
  client_mod_bitrate: (room, { max_send_bps, participant }) => room.setBitrateLimit(max_send_bps, participant),
  client_mod_kick: (room, { participant }) => room.kick(participant),
  client_mod_lock: (room, { locked }) => room.setLocked(locked),
  client_mod_mute: (room, { track }) => room.muteTrack(track),
  client_mod_role: (room, { participant, role }) => room.setRole(participant, role),
  client_mod_topology: (room, { policy }) => room.setTopology(policy),
  client_data: (room, { payload, topic, to }) =>
    room.localParticipant.publishData(Buffer.from(payload, 'base64'), { topic, to }),
};

for (const [name, act] of Object.entries(ACTIONS)) {
  test(`${name} is said to the letter`, async (t) => {
    const room = await joined(t);
    const { id: _, ...message } = golden(name);
    act(room, message).catch(() => {});
    const { id, ...said } = FakeWebSocket.last.sent.at(-1);
    assert.equal(typeof id, 'number');
    assert.deepEqual(said, message);
  });
}
