// The network check: every step against the real server, and what it says where something is missing.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { launchChromium } from './lib/browsers.mjs';
import { CheckPage, states } from './lib/check.mjs';
import { Rig } from './lib/rig.mjs';
import { Server, artifacts } from './lib/server.mjs';
import { token } from './lib/token.mjs';
import { until } from './lib/until.mjs';

/** Pictures for people to look at. */
const screens = path.join(artifacts, '../screens');

/** @type {Rig} */
let rig;
before(async () => (rig = await Rig.start({ config: { 'tls.mode': 'self-signed' } })));
after(() => rig.stop());

const devices = { camera: 'passed', microphone: 'passed' };
const network = { signaling: 'passed', addresses: 'passed', nat: 'passed' };
const relays = { udp: 'passed', tcp: 'passed', tls: 'passed' };
const figures = { trip: 'measured', speed: 'measured' };

async function browserWith(t, options) {
  const browser = await launchChromium(options);
  t.after(() => browser.close());
  return browser;
}

test('where nothing is in the way every step passes, over each transport', async (t) => {
  const check = await CheckPage.open(t, rig.browser, rig.server.url);
  const allocated = await rig.server.metric('madang_turn_relayed_bytes_total');
  const result = await check.run();
  assert.deepEqual(states(result), { ...devices, ...network, ...relays, ...figures }, JSON.stringify(result));
  assert.equal(result.verdict.say, 'verdict.good');
  assert.equal(result.verdict.tone, result.verdict.notes.length > 0 ? 'mind' : 'good');
  assert.ok(result.steps.addresses.facts.includes('relay: IPv4'), JSON.stringify(result.steps.addresses));
  for (const name of ['signaling', 'udp', 'tcp', 'tls', 'trip']) assert.match(result.steps[name].value, /ms$/, name);
  assert.match(result.steps.speed.value, /^[\d.]+\+? Mbit\/s$/);
  // The server's own word: the load went through the relay, and it was bounded.
  const relayed = (await rig.server.metric('madang_turn_relayed_bytes_total')) - allocated;
  assert.ok(relayed > 500_000 && relayed < 25_000_000, `${relayed} bytes were relayed`);
  assert.deepEqual(check.faults, []);
});

test('nothing is asked before the person begins, and no device stays open after', async (t) => {
  const requests = [];
  const check = await CheckPage.open(t, rig.browser, rig.server.url, {
    prepare: async (page) => {
      page.on('request', (request) => requests.push(new URL(request.url()).pathname));
      await page.evaluateOnNewDocument(() => {
        window.opened = [];
        const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async (wish) => {
          const stream = await ask(wish);
          window.opened.push(...stream.getTracks());
          return stream;
        };
      });
    },
  });
  const live = () =>
    check.page.evaluate(() => window.opened.map(({ kind, readyState }) => `${kind} ${readyState}`).sort());
  assert.deepEqual(await live(), []);
  assert.ok(!requests.includes('/v1/check'), requests.join(' '));
  await check.run();
  assert.deepEqual(await live(), ['audio ended', 'video ended']);
  assert.ok(requests.includes('/v1/check'), requests.join(' '));
});

test('the report is copied, with addresses shortened unless asked for', async (t) => {
  const { origin } = new URL(rig.server.url);
  const context = rig.browser.defaultBrowserContext();
  const clipboard = ['clipboard-read', 'clipboard-write', 'clipboard-sanitized-write'];
  await context.overridePermissions(origin, ['camera', 'microphone', ...clipboard]);
  t.after(() => context.clearPermissionOverrides());
  const check = await CheckPage.open(t, rig.browser, rig.server.url);
  await check.page.bringToFront();
  await check.run();
  const copied = async () => {
    await check.click('copy');
    const said = () => check.page.evaluate(() => document.querySelector('.report-said').textContent);
    await until('the page says that it was copied', async () => (await said()).startsWith('Copied.'));
    return check.page.evaluate(() => navigator.clipboard.readText());
  };
  const short = await copied();
  assert.equal(short, await check.report());
  assert.match(short, /Calls work well here/);
  assert.match(short, /host udp IPv4 127\.0\.x\.x:\d+/);
  assert.match(short, /relay udp IPv4 127\.0\.x\.x:\d+.*turn\/tls/);
  // The page's own address is the server's, not the person's.
  assert.doesNotMatch(short.replace(origin, ''), /127\.0\.0\.1/);
  await check.click('report-full');
  const full = await copied();
  assert.match(full, /host udp IPv4 127\.0\.0\.1:\d+/);
});

test('without a camera it says so, and goes on', async (t) => {
  const browser = await browserWith(t, { args: ['--use-fake-device-for-media-stream=device-count=0'] });
  const check = await CheckPage.open(t, browser, rig.server.url);
  const result = await check.run();
  assert.equal(result.steps.camera.say, 'check.camera.missing', JSON.stringify(result.steps));
  const expected = { ...devices, camera: 'warning', ...network, ...relays, ...figures };
  assert.deepEqual(states(result), expected, JSON.stringify(result));
  assert.ok(result.verdict.notes.includes('verdict.note.camera'), result.verdict.words);
  assert.equal(result.verdict.tone, 'mind');
});

test('a certificate that the browser does not trust is named, although the page was let pass', async (t) => {
  const browser = await browserWith(t, { trust: false });
  const check = await CheckPage.open(t, browser, rig.server.url);
  const result = await check.run();
  assert.deepEqual(states(result), { ...devices, ...network, ...relays, tls: 'failed', ...figures });
  assert.match(result.steps.tls.words, /does not trust the server’s certificate/);
  assert.equal(result.verdict.notes[0], 'verdict.note.untrusted');
});

test('a browser that is set to send nothing over UDP is told so', async (t) => {
  const browser = await browserWith(t, { args: ['--webrtc-ip-handling-policy=disable_non_proxied_udp'] });
  const check = await CheckPage.open(t, browser, rig.server.url);
  const result = await check.run();
  const expected = { ...network, addresses: 'warning', nat: 'warning', ...relays, udp: 'warning' };
  assert.deepEqual(states(result), { ...devices, ...expected, ...figures }, JSON.stringify(result));
  assert.deepEqual([result.verdict.tone, result.verdict.say], ['mind', 'verdict.browser']);
  assert.match(await check.report(), /\(tcp\)/, 'it is measured over TCP');
});

test('where join tokens are needed the relay is reached without one, and measured with one', async (t) => {
  const secret = 'correct horse battery staple';
  const server = await Server.start({ 'auth.keys': { door: secret }, 'tls.mode': 'self-signed' });
  t.after(() => server.stop());
  const stranger = await (await CheckPage.open(t, rig.browser, server.url)).run();
  const reached = { udp: 'warning', tcp: 'warning', tls: 'warning', trip: 'skipped', speed: 'skipped' };
  assert.deepEqual(states(stranger), { ...devices, ...network, ...reached }, JSON.stringify(stranger));
  assert.equal(stranger.verdict.say, 'verdict.unmeasured');
  assert.equal(await server.metric('madang_turn_allocations'), 0);

  const pass = await token('door', secret, { room: 'yard', identity: 'ann', ttl: '1h' });
  const guest = await (await CheckPage.open(t, rig.browser, server.url, { token: pass })).run();
  assert.deepEqual(states(guest), { ...devices, ...network, ...relays, ...figures }, JSON.stringify(guest));
});

test('a server that went away is named, and nothing else is blamed', async (t) => {
  const server = await Server.start();
  const check = await CheckPage.open(t, rig.browser, server.url);
  await server.stop();
  const result = await check.run();
  assert.deepEqual([result.verdict.tone, result.verdict.say], ['bad', 'verdict.server']);
  assert.deepEqual([result.steps.signaling.state, result.steps.nat.state], ['failed', 'skipped']);
  assert.deepEqual(check.faults, []);
});

test('it speaks Korean, also when the language changes after the check', async (t) => {
  const check = await CheckPage.open(t, rig.browser, rig.server.url, { lang: 'ko' });
  const result = await check.run();
  assert.match(result.verdict.words, /여기서는 통화가 잘돼요/);
  for (const [name, { words }] of Object.entries(result.steps)) assert.match(words, /[가-힣]/, name);
  assert.match(await check.report(), /## 판정/);
  await check.page.evaluate(async () => (await import('/app/i18n.js')).setLang('en'));
  const { verdict, steps } = await check.result();
  assert.match(verdict.words, /Calls work well here/);
  for (const [name, { words }] of Object.entries(steps)) assert.doesNotMatch(words, /[가-힣]/, name);
  assert.match(await check.report(), /## Verdict/);
});

test('the first page leads to it', async (t) => {
  const page = await rig.browser.newPage();
  t.after(() => page.close());
  await page.goto(`${rig.server.url}/?lang=en`);
  await Promise.all([
    page.waitForNavigation(),
    page.evaluate(() => document.querySelector('[data-testid="check"]').click()),
  ]);
  assert.equal(new URL(page.url()).pathname, '/check');
});

const sizes = [
  { width: 1280, height: 800 },
  { width: 390, height: 844 },
];

test('nothing sticks out of the window, in any size, language or theme', async (t) => {
  const check = await CheckPage.open(t, rig.browser, rig.server.url);
  const look = async (when) => {
    for (const lang of ['en', 'ko']) {
      await check.page.evaluate(async (to) => (await import('/app/i18n.js')).setLang(to), lang);
      for (const scheme of ['light', 'dark']) {
        await check.page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
        for (const size of sizes) {
          await check.page.setViewport(size);
          const file = path.join(screens, `check-${when}-${size.width}-${lang}-${scheme}.png`);
          await check.page.screenshot({ path: file, fullPage: true });
          const wide = await check.page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
          assert.ok(wide <= 0, `${wide} px too wide: ${file}`);
        }
      }
    }
  };
  mkdirSync(screens, { recursive: true });
  await look('before');
  await check.run();
  await check.page.evaluate(() => (document.querySelector('.report-details').open = true));
  await look('after');
});
