import assert from 'node:assert/strict';
import test from 'node:test';
import { plan } from '../src/bandwidth.js';
import { SenderControl } from '../src/sender_control.js';
import { canSimulcast } from '../src/simulcast.js';
import { settled } from './fakes.mjs';

const unlimited = { bps: null, stopped: false, maxHeight: null, layers: null };
const camera = {
  id: 'camera',
  kind: 'video',
  source: 'camera',
  width: 1280,
  height: 720,
  rids: ['h', 'm', 'l'],
  isForwarded: true,
};
const screen = { ...camera, id: 'screen', source: 'screen', width: 1920, height: 1080, rids: ['h', 'l'] };
const mic = { ...camera, id: 'mic', kind: 'audio', source: 'microphone', rids: [] };

const layers = (track, { bps = null, limit = {} } = {}) =>
  plan(bps, [track], () => ({ ...unlimited, ...limit })).get(track.id);
const active = (encodings) => encodings.flatMap((each) => (each.active ? each.rid : []));

test('a camera is sent whole, at half and at a quarter, with bits for its size', () => {
  const sent = layers(camera);
  assert.deepEqual(
    sent.map(({ rid, scale, active: isSent }) => [rid, scale, isSent]),
    [
      ['h', 1, true],
      ['m', 2, true],
      ['l', 4, true],
    ],
  );
  const [h, m, l] = sent.map((each) => each.maxBitrate);
  assert.equal(h, 1_700_000);
  assert.ok(Math.abs(m - 500_000) < 10_000 && Math.abs(l - 150_000) < 5000, `${m}, ${l}`);
  assert.ok(sent.every((each) => each.scalabilityMode === 'L1T3'));
});

test('a screen is sent whole, and small and slow for a tile', () => {
  const [h, l] = layers(screen);
  assert.deepEqual([h.scale, h.maxFramerate, h.maxBitrate], [1, 30, 2_500_000]);
  assert.deepEqual([l.scale, l.maxFramerate, l.maxBitrate], [2, 5, 300_000]);
});

test('a small capture has fewer layers, and fewer bits in each', () => {
  assert.deepEqual(active(layers({ ...camera, width: 480, height: 270 })), ['h', 'm']);
  assert.deepEqual(active(layers({ ...camera, width: 160, height: 120 })), ['h']);
  assert.ok(layers({ ...camera, width: 480, height: 270 })[0].maxBitrate < 400_000);
  assert.deepEqual(active(layers({ ...camera, width: 720, height: 1280 })), ['h', 'm', 'l'], 'a phone held upright');
  assert.deepEqual(active(layers({ ...camera, width: 0, height: 0 })), ['h', 'm', 'l'], 'not known yet');
});

test('when the link has too little for all layers, the largest goes first', () => {
  const sent = [3_000_000, 1_200_000, 500_000, 120_000, 40_000].map((bps) => active(layers(camera, { bps })).join(''));
  assert.deepEqual(sent, ['hml', 'ml', 'ml', 'l', '']);
  for (const bps of [3_000_000, 1_200_000, 500_000, 120_000]) {
    const sum = layers(camera, { bps }).reduce((total, each) => total + (each.active ? each.maxBitrate : 0), 0);
    assert.ok(sum <= bps, `${sum} of ${bps}`);
  }
});

test('layers that nobody watches rest, and leave their bits to the others', () => {
  const only = (...rids) => active(layers(camera, { limit: { layers: rids } }));
  assert.deepEqual(only('l'), ['l']);
  assert.deepEqual(only('h', 'l'), ['h', 'l']);
  assert.deepEqual(active(layers(camera, { limit: { layers: [], stopped: true } })), []);
  assert.deepEqual(active(layers(camera, { bps: 2_000_000, limit: { layers: ['h'] } })), ['h']);
});

test('what is watched but out of reach is replaced by the best that is not', () => {
  assert.deepEqual(active(layers(camera, { bps: 400_000, limit: { layers: ['h'] } })), ['m']);
  assert.deepEqual(active(layers(camera, { bps: 100_000, limit: { layers: ['h'] } })), ['l']);
  const small = { ...camera, width: 480, height: 270 };
  assert.deepEqual(active(layers(small, { limit: { layers: ['l'] } })), ['m'], 'l is not made of so small a picture');
});

test('the sound has its share before any layer', () => {
  const encodings = plan(300_000, [mic, camera], () => unlimited);
  assert.ok(encodings.get('mic')[0].maxBitrate >= 40_000);
  const sum = [...encodings.values()].flat().reduce((total, each) => total + (each.active ? each.maxBitrate : 0), 0);
  assert.ok(sum <= 300_000);
});

test('a browser without simulcast sends one picture, in frame rates that a server can thin out', () => {
  const [only, ...more] = layers({ ...camera, rids: [] });
  assert.deepEqual(more, []);
  assert.equal(only.rid, undefined);
  assert.equal(only.scalabilityMode, 'L1T3');
  assert.equal(layers({ ...camera, rids: [], isForwarded: false })[0].scalabilityMode, undefined);
});

/** A sender as an offer with these RIDs leaves it. */
function sender(rids, { refuses = () => false } = {}) {
  const made = {
    set: [],
    getParameters: () => ({ encodings: rids.map((rid) => ({ rid })) }),
    setParameters: async (parameters) => {
      if (refuses(parameters)) throw new Error('refused');
      made.set.push(parameters);
    },
  };
  return made;
}

test('encodings find their layer by RID, whatever the order', async () => {
  const control = new SenderControl();
  const made = sender(['l', 'h', 'm']);
  control.apply(made, camera, layers(camera));
  await control.settled();
  assert.deepEqual(
    made.set[0].encodings.map(({ rid, scaleResolutionDownBy }) => [rid, scaleResolutionDownBy]),
    [
      ['l', 4],
      ['h', 1],
      ['m', 2],
    ],
  );
  assert.equal(made.set[0].degradationPreference, 'balanced');
});

test('a screen goes before cameras, said once for all of its layers', async () => {
  const control = new SenderControl();
  const made = sender(['h', 'l']);
  control.apply(made, screen, layers(screen));
  await control.settled();
  assert.deepEqual(
    made.set[0].encodings.map(({ priority }) => priority),
    ['medium', undefined],
  );
  assert.equal(made.set[0].degradationPreference, 'maintain-resolution');
});

test('a codec without temporal layers is sent without, and not asked again', async () => {
  const control = new SenderControl();
  let asked = 0;
  const refuses = ({ encodings }) => encodings.some((each) => each.scalabilityMode) && Boolean(++asked);
  const made = sender(['h', 'm', 'l'], { refuses });
  control.apply(made, camera, layers(camera));
  await control.settled();
  control.apply(made, camera, layers(camera, { limit: { layers: ['l'] } }));
  await settled();
  assert.equal(asked, 1);
  assert.equal(made.set.length, 2);
  assert.deepEqual(
    made.set[1].encodings.map((each) => each.active),
    [false, false, true],
  );
});

test('simulcast is promised where senders can be set', (t) => {
  const former = globalThis.RTCRtpSender;
  t.after(() => (globalThis.RTCRtpSender = former));
  globalThis.RTCRtpSender = undefined;
  assert.equal(canSimulcast(), false);
  globalThis.RTCRtpSender = class {
    setParameters() {}
  };
  assert.equal(canSimulcast(), true);
});
