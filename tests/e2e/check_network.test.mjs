// The network check behind real trouble: a router that lets no UDP pass, and one that is a
// symmetric NAT. Server, router and browser stand in network namespaces of their own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chromiumPath, launchChromium } from './lib/browsers.mjs';
import { CheckPage, states } from './lib/check.mjs';
import { Namespace, connect } from './lib/namespaces.mjs';
import { Server } from './lib/server.mjs';

const addresses = ['203.0.113.100', '203.0.113.101'];

/** Home, router, and a server with two addresses. `rules` are nftables chains of the router. */
async function build(t, rules) {
  const spaces = {};
  t.after(() => Object.values(spaces).forEach((space) => space.remove()));
  for (const label of ['home', 'router', 'far']) spaces[label] = new Namespace(label);
  const { home, router, far } = spaces;
  connect([home, 'out', '192.0.2.2/24'], [router, 'in', '192.0.2.1/24']);
  connect([router, 'out', '203.0.113.1/24'], [far, 'in', `${addresses[0]}/24`]);
  far.run('ip', 'addr', 'add', `${addresses[1]}/24`, 'dev', 'in');
  home.run('ip', 'route', 'add', 'default', 'via', '192.0.2.1');
  far.run('ip', 'route', 'add', 'default', 'via', '203.0.113.1');
  router.run('sysctl', '-q', '-w', 'net.ipv4.ip_forward=1');
  router.run('nft', `table ip test {\n${rules}\n}`);
  const server = await Server.start(
    {
      'http.listen': `${addresses[0]}:0`,
      'turn.listen': addresses.map((address) => `${address}:0`),
      'turn.tls_listen': [`${addresses[0]}:0`],
      'media.listen': [`${addresses[0]}:0`],
      'tls.mode': 'self-signed',
      'auth.open': true,
    },
    { wrap: far.prefix },
  );
  t.after(() => server.stop());
  const browser = await launchChromium({ executablePath: home.wrapper(chromiumPath()), pipe: true });
  t.after(() => browser.close());
  return CheckPage.open(t, browser, server.url);
}

test('where the network blocks UDP calls go through the relay over TCP, and the verdict says so', async (t) => {
  const check = await build(t, 'chain forward { type filter hook forward priority 0; meta l4proto udp drop; }');
  const result = await check.run();
  const { nat, udp, tcp, tls, trip, speed } = states(result);
  assert.deepEqual([nat, udp, tcp, tls], ['failed', 'failed', 'passed', 'passed'], JSON.stringify(result));
  assert.deepEqual([trip, speed], ['measured', 'measured']);
  assert.deepEqual([result.verdict.tone, result.verdict.say], ['mind', 'verdict.tcp_only']);
});

test('a symmetric NAT is seen by its ports, and the verdict names it', async (t) => {
  const check = await build(
    t,
    'chain out { type nat hook postrouting priority 100; oifname "out" masquerade fully-random; }',
  );
  const result = await check.run();
  const { nat, trip, speed, ...others } = states(result);
  assert.deepEqual([trip, speed], ['measured', 'measured']);
  assert.equal(nat, 'warning', JSON.stringify(result));
  assert.deepEqual([...new Set(Object.values(others))], ['passed'], JSON.stringify(result));
  assert.ok(result.steps.addresses.facts.includes('srflx: IPv4'), JSON.stringify(result.steps.addresses));
  assert.equal(result.verdict.say, 'verdict.symmetric');
  assert.match(result.verdict.words, /symmetric NAT, so calls go through the relay/);
  assert.doesNotMatch(await check.report(), /192\.0\.2\.2/);
});

test('a NAT that keeps its port for everyone is the good kind', async (t) => {
  const check = await build(t, 'chain out { type nat hook postrouting priority 100; oifname "out" masquerade; }');
  const result = await check.run();
  assert.equal(result.steps.nat.say, 'check.nat.same', `${JSON.stringify(result)} ${await check.report()}`);
  assert.equal(result.verdict.say, 'verdict.good');
});
