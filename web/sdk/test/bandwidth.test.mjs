import assert from 'node:assert/strict';
import test from 'node:test';
import { Limits, plan } from '../src/bandwidth.js';
import { SenderControl } from '../src/sender_control.js';
import { settled } from './fakes.mjs';

const sending = (id, kind, source, width, height) => ({
  id,
  kind,
  source,
  width,
  height,
  rids: [],
  isForwarded: false,
});
const mic = sending('mic', 'audio', 'microphone', 0, 0);
const camera = sending('camera', 'video', 'camera', 1280, 720);
const screen = sending('screen', 'video', 'screen', 1920, 1080);
const unlimited = { bps: null, stopped: false, maxHeight: null, layers: null };
const free = () => unlimited;

const at = (encodings, id) => {
  const of = encodings.get(id);
  assert.equal(of?.length, 1, id);
  return of[0];
};

test('without a limit the picture is whole', () => {
  const encodings = plan(null, [mic, camera], free);
  assert.equal(at(encodings, 'camera').scale, 1);
  assert.equal(at(encodings, 'camera').active, true);
  assert.equal(at(encodings, 'mic').active, true);
});

test('less bandwidth means a smaller picture, step by step', () => {
  let before = 0;
  for (const bps of [2_000_000, 700_000, 400_000, 250_000, 110_000]) {
    const { scale, active } = at(plan(bps, [mic, camera], free), 'camera');
    assert.ok(active, `${bps}`);
    assert.ok(scale >= before, `${bps}`);
    before = scale;
  }
  assert.equal(before, 4, '180 lines of 720');
});

test('the picture stops before the sound suffers', () => {
  const encodings = plan(80_000, [mic, camera], free);
  assert.equal(at(encodings, 'camera').active, false);
  assert.equal(at(encodings, 'mic').active, true);
  assert.ok(at(encodings, 'mic').maxBitrate >= 16_000);
});

test('the sum of what is sent stays below the limit', () => {
  for (const bps of [150_000, 300_000, 900_000, 3_000_000]) {
    const encodings = plan(bps, [mic, camera, screen], free);
    const sum = [...encodings.values()]
      .flat()
      .filter((each) => each.active)
      .reduce((total, each) => total + each.maxBitrate, 0);
    assert.ok(sum <= bps, `${sum} of ${bps}`);
  }
});

test('a shared screen keeps its letters: it becomes slower, not smaller', () => {
  const encodings = plan(600_000, [mic, camera, screen], free);
  assert.equal(at(encodings, 'screen').scale, 1);
  assert.equal(at(encodings, 'screen').maxFramerate, 5);
  assert.ok(at(encodings, 'screen').maxBitrate > at(encodings, 'camera').maxBitrate);
});

test('the more links carry a camera, the less each of them', () => {
  const sent = [1, 2, 3, 8].map((links) => at(plan(null, [mic, camera], free, links), 'camera'));
  assert.deepEqual(
    sent.map(({ scale }) => Math.round(720 / scale)),
    [720, 540, 360, 270],
  );
  assert.ok(sent[3].maxBitrate * 8 <= 1_500_000);
  assert.equal(at(plan(null, [screen], free, 3), 'screen').scale, 1);
});

test('nothing larger is sent than what is shown', () => {
  const encodings = plan(null, [camera], () => ({ ...unlimited, maxHeight: 180 }));
  assert.equal(at(encodings, 'camera').scale, 4);
});

test('what nobody watches is not sent, and leaves its share to the others', () => {
  const limitOf = (id) => ({ ...unlimited, stopped: id === 'screen' });
  const encodings = plan(1_000_000, [camera, screen], limitOf);
  assert.equal(at(encodings, 'screen').active, false);
  assert.equal(at(encodings, 'camera').maxBitrate, 920_000);
});

test('limits are remembered by link and track, and the smaller counts', () => {
  const limits = new Limits();
  limits.hear({ max_send_bps: 1_000_000, reason: 'participant_limit' });
  assert.deepEqual(limits.ofLink('l_1', 4), { bps: 250_000, reason: 'participant_limit' });
  limits.hear({ link: 'l_1', max_send_bps: 100_000, reason: 'congestion' });
  assert.deepEqual(limits.ofLink('l_1', 4), { bps: 100_000, reason: 'congestion' });
  limits.hear({ link: 'l_1', track: 't_1', max_send_bps: 0, reason: 'not_watched' });
  assert.equal(limits.ofTrack('l_1', 't_1').stopped, true);
  assert.equal(limits.ofTrack('l_2', 't_1').stopped, false);
  limits.hear({ link: 'l_1', track: 't_1', max_height: 180, reason: 'unlimited' });
  assert.deepEqual(limits.ofTrack('l_1', 't_1'), { ...unlimited, maxHeight: 180 });
  limits.forget('l_1');
  assert.deepEqual(limits.ofLink('l_1', 4), { bps: 250_000, reason: 'participant_limit' });
  limits.hear({ reason: 'unlimited' });
  assert.equal(limits.ofLink('l_1', 4), null);
});

function sender() {
  const made = {
    changes: [],
    getParameters: () => ({ encodings: [{}] }),
    setParameters: async ({ encodings }) => made.changes.push(encodings[0].scaleResolutionDownBy),
  };
  return made;
}

const encoding = (scale) => [{ active: true, maxBitrate: 500_000, scale }];
const video = { kind: 'video', source: 'camera' };

test('a sender is changed only when the change is worth a keyframe', async () => {
  const control = new SenderControl();
  const camera = sender();
  for (const scale of [2, 2, 2.2, 1.8, 3, 1]) {
    control.apply(camera, video, encoding(scale));
    await settled();
  }
  assert.deepEqual(camera.changes, [2, 3, 1]);
});

test('changes that come faster than the browser takes them end with the last', async () => {
  const control = new SenderControl();
  const camera = sender();
  for (const scale of [2, 3, 4]) control.apply(camera, video, encoding(scale));
  await settled();
  assert.deepEqual(camera.changes, [2, 4]);
});

test('what the browser refuses is tried again with the next word', async () => {
  const control = new SenderControl();
  const camera = sender();
  const { setParameters } = camera;
  camera.setParameters = async () => {
    throw new Error('not yet');
  };
  control.apply(camera, video, encoding(2));
  await settled();
  camera.setParameters = setParameters;
  control.apply(camera, video, encoding(2));
  await settled();
  assert.deepEqual(camera.changes, [2]);
});

test('our scale starts from what the browser own scale leaves over', async () => {
  const control = new SenderControl();
  const camera = sender();
  assert.equal(control.heightOf(camera), 0);
  control.measured(camera, 360);
  assert.equal(control.heightOf(camera), 360);
  control.apply(camera, video, encoding(2));
  await settled();
  control.measured(camera, 360);
  assert.equal(control.heightOf(camera), 360, 'frames of the new scale are not there yet');
});
