// What people do in a room, seen by the others.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Rig, freshRoom } from './lib/rig.mjs';
import { sleep, until } from './lib/until.mjs';

/** @type {Rig} */
let rig;
before(async () => (rig = await Rig.start()));
after(() => rig.stop());

async function pair(t) {
  const room = freshRoom();
  const ann = await rig.person(t, 'Ann', room);
  const bo = await rig.person(t, 'Bo', room);
  await Promise.all([ann.sees(bo), bo.sees(ann)]);
  return { room, ann, bo };
}

/** What `seer` knows of a track of `other`. */
const track = (seer, other, source) =>
  seer.room(
    (r, id, from) => {
      const found = r.remoteParticipants.get(id)?.getTrack(from);
      return found ? { isMuted: found.isMuted } : null;
    },
    other.id,
    source,
  );

test('a shared screen becomes a tile of its own, and goes when sharing ends', async (t) => {
  const { ann, bo } = await pair(t);
  await ann.click('screen');
  await until('Bo has a tile of the screen', async () => (await bo.tiles()).includes(`${ann.id}/screen`));
  await bo.sees(ann, { source: 'screen', fps: 4, width: 1280, height: 720, timeout: 8000 });
  await bo.sees(ann);
  await ann.click('screen');
  await until('the tile is gone', async () => !(await bo.tiles()).includes(`${ann.id}/screen`), { timeout: 2000 });
  // A second time, on transceivers used before; and from the other side, who does not offer.
  for (const [giver, seer] of [
    [bo, ann],
    [ann, bo],
  ]) {
    await giver.click('screen');
    await seer.sees(giver, { source: 'screen', fps: 4, width: 1280, height: 720, timeout: 8000 });
    await giver.click('screen');
    await until('the tile is gone', async () => !(await seer.tiles()).includes(`${giver.id}/screen`), {
      timeout: 2000,
    });
  }
  ann.unharmed();
  bo.unharmed();
});

test('chat: text as it was written, never as HTML', async (t) => {
  const { ann, bo } = await pair(t);
  const lines = ['안녕하세요, 마당입니다', '<img src=x onerror="document.title=1">', 'see https://example.com/a?b=c&d'];
  for (const line of lines) await ann.chat(line);
  await bo.openPanel('chat');
  await until('Bo reads them in order', async () => {
    const found = await bo.chatLines();
    return (found.length === 3 && lines.every((line, i) => found[i].includes(line))) || { wait: found };
  });
  assert.equal(await bo.page.$('[data-testid="chat-message"] img'), null);
  const link = await bo.page.$eval('[data-testid="chat-message"] a', (a) => ({ href: a.href, rel: a.rel }));
  assert.equal(link.href, 'https://example.com/a?b=c&d');
  assert.match(link.rel, /noopener|noreferrer/);
});

test('bytes go over data channels: reliable to everyone, lossy, and to one alone', async (t) => {
  const { room, ann, bo } = await pair(t);
  const cho = await rig.person(t, 'Cho', room);
  await Promise.all([ann.sees(cho), bo.sees(cho), cho.meets([ann, bo])]);
  for (const person of [bo, cho]) {
    await person.room((r) => {
      window.received = [];
      r.on('dataReceived', (bytes, from, topic) =>
        window.received.push([new TextDecoder().decode(bytes), from.id, topic ?? '']),
      );
    });
  }
  const messages = () => rig.server.metric('madang_signaling_messages_total');
  const large = 'x'.repeat(40_000);
  await ann.room((r) => r.localParticipant.publishData(new TextEncoder().encode('all'), { topic: 'a' }));
  await ann.room(
    (r, text) => r.localParticipant.publishData(new TextEncoder().encode(text), { topic: 'large' }),
    large,
  );
  await ann.room((r) =>
    r.localParticipant.publishData(new TextEncoder().encode('lossy'), { reliable: false, topic: 'b' }),
  );
  await ann.room(
    (r, id) => r.localParticipant.publishData(new TextEncoder().encode('only Bo'), { to: [id], topic: 'c' }),
    bo.id,
  );
  const sorted = (rows) => rows.map((row) => row.join('|')).sort();
  const shared = [
    ['all', ann.id, 'a'],
    [large, ann.id, 'large'],
    ['lossy', ann.id, 'b'],
  ];
  for (const [person, expected] of [
    [bo, [...shared, ['only Bo', ann.id, 'c']]],
    [cho, shared],
  ]) {
    await until(`${person.name} has its bytes`, async () => {
      const found = await person.page.evaluate(() => window.received);
      return (
        JSON.stringify(sorted(found)) === JSON.stringify(sorted(expected)) || {
          wait: found.map((row) => row[0].slice(0, 20)),
        }
      );
    });
  }
  assert.ok((await messages()) > 0);
});

test('a raised hand, a changed name, a muted microphone and a dark camera are seen by the other', async (t) => {
  const { ann, bo } = await pair(t);
  await ann.click('hand');
  await until('Bo sees the hand', () => bo.room((r, id) => r.remoteParticipants.get(id).handRaised, ann.id));
  await ann.click('hand');
  await until('Bo sees it lowered', () => bo.room((r, id) => !r.remoteParticipants.get(id).handRaised, ann.id));

  await ann.room((r) => r.localParticipant.setName('Anna 안나'));
  await until('Bo reads the new name on the tile', () =>
    bo.page.$eval(`[data-testid="tile"][data-participant="${ann.id}"]`, (tile) =>
      tile.textContent.includes('Anna 안나'),
    ),
  );

  await bo.hears(ann);
  await ann.click('mic');
  await until('Bo knows that Ann is muted', async () => (await track(bo, ann, 'microphone'))?.isMuted);
  await until('and hears nothing', async () => {
    const sound = await bo.page.evaluate((id) => window.__probe.sound(id), ann.id);
    return sound.decibels < -90 || sound.decibels === null || { wait: sound };
  });
  await ann.click('mic');
  await until('Bo knows that Ann speaks again', async () => (await track(bo, ann, 'microphone'))?.isMuted === false);
  await bo.hears(ann);

  await ann.click('camera');
  await until('Bo knows that the camera is off', async () => {
    const camera = await track(bo, ann, 'camera');
    return camera === null || camera.isMuted;
  });
  const still = (await bo.video(ann))?.frames ?? 0;
  await sleep(1500);
  const later = (await bo.video(ann))?.frames ?? 0;
  assert.ok(later - still < 5, `${later - still} frames came from a camera that is off`);
  await ann.click('camera');
  await bo.sees(ann);
  ann.unharmed();
  bo.unharmed();
});

test('who speaks is seen by the others', async (t) => {
  const { ann, bo } = await pair(t);
  await bo.click('mic');
  await until('Bo sees that Ann speaks', () =>
    bo.room((r, id) => r.activeSpeakers.some((speaker) => speaker.id === id), ann.id),
  );
  await until('Ann does not think that Bo does', () =>
    ann.room((r, id) => !r.activeSpeakers.some((speaker) => speaker.id === id), bo.id),
  );
});

test('the first in a room is its host: mutes, removes and locks', async (t) => {
  const { room, ann, bo } = await pair(t);
  assert.equal(await ann.room((r) => r.localParticipant.role), 'host');
  assert.equal(await bo.room((r) => r.localParticipant.role), 'participant');
  const refused = await bo.room(
    (r, id) =>
      r.kick(id).then(
        () => 'allowed',
        (error) => error.code,
      ),
    ann.id,
  );
  assert.equal(refused, 'forbidden');

  await ann.openPanel('people');
  await ann.page.$eval(
    `[data-testid="person"][data-participant="${bo.id}"] [data-testid="person-actions"]`,
    (button) => {
      if (button.getAttribute('aria-expanded') !== 'true') button.click();
    },
  );
  await ann.click('host-mute');
  await until("Bo's own page shows that it is muted", () =>
    bo.room((r) => r.localParticipant.isMicrophoneEnabled === false),
  );
  await until('Ann sees it', async () => (await track(ann, bo, 'microphone'))?.isMuted);

  await ann.click('lock');
  await until('the room is locked', () => bo.room((r) => r.locked));
  const cho = await rig.person(t, 'Cho', room, { wait: false });
  await until('Cho stays outside and is told why', async () => (await cho.notices()).includes('room_locked'));
  await ann.click('lock');
  await until('the room is open', () => bo.room((r) => !r.locked));
  await cho.page.goto(cho.url);
  await cho.joined();
  await cho.sees(ann);

  await ann.room((r, id) => r.kick(id), bo.id);
  await until('Bo is told', async () => (await bo.notices()).includes('kicked'));
  await until('Bo is gone', async () => !(await ann.tiles()).some((tile) => tile.startsWith(bo.id)), { timeout: 2000 });

  await ann.click('leave');
  await until('the one who stays becomes host', () => cho.room((r) => r.localParticipant.role === 'host'));
});

test('under a limit the picture shrinks, the sound goes on, and the page says why', async (t) => {
  const { ann, bo } = await pair(t);
  await ann.hears(bo);
  const wide = await ann.video(bo);
  await ann.room((r, id) => r.setBitrateLimit(120_000, id), bo.id);
  await until(
    'Ann gets a smaller picture of Bo',
    async () => {
      const now = await ann.video(bo);
      return now.width < wide.width || { wait: `${now.width}x${now.height}` };
    },
    { timeout: 15_000 },
  );
  await ann.hears(bo);
  await until('Bo reads why', () => bo.page.$eval('[data-testid="bitrate-notice"]', (notice) => !notice.hidden), {
    timeout: 15_000,
  });
  await ann.room((r, id) => r.setBitrateLimit(40_000, id), bo.id);
  await until(
    'Ann gets no picture of Bo any more',
    async () => {
      const before = (await ann.video(bo)).frames;
      await sleep(1000);
      const after = (await ann.video(bo)).frames;
      return after === before || { wait: `${after - before} frames in a second` };
    },
    { timeout: 15_000 },
  );
  await ann.hears(bo);
  await ann.room((r, id) => r.setBitrateLimit(null, id), bo.id);
  await ann.sees(bo, { timeout: 15_000 });
  await until('the notice is gone', () => bo.page.$eval('[data-testid="bitrate-notice"]', (notice) => notice.hidden), {
    timeout: 15_000,
  });
});
