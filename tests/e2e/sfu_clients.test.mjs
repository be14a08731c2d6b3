// The many ways and clients by which one takes part in a room whose media the server forwards.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launchFirefox } from './lib/browsers.mjs';
import { ChildClient } from './lib/child.mjs';
import { DtlsTap, leadThroughTap } from './lib/dtls_tap.mjs';
import { everyoneMeets, looks } from './lib/person.mjs';
import { PythonClient } from './lib/python_client.mjs';
import { Rig, freshRoom } from './lib/rig.mjs';
import { binary } from './lib/server.mjs';
import { isForwarded, layersSent } from './lib/sfu.mjs';
import { until } from './lib/until.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

/** @type {Rig} */
let rig;
before(async () => (rig = await Rig.start()));
after(() => rig.stop());

const query = { topology: 'sfu' };
const camera = { width: 320, height: 180, fps: 20 };

test('two who can use the relay alone meet through the server, and it hands over in process', async (t) => {
  const room = freshRoom();
  const before = await rig.server.metric('madang_turn_relayed_bytes_total');
  const relayed = { ...query, relay: 'udp' };
  const ann = await rig.person(t, 'Ann', room, { query: relayed, camera });
  const bo = await rig.person(t, 'Bo', room, { query: relayed, camera });
  await everyoneMeets([ann, bo], { timeout: 15_000 });
  for (const person of [ann, bo]) {
    await person.goesBy('relay_udp');
    await isForwarded(person);
    const pairs = await person.page.evaluate(() => window.__probe.pairs());
    assert.deepEqual(
      pairs.map(({ local, remote, relayProtocol }) => [local, remote, relayProtocol]),
      [['relay', 'host', 'udp']],
    );
  }
  assert.ok((await rig.server.metric('madang_turn_relayed_bytes_total')) > before);
});

test('who can use TCP alone reaches the media port by ICE-TCP', async (t) => {
  const room = freshRoom();
  const ann = await rig.person(t, 'Ann', room, {
    query,
    camera,
    before: (page) => page.evaluateOnNewDocument(forgetUdp),
  });
  const bo = await rig.person(t, 'Bo', room, { query, camera });
  await everyoneMeets([ann, bo], { timeout: 15_000 });
  await isForwarded(ann);
  const protocols = (person) =>
    person.page.evaluate(() => window.__probe.pairs().then((pairs) => pairs.map(({ protocol }) => protocol)));
  assert.deepEqual(await protocols(ann), ['tcp']);
  assert.deepEqual(await protocols(bo), ['udp']);
  ann.unharmed();
});

/** Runs in the page before its scripts: it never hears of the server's UDP candidates. */
function forgetUdp() {
  const native = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
    const kept = sdp.replace(/^a=candidate:\S+ \d+ udp .*\r\n/gim, '');
    return native.call(this, { type, sdp: kept });
  };
  const add = RTCPeerConnection.prototype.addIceCandidate;
  RTCPeerConnection.prototype.addIceCandidate = function (candidate) {
    return / udp /i.test(candidate?.candidate ?? '') ? Promise.resolve() : add.call(this, candidate);
  };
}

test('media is sealed with AES-GCM in Chromium', async (t) => {
  const room = freshRoom();
  const ann = await rig.person(t, 'Ann', room, { query, camera });
  const bo = await rig.person(t, 'Bo', room, { query, camera });
  await ann.sees(bo, { timeout: 15_000 });
  const ciphers = await ann.room(async (r) => (await r.getStats()).links.map(({ srtpCipher }) => srtpCipher));
  assert.equal(ciphers.length, 1);
  assert.match(ciphers[0], /GCM/);
});

test('Chromium and Firefox meet through the server, sealed with AES-GCM', async (t) => {
  const firefox = await launchFirefox();
  t.after(() => firefox.close());
  const turn = Number(/:(\d+)$/.exec(rig.server.ready.turn[0])[1]);
  const tap = await DtlsTap.start(turn);
  t.after(() => tap.stop());
  const room = freshRoom();
  const ann = await rig.person(t, 'Ann', room, { query, camera });
  // Its media goes by way of the relay, where the handshake can be read.
  const bo = await rig.person(t, 'Bo', room, {
    query: { ...query, relay: 'udp' },
    camera,
    browser: firefox,
    before: (page) => page.evaluateOnNewDocument(leadThroughTap, { from: turn, to: tap.port }),
  });
  await everyoneMeets([ann, bo], { fps: 10, timeout: 30_000 });
  assert.ok(tap.profiles.length > 0 && tap.profiles.every((profile) => /GCM/.test(profile)), `${tap.profiles}`);
  assert.deepEqual((await layersSent(ann)).includes('h'), true);
  for (const person of [ann, bo]) person.unharmed();
});

test('a Python client that knows the protocol alone meets Chromium through the server', async (t) => {
  const room = freshRoom();
  const ann = await rig.person(t, 'Ann', room, { query, camera });
  const py = { name: 'Py', look: { colour: [150, 50, 170], tone: 900 } };
  const client = new PythonClient({
    url: rig.server.webSocketUrl,
    room,
    name: py.name,
    tone: py.look.tone,
    colour: py.look.colour.join(),
    'listen-for': looks.Ann.tone,
  });
  t.after(() => client.end());
  py.id = (await client.event('the client is in', ({ event }) => event === 'welcome')).id;
  await ann.meets([py], { fps: 10, timeout: 20_000 });
  const isSeen = ({ event, frames, height }) => event === 'video' && frames >= 40 && height >= 180;
  const seen = await client.event('Python decodes Chromium', isSeen, { timeout: 20_000 });
  const far = Math.max(...seen.colour.map((value, i) => Math.abs(value - looks.Ann.colour[i])));
  assert.ok(far < 45, `rgb(${seen.colour})`);
  await client.event("Python hears Chromium's tone", ({ event, share }) => event === 'audio' && share > 0.5);
  await ann.room((r) => r.localParticipant.publishData(new TextEncoder().encode('bytes'), { topic: 'greeting' }));
  await client.event(
    'bytes reach Python',
    ({ event, peer, payload }) => event === 'data' && peer === ann.id && payload === 'bytes',
  );
  await ann.page.evaluate(() => {
    window.heard = [];
    window.madang.room.on('dataReceived', (bytes, from) =>
      window.heard.push([from?.id, new TextDecoder().decode(bytes)]),
    );
  });
  client.say({ data: 'from Python' });
  await until('bytes reach Chromium', async () => {
    const heard = await ann.page.evaluate(() => window.heard);
    return heard.some(([from, text]) => from === py.id && text === 'from Python') || { wait: heard };
  });
  client.say({ leave: true });
  await until('the tile is gone', async () => !(await ann.tiles()).some((tile) => tile.startsWith(py.id)));
  ann.unharmed();
});

test('our SDK in Node.js, on another WebRTC, meets Chromium through the server', async (t) => {
  const room = freshRoom();
  const ann = await rig.person(t, 'Ann', room, { query, camera });
  const node = { name: 'Node', look: { colour: [200, 120, 30], tone: 740 } };
  const look = JSON.stringify({ name: node.name, ...node.look });
  const client = new ChildClient(process.execPath, [path.join(here, 'wrtc/client.mjs'), rig.server.url, room, look]);
  t.after(() => client.end());
  node.id = (await client.event('the client is in', ({ event }) => event === 'in', { timeout: 20_000 })).id;
  await ann.meets([node], { fps: 10, height: 90, width: 160, timeout: 20_000 });
  const seen = await client.event('it decodes Chromium', ({ event, frames }) => event === 'video' && frames >= 40);
  const far = Math.max(...seen.colour.map((value, i) => Math.abs(value - looks.Ann.colour[i])));
  assert.ok(far < 60, `rgb(${seen.colour})`);
  await client.event("it hears Chromium's tone", ({ event, shares }) => event === 'audio' && shares[0] > 0.5);
  await ann.room((r) => r.localParticipant.publishData(new TextEncoder().encode('bytes'), { topic: 'greeting' }));
  await client.event('bytes reach it', ({ event, text }) => event === 'data' && text === 'bytes');
  client.leave();
  await until('the tile is gone', async () => !(await ann.tiles()).some((tile) => tile.startsWith(node.id)));
  ann.unharmed();
});

test('madang join meets Chromium through the server', async (t) => {
  const room = freshRoom();
  const ann = await rig.person(t, 'Ann', room, { query, camera });
  const args = [
    'join',
    `${rig.server.url}/r/${room}`,
    '--json',
    '--name',
    'Bot',
    '--publish',
    'pattern',
    '--tone',
    '740',
  ];
  const client = new ChildClient(binary, args);
  t.after(() => client.end());
  const bot = { name: 'Bot', look: { tone: 740 } };
  bot.id = (await client.event('it is in', ({ event }) => event === 'joined')).participant;
  await ann.meets([bot], { fps: 10, colour: false, timeout: 20_000 });
  for (const codec of ['VP8', 'OPUS']) {
    const isIt = (line) => line.event === 'receiving' && line.codec.toUpperCase() === codec;
    assert.equal((await client.event(`it receives ${codec}`, isIt)).participant, ann.id);
  }
  client.end('SIGINT');
  const { tracks } = await client.event('a summary', ({ event }) => event === 'summary');
  const picture = tracks.find(({ codec }) => codec === 'VP8');
  assert.ok(picture?.shown > 5, JSON.stringify(tracks));
  ann.unharmed();
});
