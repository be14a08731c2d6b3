// What mixing adds to the delay from one Chromium's camera and microphone to another's screen and loudspeaker: the same
// two pages in a mesh, and in a room that is mixed, in turn. SECONDS for each, ROUNDS of which all values count.
import { launchChromium } from '../../tests/e2e/lib/browsers.mjs';
import { Person } from '../../tests/e2e/lib/person.mjs';
import { Server } from '../../tests/e2e/lib/server.mjs';
import { until } from '../../tests/e2e/lib/until.mjs';
import { printTable, quantile } from '../lib/table.mjs';
import { installTimeMedia, measureDelays } from '../lib/time_media.mjs';

const seconds = Number(process.env.SECONDS ?? 20);
const rounds = Number(process.env.ROUNDS ?? 3);

const server = await Server.start();
const browser = await launchChromium();

async function person(name, room, topology, silent) {
  const url = `${server.url}/r/${room}?${new URLSearchParams({ name, lang: 'en', autojoin: '', topology })}`;
  const media = { width: 640, height: 360, fps: 30, silent };
  const before = (page) => page.evaluateOnNewDocument(installTimeMedia, media);
  return (await Person.open(browser, { name, url, viewport: { width: 800, height: 600 }, before })).joined();
}

async function measure(topology, round) {
  const room = `delay-${topology}-${round}`;
  const sender = await person('Ann', room, topology, false);
  const viewer = await person('Bo', room, topology, true);
  const mixed = topology === 'mcu';
  await until(
    'the picture is there',
    () =>
      viewer.room(
        (r, id, isMixed) =>
          isMixed
            ? document.querySelector('[data-testid="mix-video"]')?.videoWidth > 0 && r.mix?.state?.places.length === 2
            : document.querySelector(`[data-testid="tile"][data-participant="${id}"] video`)?.videoWidth > 0,
        sender.id,
        mixed,
      ),
    { timeout: 30_000 },
  );
  // Jitter buffers find their size, and sender reports come.
  await new Promise((resolve) => setTimeout(resolve, 8000));
  const delays = await viewer.room(measureDelays, { participant: sender.id, mixed, ms: seconds * 1000 });
  await sender.close();
  await viewer.close();
  return delays;
}

try {
  const all = { mesh: { picture: [], sound: [] }, mcu: { picture: [], sound: [] } };
  for (let round = 0; round < rounds; round++) {
    for (const topology of ['mesh', 'mcu']) {
      const { picture, sound } = await measure(topology, round);
      all[topology].picture.push(...picture);
      all[topology].sound.push(...sound);
      process.stderr.write(`${topology}: ${picture.length} pictures, ${sound.length} beeps\n`);
    }
  }
  const rows = ['picture', 'sound'].map((kind) => {
    const [mesh, mcu] = [all.mesh[kind], all.mcu[kind]];
    const at = (values, share) => Math.round(quantile(values, share));
    const added = (share) => at(mcu, share) - at(mesh, share);
    const figures = [at(mesh, 0.5), at(mesh, 0.95), at(mcu, 0.5), at(mcu, 0.95), added(0.5), added(0.95)];
    return [kind, ...figures.map(String), `${mesh.length}, ${mcu.length}`];
  });
  const head = ['', 'mesh p50 ms', 'p95', 'mixed p50 ms', 'p95', 'added p50', 'added p95', 'values'];
  printTable(head, rows);
} finally {
  await browser.close();
  await server.stop();
}
