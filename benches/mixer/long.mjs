// Sixteen people without browsers and one Chromium that shows the time, and another that watches, in a mixed room: whether
// delay, lip sync and memory are after SECONDS (120) what they were at the beginning.
import { readFileSync } from 'node:fs';
import { ChildClient } from '../../tests/e2e/lib/child.mjs';
import { launchChromium } from '../../tests/e2e/lib/browsers.mjs';
import { Person } from '../../tests/e2e/lib/person.mjs';
import { Server, binary } from '../../tests/e2e/lib/server.mjs';
import { until } from '../../tests/e2e/lib/until.mjs';
import { printTable, quantile } from '../lib/table.mjs';
import { installTimeMedia, measureDelays } from '../lib/time_media.mjs';

const seconds = Number(process.env.SECONDS ?? 120);
const natives = Number(process.env.NATIVES ?? 16);
const each = 20;

const server = await Server.start({ 'log.level': 'warn' });
const browser = await launchChromium();
const room = 'long';

const people = Array.from({ length: natives }, (_, index) => {
  // Four of them sound, far from the beep; with the clock they are the five loudest.
  const tone = index < 4 ? ['--tone', String(6000 + 300 * index)] : [];
  const what = ['--publish', 'pattern', ...tone, '--topology', 'mcu'];
  return new ChildClient(binary, [
    'join',
    `${server.url}/r/${room}`,
    '--json',
    '--name',
    `Person ${index + 1}`,
    ...what,
  ]);
});

async function person(name, silent) {
  const url = `${server.url}/r/${room}?${new URLSearchParams({ name, lang: 'en', autojoin: '', topology: 'mcu' })}`;
  const media = { width: 640, height: 360, fps: 15, silent };
  const before = async (page) => {
    // The ear is a script of the bench's, which the page's policy would not let in.
    await page.setBypassCSP(true);
    await page.evaluateOnNewDocument(installTimeMedia, media);
  };
  return (await Person.open(browser, { name, url, viewport: { width: 1280, height: 800 }, before })).joined();
}

const memory = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))[1]) / 1024;

try {
  for (const native of people) await native.event('somebody is in', ({ event }) => event === 'joined');
  const sender = await person('Clock', false);
  const viewer = await person('Viewer', true);
  await until('all are mixed', async () => (await server.metric('madang_mix_decoding')) === natives + 2, {
    timeout: 60_000,
  });
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  const rows = [];
  for (let begun = performance.now(); (performance.now() - begun) / 1000 < seconds;) {
    const delays = await viewer.room(measureDelays, { participant: sender.id, mixed: true, ms: each * 1000 });
    const state = await viewer.room((r) => r.mix.state);
    rows.push([
      `${Math.round((performance.now() - begun) / 1000)} s`,
      ...[0.5, 0.95].map((share) => Math.round(quantile(delays.picture, share))),
      ...[0.5, 0.95].map((share) => Math.round(quantile(delays.sound, share))),
      Math.round(quantile(delays.sound, 0.5) - quantile(delays.picture, 0.5)),
      memory().toFixed(1),
      state.fps,
      state.limited ?? '',
      ...['decodeMs', 'encodeMs', 'soundMs'].map((part) => state.work[part].toFixed(0)),
    ]);
  }
  const head = [
    'after',
    'picture p50 ms',
    'p95',
    'sound p50 ms',
    'p95',
    'picture before sound',
    'server MiB',
    'pictures/s',
  ];
  head.push('limited');
  printTable([...head, 'decoding ms/s', 'pictures ms/s', 'sound ms/s'], rows);
} finally {
  for (const native of people) native.end('SIGINT');
  await browser.close();
  await server.stop();
}
