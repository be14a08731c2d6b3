// Clients of other kinds in a mesh: `madang join` straight to Chromium and to aiortc, whichever offers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ChildClient } from './lib/child.mjs';
import { PythonClient } from './lib/python_client.mjs';
import { Rig, freshRoom } from './lib/rig.mjs';
import { binary } from './lib/server.mjs';
import { until } from './lib/until.mjs';

/** @type {Rig} */
let rig;
before(async () => (rig = await Rig.start()));
after(() => rig.stop());

const query = { topology: 'mesh' };
const camera = { width: 320, height: 180, fps: 20 };
const tone = 740;

/** `madang join`, once it is inside. */
async function join(t, room, ...options) {
  const args = ['join', `${rig.server.url}/r/${room}`, '--json', '--name', 'Bot', '--topology', 'mesh'];
  const client = new ChildClient(binary, [...args, '--publish', 'pattern', '--tone', `${tone}`, ...options]);
  t.after(() => client.end());
  const { participant } = await client.event('it is in', ({ event }) => event === 'joined');
  return { client, name: 'Bot', look: { tone }, id: participant };
}

/** It receives both kinds of somebody. */
async function receives({ client }, id) {
  for (const codec of ['VP8', 'OPUS']) {
    const isIt = (line) => line.event === 'receiving' && line.codec.toUpperCase() === codec;
    assert.equal((await client.event(`it receives ${codec}`, isIt, { timeout: 20_000 })).participant, id);
  }
}

/** Leaves, and gives what it says at the end. */
async function leave({ client }) {
  client.end('SIGINT');
  const summary = await client.event('a summary', ({ event }) => event === 'summary');
  const picture = summary.tracks.find(({ codec }) => codec === 'VP8');
  assert.ok(picture?.shown > 5, JSON.stringify(summary));
  return summary;
}

test('madang join answers Chromium in a mesh, and bytes pass between them', async (t) => {
  const room = freshRoom();
  const ann = await rig.person(t, 'Ann', room, { query, camera });
  const bot = await join(t, room);
  await ann.meets([bot], { fps: 10, colour: false, timeout: 20_000 });
  await receives(bot, ann.id);
  await ann.goesBy('direct');
  await ann.room((r) => r.localParticipant.publishData(new TextEncoder().encode('bytes'), { topic: 'greeting' }));
  const isData = ({ event, from, text }) => event === 'data' && from === ann.id && text === 'bytes';
  await bot.client.event('bytes reach it', isData);
  const { links } = await leave(bot);
  assert.deepEqual(
    links.map(({ peer, path }) => [peer, path]),
    [['Ann', 'host']],
  );
  ann.unharmed();
});

test('Chromium answers madang join in a mesh, and a screen more is negotiated', async (t) => {
  const room = freshRoom();
  const bot = await join(t, room);
  const ann = await rig.person(t, 'Ann', room, { query, camera });
  await ann.meets([bot], { fps: 10, colour: false, timeout: 20_000 });
  await receives(bot, ann.id);
  // A track more is negotiated again by the offerer, which the page is not.
  await ann.room((r) => r.localParticipant.setScreenShareEnabled(true));
  const isScreen = ({ event, track }) => event === 'track_added' && track.source === 'screen' && track.kind === 'video';
  const { track } = await bot.client.event('the screen is published', isScreen);
  const comes = (line) => line.event === 'receiving' && line.track === track.id;
  await bot.client.event('the screen comes', comes, { timeout: 20_000 });
  await leave(bot);
  ann.unharmed();
});

test('madang join and Chromium meet at the relay where it is all that one of them may use', async (t) => {
  const room = freshRoom();
  const before = await rig.server.metric('madang_turn_relayed_bytes_total');
  const ann = await rig.person(t, 'Ann', room, { query, camera });
  const bot = await join(t, room, '--relay', 'tcp');
  await ann.meets([bot], { fps: 5, colour: false, timeout: 20_000 });
  await receives(bot, ann.id);
  // The relay leads to no address of this machine but to other relayed ones.
  await ann.goesBy('relay_udp');
  assert.equal((await leave(bot)).path, 'relay_tcp');
  assert.ok((await rig.server.metric('madang_turn_relayed_bytes_total')) - before > 50_000);
  ann.unharmed();
});

for (const first of ['aiortc', 'madang join']) {
  test(`aiortc and madang join meet in a mesh, where ${first} offers`, async (t) => {
    const room = freshRoom();
    const python = async () => {
      const options = { url: rig.server.webSocketUrl, room, name: 'Py', tone: 900, colour: '150,50,170' };
      const client = new PythonClient({ ...options, 'listen-for': tone });
      t.after(() => client.end());
      const { id } = await client.event('the client is in', ({ event }) => event === 'welcome');
      return { client, id };
    };
    const meet = { aiortc: [python, () => join(t, room)], 'madang join': [() => join(t, room), python] }[first];
    const [one, other] = [await meet[0](), await meet[1]()];
    const [py, bot] = first === 'aiortc' ? [one, other] : [other, one];
    await receives(bot, py.id);
    const decodes = ({ event, frames }) => event === 'video' && frames >= 40;
    await py.client.event('Python decodes it', decodes, { timeout: 30_000 });
    await py.client.event('Python hears it', ({ event, share }) => event === 'audio' && share > 0.5);
    py.client.say({ data: 'from Python' });
    await bot.client.event('bytes reach it', ({ event, text }) => event === 'data' && text === 'from Python');
    await leave(bot);
    py.client.say({ leave: true });
    await until('the room is empty', async () => (await rig.server.metric('madang_room_participants')) === 0);
  });
}
