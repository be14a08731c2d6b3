// The Python client (tests/e2e/python/client.py) as a child process.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { until } from './until.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const python = path.join(here, '../../../.venv/bin/python');

export class PythonClient {
  #child;
  #stderr = '';
  /** All it said, in order. */
  events = [];

  /**
   * @param {Record<string, string | number | undefined>} options of client.py, by their names
   * @param {Record<string, string>} [env]
   */
  constructor(options, env = {}) {
    const args = Object.entries(options).flatMap(([name, value]) =>
      value === undefined ? [] : [`--${name}`, String(value)],
    );
    this.#child = spawn(python, [path.join(here, '../python/client.py'), ...args], { env: { ...process.env, ...env } });
    createInterface(this.#child.stdout).on('line', (line) => this.events.push(JSON.parse(line)));
    this.#child.stderr.on('data', (chunk) => (this.#stderr += chunk));
  }

  /** Waits for an event. */
  event(what, matches, options = {}) {
    return until(
      what,
      () => {
        const fault = this.events.find(({ event }) => event === 'fault');
        if (fault || this.#child.exitCode) throw new Error(`${JSON.stringify(fault)} ${this.#stderr}`);
        return this.events.find(matches) ?? { wait: this.events.slice(-3) };
      },
      { timeout: 10_000, ...options },
    );
  }

  /** @param {object} command e.g. `{ chat: 'hello' }` */
  say(command) {
    this.#child.stdin.write(`${JSON.stringify(command)}\n`);
  }

  end() {
    if (this.#child.exitCode === null) this.#child.kill();
  }
}
