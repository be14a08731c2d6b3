// Looks at every screen: nothing is cut off or wider than the window, and the pictures are written
// to target/screens/ for people to look at.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { showsInMix } from './lib/mix.mjs';
import { Person } from './lib/person.mjs';
import { Rig, freshRoom } from './lib/rig.mjs';
import { sleep, until } from './lib/until.mjs';

// Without isMobile and hasTouch: puppeteer reloads the page to change those, and panels would close.
const sizes = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
const variants = [
  { lang: 'en', scheme: 'light' },
  { lang: 'ko', scheme: 'dark' },
];

/** @type {Rig} */
let rig;
before(async () => (rig = await Rig.start()));
after(() => rig.stop());

/** What sticks out of the window, as far as a person would notice. */
function stickingOut() {
  const wide = document.scrollingElement.scrollWidth - innerWidth;
  const found = wide > 0 ? [`the page is ${wide} px too wide`] : [];
  for (const element of document.querySelectorAll('button, [data-testid="tile"], input, h1, a')) {
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || element.closest('[inert]'))
      continue;
    const box = element.getBoundingClientRect();
    if (box.width === 0 || box.height === 0) continue;
    if (box.left < -1 || box.right > innerWidth + 1) {
      found.push(
        `${element.tagName.toLowerCase()} ${element.dataset.testid ?? element.className} at ${Math.round(box.left)}…${Math.round(box.right)}`,
      );
    }
  }
  return found;
}

/** Takes the picture in every size, language and scheme. `settle` runs after each change of size. */
async function shoot(person, name, { settle } = {}) {
  for (const { lang, scheme } of variants) {
    await person.page.emulateMediaFeatures([
      { name: 'prefers-color-scheme', value: scheme },
      { name: 'prefers-reduced-motion', value: 'reduce' },
    ]);
    await person.page.evaluate(async (to) => {
      const { setLang } = await import('/app/i18n.js');
      setLang(to);
    }, lang);
    for (const [size, viewport] of Object.entries(sizes)) {
      await person.page.setViewport(viewport);
      await settle?.();
      await sleep(500);
      await person.screenshot(`${name}-${size}-${lang}-${scheme}`);
      assert.deepEqual(await person.page.evaluate(stickingOut), [], `${name}, ${size}, ${lang}`);
    }
  }
  await person.page.setViewport(sizes.desktop);
}

async function visit(t, path, options = {}) {
  const person = await Person.open(rig.browser, { name: 'Ann', url: `${rig.server.url}${path}`, ...options });
  t.after(() => person.close());
  return person;
}

test('home and learning page', async (t) => {
  const home = await visit(t, '/');
  await until('home has its button', () => home.find('open-room'));
  await shoot(home, 'home');
  home.unharmed();
  for (const path of ['/learn', '/learn/ko']) {
    const learn = await visit(t, path);
    for (const [size, viewport] of Object.entries(sizes)) {
      await learn.page.setViewport(viewport);
      await learn.screenshot(`learn${path.endsWith('ko') ? '-ko' : '-en'}-${size}`);
      assert.ok(
        await learn.page.evaluate(() => document.scrollingElement.scrollWidth <= innerWidth),
        `${path} is too wide`,
      );
    }
    learn.unharmed();
  }
});

test('before joining, with and without a camera', async (t) => {
  const room = freshRoom();
  await rig.person(t, 'Bo', room);
  const ann = await visit(t, `/r/${room}?name=Ann`);
  await until('the mirror shows a picture', () =>
    ann.page.evaluate(() => document.querySelector('video')?.videoWidth > 0),
  );
  await sleep(1000);
  await shoot(ann, 'prejoin');
  ann.unharmed();
  const without = await visit(t, `/r/${room}?name=Ann`, { fault: 'NotAllowedError' });
  await until('the page says what to do', () => without.page.$eval('.pre-problem', (p) => !p.hidden));
  await shoot(without, 'prejoin-refused');
  without.unharmed();
});

test('the room with one, two and four people, and its panels', async (t) => {
  const room = freshRoom();
  // A mesh of four encodes twelve pictures: small ones, for it is the page that is looked at here.
  const camera = { width: 320, height: 180, fps: 10 };
  const ann = await rig.person(t, 'Ann', room, { camera });
  await shoot(ann, 'room-1');
  const bo = await rig.person(t, 'Bo', room, { camera });
  await ann.sees(bo, { fps: 1, timeout: 30_000 });
  await shoot(ann, 'room-2');
  const cho = await rig.person(t, 'Cho', room, { camera });
  const dae = await rig.person(t, 'Dae', room, { camera });
  for (const other of [cho, dae]) await ann.sees(other, { fps: 1, timeout: 30_000 });
  await cho.click('hand');
  await dae.click('mic');
  await shoot(ann, 'room-4');

  await bo.chat('Good evening! 좋은 저녁이에요');
  await ann.chat('The notes are at https://example.com/notes');
  await bo.chat(
    'Thank you. I will read them tonight, and write down what is missing, so that we can talk about it tomorrow.',
  );
  for (const panel of ['chat', 'people', 'links']) {
    await ann.openPanel(panel);
    await sleep(panel === 'links' ? 2500 : 300);
    await shoot(ann, panel);
  }
  const busy = { timeout: 20_000 };
  // Opened anew for each picture: it keeps the language in which it was opened.
  const inspect = async () => {
    if (await ann.find('inspector')) await ann.page.keyboard.press('Escape');
    await until('the inspector is closed', async () => !(await ann.find('inspector')), busy);
    await ann.click('link-row', ' button');
    await until('the inspector opens', () => ann.find('inspector'), busy);
  };
  await shoot(ann, 'inspector', { settle: inspect });
  ann.unharmed();
});

test('a mixed room, its arrangements and its links', async (t) => {
  const room = freshRoom();
  const camera = { width: 320, height: 180, fps: 10 };
  const query = { topology: 'mcu' };
  const people = [];
  for (const name of ['Ann', 'Bo', 'Cho']) people.push(await rig.person(t, name, room, { query, camera }));
  const [ann, bo] = people;
  await showsInMix(ann, people, { timeout: 40_000 });
  await bo.click('mic');
  // As the mixer draws it.
  await bo.room((r) => r.localParticipant.setName('김보람 · 金宝蓝'));
  await shoot(ann, 'mix');
  // A menu is where its button was when it was opened.
  const open = (menu) => async () => {
    await ann.page.keyboard.press('Escape');
    await ann.click(menu);
  };
  await shoot(ann, 'mix-layouts', { settle: open('layout') });
  await shoot(ann, 'mix-more', { settle: open('more') });
  await ann.page.keyboard.press('Escape');
  await ann.openPanel('links');
  await sleep(2500);
  await shoot(ann, 'mix-links');
  ann.unharmed();
});

test('what a person sees when something is wrong', async (t) => {
  const room = freshRoom();
  const ann = await rig.person(t, 'Ann', room);
  const bo = await rig.person(t, 'Bo', room);
  await ann.sees(bo, { fps: 1, timeout: 15_000 });
  await ann.room((r) => r.setLocked(true));
  const cho = await rig.person(t, 'Cho', room, { wait: false });
  await until('locked', async () => (await cho.notices()).includes('room_locked'));
  await shoot(cho, 'notice-locked');
  await ann.room((r, id) => r.kick(id), bo.id);
  await until('kicked', async () => (await bo.notices()).includes('kicked'));
  await shoot(bo, 'notice-kicked');
  await ann.click('leave');
  await until('left', async () => (await ann.notices()).includes('left'));
  await shoot(ann, 'notice-left');
});
