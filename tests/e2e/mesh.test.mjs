// Two and four people, media straight between their browsers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { everyoneMeets } from './lib/person.mjs';
import { Rig, freshRoom } from './lib/rig.mjs';
import { until } from './lib/until.mjs';

/** @type {Rig} */
let rig;
before(async () => (rig = await Rig.start()));
after(() => rig.stop());

/** What /metrics says of mesh rooms. */
async function mesh() {
  const of = (part) => rig.server.metric(`madang_room_${part}`, { topology: 'mesh' });
  return { rooms: await of('rooms'), participants: await of('participants'), links: await of('links') };
}

/** Waits until /metrics say exactly this. */
function metricsBecome(expected) {
  return until(`metrics are ${JSON.stringify(expected)}`, async () => {
    const found = await mesh();
    return Object.keys(expected).every((key) => (found[key] ?? 0) === expected[key]) || { wait: found };
  });
}

test('two people see and hear each other within five seconds, and the metrics say so', async (t) => {
  const room = freshRoom();
  const ann = await rig.person(t, 'Ann', room);
  const bo = await rig.person(t, 'Bo', room);
  await everyoneMeets([ann, bo]);
  await metricsBecome({ rooms: 1, participants: 2, links: 1 });
  for (const person of [ann, bo]) {
    assert.equal(await person.room((r) => r.topology), 'mesh');
    await person.goesBy('direct');
    person.unharmed();
  }
  assert.equal(await rig.server.metric('madang_turn_relayed_bytes_total'), 0);

  await bo.click('leave');
  await until(
    'the tile of someone who left is gone',
    async () => !(await ann.tiles()).some((tile) => tile.startsWith(bo.id)),
    {
      timeout: 2000,
    },
  );
  await metricsBecome({ participants: 1, links: 0 });
});

test('four people see and hear each other, over three links each', async (t) => {
  await metricsBecome({ rooms: 0, participants: 0 });
  const room = freshRoom();
  const people = [];
  // Twelve encoders and twelve decoders run at once beside the server; two cores have to do.
  const camera = { width: 320, height: 180, fps: 24 };
  // Left to itself, a room of more than two goes through the server.
  const query = { topology: 'mesh' };
  for (const name of ['Ann', 'Bo', 'Cho', 'Dae']) people.push(await rig.person(t, name, room, { camera, query }));
  await everyoneMeets(people, { fps: 10 });
  await metricsBecome({ rooms: 1, participants: 4, links: 6 });

  for (const person of people) {
    const stats = await person.room((r) => r.getStats());
    assert.equal(stats.uplinks, 3);
    assert.equal(stats.downlinks, 3);
    assert.deepEqual(stats.server, { uplinks: 0, downlinks: 0 });
    person.unharmed();
  }

  const gone = people.pop();
  // A click takes its time beside so many encoders; "closing the tab" below tells how fast it goes.
  await gone.click('leave');
  await Promise.all(
    people.map((person) =>
      until(
        `${person.name} no longer has a tile of ${gone.name}`,
        async () => !(await person.tiles()).some((tile) => tile.startsWith(gone.id)),
        {
          timeout: 10_000,
        },
      ),
    ),
  );
  await metricsBecome({ participants: 3, links: 3 });
  await everyoneMeets(people);
});

test('closing the tab is leaving: the tile is gone within two seconds', async (t) => {
  const room = freshRoom();
  const ann = await rig.person(t, 'Ann', room);
  const bo = await rig.person(t, 'Bo', room);
  await ann.sees(bo);
  await bo.page.close({ runBeforeUnload: false });
  await until('the tile is gone', async () => !(await ann.tiles()).some((tile) => tile.startsWith(bo.id)), {
    timeout: 2000,
  });
});

test('the links panel counts n-1 uplinks and downlinks, and none for the server', async (t) => {
  const room = freshRoom();
  const ann = await rig.person(t, 'Ann', room, { query: { topology: 'mesh' } });
  const bo = await rig.person(t, 'Bo', room);
  const cho = await rig.person(t, 'Cho', room);
  await ann.meets([bo, cho]);
  await ann.click('links');
  const figure = async (id) => Number((await ann.text(id)).match(/\d+/)?.[0]);
  await until('two up, two down, none at the server', async () => {
    const figures = [];
    for (const id of ['links-up', 'links-down', 'links-server-up', 'links-server-down']) figures.push(await figure(id));
    return figures.join() === '2,2,0,0' || { wait: figures };
  });
  await until('a row for each link', async () => (await ann.page.$$('[data-testid="link-row"]')).length === 2);

  await ann.click('link-row', ' button');
  await until('the inspector opens', () => ann.find('inspector'));
  await until('it shows an offer and an answer', async () => {
    const [offer, answer] = [await ann.text('inspector-offer'), await ann.text('inspector-answer')];
    return (
      (/a=fingerprint|fingerprint/i.test(offer) && /VP8/.test(offer) && /opus/i.test(answer)) || {
        wait: offer.slice(0, 200),
      }
    );
  });
  assert.match(await ann.text('inspector-pairs'), /host|direct/i);
  ann.unharmed();

  await cho.click('leave');
  await until(
    'one up, one down is left',
    async () => (await figure('links-up')) === 1 && (await figure('links-down')) === 1,
  );
});
