// A person: one page in a browser of its own profile, with a camera colour and a tone to be known by.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { colours, installFakeMedia } from './fake_media.mjs';
import { installProbe } from './probe.mjs';
import { artifacts } from './server.mjs';
import { sleep, until } from './until.mjs';

/** People of the tests: what they look and sound like. Tones keep clear of each other's harmonics. */
export const looks = {
  Ann: { colour: colours.red, tone: 440 },
  Bo: { colour: colours.green, tone: 740 },
  Cho: { colour: colours.blue, tone: 1130 },
  Dae: { colour: colours.yellow, tone: 1610 },
  Eun: { colour: colours.violet, tone: 2090 },
  Fay: { colour: colours.cyan, tone: 2570 },
};

export class Person {
  /** The puppeteer page. */
  page;
  name;
  look;
  /** The page's address in the room. */
  url;
  /** Errors that the page did not catch, and what it logged as an error. */
  faults = [];

  /**
   * Opens a page; nobody has joined yet.
   * @param {import('puppeteer-core').Browser} browser
   * @param {{ name: string, url: string, camera?: { width?: number, height?: number, fps?: number }, fault?: string, faultOf?: string, viewport?: object, before?: (page: import('puppeteer-core').Page) => Promise<void> }} options
   */
  static async open(browser, { name, url, camera = {}, fault, faultOf, viewport, before }) {
    const person = new Person();
    person.name = name;
    person.look = looks[name] ?? { colour: colours.grey, tone: 300 };
    person.url = url;
    const context = await browser.createBrowserContext();
    const page = (person.page = await context.newPage());
    await resize(page, viewport ?? { width: 1280, height: 800 });
    page.on('pageerror', (error) => person.faults.push(`${name}: ${error.message}`));
    await page.evaluateOnNewDocument(installFakeMedia, {
      ...person.look,
      ...{ width: 640, height: 360, fps: 30, ...camera },
      fault,
      faultOf,
    });
    await page.evaluateOnNewDocument(installProbe);
    await before?.(page);
    await page.goto(url, { waitUntil: 'domcontentloaded' });
    return person;
  }

  /** The element with a data-testid. */
  find(id, more = '') {
    return this.page.$(`[data-testid="${id}"]${more}`);
  }

  /** Waits for the element, then clicks it as a person would, wherever the page shows it. */
  async click(id, more = '') {
    const selector = `[data-testid="${id}"]${more}`;
    await until(`${this.name} finds ${selector}`, () => this.page.$(selector));
    await this.page.mouse.move(200 + Math.random() * 40, 200);
    await this.page.$eval(selector, (element) => element.click());
  }

  /** Waits for an element's text. */
  text(id, more = '') {
    return this.page.$eval(`[data-testid="${id}"]${more}`, (element) => element.textContent.trim());
  }

  /** Waits until the room is connected. */
  async joined(timeout = 30_000) {
    await until(
      `${this.name} is connected`,
      async () => {
        const state = await this.page.evaluate(
          () => window.madang?.room?.state ?? document.body?.innerText.slice(0, 200),
        );
        return state === 'connected' || { wait: state };
      },
      { timeout, every: 50 },
    );
    this.id = await this.page.evaluate(() => window.madang.room.localParticipant.id);
    return this;
  }

  /** Runs in the page with the Room as first argument. */
  room(work, ...args) {
    return this.page.evaluate(`(${work})(window.madang?.room, ...${JSON.stringify(args)})`);
  }

  /** One measurement of what arrives from somebody. */
  video(other, source = 'camera') {
    return this.page.evaluate((id, from) => window.__probe.video(id, from), other.id, source);
  }

  /**
   * Waits until somebody's picture is decoded at a rate and size, in that person's colour. The first
   * frame has to be there within `first` ms; the rate is measured over at least a second. With
   * `ofCamera`, a share, less will do where the other's camera does not make as many frames itself:
   * that share of those it makes, and one a second at least.
   */
  async sees(other, options = {}) {
    const { source = 'camera', fps = 15, width = 320, height = 180, colour = true, every = 100 } = options;
    const { timeout = 5000, first = timeout, ofCamera = null } = options;
    const begun = performance.now();
    await until(
      `a frame of ${other.name}'s ${source} is decoded by ${this.name}`,
      async () => {
        const now = await this.video(other, source);
        return now?.frames > 0 || { wait: `nothing decoded: ${JSON.stringify(now)}` };
      },
      { timeout: first, every },
    );
    let before = null;
    let lately = 'measuring';
    await until(
      `${this.name} sees ${other.name}'s ${source} at ${fps} frames/s, ${width}x${height}`,
      async () => {
        const [now, camera] = await Promise.all([
          this.video(other, source),
          ofCamera ? other.page.evaluate(() => window.__probe.camera()) : null,
        ]);
        if (!now || (ofCamera && !camera)) return { wait: 'no picture' };
        if (!before || now.frames < before.now.frames || camera?.frames < before.camera?.frames)
          before = { now, camera };
        const seconds = (now.at - before.now.at) / 1000;
        if (seconds < 1) return { wait: lately };
        const rate = (now.frames - before.now.frames) / seconds;
        const made = camera ? ((camera.frames - before.camera.frames) / (camera.at - before.camera.at)) * 1000 : fps;
        // So slow a camera is watched for longer, or a frame more or less would be half of them.
        if (made < fps && !(camera.frames - before.camera.frames >= 10)) return { wait: lately };
        const wanted = made >= fps ? fps : Math.max(1, made * ofCamera);
        before = { now, camera };
        if (rate < wanted || now.width < width || now.height < height) {
          const whose = camera ? `, whose camera makes ${made.toFixed(1)}` : '';
          lately = `${rate.toFixed(1)} frames/s at ${now.width}x${now.height}${whose}`;
          return { wait: lately };
        }
        return { rate };
      },
      { timeout: timeout - (performance.now() - begun), every },
    );
    if (!colour) return;
    await until(
      `${other.name}'s picture on ${this.name}'s screen has ${other.name}'s colour`,
      async () => {
        const seen = await this.page.evaluate((id, from) => window.__probe.colour(id, from), other.id, source);
        if (!seen) return { wait: 'no picture on screen' };
        const far = Math.max(...seen.map((value, i) => Math.abs(value - other.look.colour[i])));
        return far < 45 ? true : { wait: `rgb(${seen})` };
      },
      { timeout: Math.max(1000, timeout - (performance.now() - begun)), every },
    );
  }

  /** Waits until somebody's tone is what arrives from their microphone. */
  async hears(other, { timeout = 5000, every = 100 } = {}) {
    await until(
      `${this.name} hears ${other.name}'s tone of ${other.look.tone} Hz`,
      async () => {
        const sound = await this.page.evaluate((id) => window.__probe.sound(id), other.id);
        if (!sound) return { wait: 'no sound track' };
        const right = Math.abs(sound.hertz - other.look.tone) < 15 && sound.decibels > -60;
        return right ? true : { wait: `${sound.hertz} Hz at ${sound.decibels} dB` };
      },
      { timeout, every },
    );
  }

  /**
   * Both, for everyone, within one time. In a crowd one after the other, so that browsers are asked for less
   * at a time.
   */
  async meets(others, options = {}) {
    const { timeout = 5000 } = options;
    const begun = performance.now();
    const hear = () => Promise.all(others.map((other) => this.hears(other, options)));
    const see = (left) => Promise.all(others.map((other) => this.sees(other, { ...options, timeout: left })));
    if (others.length < 3) {
      await Promise.all([hear(), see(timeout)]);
      return;
    }
    await hear();
    await see(timeout - (performance.now() - begun));
  }

  /** Waits until each link says that it travels this way. */
  goesBy(path) {
    return until(`${this.name}'s links go by ${path}`, async () => {
      const found = await this.room((r) => [...r.links.values()].map((link) => link.path));
      return (found.length > 0 && found.every((each) => each === path)) || { wait: found };
    });
  }

  /**
   * Watches somebody's picture from now on; `stop()` gives the longest time without a decoded frame, in ms.
   */
  watch(other, source = 'camera') {
    let going = true;
    let longest = 0;
    const done = (async () => {
      let frames = -1;
      let since = performance.now();
      while (going) {
        const now = await this.video(other, source).catch(() => null);
        if (now && now.frames !== frames) {
          frames = now.frames;
          since = performance.now();
        }
        longest = Math.max(longest, performance.now() - since);
        await sleep(100);
      }
    })();
    return {
      longest: () => longest,
      async stop() {
        going = false;
        await done;
        return longest;
      },
    };
  }

  /** Which tiles stand on the page, as `participant/source`. */
  tiles() {
    return this.page.$$eval('[data-testid="tile"]', (tiles) =>
      tiles.map(({ dataset }) => `${dataset.participant}/${dataset.source}`),
    );
  }

  /** The notice's codes that are shown. */
  notices() {
    return this.page.$$eval('[data-testid="notice"]', (notices) =>
      notices.filter((notice) => notice.checkVisibility?.() ?? true).map(({ dataset }) => dataset.code),
    );
  }

  /** Opens the side panel of that name, unless it is open. */
  async openPanel(name) {
    const isOpen = () =>
      this.page.$eval(`[data-testid="${name}"]`, (button) => button.getAttribute('aria-expanded') === 'true');
    if (!(await isOpen())) await this.click(name);
    await until(`${this.name} has ${name} open`, isOpen);
  }

  async chat(text) {
    await this.openPanel('chat');
    await this.page.focus('[data-testid="chat-input"]');
    await this.page.keyboard.type(text);
    await this.page.keyboard.press('Enter');
  }

  /** The lines of chat on screen. */
  chatLines() {
    return this.page.$$eval('[data-testid="chat-message"]', (lines) => lines.map((line) => line.textContent));
  }

  async screenshot(name) {
    const folder = path.join(artifacts, '../screens');
    mkdirSync(folder, { recursive: true });
    await this.page.screenshot({ path: path.join(folder, `${name}.png`) });
  }

  /** No script of the page failed. */
  unharmed() {
    assert.deepEqual(this.faults, []);
  }

  /** Leaves, so that the server knows at once, and closes the browser's profile. */
  async close() {
    const left = this.room((r) => r?.disconnect()).catch(() => {});
    await Promise.race([left, sleep(1000)]);
    await this.page.browserContext().close();
  }
}

/**
 * Everyone meets everyone else. The more they are, the less often each is asked, for what a browser has to
 * say of its streams costs it more than the streams do; and a machine that is too slow for so many
 * browsers may take its time and show fewer frames, most of those that the cameras make. But the first
 * frame of everybody's has to come.
 * @param {Person[]} people
 */
export async function everyoneMeets(people, options) {
  const { length } = people;
  const crowd =
    length > 2 ? { every: 100 * length, ofCamera: 0.8, timeout: 25_000 * length, first: 20_000 * length } : {};
  const others = (person) => people.filter((other) => other !== person);
  await Promise.all(people.map((person) => person.meets(others(person), { ...crowd, ...options })));
}

/** Sizes a page. Firefox ESR 140 can do that, but not turn the screen, which is asked of it along with it. */
export async function resize(page, viewport) {
  await page.setViewport(viewport).catch((error) => {
    if (!/unknown command/.test(error.message)) throw error;
  });
}
