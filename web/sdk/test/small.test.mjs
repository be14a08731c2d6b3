import assert from 'node:assert/strict';
import test from 'node:test';
import { address, frame, signed, unframe } from '../src/channels.js';
import { Emitter } from '../src/emitter.js';
import { MediaError } from '../src/errors.js';
import { iceServersFor, relayTransportOf } from '../src/ice_servers.js';
import { base64, fromBase64 } from '../src/links.js';
import { countStreams } from '../src/report.js';
import { Voice } from '../src/speakers.js';
import { startKbps, withStartBitrate } from '../src/start_bitrate.js';
import { roomIn } from '../src/token.js';
import { directionsOf } from '../src/transceivers.js';

test('bytes and topic survive their framing', () => {
  const bytes = Uint8Array.of(0, 1, 255);
  for (const topic of ['', 'chat', '마당']) {
    assert.deepEqual(unframe(frame(bytes, topic)), { bytes, topic });
  }
  assert.deepEqual([...frame(Uint8Array.of(9), 'a')], [1, 97, 9]);
});

test('what is too large is refused, what is no frame is dropped', () => {
  assert.throws(() => frame(new Uint8Array(64 * 1024), ''), RangeError);
  assert.throws(() => frame(new Uint8Array(1), 'x'.repeat(65)), RangeError);
  assert.equal(unframe(new Uint8Array(0)), null);
  assert.equal(unframe(Uint8Array.of(5, 97)), null);
  assert.equal(unframe(Uint8Array.of(255)), null);
});

test('a message to a server names its receivers, and one from it its sender', () => {
  const framed = frame(Uint8Array.of(9), 'a');
  assert.deepEqual([...address(framed, [])], [0, 1, 97, 9]);
  assert.deepEqual([...address(framed, ['p_1', 'p_22'])], [2, 3, 112, 95, 49, 4, 112, 95, 50, 50, 1, 97, 9]);
  const { sender, framed: rest } = signed(Uint8Array.of(3, 112, 95, 49, ...framed));
  assert.equal(sender, 'p_1');
  assert.deepEqual(unframe(rest), { bytes: Uint8Array.of(9), topic: 'a' });
  assert.equal(signed(Uint8Array.of(9, 112)), null);
  assert.equal(signed(Uint8Array.of(0, 1, 97)), null);
  assert.equal(signed(new Uint8Array(0)), null);
  assert.throws(() => address(framed, Array(256).fill('p_1')), RangeError);
  assert.throws(() => address(frame(new Uint8Array(64 * 1024 - 1), ''), []), RangeError);
});

test('Base64 goes both ways', () => {
  assert.equal(base64(Uint8Array.of(0xfb, 0xff)), '+/8=');
  assert.deepEqual(fromBase64('+/8='), Uint8Array.of(0xfb, 0xff));
});

const SERVERS = [
  { urls: ['stun:h:3478'] },
  {
    urls: ['turn:h:3478?transport=udp', 'turn:h:3478?transport=tcp', 'turns:h:5349?transport=tcp', 'turn:h'],
    username: 'u',
    credential: 'c',
  },
];

test('relays can be held to one transport', () => {
  assert.deepEqual(iceServersFor(SERVERS), SERVERS);
  assert.deepEqual(iceServersFor(SERVERS, 'tls')[1].urls, ['turns:h:5349?transport=tcp']);
  assert.deepEqual(iceServersFor(SERVERS, 'tcp')[1].urls, ['turn:h:3478?transport=tcp']);
  assert.deepEqual(iceServersFor(SERVERS, 'udp')[1].urls, ['turn:h:3478?transport=udp', 'turn:h']);
  assert.deepEqual(iceServersFor(SERVERS, 'udp')[0].urls, ['stun:h:3478']);
  assert.equal(relayTransportOf('stun:h'), null);
  assert.deepEqual(iceServersFor([{ urls: ['turns:h'] }], 'udp'), []);
});

test('a voice begins above one level and ends below another, after a while', () => {
  const voice = new Voice();
  voice.hear(0, 0);
  assert.equal(voice.hear(0.1, 100), false, 'a click is no voice');
  assert.equal(voice.hear(0.1, 200), true);
  assert.equal(voice.speaking, true);
  voice.hear(0.015, 300);
  assert.equal(voice.hear(0.015, 5000), false, 'quiet, but not silent');
  assert.equal(voice.hear(0, 5500), false, 'a pause between words');
  assert.equal(voice.hear(0, 6000), true);
  assert.equal(voice.speaking, false);
});

test('the direction of each media description is read by mid', () => {
  const sdp = [
    'v=0',
    'm=audio 9 UDP/TLS/RTP/SAVPF 111',
    'a=mid:0',
    'a=sendrecv',
    'm=video 9 UDP/TLS/RTP/SAVPF 96',
    'a=recvonly',
    'a=mid:v1',
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
    'a=mid:2',
    '',
  ].join('\r\n');
  assert.deepEqual(
    [...directionsOf(sdp)],
    [
      ['0', 'sendrecv'],
      ['v1', 'recvonly'],
      ['2', 'sendrecv'],
    ],
  );
});

test('the room is read from a token, and from nothing else', () => {
  const token = `h.${Buffer.from('{"room":"yard-ü?>"}').toString('base64url')}.s`;
  assert.equal(roomIn(`h.${Buffer.from('{"room":"yard"}').toString('base64url')}.s`), 'yard');
  assert.equal(typeof roomIn(token), 'string');
  for (const nonsense of [null, undefined, '', 'a.b.c', 'x']) assert.equal(roomIn(nonsense), undefined);
});

test('the streams that a room holds follow from its shape', () => {
  assert.deepEqual(countStreams('mesh', 3, 4), { uplinks: 3, downlinks: 3, server: { uplinks: 0, downlinks: 0 } });
  assert.deepEqual(countStreams('sfu', 1, 4), { uplinks: 1, downlinks: 3, server: { uplinks: 12, downlinks: 4 } });
  assert.deepEqual(countStreams('mcu', 1, 4), { uplinks: 1, downlinks: 1, server: { uplinks: 4, downlinks: 4 } });
});

test('browsers name the same fault differently', () => {
  const reason = (name) => MediaError.from(Object.assign(new Error('x'), { name }), 'video').reason;
  assert.equal(reason('NotFoundError'), 'missing');
  assert.equal(reason('NotReadableError'), 'busy');
  assert.equal(reason('NotAllowedError'), 'refused');
  assert.equal(reason('SomethingElse'), 'unknown');
  const error = new MediaError('busy', 'audio');
  assert.equal(MediaError.from(error, 'video'), error);
});

test('a listener may go while the event is told, and once means once', () => {
  const emitter = new Emitter();
  const heard = [];
  const first = () => {
    heard.push('first');
    emitter.off('tick', first);
  };
  emitter.on('tick', first);
  emitter.once('tick', () => heard.push('once'));
  emitter.on('tick', () => heard.push('always'));
  emitter.emit('tick');
  emitter.emit('tick');
  assert.deepEqual(heard, ['first', 'once', 'always', 'always']);
});

test('where a bit rate begins is said once for each video codec, and for nothing else', () => {
  const sdp = [
    'm=audio 9 UDP/TLS/RTP/SAVPF 111',
    'a=rtpmap:111 opus/48000/2',
    'a=fmtp:111 minptime=10',
    'm=video 9 UDP/TLS/RTP/SAVPF 96 97 102',
    'a=rtpmap:96 VP8/90000',
    'a=rtpmap:97 rtx/90000',
    'a=fmtp:97 apt=96',
    'a=rtpmap:102 H264/90000',
    'a=fmtp:102 profile-level-id=42e01f',
    '',
  ].join('\r\n');
  const lines = withStartBitrate(sdp, 1200).split('\r\n');
  assert.deepEqual(
    lines.filter((line) => line.startsWith('a=fmtp')),
    [
      'a=fmtp:111 minptime=10',
      'a=fmtp:96 x-google-start-bitrate=1200',
      'a=fmtp:97 apt=96',
      'a=fmtp:102 profile-level-id=42e01f;x-google-start-bitrate=1200',
    ],
  );
  assert.equal(lines.length, sdp.split('\r\n').length + 1);
  assert.equal(withStartBitrate(sdp, null), sdp);
});

test('links share where they begin, and a limit counts more', (t) => {
  assert.equal(startKbps(1, null), null, 'not Chromium');
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  t.after(() => (before ? Object.defineProperty(globalThis, 'navigator', before) : delete globalThis.navigator));
  const value = { userAgentData: { brands: [{ brand: 'Chromium' }] } };
  Object.defineProperty(globalThis, 'navigator', { value, configurable: true });
  assert.equal(startKbps(1, null), 1200);
  assert.equal(startKbps(3, null), 400);
  assert.equal(startKbps(8, null), 300);
  assert.equal(startKbps(1, 200_000), 200);
});
