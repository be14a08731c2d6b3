// What a person is told, and can still do, when something is missing, refused or wrong.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Rig, freshRoom } from './lib/rig.mjs';
import { Server } from './lib/server.mjs';
import { token } from './lib/token.mjs';
import { until } from './lib/until.mjs';

/** @type {Rig} */
let rig;
before(async () => (rig = await Rig.start()));
after(() => rig.stop());

const text = (person) => person.page.$eval('body', (body) => body.innerText);

/** Opens the pre-join screen, with media that fails as named. */
const atTheDoor = (t, name, room, options) => {
  const url = rig.url(room, name, {}).replace('autojoin=', 'x=');
  return rig.person(t, name, room, { wait: false, before: undefined, ...options, url });
};

for (const [what, fault, faultOf, words] of [
  ['is missing', 'NotFoundError', 'video', /camera/i],
  ['was refused', 'NotAllowedError', undefined, /camera|microphone|permission|allow|block/i],
  ['is busy', 'NotReadableError', 'video', /camera/i],
]) {
  test(`the camera ${what}: the page says so, and joining works`, async (t) => {
    const room = freshRoom();
    const bo = await rig.person(t, 'Bo', room);
    const ann = await atTheDoor(t, 'Ann', room, { fault, faultOf });
    await until('the page says which and what to do', async () =>
      words.test(await ann.page.$eval('.pre-problem', (p) => (p.hidden ? '' : p.innerText))),
    );
    await ann.click('join');
    await ann.joined();
    await ann.meets([bo]);
    if (faultOf === 'video') await bo.hears(ann);
    assert.equal(await bo.room((r, id) => r.remoteParticipants.get(id).getTrack('camera')?.id ?? null, ann.id), null);
    await until('Bo has a tile of Ann all the same', async () =>
      (await bo.tiles()).some((tile) => tile.startsWith(ann.id)),
    );

    if (fault === 'NotFoundError') {
      // The camera is plugged in.
      await ann.page.evaluate(() => (window.__fakeMedia.fault = undefined));
      await ann.click('camera');
      await bo.sees(ann);
    }
    ann.unharmed();
  });
}

test('who joins before the camera is awake is inside at once, and seen once it is', async (t) => {
  const room = freshRoom();
  const bo = await rig.person(t, 'Bo', room);
  const ann = await atTheDoor(t, 'Ann', room, {
    before: (page) =>
      page.evaluateOnNewDocument(() => {
        const opened = navigator.mediaDevices.getUserMedia;
        const isAwake = new Promise((resolve) => (window.__wake = resolve));
        navigator.mediaDevices.getUserMedia = (wish) => isAwake.then(() => opened(wish));
      }),
  });
  await ann.click('join');
  await ann.joined();
  await ann.sees(bo);
  assert.equal(await ann.room((r) => r.localParticipant.localTracks.length), 0);
  await ann.page.evaluate(() => window.__wake());
  await bo.meets([ann]);
  ann.unharmed();
});

test('the browser blocks sound: a button starts it', async (t) => {
  const room = freshRoom();
  const bo = await rig.person(t, 'Bo', room);
  const ann = await rig.person(t, 'Ann', room, {
    before: (page) =>
      page.evaluateOnNewDocument(() => {
        const native = HTMLMediaElement.prototype.play;
        window.__mayPlay = false;
        addEventListener('click', (event) => event.isTrusted && (window.__mayPlay = true), true);
        HTMLMediaElement.prototype.play = function () {
          if (!window.__mayPlay && !this.muted) return Promise.reject(new DOMException('made up', 'NotAllowedError'));
          return native.call(this);
        };
        Object.defineProperty(HTMLMediaElement.prototype, 'autoplay', { set() {}, get: () => false });
      }),
  });
  await until('the room knows that sound is blocked', () => ann.room((r) => r.canPlaybackAudio === false));
  const button = await until('a button offers to start it', async () => {
    const found = await ann.find('start-audio');
    return found && (await found.isVisible()) && found;
  });
  await button.click();
  await until('sound plays', () => ann.room((r) => r.canPlaybackAudio === true));
  await until('the button is gone', async () => !(await (await ann.find('start-audio'))?.isVisible()));
  await until('every sound element plays', () =>
    ann.page.evaluate(() => [...document.querySelectorAll('audio')].every((audio) => !audio.paused)),
  );
  await ann.hears(bo);
});

test('without a valid token nobody enters a server that has keys', async (t) => {
  const secret = 'correct horse battery staple';
  const server = await Server.start({ 'auth.keys': { door: secret } });
  t.after(() => server.stop());
  const room = freshRoom();
  const enter = (name, query) => rig.person(t, name, room, { base: server.url, query, wait: false });

  const wrong = await enter('Ann', {
    token: await token('door', 'another secret of 16 bytes', { room, identity: 'ann', ttl: '1h' }),
  });
  await until('a wrong signature is refused', async () => (await wrong.notices()).includes('unauthorized'));
  const none = await enter('Ann', {});
  await until('no token is refused', async () => (await none.notices()).includes('unauthorized'));
  const elsewhere = await enter('Ann', {
    token: await token('door', secret, { room: 'another', identity: 'ann', ttl: '1h' }),
  });
  await until('a token for another room is refused', async () => {
    const codes = await elsewhere.notices();
    return codes.includes('unauthorized') || codes.includes('forbidden') || { wait: codes };
  });

  const good = await enter('Ann', {
    token: await token('door', secret, { room, identity: 'ann', role: 'host', ttl: '1h' }),
  });
  await good.joined();
  assert.deepEqual(await good.room((r) => [r.localParticipant.identity, r.localParticipant.role]), ['ann', 'host']);

  // The same identity again: the newer one stays.
  const again = await enter('Bo', { token: await token('door', secret, { room, identity: 'ann', ttl: '1h' }) });
  await again.joined();
  await until('the older one is told', async () => (await good.notices()).includes('duplicate_identity'));
});

test('a full room says so', async (t) => {
  const server = await Server.start({ 'room.max_participants': 2 });
  t.after(() => server.stop());
  const room = freshRoom();
  const ann = await rig.person(t, 'Ann', room, { base: server.url });
  const bo = await rig.person(t, 'Bo', room, { base: server.url });
  await Promise.all([ann.sees(bo), bo.sees(ann)]);
  const cho = await rig.person(t, 'Cho', room, { base: server.url, wait: false });
  await until('Cho is told', async () => (await cho.notices()).includes('room_full'));
  assert.match(await text(cho), /full/i);
  await bo.click('leave');
  await until('there is a place again', async () => (await server.metric('madang_room_participants')) === 1);
  await cho.page.goto(cho.url);
  await cho.joined();
  await cho.sees(ann);
});

test('two people in two languages', async (t) => {
  const room = freshRoom();
  const ann = await rig.person(t, 'Ann', room, { query: { lang: 'en' } });
  const bo = await rig.person(t, 'Bo', room, { query: { lang: 'ko' } });
  await Promise.all([ann.sees(bo), bo.sees(ann)]);
  const labels = (person) =>
    person.page.$$eval('[data-testid="bar"] button', (buttons) =>
      buttons.map((button) => button.getAttribute('aria-label') ?? '').join(' '),
    );
  assert.match(await labels(ann), /microphone/i);
  assert.doesNotMatch(await labels(ann), /[가-힣]/);
  assert.match(await labels(bo), /마이크/);
  assert.equal(await bo.page.$eval('html', (html) => html.lang), 'ko');
  assert.equal(await ann.page.$eval('html', (html) => html.lang), 'en');
});

test('with the keyboard alone: join, mute, write, leave', async (t) => {
  const room = freshRoom();
  const bo = await rig.person(t, 'Bo', room);
  const ann = await atTheDoor(t, 'Ann', room);
  await until('the door is open', () => ann.find('join'));
  const { keyboard } = ann.page;
  const focused = () => ann.page.evaluate(() => document.activeElement?.getAttribute('data-testid'));
  const tabTo = async (id) => {
    for (let i = 0; i < 40 && (await focused()) !== id; i++) await keyboard.press('Tab');
    assert.equal(await focused(), id);
  };
  await tabTo('name');
  await keyboard.down('Control');
  await keyboard.press('a');
  await keyboard.up('Control');
  await keyboard.type('Key Board');
  await keyboard.press('Enter');
  await ann.joined();
  await bo.sees(ann);
  assert.equal(await bo.room((r, id) => r.remoteParticipants.get(id).name, ann.id), 'Key Board');

  await ann.page.evaluate(() => document.activeElement?.blur());
  await keyboard.press('m');
  await until('M mutes', () => ann.room((r) => r.localParticipant.isMicrophoneEnabled === false));
  await keyboard.press('c');
  await until('C opens the chat', async () => (await focused()) === 'chat-input');
  await keyboard.type('typed');
  await keyboard.press('Enter');
  await until('Bo reads it', () => bo.room((r) => r.messages.some(({ text: line }) => line === 'typed')));
  await keyboard.press('Escape');
  await tabTo('leave');
  await keyboard.press('Enter');
  await until('Ann has left', async () => !(await bo.tiles()).some((tile) => tile.startsWith(ann.id)), {
    timeout: 2000,
  });
});

test('an address that names no possible room leads back to the start', async (t) => {
  const person = await rig.person(t, 'Ann', 'no%20such%20name!', { wait: false });
  assert.match(await text(person), /not found|nothing|room/i);
  await person.page.locator('a[href="/"]').click();
  await until('the home page opens', () => person.find('open-room'));
  person.unharmed();
});
