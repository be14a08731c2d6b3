// What nearly every test needs: a server, a browser, people in a room; and that all of it ends.
import { launchChromium } from './browsers.mjs';
import { Person } from './person.mjs';
import { Server } from './server.mjs';

let rooms = 0;

/** A room that nobody has used. */
export const freshRoom = () => `e2e-${process.pid}-${++rooms}`;

export class Rig {
  #ends = [];
  server;
  browser;

  /**
   * @param {{ config?: Record<string, unknown>, browser?: object }} [options]
   */
  static async start({ config, browser } = {}) {
    const rig = new Rig();
    try {
      rig.server = await Server.start(config);
      rig.#ends.push(() => rig.server.stop());
      rig.browser = await launchChromium(browser);
      rig.#ends.push(() => rig.browser.close());
    } catch (error) {
      await rig.stop();
      throw error;
    }
    return rig;
  }

  /** Something else to end with the rig. */
  onStop(end) {
    this.#ends.push(end);
  }

  /** The room page's address for somebody. */
  url(room, name, query = {}, base = this.server.url) {
    const search = new URLSearchParams({ name, lang: 'en', autojoin: '', ...query });
    return `${base}/r/${room}?${search}`;
  }

  /**
   * Somebody who joins at once. The test's `t` closes the page when the test ends.
   * @param {import('node:test').TestContext} t
   * @param {string} name
   * @param {string} room
   * @param {{ query?: Record<string, string>, browser?: import('puppeteer-core').Browser, base?: string, wait?: boolean, [key: string]: unknown }} [options]
   */
  async person(t, name, room, { query, browser = this.browser, base, wait = true, ...rest } = {}) {
    const person = await Person.open(browser, { name, url: this.url(room, name, query, base), ...rest });
    t.after(() => person.close().catch(() => {}));
    return wait ? person.joined() : person;
  }

  async stop() {
    for (const end of this.#ends.reverse()) await end();
    this.#ends = [];
  }
}
