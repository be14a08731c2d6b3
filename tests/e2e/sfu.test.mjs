// Rooms whose media the server forwards.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { everyoneMeets, looks } from './lib/person.mjs';
import { Rig, freshRoom } from './lib/rig.mjs';
import { connections, isForwarded, layersSent } from './lib/sfu.mjs';
import { until } from './lib/until.mjs';

/** @type {Rig} */
let rig;
before(async () => (rig = await Rig.start()));
after(() => rig.stop());

const query = { topology: 'sfu' };
// Small enough that two cores encode, forward, decode and paint all of them.
const camera = { width: 320, height: 180, fps: 20 };

/** Waits until /metrics say exactly this of rooms that are forwarded. */
function metricsBecome(expected) {
  const of = (part) => rig.server.metric(`madang_room_${part}`, { topology: 'sfu' });
  return until(`metrics are ${JSON.stringify(expected)}`, async () => {
    const found = {};
    for (const key of Object.keys(expected)) found[key] = (await of(key)) ?? 0;
    return Object.keys(expected).every((key) => found[key] === expected[key]) || { wait: found };
  });
}

test('six people in one room see and hear each other, each over one link to the server', async (t) => {
  const room = freshRoom();
  const viewport = { width: 480, height: 320 };
  const people = [];
  for (const name of Object.keys(looks)) {
    people.push(await rig.person(t, name, room, { query, camera: { ...camera, fps: 17 }, viewport }));
  }
  assert.equal(people.length, 6);
  await metricsBecome({ rooms: 1, participants: 6, links: 6 });
  await everyoneMeets(people, { fps: 15 });
  for (const person of people) {
    await isForwarded(person);
    const stats = await person.room((r) => r.getStats());
    assert.deepEqual([stats.topology, stats.uplinks, stats.downlinks], ['sfu', 1, 5]);
    assert.deepEqual(stats.server, { uplinks: 30, downlinks: 6 });
    person.unharmed();
  }
  assert.equal(await rig.server.metric('madang_room_links', { topology: 'mesh' }), 0);
  assert.ok((await rig.server.metric('madang_media_forwarded_packets_total')) > 1000);

  await people.pop().click('leave');
  await metricsBecome({ participants: 5, links: 5 });
  await everyoneMeets(people, { fps: 15 });
});

test('a shared screen reaches everyone, again and again', async (t) => {
  const room = freshRoom();
  const people = [];
  for (const name of ['Ann', 'Bo', 'Cho']) people.push(await rig.person(t, name, room, { query, camera }));
  const [ann, bo, cho] = people;
  await everyoneMeets(people);
  for (let round = 0; round < 2; round++) {
    await bo.click('screen');
    const options = { source: 'screen', fps: 4, width: 1280, height: 720, timeout: 15_000 };
    await Promise.all([ann.sees(bo, options), cho.sees(bo, options)]);
    await bo.click('screen');
    await until('the screen is gone', async () => !(await ann.tiles()).includes(`${bo.id}/screen`));
  }
  await everyoneMeets(people);
  for (const person of people) person.unharmed();
});

test('the picture received follows the size of its tile, and what nobody needs is not sent', async (t) => {
  const room = freshRoom();
  const ann = await rig.person(t, 'Ann', room, { query });
  const bo = await rig.person(t, 'Bo', room, { query, camera: { width: 1280, height: 720, fps: 20 } });
  const lines = async (holds) =>
    until(
      'the picture has the lines of its tile',
      async () => {
        const now = await ann.video(bo);
        if (now && holds(now.height)) return true;
        const track = (r, id) => r.remoteParticipants.get(id).getTrack('camera').delivery;
        const [told, sent] = [await ann.room(track, bo.id), await layersSent(bo)];
        const tile = await ann.page.$eval(`[data-participant="${bo.id}"]`, (tile) => tile.clientHeight);
        return { wait: { got: now, tile, told, sent } };
      },
      { timeout: 20_000 },
    );
  const size = (height) => ann.page.setViewport({ width: Math.round(height * 1.6), height });

  await size(1000);
  await lines((height) => height === 720);
  await size(230);
  await lines((height) => height <= 180);
  await until('only the small layer is sent', async () => {
    const sent = await layersSent(bo);
    return sent.join() === 'l' || { wait: sent };
  });
  const told = await ann.room((r, id) => r.remoteParticipants.get(id).getTrack('camera').delivery, bo.id);
  assert.deepEqual([told.layer, told.reason], ['l', 'size']);
  await size(1000);
  await lines((height) => height === 720);
  await ann.sees(bo, { width: 1280, height: 720, fps: 10, timeout: 15_000 });
  ann.unharmed();
  bo.unharmed();
});

test('a third person moves the room to the server, and everyone still sees everyone', async (t) => {
  const room = freshRoom();
  const ann = await rig.person(t, 'Ann', room, { query: { topology: 'auto' }, camera });
  const bo = await rig.person(t, 'Bo', room, { camera });
  await everyoneMeets([ann, bo]);
  assert.equal(await ann.room((r) => r.topology), 'mesh');
  await ann.page.evaluate((id) => {
    const tile = document.querySelector(`[data-participant="${id}"] video`);
    tile.dataset.known = 'yes';
    window.unsubscribed = 0;
    window.madang.room.on('trackUnsubscribed', () => window.unsubscribed++);
  }, bo.id);
  const gap = ann.watch(bo);
  const cho = await rig.person(t, 'Cho', room, { camera });
  await until('the room is forwarded', async () => (await ann.room((r) => r.topology)) === 'sfu');
  await everyoneMeets([ann, bo, cho]);
  const stood = await gap.stop();
  t.diagnostic(`longest time without a new frame: ${Math.round(stood)} ms`);
  // About a second where three browsers have the cores that they need.
  assert.ok(stood < 15_000, `${stood} ms without a new frame`);
  await until('the old links are closed', async () => (await connections(ann)) === 1, { timeout: 5000 });
  for (const person of [ann, bo, cho]) {
    await isForwarded(person);
    person.unharmed();
  }
  const kept = (id) => document.querySelector(`[data-participant="${id}"] video`).dataset.known;
  assert.equal(await ann.page.evaluate(kept, bo.id), 'yes', 'the element on the page is the same');
  assert.equal(await ann.page.evaluate(() => window.unsubscribed), 0);
  await metricsBecome({ rooms: 1, participants: 3, links: 3 });
});

test('a host chooses how the call travels', async (t) => {
  const room = freshRoom();
  const ann = await rig.person(t, 'Ann', room, { camera });
  const bo = await rig.person(t, 'Bo', room, { camera });
  await everyoneMeets([ann, bo]);
  const choose = async (policy) => {
    await ann.click('more');
    await ann.click('topology', ` [data-value="${policy}"]`);
    await ann.page.keyboard.press('Escape');
    await until(`the room is ${policy}`, async () => (await bo.room((r) => r.topology)) === policy);
    await everyoneMeets([ann, bo], { timeout: 15_000 });
  };
  await choose('sfu');
  await isForwarded(bo);
  await choose('mesh');
  assert.deepEqual(await bo.room((r) => [...r.links.values()].map(({ kind }) => kind)), ['mesh']);
  await bo.click('more');
  await until('the menu is open', () => bo.find('devices'));
  assert.equal(await bo.find('topology'), null, 'who is no host is not asked');
});

test('bytes go to everyone, or to those named', async (t) => {
  const room = freshRoom();
  const people = [];
  for (const name of ['Ann', 'Bo', 'Cho']) people.push(await rig.person(t, name, room, { query, camera }));
  const [ann, bo, cho] = people;
  await everyoneMeets(people);
  for (const person of people) {
    await person.page.evaluate(() => {
      window.heard = [];
      window.madang.room.on('dataReceived', (bytes, from, topic) =>
        window.heard.push(`${from?.name} ${topic} ${bytes.length} ${bytes[0]}`),
      );
    });
  }
  await ann.room((r, to) => {
    const { localParticipant: me } = r;
    void me.publishData(new Uint8Array(60_000).fill(1), { topic: 'all' });
    void me.publishData(Uint8Array.of(2), { topic: 'one', to: [to] });
    void me.publishData(Uint8Array.of(3), { topic: 'lossy', reliable: false });
  }, cho.id);
  const heard = (person) => person.page.evaluate(() => window.heard.toSorted());
  await until('Cho has all three', async () => (await heard(cho)).length === 3);
  await until('Bo has two', async () => (await heard(bo)).length === 2);
  assert.deepEqual(await heard(bo), ['Ann all 60000 1', 'Ann lossy 1 3']);
  assert.deepEqual(await heard(cho), ['Ann all 60000 1', 'Ann lossy 1 3', 'Ann one 1 2']);
  assert.deepEqual(await heard(ann), []);
  assert.equal(
    await ann.room((r) => r.localParticipant.publishData(new Uint8Array(65_536)).catch((error) => error.name)),
    'RangeError',
  );
});

test('the links panel counts one up and the others down, and says why', async (t) => {
  const room = freshRoom();
  const people = [];
  for (const name of ['Ann', 'Bo', 'Cho']) people.push(await rig.person(t, name, room, { query, camera }));
  const [ann] = people;
  await everyoneMeets(people);
  await ann.click('links');
  const figure = async (id) => Number((await ann.text(id)).match(/\d+/)?.[0]);
  await until('one up, two down; six up and three down at the server', async () => {
    const figures = [];
    for (const id of ['links-up', 'links-down', 'links-server-up', 'links-server-down']) figures.push(await figure(id));
    return figures.join() === '1,2,6,3' || { wait: figures };
  });
  assert.match(
    await ann.page.$eval('.links-text', (each) => each.textContent),
    /Three or more meet.*send your picture once/,
  );
  await until('each stream has its row, and layers are named', async () => {
    const rows = await ann.page.$$eval('[data-testid="stream-row"]', (all) =>
      all.map(({ dataset, textContent }) => `${dataset.direction} ${dataset.layer ?? ''} ${textContent}`),
    );
    const downs = rows.filter((row) => row.startsWith('down'));
    const isWhole = downs.length === 4 && downs.some((row) => /^down [hml] /.test(row)) && /up h/.test(rows.join());
    return isWhole || { wait: rows };
  });
  await ann.click('link-row', ' button');
  await until('the inspector tells of ICE lite and layers', async () => {
    const offer = await ann.text('inspector-offer');
    return (/a=ice-lite/.test(offer) && /a=simulcast:recv/.test(offer)) || { wait: offer.slice(0, 300) };
  });
  ann.unharmed();
});
