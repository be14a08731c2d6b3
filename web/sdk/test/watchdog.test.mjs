import assert from 'node:assert/strict';
import test from 'node:test';
import { Watchdog } from '../src/watchdog.js';
import { passTime, stopTime } from './fakes.mjs';

function watched(t, { isFirst = true, attempt = 0 } = {}) {
  stopTime(t, ['setTimeout']);
  const done = [];
  const reach = { able: true };
  const watchdog = new Watchdog({
    isFirst,
    attempt,
    canAct: () => reach.able,
    restart: () => done.push('restart'),
    replace: () => done.push('replace'),
  });
  return { watchdog, done, reach, tick: (ms) => passTime(ms) };
}

test('a link that is not connected 5 s after its description is replaced', (t) => {
  const { watchdog, done, tick } = watched(t);
  watchdog.described();
  tick(4999);
  assert.deepEqual(done, []);
  tick(1);
  assert.deepEqual(done, ['replace']);
});

test('each replacement gets more time, so that a slow path can come up', (t) => {
  const { watchdog, done, tick } = watched(t, { attempt: 2 });
  watchdog.described();
  tick(12_000);
  assert.deepEqual(done, []);
  tick(1000);
  assert.deepEqual(done, ['replace']);
});

test('a connected link is left alone', (t) => {
  const { watchdog, done, tick } = watched(t);
  watchdog.described();
  watchdog.connectionState('connected');
  tick(60_000);
  assert.deepEqual(done, []);
});

test('a short disconnection heals by itself', (t) => {
  const { watchdog, done, tick } = watched(t);
  watchdog.connectionState('connected');
  watchdog.connectionState('disconnected');
  tick(1900);
  watchdog.connectionState('connected');
  tick(60_000);
  assert.deepEqual(done, []);
});

test('a disconnection of 2 s brings an ICE restart, and if that fails a new link', (t) => {
  const { watchdog, done, tick } = watched(t);
  watchdog.connectionState('connected');
  watchdog.connectionState('disconnected');
  tick(2000);
  assert.deepEqual(done, ['restart']);
  watchdog.described();
  tick(5000);
  assert.deepEqual(done, ['restart', 'replace']);
});

test('a link that fails again after its restart is replaced at once', (t) => {
  const { watchdog, done, tick } = watched(t);
  watchdog.connectionState('connected');
  watchdog.connectionState('failed');
  tick(0);
  watchdog.connectionState('failed');
  assert.deepEqual(done, ['restart', 'replace']);
});

test('the end that does not offer leaves the first move to the other', (t) => {
  const { watchdog, done, tick } = watched(t, { isFirst: false });
  watchdog.connectionState('connected');
  watchdog.connectionState('failed');
  tick(900);
  watchdog.connectionState('connected');
  tick(60_000);
  assert.deepEqual(done, []);
});

test('nothing is tried while the other end can not hear of it', (t) => {
  const { watchdog, done, reach, tick } = watched(t);
  watchdog.connectionState('connected');
  watchdog.connectionState('disconnected');
  reach.able = false;
  tick(2000);
  for (let i = 0; i < 10; i++) tick(1000);
  assert.deepEqual(done, []);
  reach.able = true;
  tick(1000);
  assert.deepEqual(done, ['restart']);
});

test('another network means another path, however alive the old one looks', (t) => {
  const { watchdog, done, tick } = watched(t);
  watchdog.connectionState('connected');
  watchdog.networkChanged();
  tick(0);
  assert.deepEqual(done, ['restart']);
});
