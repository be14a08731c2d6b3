// The network check's page, and what it says.
import { until } from './until.mjs';

export class CheckPage {
  page;
  /** What broke in the page. @type {string[]} */
  faults = [];

  /**
   * @param {import('node:test').TestContext} t closes the page when the test ends
   * @param {import('puppeteer-core').Browser} browser
   * @param {string} url of the server
   * @param {{ lang?: string, token?: string, prepare?: (page: import('puppeteer-core').Page) => Promise<void> }} [options]
   */
  static async open(t, browser, url, { lang = 'en', token, prepare } = {}) {
    const check = new CheckPage();
    check.page = await browser.newPage();
    t.after(() => check.page.close().catch(() => {}));
    check.page.on('pageerror', (error) => check.faults.push(String(error)));
    await prepare?.(check.page);
    await check.page.goto(`${url}/check?lang=${lang}${token ? `#token=${token}` : ''}`);
    return check;
  }

  click(testid) {
    return this.page.evaluate((id) => document.querySelector(`[data-testid="${id}"]`).click(), testid);
  }

  /** Runs it to its end. Returns what each step came to, and the verdict. */
  async run() {
    await this.click('start');
    await until('the check comes to a verdict', () => this.#isOver(), { timeout: 60_000 });
    return this.result();
  }

  #isOver() {
    return this.page.evaluate(() => {
      const verdict = document.querySelector('[data-testid="verdict"]');
      return !verdict.hidden && !document.querySelector('[data-testid="start"]').disabled;
    });
  }

  result() {
    return this.page.evaluate(() => {
      const steps = {};
      for (const step of document.querySelectorAll('.step')) {
        const { state, say, testid } = step.dataset;
        const words = step.querySelector('.step-words').textContent;
        const value = step.querySelector('.step-value').textContent;
        const facts = [...step.querySelectorAll('.step-facts li')].map((fact) => fact.textContent);
        steps[testid.replace('step-', '')] = { state, say, words, value, facts };
      }
      const verdict = document.querySelector('[data-testid="verdict"]');
      const notes = [...verdict.querySelectorAll('[data-note]')].map((note) => note.dataset.note);
      const { tone, say } = verdict.dataset;
      return { steps, verdict: { tone, say, notes, words: verdict.textContent } };
    });
  }

  report() {
    return this.page.evaluate(() => document.querySelector('[data-testid="report-text"]').textContent);
  }
}

/**
 * Each step's state. How good the figures are depends on how busy this machine is: of them it
 * counts that they were measured.
 */
export function states({ steps }) {
  const entries = Object.entries(steps).map(([name, { state, value }]) => {
    const isMeasured = ['trip', 'speed'].includes(name) && value !== '' && state !== 'running';
    return [name, isMeasured ? 'measured' : state];
  });
  return Object.fromEntries(entries);
}
