// Rooms that the server mixes, and people in other rooms who take the mix.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { everyoneMeets } from './lib/person.mjs';
import { hearsInMix, isMixed, layoutIs, mixPlaces, mixReceived, showsInMix } from './lib/mix.mjs';
import { Rig, freshRoom } from './lib/rig.mjs';
import { until } from './lib/until.mjs';

/** @type {Rig} */
let rig;
before(async () => (rig = await Rig.start()));
after(() => rig.stop());

const query = { topology: 'mcu' };
// Small enough that two cores encode, mix, decode and paint all of them.
const camera = { width: 320, height: 180, fps: 20 };
const viewport = { width: 640, height: 480 };

const others = (person, people) => people.filter((other) => other !== person);

/** Everyone sees everyone, hears the others, and gets nothing else. */
async function everyoneIsMixed(people, options) {
  for (const person of people) await showsInMix(person, people, options);
  for (const person of people) await hearsInMix(person, others(person, people), options);
}

test('four people in a mixed room see all and hear all but themselves, in one picture and one sound', async (t) => {
  const room = freshRoom();
  const people = [];
  for (const name of ['Ann', 'Bo', 'Cho', 'Dae']) {
    people.push(await rig.person(t, name, room, { query, camera, viewport }));
  }
  await everyoneIsMixed(people, { timeout: 60_000 });
  for (const person of people) {
    await isMixed(person);
    const stats = await person.room((r) => r.getStats());
    assert.deepEqual([stats.topology, stats.uplinks, stats.downlinks], ['mcu', 1, 1]);
    person.unharmed();
  }
  const metric = (name) => rig.server.metric(`madang_mix_${name}`);
  assert.deepEqual([await metric('rooms'), await metric('viewers'), await metric('decoding')], [1, 4, 4]);
  assert.ok((await metric('encoded_total')) > 0);
  await people[0].screenshot('mcu-four');

  const [ann, bo, cho, dae] = people;
  await bo.click('camera');
  await until('Bo is an avatar', async () => {
    const places = await mixPlaces(ann);
    return places.length === 4 || { wait: places };
  });
  await showsInMix(ann, people.filter((person) => person !== bo).concat({ ...bo, look: { colour: [29, 31, 39] } }));
  await bo.click('camera');
  await showsInMix(ann, people);

  await dae.click('leave');
  await everyoneIsMixed([ann, bo, cho]);
  await layoutIs(ann, 'speaker');
  await until('one tile is large', async () => {
    const widths = (await mixPlaces(ann)).map(({ width }) => width);
    return widths.some((width) => width > 0.6) || { wait: widths };
  });
  await showsInMix(ann, [ann, bo, cho]);
  await showsInMix(bo, [ann, bo, cho]);
  assert.ok(
    (await mixPlaces(bo)).every(({ width }) => width < 0.6),
    "Bo's layout is Bo's own",
  );
});
