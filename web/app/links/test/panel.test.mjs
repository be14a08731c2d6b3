import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { bitrate, byteCount, milliseconds, percent, pictureSize } from '../format.js';
import { arrowWidth, beside, path, pointOn, seats, trim } from '../geometry.js';
import { eventWords, offerNumber } from '../history.js';
import { mixerRows } from '../mixer.js';
import { viewOf } from '../model.js';
import { sortedPairs } from '../pairs.js';
import { hideAddress, reportText } from '../report.js';
import { streamWords, streamsOf } from '../streams.js';
import { stringsFor } from '../strings.js';
import { english } from '../strings.en.js';
import { korean } from '../strings.ko.js';

const SQUARE = { size: 360, inset: 50, radius: 58 };
const read = (name) => readFileSync(new URL(`fixtures/${name}.sdp`, import.meta.url), 'utf8');

const link = (id, peer, more = {}) => ({
  id,
  kind: 'mesh',
  peer,
  state: 'connected',
  path: 'direct',
  upBps: 1_000_000,
  downBps: 500_000,
  rttMs: 20,
  lossUp: 0,
  lossDown: 0.01,
  quality: 'excellent',
  tracks: [],
  ...more,
});
const roomOf = (names) => ({
  localParticipant: { id: 'me', name: 'Mina' },
  remoteParticipants: new Map(names.map((name) => [name, { id: name, name, presence: 'present' }])),
});
const statsOf = (links) => ({
  topology: 'mesh',
  uplinks: links.length,
  downlinks: links.length,
  server: { uplinks: 0, downlinks: 0 },
  links,
});

test('a mesh of n has n−1 links of ours and the rest among the others', () => {
  for (let n = 1; n <= 9; n += 1) {
    const others = Array.from({ length: n - 1 }, (_, i) => `p${i}`);
    const view = viewOf(roomOf(others), statsOf(others.map((p) => link(`l${p}`, p))));
    assert.equal(view.links.length, n - 1);
    assert.equal(view.links.length + view.among.length, (n * (n - 1)) / 2);
    assert.equal(view.linkCount, (n * (n - 1)) / 2);
    assert.equal(view.people[0].isYou, true);
  }
});

test('links stand in the order of the people, whatever the order of the figures', () => {
  const view = viewOf(roomOf(['a', 'b', 'c']), statsOf([link('3', 'c'), link('1', 'a'), link('2', 'b')]));
  assert.deepEqual(
    view.links.map((l) => l.name),
    ['a', 'b', 'c'],
  );
  assert.equal(view.figures.upBps, 3_000_000);
});

test('relayed, connecting, failed and closed links are told apart', () => {
  const view = viewOf(
    roomOf(['a', 'b', 'c', 'd']),
    statsOf([
      link('1', 'a', { path: 'relay_tls', quality: 'poor' }),
      link('2', 'b', { state: 'connecting', path: null, quality: 'good' }),
      link('3', 'c', { state: 'failed' }),
      link('4', 'd', { state: 'closed' }),
    ]),
  );
  assert.deepEqual(
    view.links.map((l) => [l.isRelayed, l.shade]),
    [
      [true, 'poor'],
      [false, 'waiting'],
      [false, 'lost'],
    ],
  );
  assert.equal(view.relayed, 1);
});

test('what the server says about a limit comes before what the encoder says', () => {
  const tracks = [{ id: 't', direction: 'up', kind: 'video', width: 640, height: 360, fps: 30, limitation: 'cpu' }];
  const limits = [null, { bps: null, reason: 'unlimited' }, { bps: 500_000, reason: 'congestion' }].map(
    (limit) => viewOf(roomOf(['a']), statsOf([link('1', 'a', { limit, tracks })])).links[0].limit,
  );
  assert.deepEqual(limits, [
    { bps: null, reason: 'cpu' },
    { bps: null, reason: 'cpu' },
    { bps: 500_000, reason: 'congestion' },
  ]);
});

test('a room with a server has one link and no lines among the others', () => {
  const view = viewOf(roomOf(['a', 'b']), {
    ...statsOf([link('1', null, { kind: 'sfu' })]),
    topology: 'sfu',
    uplinks: 1,
    downlinks: 2,
    server: { uplinks: 6, downlinks: 3 },
  });
  assert.equal(view.among.length, 0);
  assert.equal(view.linkCount, 3);
  assert.deepEqual([view.figures.up, view.figures.down, view.figures.serverUp], [1, 2, 6]);
});

const forwarded = () => {
  const room = roomOf(['Jun', 'Bo']);
  const delivery = { paused: false, layer: 'm', temporal: null, reason: 'bandwidth' };
  room.remoteParticipants.get('Jun').tracks = new Map([
    ['t_j', { id: 't_j', kind: 'video', source: 'camera', delivery }],
  ]);
  room.remoteParticipants.get('Bo').tracks = new Map([
    ['t_b', { id: 't_b', kind: 'video', source: 'screen', delivery: { ...delivery, paused: true, layer: null } }],
  ]);
  const picture = { kind: 'video', source: 'camera', bps: 400_000, width: 640, height: 360, fps: 30 };
  const tracks = [
    { ...picture, id: 't_b', direction: 'down', source: 'screen' },
    { ...picture, id: 't_j', direction: 'down' },
    { id: 't_mic', direction: 'up', kind: 'audio', source: 'microphone', bps: 30_000 },
    { ...picture, id: 't_me', direction: 'up', rid: 'l', active: true, limitation: 'cpu' },
    { ...picture, id: 't_me', direction: 'up', rid: 'h', active: false, limitation: 'bandwidth' },
  ];
  return { room, link: link('1', null, { kind: 'sfu', tracks }) };
};

test('streams stand in order: your layers from the largest, your sound, then the others', () => {
  const { room, link: server } = forwarded();
  assert.deepEqual(
    streamsOf(room, server).map(({ direction, name, layer, isResting }) => [direction, name, layer, isResting]),
    [
      ['up', '', 'h', true],
      ['up', '', 'l', false],
      ['up', '', null, false],
      ['down', 'Jun', 'm', false],
      ['down', 'Bo', null, true],
    ],
  );
});

test('each stream says in both languages why it is as it is', () => {
  const { room, link: server } = forwarded();
  for (const strings of [english, korean]) {
    const words = streamsOf(room, server).map((stream) => streamWords(stream, strings));
    assert.deepEqual(
      words.map(({ why }) => why),
      [
        strings.streams.resting,
        strings.limits.cpu,
        '',
        strings.streams.reasons.bandwidth,
        strings.streams.held(strings.streams.reasons.bandwidth),
      ],
    );
    assert.ok(words[3].name.includes('Jun') && words[3].picture.startsWith('640×360'));
    assert.equal(words[0].picture, '', 'what rests has no picture');
  }
});

test('what limits a layer that rests limits nothing', () => {
  const { room, link: server } = forwarded();
  assert.equal(viewOf(room, { ...statsOf([server]), topology: 'sfu' }).links[0].limit.reason, 'cpu');
});

test('you sit at the bottom, the others at equal distances around', () => {
  for (let n = 1; n <= 12; n += 1) {
    const places = seats(n, SQUARE);
    assert.equal(places.length, n);
    assert.deepEqual([Math.round(places[0].x), Math.round(places[0].y), places[0].side], [180, 310, 'bottom']);
    for (const p of places) {
      assert.ok(p.x >= 49.9 && p.x <= 310.1 && p.y >= 49.9 && p.y <= 310.1);
    }
    for (let i = 1; i < n; i += 1) {
      const mirror = places[n - i];
      assert.ok(
        Math.abs(places[i].x + mirror.x - 360) < 0.01 && Math.abs(places[i].y - mirror.y) < 0.01,
        `${i} of ${n}`,
      );
    }
  }
  assert.deepEqual(
    seats(4, SQUARE).map((p) => p.side),
    ['bottom', 'left', 'top', 'right'],
  );
});

test('no path runs through a third person', () => {
  for (let n = 3; n <= 9; n += 1) {
    const places = seats(n, SQUARE);
    for (let a = 0; a < n; a += 1) {
      for (let b = a + 1; b < n; b += 1) {
        const curve = path(places[a], places[b], { x: 180, y: 180 });
        for (let t = 0; t <= 1; t += 0.02) {
          const p = pointOn(curve, t);
          places.forEach((q, i) => {
            if (i !== a && i !== b) assert.ok(Math.hypot(p.x - q.x, p.y - q.y) > 18, `${a}–${b} past ${i} of ${n}`);
          });
        }
      }
    }
  }
});

test('a trimmed path begins and ends at the edge of the people', () => {
  const from = { x: 0, y: 0 };
  const to = { x: 100, y: 0 };
  const cut = trim([from, { x: 50, y: 10 }, to], 20, 30);
  assert.ok(Math.abs(Math.hypot(cut[0].x, cut[0].y) - 20) < 0.1);
  assert.ok(Math.abs(Math.hypot(cut[2].x - 100, cut[2].y) - 30) < 0.1);
  assert.deepEqual(
    beside([from, from, to], 5).map((p) => p.y),
    [5, 5, 5],
  );
});

test('width grows with the bit rate, and never without bound', () => {
  const widths = [0, 30_000, 300_000, 2_500_000, 1e9].map((bps) => arrowWidth(bps));
  assert.deepEqual(
    widths,
    [...widths].sort((a, b) => a - b),
  );
  assert.ok(widths[0] > 1 && widths[4] <= 7.5);
  assert.equal(arrowWidth(null), widths[0]);
});

test('figures read as people write them, number and unit never apart', () => {
  const spaced = (format) => (value) => format(value).replaceAll('\u00a0', ' ');
  assert.equal(bitrate(1000), '1\u00a0kbit/s');
  assert.deepEqual([0, 400, 106_400, 999_600, 2_449_000, 12_300_000, null].map(spaced(bitrate)), [
    '0 kbit/s',
    '<1 kbit/s',
    '106 kbit/s',
    '1.0 Mbit/s',
    '2.4 Mbit/s',
    '12 Mbit/s',
    '–',
  ]);
  assert.deepEqual([0, 0.4, 23.4, undefined].map(spaced(milliseconds)), ['0 ms', '<1 ms', '23 ms', '–']);
  assert.deepEqual([0, 0.0004, 0.021, 0.12, NaN].map(spaced(percent)), ['0.0 %', '<0.1 %', '2.1 %', '12 %', '–']);
  assert.deepEqual([12, 53_000, 4_200_000, 52_000_000].map(spaced(byteCount)), ['12 B', '53 kB', '4.2 MB', '52 MB']);
  assert.equal(spaced(pictureSize)({ width: 640, height: 360, fps: 29.97 }), '640×360, 30 fps');
  assert.equal(pictureSize(null), '');
});

test('the history is told in words, and what is unknown as it is', () => {
  const words = (event, lang = 'en') => eventWords(event, stringsFor(lang)).words;
  assert.equal(words('offer 3 sent'), 'Offer 3 sent');
  assert.equal(words('at most 500 kbit/s: congestion'), 'Told to send at most 500 kbit/s: your uplink is full');
  assert.equal(words('connection failed', 'ko'), '연결하지 못했어요');
  assert.equal(words('something new'), 'something new');
  assert.equal(offerNumber([{ event: 'offer 1 sent' }, { event: 'answer 1 received' }, { event: 'offer 2 sent' }]), 2);
  assert.equal(offerNumber([]), 0);
});

test('the chosen pair stands first, failed ones last', () => {
  const pair = (state, selected = false, bytesSent = 0) => ({
    state,
    selected,
    bytesSent,
    nominated: selected,
    local: null,
    remote: null,
  });
  const order = sortedPairs([
    pair('failed'),
    pair('succeeded', false, 5),
    pair('succeeded', true),
    pair('in-progress'),
    pair('succeeded', false, 9),
  ]);
  assert.deepEqual(
    order.map((p) => [p.state, p.selected, p.bytesSent]),
    [
      ['succeeded', true, 0],
      ['succeeded', false, 9],
      ['succeeded', false, 5],
      ['in-progress', false, 0],
      ['failed', false, 0],
    ],
  );
});

test('a report has no password, and addresses only when asked for', () => {
  const candidate = (address) => ({
    type: 'host',
    protocol: 'udp',
    relayProtocol: null,
    address,
    port: 5000,
    url: null,
  });
  const parts = {
    view: viewOf(roomOf(['Jun']), statsOf([link('1', 'Jun')])).links[0],
    link: {
      id: '1',
      peer: 'Jun',
      offerer: 'you',
      state: 'connected',
      localDescription: { type: 'offer', sdp: read('chromium-offer') },
      remoteDescription: { type: 'answer', sdp: read('firefox-answer') },
      history: [
        { at: 1000, event: 'open, offering' },
        { at: 1412, event: 'connection connected' },
      ],
    },
    pairs: [
      {
        state: 'succeeded',
        nominated: true,
        selected: true,
        local: candidate('192.0.2.2'),
        remote: candidate('2001:db8::2'),
        rttMs: 3,
        bytesSent: 4000,
        bytesReceived: 5000,
      },
    ],
    trackNames: () => ['camera'],
  };
  for (const lang of ['en', 'ko']) {
    const shy = reportText({ ...parts, strings: stringsFor(lang), withAddresses: false });
    const open = reportText({ ...parts, strings: stringsFor(lang), withAddresses: true });
    for (const text of [shy, open]) {
      assert.ok(!/45EuKHzxHbXnTVNh0P29|2c2ed208e2032d21/.test(text));
      assert.ok(text.includes('+0.412 s') && text.includes('a=group:BUNDLE 0 1 2'));
    }
    assert.ok(!/192\.0\.2\.2|2001:db8|fd00|::1 /.test(shy), 'no address unasked');
    assert.ok(open.includes('192.0.2.2:5000') && open.includes('[2001:db8::2]:5000'));
  }
});

test('the base of a relayed candidate is hidden too', () => {
  const line = 'a=candidate:1 1 udp 41885695 203.0.113.5 49160 typ relay raddr 198.51.100.7 rport 5000';
  assert.equal(hideAddress(line), 'a=candidate:1 1 udp 41885695 [address] 49160 typ relay raddr [address] rport 5000');
  assert.equal(hideAddress('c=IN IP4 192.0.2.2'), 'c=IN IP4 [address]');
  assert.equal(hideAddress('a=rtcp:47345 IN IP4 192.0.2.2'), 'a=rtcp:47345 IN IP4 [address]');
  assert.equal(hideAddress('a=mid:0'), 'a=mid:0');
});

test('both languages have the same words, and say who pays', () => {
  const shape = (value) =>
    typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, shape(v)])) : typeof value;
  assert.deepEqual(shape(korean), shape(english));
  for (const strings of [english, korean]) {
    assert.match(strings.whyMesh({ n: 4, links: 6, relayed: 0 }), /6/);
    assert.match(strings.whySfu({ n: 5 }), /4/);
    assert.notEqual(strings.whySfu({ n: 2 }), strings.whySfu({ n: 3 }));
    assert.notEqual(strings.whyMesh({ n: 2, links: 1, relayed: 0 }), strings.whyMesh({ n: 2, links: 1, relayed: 1 }));
  }
});

const mixed = () => {
  const room = roomOf(['Jun', 'Bo']);
  const delivery = { paused: false, layer: 'm', temporal: null, reason: 'bandwidth' };
  const work = { decoding: 3, encoding: 1, listeners: 3, decodeMs: 61, encodeMs: 214, soundMs: 8 };
  room.mix = {
    audio: { id: 't_ma', kind: 'audio', source: 'mix' },
    video: { id: 't_mv', kind: 'video', source: 'mix', delivery },
    state: { fps: 15, maxHeight: 360, limited: 'busy', work },
  };
  const tracks = [
    { id: 't_ma', direction: 'down', kind: 'audio', source: 'mix', bps: 60_000 },
    { id: 't_mv', direction: 'down', kind: 'video', source: 'mix', bps: 900_000, width: 640, height: 360, fps: 15 },
  ];
  return viewOf(room, { ...statsOf([link('1', null, { kind: 'sfu', tracks })]), topology: 'sfu' });
};

test('whoever takes the mix in a room that forwards sees the mixer, and one picture of everyone', () => {
  const view = mixed();
  assert.equal(view.isMixed, true);
  const [picture, sound] = view.links[0].streams.map((stream) => streamWords(stream, english));
  assert.equal(picture.name, '↓\u00a0everyone, picture');
  assert.equal(picture.why, 'what your connection carries');
  assert.equal(sound.name, '↓\u00a0everyone, sound');
  assert.equal(viewOf(roomOf(['Jun']), statsOf([])).isMixed, false);
});

test('the mixer’s milliseconds per second are told as shares of a core', () => {
  const { mixer } = mixed();
  assert.deepEqual(mixerRows(mixer, english), [
    ['Decodes', '3 pictures', '6.1\u00a0% of a core'],
    ['Encodes', '1 picture', '21\u00a0% of a core'],
    ['Sound', 'for 3 listeners', '0.8\u00a0% of a core'],
    ['Picture', 'up to 360 lines, 15 fps', ''],
  ]);
  for (const row of mixerRows(mixer, korean)) assert.doesNotMatch(row.join(), /undefined|NaN/);
});
