import assert from 'node:assert/strict';
import { test } from 'node:test';

import { tellDelivery } from '../call/delivery.js';
import en from '../i18n/en.js';
import ko from '../i18n/ko.js';

const full = { paused: false, layer: 'h', height: 720, temporal: null, availableBps: 2_000_000, reason: 'best' };
const words = (more, language = en) => {
  const told = tellDelivery({ ...full, ...more }, 'Bo');
  return told && language[told.key](told.params).replaceAll('\u00a0', ' ');
};

test('too little bandwidth is told with the size that comes and the room there is', () => {
  assert.equal(
    words({ layer: 'l', reason: 'bandwidth', availableBps: 400_000 }),
    'You get the small picture: your connection has room for 400 kbit/s',
  );
  assert.equal(
    words({ layer: 'm', reason: 'bandwidth', availableBps: 900_000 }, ko),
    '중간 크기 화면을 받고 있어요. 지금 내 연결로는 900 kbit/s까지 받을 수 있어요',
  );
  assert.doesNotMatch(words({ layer: 'l', reason: 'bandwidth', availableBps: null }), /kbit|undefined/);
});

test('only what holds this connection back is marked', () => {
  const mark = (more) => tellDelivery({ ...full, ...more }, 'Bo')?.mark;
  assert.equal(mark({ layer: 'l', reason: 'bandwidth' }), 'poor');
  assert.equal(mark({ layer: null, paused: true, reason: 'bandwidth' }), 'lost');
  for (const reason of ['best', 'size', 'publisher', 'not_watched', 'not_speaking'])
    assert.equal(mark({ reason }), null);
});

test('a muted camera says so by itself, and a mesh says nothing', () => {
  assert.equal(tellDelivery({ ...full, paused: true, reason: 'muted' }, 'Bo'), null);
  assert.equal(tellDelivery(null, 'Bo'), null);
});

test('every reason has its words in both languages', () => {
  for (const reason of ['best', 'size', 'bandwidth', 'publisher', 'not_watched', 'not_speaking']) {
    for (const paused of [false, true]) {
      for (const layer of ['h', 'm', 'l', null]) {
        for (const temporal of [null, 0]) {
          const told = tellDelivery({ ...full, reason, paused, layer, temporal, availableBps: null }, 'Bo');
          if (told === null) continue;
          for (const language of [en, ko]) {
            const text = language[told.key](told.params);
            assert.ok(text && !/undefined|null/.test(text), `${told.key}: ${text}`);
          }
        }
      }
    }
  }
});
