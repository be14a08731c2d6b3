// Chromium behind every kind of NAT: two people behind the same kind meet, directly where that is
// possible, else through the relay; and with UDP blocked on one side, within six seconds.
// The symmetric kind and the blocked one run always, all six with NATLAB_FULL=1.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chromiumPath, launchChromium } from './lib/browsers.mjs';
import { Internet, kinds, serverAddress } from './lib/nat.mjs';
import { Person } from './lib/person.mjs';
import { freshRoom } from './lib/rig.mjs';
import { Server } from './lib/server.mjs';
import { sleep, until } from './lib/until.mjs';

const direct = ['full cone', 'address-restricted', 'port-restricted'];
const always = ['port-restricted', 'symmetric'];

/** An internet with a server that has HTTPS on 443, as in production. */
async function start(t, config = {}) {
  const internet = new Internet();
  t.after(() => internet.remove());
  const server = await Server.start(
    {
      'http.listen': `${serverAddress}:443`,
      'turn.listen': [`${serverAddress}:3478`],
      'turn.tls_listen': [`${serverAddress}:5349`],
      'turn.allow_peers': ['198.51.100.0/24', '203.0.113.0/24'],
      'tls.mode': 'self-signed',
      'auth.open': true,
      ...config,
    },
    { wrap: internet.space.prefix },
  );
  t.after(() => server.stop());
  return { internet, server };
}

async function launchIn(t, space) {
  const browser = await launchChromium({ executablePath: space.wrapper(chromiumPath()), pipe: true });
  t.after(() => browser.close());
  return browser;
}

/** The server is in a namespace, and so must be who reads its metrics. */
async function relayed(person) {
  const text = await person.page.evaluate(() => fetch('/metrics').then((answer) => answer.text()));
  const lines = text.split('\n').filter((line) => line.startsWith('madang_turn_relayed_bytes_total'));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

for (const kind of Object.keys(kinds)) {
  const skip = process.env.NATLAB_FULL !== '1' && !always.includes(kind);
  const way = direct.includes(kind) ? 'directly' : 'through the relay';
  test(`two people in Chromium behind a NAT each (${kind}) meet ${way}`, { skip }, async (t) => {
    const { internet, server } = await start(t);
    const room = freshRoom();
    const url = (name) => `${server.url}/r/${room}?autojoin&lang=en&name=${name}`;
    const homes = [await internet.home(kind), await internet.home(kind)];
    const browsers = [await launchIn(t, homes[0]), await launchIn(t, homes[1])];
    const ann = await (await Person.open(browsers[0], { name: 'Ann', url: url('Ann') })).joined(30_000);
    const bo = await (await Person.open(browsers[1], { name: 'Bo', url: url('Bo') })).joined(30_000);
    const patience = { timeout: 20_000, fps: 5 };
    await Promise.all([ann.meets([bo], patience), bo.meets([ann], patience)]);
    // A call may begin through the relay and become direct.
    await until(
      `media goes ${way}`,
      async () => {
        const before = await relayed(ann);
        await sleep(1000);
        const grown = (await relayed(ann)) - before;
        return (direct.includes(kind) ? grown < 4000 : grown > 20_000) || { wait: `${grown} bytes in a second` };
      },
      { timeout: 20_000 },
    );
    for (const person of [ann, bo]) person.unharmed();
  });
}

test('with nothing but TCP to port 443 on one side two people in Chromium meet within six seconds', async (t) => {
  // HTTPS, signaling and the relay over TLS share that port.
  const { internet, server } = await start(t);
  const room = freshRoom();
  const url = (name) => `${server.url}/r/${room}?autojoin&lang=en&name=${name}`;
  const homes = [await internet.home('port-restricted'), await internet.home('UDP blocked')];
  internet.onlyTcpTo(443, 2);
  const browsers = [await launchIn(t, homes[0]), await launchIn(t, homes[1])];
  const ann = await (await Person.open(browsers[0], { name: 'Ann', url: url('Ann') })).joined(30_000);
  const bo = await Person.open(browsers[1], { name: 'Bo', url: url('Bo') });
  await bo.joined(30_000);
  const since = performance.now();
  await Promise.all([ann, bo].map(connected));
  const took = performance.now() - since;
  t.diagnostic(`connected ${Math.round(took)} ms after both were in`);
  await Promise.all([ann.sees(bo, { timeout: 20_000, fps: 5 }), bo.sees(ann, { timeout: 20_000, fps: 5 })]);
  const pairs = await bo.page.evaluate(() => window.__probe.pairs());
  assert.deepEqual(
    pairs.map(({ relayProtocol }) => relayProtocol),
    ['tls'],
    JSON.stringify(pairs),
  );
  assert.ok((await relayed(ann)) > 100_000);
  assert.ok(took < 6000, `${took} ms`);
  for (const person of [ann, bo]) person.unharmed();
});

/** Waits until somebody's one connection is there. */
function connected(person) {
  return until(
    `${person.name}'s connection is there`,
    async () => {
      const states = await person.page.evaluate(() => window.__probe.connections.map((each) => each.connectionState));
      return states.includes('connected') || { wait: states };
    },
    { timeout: 20_000, every: 20 },
  );
}
