// Chromium with Firefox, and with a client that is not ours.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchFirefox } from './lib/browsers.mjs';
import { looks } from './lib/person.mjs';
import { PythonClient } from './lib/python_client.mjs';
import { Rig, freshRoom } from './lib/rig.mjs';
import { until } from './lib/until.mjs';

/** @type {Rig} */
let rig;
before(async () => (rig = await Rig.start()));
after(() => rig.stop());

test('Chromium and Firefox see and hear each other, whoever comes first', async (t) => {
  const firefox = await launchFirefox();
  t.after(() => firefox.close());
  for (const order of [
    ['Ann', 'Bo'],
    ['Bo', 'Ann'],
  ]) {
    const room = freshRoom();
    const people = {};
    for (const name of order) {
      people[name] = await rig.person(t, name, room, { browser: name === 'Bo' ? firefox : rig.browser });
    }
    const { Ann: ann, Bo: bo } = people;
    await Promise.all([ann.meets([bo], { timeout: 10_000 }), bo.meets([ann], { timeout: 10_000 })]);
    await bo.chat('안녕 from Firefox');
    await until('chat crosses', () => ann.room((r) => r.messages.some(({ text }) => text === '안녕 from Firefox')));
    await bo.click('mic');
    await until('mute crosses', () =>
      ann.room((r, id) => r.remoteParticipants.get(id).getTrack('microphone')?.isMuted === true, bo.id),
    );
    ann.unharmed();
    bo.unharmed();
    await bo.click('leave');
    await until('the tile is gone', async () => !(await ann.tiles()).some((tile) => tile.startsWith(bo.id)));
    await ann.close();
  }
});

for (const first of ['Chromium', 'Python']) {
  test(`a Python client that knows the protocol alone meets Chromium (${first} comes first)`, async (t) => {
    const room = freshRoom();
    const py = { name: 'Py', look: { colour: [150, 50, 170], tone: 900 } };
    const start = () => {
      const client = new PythonClient({
        url: rig.server.webSocketUrl,
        room,
        name: py.name,
        tone: py.look.tone,
        colour: py.look.colour.join(),
        'listen-for': looks.Ann.tone,
      });
      t.after(() => client.end());
      return client;
    };
    const started = first === 'Python' ? start() : null;
    if (started) await started.event('the client is in', ({ event }) => event === 'welcome');
    const ann = await rig.person(t, 'Ann', room);
    const client = started ?? start();
    py.id = (await client.event('the client is in', ({ event }) => event === 'welcome')).id;

    await ann.meets([py], { timeout: 10_000 });
    const seen = await client.event(
      'Python decodes Chromium',
      ({ event, frames }) => event === 'video' && frames >= 40,
    );
    assert.ok(seen.width >= 320 && seen.height >= 180, JSON.stringify(seen));
    const far = Math.max(...seen.colour.map((value, i) => Math.abs(value - looks.Ann.colour[i])));
    assert.ok(far < 45, `rgb(${seen.colour})`);
    await client.event("Python hears Chromium's tone", ({ event, share }) => event === 'audio' && share > 0.5);

    client.say({ chat: 'hello from Python' });
    await until('chat reaches Chromium', () => ann.room((r) => r.messages.some((m) => m.text === 'hello from Python')));
    await ann.chat('hello from Chromium');
    await client.event('chat reaches Python', ({ event, text }) => event === 'chat' && text === 'hello from Chromium');

    await ann.room((r) => r.localParticipant.publishData(new TextEncoder().encode('bytes'), { topic: 'greeting' }));
    await client.event(
      'bytes reach Python',
      ({ event, topic, payload }) => event === 'data' && topic === 'greeting' && payload === 'bytes',
    );

    client.say({ leave: true });
    await until('the tile is gone', async () => !(await ann.tiles()).some((tile) => tile.startsWith(py.id)), {
      timeout: 2000,
    });
    ann.unharmed();
  });
}
