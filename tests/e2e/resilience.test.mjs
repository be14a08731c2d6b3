// What happens to a call when something breaks under it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Proxy } from './lib/proxy.mjs';
import { Rig, freshRoom } from './lib/rig.mjs';
import { sleep, until } from './lib/until.mjs';

/** @type {Rig} */
let rig;
before(async () => (rig = await Rig.start()));
after(() => rig.stop());

test('signaling cut for ten seconds: video never stops, chat arrives once and in order', async (t) => {
  const proxy = await Proxy.start(rig.server.url);
  rig.onStop(() => proxy.stop());
  const room = freshRoom();
  const ann = await rig.person(t, 'Ann', room);
  const bo = await rig.person(t, 'Bo', room, { base: proxy.url });
  await Promise.all([ann.meets([bo]), bo.meets([ann])]);
  const connections = await bo.page.evaluate(() => window.__probe.connections.length);

  const watches = [ann.watch(bo), bo.watch(ann)];
  proxy.goDark();
  await until('Bo notices', () => bo.room((r) => r.state === 'reconnecting'));
  await until('Ann sees that Bo is away', () =>
    ann.room((r, id) => r.remoteParticipants.get(id)?.presence === 'away', bo.id),
  );
  for (const line of ['from Ann, one', 'from Ann, two', 'from Ann, three'])
    await ann.room((r, text) => r.sendChat(text), line);
  // Not awaited: these wait in the page until signaling is back.
  for (const line of ['from Bo, one', 'from Bo, two', 'from Bo, three']) {
    await bo.room((r, text) => void r.sendChat(text).catch(() => {}), line);
  }
  await sleep(10_000);
  assert.equal(await bo.room((r) => r.state), 'reconnecting');
  proxy.comeBack();
  await until('Bo is back', () => bo.room((r) => r.state === 'connected'));

  const texts = (person, start) =>
    person.room((r, s) => r.messages.map((m) => m.text).filter((m) => m.startsWith(s)), start);
  const three = (who) => ['one', 'two', 'three'].map((count) => `from ${who}, ${count}`);
  for (const person of [ann, bo]) {
    for (const who of ['Ann', 'Bo']) {
      await until(`${person.name} has what ${who} wrote, once and in order`, async () => {
        const found = await texts(person, `from ${who}`);
        return JSON.stringify(found) === JSON.stringify(three(who)) || { wait: found };
      });
    }
  }
  await sleep(1000);
  for (const person of [ann, bo]) {
    for (const who of ['Ann', 'Bo']) assert.deepEqual(await texts(person, `from ${who}`), three(who));
  }
  const gaps = await Promise.all(watches.map((watch) => watch.stop()));
  assert.ok(Math.max(...gaps) < 1500, `pictures stood still for ${gaps.map(Math.round)} ms`);
  assert.equal(
    await bo.page.evaluate(() => window.__probe.connections.length),
    connections,
    'the link was kept, not made again',
  );
  assert.equal(await ann.room((r, id) => r.remoteParticipants.get(id)?.presence, bo.id), 'present');
  ann.unharmed();
  bo.unharmed();
});

test('a reloaded page comes back as the same participant and leaves no ghost', async (t) => {
  const room = freshRoom();
  const ann = await rig.person(t, 'Ann', room);
  const bo = await rig.person(t, 'Bo', room);
  await Promise.all([ann.meets([bo]), bo.meets([ann])]);
  const before = bo.id;
  await bo.page.reload({ waitUntil: 'domcontentloaded' });
  await bo.joined();
  assert.equal(bo.id, before);
  await Promise.all([ann.meets([bo]), bo.meets([ann])]);
  assert.deepEqual(await ann.room((r) => [...r.remoteParticipants.keys()]), [bo.id]);
  const cameras = (await ann.tiles()).filter((tile) => tile.endsWith('/camera'));
  assert.deepEqual(cameras.sort(), [`${ann.id}/camera`, `${bo.id}/camera`].sort());
  assert.equal(await rig.server.metric('madang_room_participants', { topology: 'mesh' }), 2);
});

test('the server is killed and started again: everyone is back with video by themselves', async (t) => {
  const own = await Rig.start();
  t.after(() => own.stop());
  const room = freshRoom();
  const ann = await own.person(t, 'Ann', room);
  const bo = await own.person(t, 'Bo', room);
  await Promise.all([ann.meets([bo]), bo.meets([ann])]);

  await own.server.kill();
  await until(
    'both notice',
    async () =>
      (await ann.room((r) => r.state)) === 'reconnecting' && (await bo.room((r) => r.state)) === 'reconnecting',
  );
  await sleep(3000);
  await own.server.restart();
  const ready = performance.now();
  await Promise.all(
    [ann, bo].map((person) =>
      until(`${person.name} is connected again`, () => person.room((r) => r.state === 'connected'), { timeout: 5000 }),
    ),
  );
  for (const person of [ann, bo]) await person.joined();
  await Promise.all(
    [
      [ann, bo],
      [bo, ann],
    ].map(([person, other]) =>
      until(`${person.name} decodes ${other.name}`, async () => (await person.video(other))?.frames > 0),
    ),
  );
  const took = performance.now() - ready;
  assert.ok(took < 5000, `video was back ${Math.round(took)} ms after the ready line`);
  await Promise.all([ann.sees(bo), bo.sees(ann)]);
  await Promise.all([ann.hears(bo), bo.hears(ann)]);
  assert.equal(await own.server.metric('madang_room_participants', { topology: 'mesh' }), 2);
  assert.equal((await ann.room((r) => [...r.remoteParticipants.keys()])).length, 1);
});
