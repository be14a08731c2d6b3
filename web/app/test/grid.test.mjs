import assert from 'node:assert/strict';
import { test } from 'node:test';

import { layoutGrid, layoutStrip } from '../call/grid.js';

const WINDOWS = [
  [1264, 784],
  [1904, 1064],
  [374, 828],
  [828, 374],
  [884, 784],
  [374, 300],
];
const GAP = 8;

function overlap(a, b) {
  const wide = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const high = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return wide > 0.01 && high > 0.01;
}

function assertSound(boxes, count, width, height) {
  assert.equal(boxes.length, count);
  for (const box of boxes) {
    assert.ok(box.width > 20 && box.height > 20, JSON.stringify(box));
    assert.ok(box.x > -0.01 && box.y > -0.01, JSON.stringify(box));
    assert.ok(box.x + box.width < width + 0.01 && box.y + box.height < height + 0.01, JSON.stringify(box));
  }
  boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => assert.ok(!overlap(a, b), JSON.stringify([a, b]))));
}

test('tiles stay in the window and off each other, for one to sixteen people', () => {
  for (const [width, height] of WINDOWS) {
    for (let count = 1; count <= 16; count += 1)
      assertSound(layoutGrid(count, width, height, GAP), count, width, height);
  }
});

test('a shared screen and its strip stay in the window and off each other', () => {
  for (const [width, height] of WINDOWS) {
    for (let people = 1; people <= 12; people += 1) {
      const { large, small } = layoutStrip(1, people, width, height, GAP);
      assertSound([...large, ...small], people + 1, width, height);
    }
  }
});

test('a screen is larger than any person beside it', () => {
  for (const [width, height] of WINDOWS) {
    const { large, small } = layoutStrip(1, 3, width, height, GAP);
    for (const box of small) assert.ok(large[0].width * large[0].height > 2 * box.width * box.height);
  }
});

test('the last row is centred', () => {
  const boxes = layoutGrid(5, 1264, 784, GAP);
  const last = boxes.slice(3);
  assert.ok(Math.abs(last[0].x - (1264 - last[1].x - last[1].width)) < 0.01);
});

test('nobody, or no room, is no tile', () => {
  assert.deepEqual(layoutGrid(0, 100, 100, GAP), []);
  assert.deepEqual(layoutGrid(3, 0, 0, GAP), []);
});
