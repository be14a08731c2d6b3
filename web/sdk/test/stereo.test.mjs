import assert from 'node:assert/strict';
import { test } from 'node:test';
import { receivingStereo, withStereo } from '../src/stereo.js';

const lines = (/** @type {string[]} */ ...each) => each.map((line) => `${line}\r\n`).join('');
const head = lines('v=0', 'o=- 1 1 IN IP4 0.0.0.0');
const sound = (/** @type {string} */ mid, /** @type {string} */ direction, ...more) =>
  lines('m=audio 9 UDP/TLS/RTP/SAVPF 111', `a=mid:${mid}`, `a=${direction}`, 'a=rtpmap:111 opus/48000/2', ...more);

test('what is received may come in two channels, and what is sent is left as it is', () => {
  const sdp = head + sound('0', 'recvonly', 'a=fmtp:111 minptime=10;useinbandfec=1') + sound('1', 'sendonly');
  const expected =
    head + sound('0', 'recvonly', 'a=fmtp:111 minptime=10;useinbandfec=1;stereo=1') + sound('1', 'sendonly');
  assert.equal(receivingStereo(sdp), expected);
  assert.equal(receivingStereo(expected), expected, 'once is enough');
});

test('a line without parameters gets one, and other media none', () => {
  const picture = lines('m=video 9 UDP/TLS/RTP/SAVPF 96', 'a=mid:0', 'a=recvonly', 'a=rtpmap:96 VP8/90000');
  const opus = lines('m=audio 9 UDP/TLS/RTP/SAVPF 111', 'a=mid:7', 'a=rtpmap:111 opus/48000/2');
  const changed = withStereo(head + picture + opus, (mid) => mid === '7');
  assert.equal(changed, head + picture + opus.replace('opus/48000/2\r\n', 'opus/48000/2\r\na=fmtp:111 stereo=1\r\n'));
});
