import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { layoutMix } from '../call/grid.js';
import { namesIn, noteOf, refusalOf } from '../call/mix_words.js';
import en from '../i18n/en.js';
import ko from '../i18n/ko.js';

before(() => (globalThis.document = { documentElement: { lang: 'en' } }));

const WINDOWS = [
  [1264, 614],
  [1904, 950],
  [374, 740],
  [828, 310],
  [320, 480],
];

test('the mixed picture is whole and wide, and one’s own tile beside it, inside the window', () => {
  for (const [width, height] of WINDOWS) {
    const { picture, own } = layoutMix(width, height, 8);
    assert.ok(Math.abs(picture.width / picture.height - 16 / 9) < 0.001);
    for (const box of [picture, own]) {
      assert.ok(box.x >= -0.01 && box.x + box.width <= width + 0.01, `${width}×${height}`);
      assert.ok(box.y >= -0.01 && box.y + box.height <= height + 0.01, `${width}×${height}`);
    }
    const apart = own.x >= picture.x + picture.width || own.y >= picture.y + picture.height;
    assert.ok(apart, 'it covers nobody');
    assert.ok(own.width * own.height < picture.width * picture.height, 'it is the smaller one');
  }
});

test('in a tall window one’s own tile is below', () => {
  const { picture, own } = layoutMix(374, 740, 8);
  assert.equal(picture.width, 374);
  assert.ok(own.y > picture.y + picture.height);
});

test('who is in the picture is read row by row, screens by name', () => {
  const place = (participant, left, top, source = 'camera') => ({ participant, source, left, top });
  const places = [place('c', 0.5, 0.5), place('b', 0.5, 0.01), place('a', 0, 0), place('a', 0, 0.5, 'screen')];
  assert.deepEqual(
    namesIn(places, (id) => id.toUpperCase()),
    ['A', 'B', 'A’s screen', 'C'],
  );
});

const delivery = { paused: false, layer: 'm', height: 360, temporal: null, availableBps: 400_000, reason: 'bandwidth' };

test('a busy server is named before a weak connection', () => {
  assert.equal(noteOf(null), null);
  assert.equal(noteOf({ state: null, delivery: null }), null);
  assert.equal(noteOf({ state: null, delivery: { ...delivery, reason: 'size' } }), null);
  assert.equal(noteOf({ state: { limited: null }, delivery }).key, 'mix.smaller');
  const note = noteOf({ state: { limited: 'too much to encode' }, delivery });
  assert.deepEqual(note, { key: 'mix.limited', more: 'too much to encode' });
  for (const words of [en, ko]) for (const key of ['mix.limited', 'mix.smaller']) assert.ok(words[key]);
});

test('a refusal says what happened, in the server’s words where there are none of ours', () => {
  assert.equal(refusalOf({ code: 'room_full', message: 'No.' }, 'sfu').t, 'save.full');
  assert.equal(refusalOf({ code: 'forbidden', message: 'No.' }, 'mesh').t, 'save.mesh');
  assert.deepEqual(refusalOf({ code: 'bad_request', message: 'No mixer here.' }, 'sfu'), {
    t: 'save.refused',
    tp: { text: 'No mixer here.' },
  });
  assert.equal(refusalOf({ code: 'closed', message: 'x' }, 'sfu').t, 'save.failed');
  assert.equal(refusalOf(new Error('x'), 'sfu').t, 'save.failed');
});

test('every layout has its name and its line', () => {
  for (const kind of ['auto', 'grid', 'speaker', 'presentation', 'picture_in_picture'])
    for (const words of [en, ko]) assert.ok(words[`mix.layout.${kind}`] && words[`mix.layout.${kind}.text`], kind);
});
