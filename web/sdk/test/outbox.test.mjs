import assert from 'node:assert/strict';
import test from 'node:test';
import { SignalingError } from '../src/errors.js';
import { Outbox } from '../src/outbox.js';
import { passTime, stopTime } from './fakes.mjs';

function outbox() {
  const sent = [];
  return { sent, box: new Outbox((frame) => sent.push(frame)) };
}

const chat = (text) => ({ t: 'chat', text, to: [] });

test('messages wait for the connection and go out in order', () => {
  const { box, sent } = outbox();
  box.push(chat('a'));
  box.push(chat('b'));
  assert.deepEqual(sent, []);
  box.open();
  box.push(chat('c'));
  assert.deepEqual(
    sent.map((frame) => [frame.id, frame.text]),
    [
      [1, 'a'],
      [2, 'b'],
      [3, 'c'],
    ],
  );
});

test('a reply settles its own request only', async () => {
  const { box } = outbox();
  box.open();
  const first = box.push(chat('a'));
  const second = box.push(chat('b'));
  box.settle(2, new SignalingError('forbidden', 'no'));
  box.settle(1, { track: 't_1' });
  box.settle(7, {});
  assert.deepEqual(await first, { track: 't_1' });
  await assert.rejects(second, { code: 'forbidden' });
  assert.equal(box.size, 0);
});

test('what is unanswered goes out again, but not what the server says it has had', async () => {
  const { box, sent } = outbox();
  box.open();
  const had = box.push(chat('had'));
  box.push(chat('lost'));
  box.pause();
  box.push(chat('written meanwhile'));
  sent.length = 0;
  box.open(1);
  assert.deepEqual(await had, {});
  assert.deepEqual(
    sent.map((frame) => [frame.id, frame.text]),
    [
      [2, 'lost'],
      [3, 'written meanwhile'],
    ],
  );
});

test('a burst stays under the server limit and keeps its order', async (t) => {
  stopTime(t, ['setTimeout']);
  const { box, sent } = outbox();
  box.setPace({ messages_per_second: 50, message_burst: 10 });
  box.open();
  for (let i = 0; i < 20; i++) box.push(chat(String(i)));
  assert.equal(sent.length, 8, 'four fifths of the burst');
  for (let i = 0; i < 200 && sent.length < 20; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    passTime(100);
    const wait = performance.now() + 3;
    while (performance.now() < wait);
  }
  assert.deepEqual(
    sent.map((frame) => Number(frame.text)),
    [...Array(20).keys()],
  );
});

test('what means nothing later is not kept', () => {
  const { box, sent } = outbox();
  box.pushVolatile({ t: 'ping' });
  box.open();
  assert.deepEqual(sent, []);
  box.pushVolatile({ t: 'ping' });
  assert.deepEqual(sent, [{ t: 'ping' }]);
});

test('dropped messages are refused', async () => {
  const { box, sent } = outbox();
  const mute = box.push({ t: 'mute', track: 't_1', muted: true });
  box.push(chat('stays'));
  box.drop((message) => message.t === 'mute', new SignalingError('closed', 'new session'));
  await assert.rejects(mute, { code: 'closed' });
  box.open();
  assert.deepEqual(
    sent.map((frame) => frame.t),
    ['chat'],
  );
});
