// From the click on Join, with the camera open, to the first remote picture on screen: madang's page,
// and a bare page with a tiny relay, in turn, in the same browser on the same machine.
import os from 'node:os';
import { launchChromium } from '../tests/e2e/lib/browsers.mjs';
import { Server } from '../tests/e2e/lib/server.mjs';
import { until } from '../tests/e2e/lib/until.mjs';
import { startBareServer } from './lib/bare_server.mjs';
import { installClock } from './lib/clock.mjs';
import { median, printTable, quantile } from './lib/table.mjs';

const runs = Number(process.env.RUNS ?? 15);

/** The steps in the order of docs/performance.md: from one mark to another. */
const steps = [
  ['signaling', 'click', 'answered'],
  ['gathering', 'click', 'gathered'],
  ['checks', 'answered', 'checked'],
  ['DTLS', 'checked', 'secured'],
  ['first keyframe', 'secured', 'keyframe'],
  ['decode', 'keyframe', 'shown'],
  ['total', 'click', 'shown'],
];

async function openPage(browser, url) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.evaluateOnNewDocument(installClock);
  await page.goto(url, { waitUntil: 'load' });
  return page;
}

/** Clicks with the mouse where the element is. */
const click = (page, selector) => page.locator(selector).click();

const picture = (page) =>
  until('the first picture is on screen', () => page.evaluate(() => window.__marks.shown && window.__marks), {
    timeout: 30_000,
    every: 20,
  });

async function madang(browser, server, run) {
  const url = (name) => `${server.url}/r/bench-${process.pid}-${run}?lang=en&name=${name}`;
  const first = await openPage(browser, `${url('First')}&autojoin`);
  await until('the first is in', () => first.evaluate(() => window.madang?.room?.state === 'connected'), {
    timeout: 30_000,
  });
  const second = await openPage(browser, url('Second'));
  await until(
    'the camera is open',
    () => second.evaluate(() => [...document.querySelectorAll('video')].some((video) => video.videoWidth > 0)),
    {
      timeout: 30_000,
    },
  );
  await new Promise((resolve) => setTimeout(resolve, 1000));
  await click(second, '[data-testid="join"]');
  const marks = await picture(second);
  await Promise.all([first.browserContext().close(), second.browserContext().close()]);
  return marks;
}

async function bare(browser, server) {
  const first = await openPage(browser, server.url);
  const second = await openPage(browser, server.url);
  for (const page of [first, second]) await page.waitForSelector('[data-ready]');
  await click(first, '#join');
  await new Promise((resolve) => setTimeout(resolve, 1000));
  await click(second, '#join');
  const marks = await picture(second);
  await Promise.all([first.browserContext().close(), second.browserContext().close()]);
  return marks;
}

const server = await Server.start();
const bareServer = await startBareServer();
const browser = await launchChromium();
const found = { madang: [], bare: [] };
try {
  // The first run of each warms the browser and does not count.
  for (let run = 0; run <= runs; run++) {
    const pair = { madang: await madang(browser, server, run), bare: await bare(browser, bareServer) };
    if (run > 0) for (const [name, marks] of Object.entries(pair)) found[name].push(marks);
    process.stderr.write('.');
  }
  process.stderr.write('\n');
} finally {
  await browser.close();
  bareServer.stop();
  await server.stop();
}

const figures = (name, from, to) => found[name].map((marks) => marks[to] - marks[from]).filter(Number.isFinite);
const show = (values) => (values.length ? Math.round(median(values)) : '–');
const spread = (values) =>
  values.length ? `${Math.round(quantile(values, 0.1))}…${Math.round(quantile(values, 0.9))}` : '–';
console.log(`\nFrom the click on Join to the first picture: median of ${runs} runs, in ms (10 % … 90 %)`);
console.log(`${os.cpus()[0].model}, ${os.cpus().length} cores, Linux ${os.release()}\n`);
printTable(
  ['step', 'madang', 'spread', 'bare page', 'spread'],
  steps.map(([name, from, to]) => {
    const [ours, theirs] = [figures('madang', from, to), figures('bare', from, to)];
    return [name, show(ours), spread(ours), show(theirs), spread(theirs)];
  }),
);
