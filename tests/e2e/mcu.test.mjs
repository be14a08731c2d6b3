// Rooms that the server mixes, and people in other rooms who take the mix.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { launchFirefox } from './lib/browsers.mjs';
import { ChildClient } from './lib/child.mjs';
import { everyoneMeets } from './lib/person.mjs';
import { hearsInMix, isMixed, layoutIs, mixPlaces, mixReceived, showsInMix } from './lib/mix.mjs';
import { PythonClient } from './lib/python_client.mjs';
import { Rig, freshRoom } from './lib/rig.mjs';
import { binary } from './lib/server.mjs';
import { until } from './lib/until.mjs';
import { frameTimes } from './lib/webm.mjs';

/** @type {Rig} */
let rig;
before(async () => (rig = await Rig.start()));
after(() => rig.stop());

const query = { topology: 'mcu' };
// Small enough that two cores encode, mix, decode and paint all of them.
const camera = { width: 320, height: 180, fps: 20 };
const viewport = { width: 640, height: 480 };

/** What a tile shows beside an avatar. */
const avatar = { colour: [29, 31, 39] };

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
  const metric = async (name) => (await rig.server.metric(`madang_mix_${name}`)) ?? 0;
  await until('the metrics agree', async () => {
    const found = [await metric('rooms'), await metric('viewers'), await metric('decoding')];
    return found.join() === '1,4,4' || { wait: found };
  });
  assert.ok((await metric('encoded_total')) > 0);
  await people[0].screenshot('mcu-four');

  const [ann, bo, cho, dae] = people;
  await bo.click('camera');
  await showsInMix(ann, people.filter((person) => person !== bo).concat({ ...bo, look: avatar }));
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

test('a shared screen takes the stage, and who talks gets the large tile', async (t) => {
  const room = freshRoom();
  const people = [];
  for (const name of ['Ann', 'Bo', 'Cho']) people.push(await rig.person(t, name, room, { query, camera, viewport }));
  const [ann, bo, cho] = people;
  await showsInMix(ann, people, { timeout: 40_000 });
  await bo.click('screen');
  await until(
    "Bo's screen is large, and everybody is still there",
    async () => {
      const places = await mixPlaces(ann);
      const screen = places.find(({ source }) => source === 'screen');
      const right = screen?.participant === bo.id && screen.width > 0.6 && places.length === 4;
      return right || { wait: places };
    },
    { timeout: 20_000 },
  );
  await showsInMix(ann, people);
  await showsInMix(cho, [bo], { source: 'screen', timeout: 20_000 });
  await ann.screenshot('mcu-screen');
  await bo.click('screen');
  await until('the screen is gone', async () => {
    const places = await mixPlaces(ann);
    return places.every(({ source }) => source === 'camera') || { wait: places };
  });
  await showsInMix(ann, people);

  // All but one fall silent: after a while the floor is theirs.
  await layoutIs(ann, 'speaker');
  for (const person of [ann, bo]) await person.click('mic');
  await until(
    'who talks is large',
    async () => {
      const largest = (await mixPlaces(ann)).sort((one, other) => other.width - one.width)[0];
      return largest?.participant === cho.id || { wait: largest };
    },
    { timeout: 20_000 },
  );
  await showsInMix(ann, people);

  // An arrangement of one's own: Cho fills it, Bo is small in a corner, Ann is nowhere.
  const someone = ({ id }) => ({ what: 'participant', participant: id });
  const regions = [
    { left: 0, top: 0, width: 1, height: 1, z: 0, fill: someone(cho) },
    { left: 0.7, top: 0.7, width: 0.25, height: 0.25, z: 1, fill: someone(bo) },
  ];
  await layoutIs(ann, { kind: 'custom', regions });
  await until('Ann sees what she has arranged', async () => {
    const places = (await mixPlaces(ann)).map(({ participant, left, width }) => [participant, left, width]);
    const is = ([participant, left, width], other, at, wide) =>
      participant === other.id && Math.abs(left - at) < 0.01 && Math.abs(width - wide) < 0.01;
    return (places.length === 2 && is(places[0], cho, 0, 1) && is(places[1], bo, 0.7, 0.25)) || { wait: places };
  });
  await showsInMix(ann, [bo, cho]);
  await layoutIs(ann, 'speaker');
  await showsInMix(ann, people);
  await bo.click('mic');
  await cho.click('mic');
  await until(
    'the next who talks is large',
    async () => {
      const largest = (await mixPlaces(ann)).sort((one, other) => other.width - one.width)[0];
      return largest?.participant === bo.id || { wait: largest };
    },
    { timeout: 20_000 },
  );
  for (const person of people) person.unharmed();
});

test('in a forwarded room one takes the mix and gives it back, and the others see no change', async (t) => {
  const room = freshRoom();
  const people = [];
  for (const name of ['Ann', 'Bo', 'Cho']) {
    people.push(await rig.person(t, name, room, { query: { topology: 'sfu' }, camera, viewport }));
  }
  const [ann, bo, cho] = people;
  await everyoneMeets(people);
  const offers = (person) => person.room((r) => [...r.links.values()].map(({ id, epoch }) => `${id} ${epoch}`));
  const before = [await offers(bo), await offers(cho)];
  const gaps = [bo.watch(cho), cho.watch(bo), bo.watch(ann)];
  for (let round = 0; round < 2; round++) {
    await ann.click('more');
    await ann.click('save-data');
    await showsInMix(ann, people, { timeout: 30_000 });
    await hearsInMix(ann, [bo, cho]);
    await until('what was forwarded is gone', async () => {
      const { videos } = await mixReceivedNow(ann);
      return videos === 1 || { wait: videos };
    });
    assert.deepEqual(await ann.room((r) => [...r.links.values()].map(({ kind }) => kind)), ['sfu']);
    if (round === 0) await ann.screenshot('mcu-saved');
    await bo.meets([ann, cho], { ofCamera: 0.5, timeout: 30_000 });
    await ann.click('more');
    await ann.click('save-data');
    await everyoneMeets(people);
    assert.equal(await ann.room((r) => r.mix), null);
  }
  const stood = [];
  for (const gap of gaps) stood.push(Math.round(await gap.stop()));
  t.diagnostic(`longest times without a new frame, for those who changed nothing: ${stood} ms`);
  assert.ok(Math.max(...stood) < 3000, `${stood} ms`);
  assert.deepEqual([await offers(bo), await offers(cho)], before, 'their links are the same');
  for (const person of people) person.unharmed();
});

/** Pictures that still come: of which bytes were received within a second. */
async function mixReceivedNow(person) {
  const count = () =>
    person.page.evaluate(async () => {
      const bytes = {};
      for (const connection of window.__probe.connections) {
        if (connection.connectionState === 'closed') continue;
        for (const report of (await connection.getStats()).values()) {
          if (report.type === 'inbound-rtp' && report.kind === 'video') bytes[report.id] = report.bytesReceived;
        }
      }
      return bytes;
    });
  const first = await count();
  await new Promise((resolve) => setTimeout(resolve, 1200));
  const second = await count();
  return { videos: Object.keys(second).filter((id) => second[id] > (first[id] ?? 0)).length };
}

/** Runs in the page before its scripts: a browser without VP8. */
function forgetVp8() {
  for (const side of [RTCRtpSender, RTCRtpReceiver]) {
    const native = side.getCapabilities.bind(side);
    side.getCapabilities = (kind) => {
      const all = native(kind);
      return { ...all, codecs: all.codecs.filter(({ mimeType }) => mimeType !== 'video/VP8') };
    };
  }
}

test('whoever sends VP8, VP9, H.264 or AV1, from whatever browser or program, is seen by all and heard', async (t) => {
  const firefox = await launchFirefox();
  t.after(() => firefox.close());
  const room = freshRoom();
  const small = { width: 320, height: 180, fps: 10 };
  const options = (codec) => ({ query: { ...query, ...(codec && { codec }) }, camera: small, viewport });
  // Ann knows no VP8, so the mix comes to her in H.264.
  const before = (page) => page.evaluateOnNewDocument(forgetVp8);
  const ann = await rig.person(t, 'Ann', room, { ...options('h264'), before });
  const bo = await rig.person(t, 'Bo', room, options('vp9'));
  const cho = await rig.person(t, 'Cho', room, { ...options(), browser: firefox });
  const py = { name: 'Py', look: { colour: [150, 50, 170], tone: 2090 } };
  const client = new PythonClient({
    url: rig.server.webSocketUrl,
    room,
    name: py.name,
    tone: py.look.tone,
    colour: py.look.colour.join(),
    'listen-for': bo.look.tone,
  });
  t.after(() => client.end());
  py.id = (await client.event('the client is in', ({ event }) => event === 'welcome', { timeout: 30_000 })).id;
  const all = [ann, bo, cho, py];
  for (const person of [ann, bo, cho]) await showsInMix(person, all, { timeout: 60_000 });
  for (const person of [ann, bo]) await hearsInMix(person, others(person, all), { timeout: 40_000 });
  const sent = async (person) =>
    person.page.evaluate(async () => {
      const reports = [];
      for (const connection of window.__probe.connections) reports.push(...(await connection.getStats()).values());
      const out = reports.find(
        ({ type, kind, bytesSent }) => type === 'outbound-rtp' && kind === 'video' && bytesSent > 0,
      );
      return reports.find(({ id }) => id === out?.codecId)?.mimeType;
    });
  assert.deepEqual([await sent(ann), await sent(bo)], ['video/H264', 'video/VP9']);
  const got = async (person) => (await mixReceived(person)).codec;
  assert.deepEqual([await got(ann), await got(bo)], ['video/H264', 'video/VP8']);
  const isRight = ({ event, colours }) =>
    event === 'mix' &&
    all.every(({ id, look }) => colours[id]?.every((value, i) => Math.abs(value - look.colour[i]) < 50));
  await client.event('Python sees everybody in their tile', isRight, { timeout: 40_000 });
  const hears = ({ event, share }) => event === 'audio' && share > 0.02;
  await client.event("Python hears Bo's tone among the others", hears, { timeout: 40_000 });
  for (const person of [ann, bo, cho]) person.unharmed();

  const dae = await rig.person(t, 'Dae', room, options('av1'));
  await cho.close();
  await showsInMix(ann, [ann, bo, py, dae], { timeout: 60_000 });
  assert.equal(await sent(dae), 'video/AV1');
});

test('a recording bot is one command: the mix becomes a file with everybody in picture and sound', async (t) => {
  const room = freshRoom();
  const ann = await rig.person(t, 'Ann', room, { query, camera, viewport });
  const bo = await rig.person(t, 'Bo', room, { query, camera, viewport });
  await showsInMix(ann, [ann, bo], { timeout: 40_000 });
  const folder = mkdtempSync(path.join(tmpdir(), 'madang-mix-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const args = ['join', `${rig.server.url}/r/${room}`, '--json', '--name', 'Bot', '--mix', '--record', folder];
  const bot = new ChildClient(binary, args);
  t.after(() => bot.end());
  await bot.event('it is in', ({ event }) => event === 'joined');
  await until('the bot is in the picture', async () => (await mixPlaces(ann)).length === 3);
  // Somebody comes, one goes dark for a while, somebody leaves: the picture stops for none of it.
  const cho = await rig.person(t, 'Cho', room, { query, camera, viewport });
  await showsInMix(ann, [ann, bo, cho, { ...bot, id: bot.events[0].participant, look: avatar }], { timeout: 20_000 });
  await bo.click('camera');
  await cho.close();
  await until('Cho is gone', async () => (await mixPlaces(ann)).length === 3);
  await bo.click('camera');
  await new Promise((resolve) => setTimeout(resolve, 5000));
  bot.end('SIGINT');
  const { files } = await bot.event('a summary', ({ event }) => event === 'summary');
  assert.deepEqual(files, [path.join(folder, 'mix-1.webm')]);
  const bytes = readFileSync(files[0]);
  const tracks = [...frameTimes(bytes).values()];
  assert.equal(tracks.length, 2, 'a picture and a sound');
  const ends = tracks.map((times) => times.at(-1));
  assert.ok(Math.abs(ends[0] - ends[1]) < 2000, `they end at ${ends} ms`);
  assert.ok(
    tracks.every((times) => times.length > 50),
    `${tracks.map((times) => times.length)} frames`,
  );
  const gaps = tracks.map((times) => Math.max(...times.slice(1).map((time, i) => time - times[i])));
  t.diagnostic(`the longest gaps: ${gaps} ms`);
  // A machine that runs three browsers as well may be late; a stall would be seconds.
  assert.ok(Math.max(...gaps) < 2000, `${gaps} ms`);

  // Whether it can be played is for a browser to say.
  const player = await rig.browser.newPage();
  t.after(() => player.close());
  await player.setContent('<video muted></video>');
  const played = await player.$eval(
    'video',
    async (video, data, points) => {
      const blob = await (await fetch(data)).blob();
      video.src = URL.createObjectURL(blob);
      const seen = (event) => new Promise((resolve) => video.addEventListener(event, resolve, { once: true }));
      await seen('loadeddata');
      video.currentTime = video.duration - 2;
      await seen('seeked');
      const [width, height] = [video.videoWidth, video.videoHeight];
      const canvas = Object.assign(document.createElement('canvas'), { width, height });
      const context = canvas.getContext('2d');
      context.drawImage(video, 0, 0);
      const colours = points.map(([x, y]) => [...context.getImageData(x * width, y * height, 1, 1).data].slice(0, 3));
      const sounds = video.captureStream().getAudioTracks().length;
      return { duration: video.duration, width, height, colours, sounds };
    },
    `data:video/webm;base64,${bytes.toString('base64')}`,
    // The two of them side by side, and no bot.
    [
      [0.1, 0.4],
      [0.6, 0.4],
    ],
  );
  assert.equal(played.sounds, 1);
  assert.ok(played.duration > 6, `${played.duration} s`);
  for (const [place, person] of [ann, bo].entries()) {
    const seen = played.colours[place];
    assert.ok(Math.max(...seen.map((value, i) => Math.abs(value - person.look.colour[i]))) < 45, `${seen}`);
  }
});
