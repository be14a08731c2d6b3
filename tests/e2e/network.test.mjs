// A network change under a call: the machine's only cable is pulled, and another one with another
// address is plugged in. Server and both browsers stand in network namespaces of their own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chromiumPath, launchChromium } from './lib/browsers.mjs';
import { Namespace, connect } from './lib/namespaces.mjs';
import { Person } from './lib/person.mjs';
import { freshRoom } from './lib/rig.mjs';
import { Server } from './lib/server.mjs';
import { sleep, until } from './lib/until.mjs';

const serverAddress = '203.0.113.100';

/** Ann and Bo, each on a cable to a router; the server stands on the router. */
function build(t) {
  const spaces = {};
  t.after(() => Object.values(spaces).forEach((space) => space.remove()));
  for (const label of ['router', 'ann', 'bo']) spaces[label] = new Namespace(label);
  const { router, ann, bo } = spaces;
  router.run('ip', 'addr', 'add', `${serverAddress}/32`, 'dev', 'lo');
  router.run('sysctl', '-q', '-w', 'net.ipv4.ip_forward=1');
  connect([ann, 'cable1', '198.51.100.2/28'], [router, 'toann1', '198.51.100.1/28']);
  ann.run('ip', 'route', 'add', 'default', 'via', '198.51.100.1');
  connect([bo, 'cable1', '203.0.113.2/28'], [router, 'tobo1', '203.0.113.1/28']);
  bo.run('ip', 'route', 'add', 'default', 'via', '203.0.113.1');
  return spaces;
}

async function personIn(t, space, name, url) {
  const browser = await launchChromium({ executablePath: space.wrapper(chromiumPath()), pipe: true });
  t.after(() => browser.close());
  const person = await Person.open(browser, { name, url });
  return person.joined();
}

test('the network changes under a call: ICE restarts on the same link and the call goes on', async (t) => {
  const { router, ann: annSpace, bo: boSpace } = build(t);
  const server = await Server.start(
    {
      'http.listen': `${serverAddress}:0`,
      'turn.listen': [`${serverAddress}:0`],
      'turn.tls_listen': [`${serverAddress}:0`],
      'tls.mode': 'self-signed',
      'auth.open': true,
    },
    { wrap: router.prefix },
  );
  t.after(() => server.stop());
  const room = freshRoom();
  const url = (name) => `${server.url}/r/${room}?autojoin&lang=en&name=${name}`;
  const ann = await personIn(t, annSpace, 'Ann', url('Ann'));
  const bo = await personIn(t, boSpace, 'Bo', url('Bo'));
  await Promise.all([ann.meets([bo]), bo.meets([ann])]);
  const before = { id: ann.id, connections: await ann.page.evaluate(() => window.__probe.connections.length) };

  annSpace.run('ip', 'link', 'del', 'cable1');
  await sleep(1000);
  connect([annSpace, 'cable2', '198.51.100.18/28'], [router, 'toann2', '198.51.100.17/28']);
  annSpace.run('ip', 'route', 'add', 'default', 'via', '198.51.100.17');
  const changed = performance.now();

  // Frames that arrive now came over the new cable.
  const frames = async (person, other) => (await person.video(other))?.frames ?? 0;
  const still = [await frames(ann, bo), await frames(bo, ann)];
  await until(
    'pictures move again on both sides',
    async () => {
      const now = [await frames(ann, bo), await frames(bo, ann)];
      return (now[0] > still[0] + 5 && now[1] > still[1] + 5) || { wait: { still, now } };
    },
    { timeout: 20_000 },
  );
  t.diagnostic(`pictures moved again ${Math.round(performance.now() - changed)} ms after the new cable was in`);
  await until('signaling is back', () => ann.room((r) => r.state === 'connected'), { timeout: 20_000 });
  await Promise.all([ann.meets([bo]), bo.meets([ann])]);
  await ann.joined();
  assert.equal(ann.id, before.id);
  assert.equal(
    await ann.page.evaluate(() => window.__probe.connections.length),
    before.connections,
    'the PeerConnection was kept',
  );
  ann.unharmed();
  bo.unharmed();
});
