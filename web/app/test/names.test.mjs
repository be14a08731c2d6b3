import assert from 'node:assert/strict';
import { test } from 'node:test';

import { hueOf, initials, isRoomName, makeRoomName, readRoom, roomOfPath } from '../names.js';

test('a made name is a room’s name, and never the same twice', () => {
  const made = new Set(Array.from({ length: 500 }, makeRoomName));
  assert.equal(made.size, 500);
  for (const name of made) {
    assert.ok(isRoomName(name), name);
    assert.match(name, /^([a-z]{4,6}-){4}[a-z]{4,6}$/);
  }
});

test('a room is read from its name, its link, or its link with a token', () => {
  assert.deepEqual(readRoom(' tea time '), { room: 'tea-time', search: '', hash: '' });
  assert.deepEqual(readRoom('https://madang.example/r/tea?topology=mesh#token=abc'), {
    room: 'tea',
    search: '?topology=mesh',
    hash: '#token=abc',
  });
  assert.equal(readRoom('madang.example/r/tea')?.room, 'tea');
});

test('what cannot be a room’s name is none', () => {
  for (const text of ['', '   ', 'a/b', '가족', 'x'.repeat(65), 'https://madang.example/r/%E0%A4%A']) {
    assert.equal(readRoom(text), null, text);
  }
  assert.equal(roomOfPath('/r/%zz'), null);
  assert.equal(roomOfPath('/r/tea/'), 'tea');
});

test('initials call people as they are called', () => {
  assert.equal(initials('Ada Lovelace'), 'AL');
  assert.equal(initials('Zoë'), 'Z');
  assert.equal(initials('김민지'), '민지');
  assert.equal(initials('이준'), '이준');
  assert.equal(initials('👩‍🌾 Mina'), '👩‍🌾M');
  assert.equal(initials('  '), '·');
});

test('a name has one hue', () => {
  assert.equal(hueOf('Ada'), hueOf('Ada'));
  for (const name of ['', 'Ada', '김민지']) assert.ok(hueOf(name) >= 0 && hueOf(name) < 360);
});
