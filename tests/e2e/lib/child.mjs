// A client that is a process of its own and tells what it sees in lines of JSON.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { until } from './until.mjs';

export class ChildClient {
  #child;
  #stderr = '';
  /** All it said, in order. */
  events = [];

  /**
   * @param {string} program
   * @param {string[]} args
   * @param {Record<string, string>} [env]
   */
  constructor(program, args, env = {}) {
    this.#child = spawn(program, args, { env: { ...process.env, ...env } });
    createInterface(this.#child.stdout).on('line', (line) => this.events.push(JSON.parse(line)));
    this.#child.stderr.on('data', (chunk) => (this.#stderr += chunk));
    this.#child.once('error', (why) => this.events.push({ event: 'fault', why: String(why) }));
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

  /** Nothing more to say: clients leave then. */
  leave() {
    this.#child.stdin.end();
  }

  /** @param {NodeJS.Signals} [signal] */
  end(signal = 'SIGTERM') {
    if (this.#child.exitCode === null) this.#child.kill(signal);
  }
}
