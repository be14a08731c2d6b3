// Starts the real binary, reads its ready line and its metrics, and ends it.
import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { until } from './until.mjs';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../..');

/** The binary under test: MADANG_BIN, else the release build. */
export const binary = process.env.MADANG_BIN ?? path.join(root, 'target/release/madang');

/** Where logs and pictures go. */
export const artifacts = path.join(root, 'target/e2e');

let started = 0;

export class Server {
  #child;
  #env;
  #exited;
  #wrap;

  /** What the ready line said: `http`, `turn`, `turn_tls`. */
  ready;

  /**
   * @param {Record<string, unknown>} [config] keys like `turn.listen`, over the test defaults
   * @param {{ wrap?: string[] }} [options] a command to run the server under
   */
  static async start(config = {}, options = {}) {
    const server = new Server();
    server.#wrap = options.wrap ?? [];
    server.#env = environment({
      'http.listen': '127.0.0.1:0',
      'turn.listen': ['127.0.0.1:0'],
      'media.listen': ['127.0.0.1:0'],
      // Most tests are of meshes, of any size; those of forwarded rooms ask for one.
      'room.topology': 'mesh',
      'turn.tls_listen': ['127.0.0.1:0'],
      ...config,
    });
    await server.#launch();
    return server;
  }

  async #launch() {
    if (!existsSync(binary)) throw new Error(`${binary} is missing: run make build, or set MADANG_BIN`);
    mkdirSync(artifacts, { recursive: true });
    const log = createWriteStream(path.join(artifacts, `server-${process.pid}-${++started}.log`));
    const command = [...this.#wrap, binary, 'serve'];
    const child = spawn(command[0], command.slice(1), {
      env: { ...process.env, ...this.#env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stderr.pipe(log);
    this.#exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    this.ready = await new Promise((resolve, reject) => {
      createInterface(child.stdout).on('line', (line) => {
        if (line.startsWith('ready ')) resolve(JSON.parse(line.slice('ready '.length)));
      });
      child.once('error', reject);
      this.#exited.then(({ code, signal }) =>
        reject(new Error(`the server ended before it was ready (${code ?? signal}); see ${log.path}`)),
      );
    });
  }

  /** @returns {string} e.g. `http://127.0.0.1:40001` */
  get url() {
    return this.ready.http[0];
  }

  /** The WebSocket's address. */
  get webSocketUrl() {
    return `${this.url.replace(/^http/, 'ws')}/v1/ws`;
  }

  get pid() {
    return this.#child.pid;
  }

  /**
   * All samples of /metrics: `name{label="value"}` to number.
   * @returns {Promise<Map<string, number>>}
   */
  async metrics() {
    const { body } = await get(`${this.url}/metrics`);
    const samples = new Map();
    for (const line of body.split('\n')) {
      const match = /^([a-z_]+(?:\{.*\})?) ([0-9.e+-]+)$/i.exec(line);
      if (match) samples.set(match[1], Number(match[2]));
    }
    return samples;
  }

  /**
   * One metric, summed over the labels not named.
   * @param {string} name
   * @param {Record<string, string>} [labels]
   */
  async metric(name, labels = {}) {
    let sum = 0;
    let found = false;
    for (const [key, value] of await this.metrics()) {
      if (key !== name && !key.startsWith(`${name}{`)) continue;
      if (!Object.entries(labels).every(([label, wanted]) => key.includes(`${label}="${wanted}"`))) continue;
      sum += value;
      found = true;
    }
    return found ? sum : undefined;
  }

  /** SIGKILL: what a crash or a power cut looks like. */
  async kill() {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** Starts again on the addresses it had. */
  async restart() {
    const { http, turn, turn_tls: turnTls } = this.ready;
    Object.assign(
      this.#env,
      environment({
        'http.listen': http[0].replace(/^https?:\/\//, ''),
        'turn.listen': turn,
        ...(turnTls?.length ? { 'turn.tls_listen': turnTls } : {}),
      }),
    );
    await this.#launch();
  }

  /** SIGTERM twice: drain, then end. */
  async stop() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGTERM');
    const drained = await Promise.race([this.#exited, new Promise((resolve) => setTimeout(resolve, 500))]);
    if (drained) return;
    this.#child.kill('SIGTERM');
    await until(
      'the server ends after a second SIGTERM',
      () => this.#child.exitCode !== null || this.#child.signalCode !== null,
    );
  }
}

/**
 * GET, trusting the server's own certificate.
 * @param {string} url
 * @returns {Promise<{ status: number, headers: http.IncomingHttpHeaders, body: string }>}
 */
export function get(url) {
  const client = url.startsWith('https:') ? https : http;
  return new Promise((resolve, reject) => {
    const request = client.get(url, { rejectUnauthorized: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }));
    });
    request.on('error', reject);
  });
}

/** `turn.listen` becomes MADANG__TURN__LISTEN; lists and tables are written as TOML. */
function environment(config) {
  const env = {};
  for (const [key, value] of Object.entries(config)) {
    if (value === undefined) continue;
    const name = `MADANG__${key.toUpperCase().split('.').join('__')}`;
    env[name] = typeof value === 'string' ? value : toml(value);
  }
  return env;
}

function toml(value) {
  if (Array.isArray(value)) return `[${value.map(toml).join(', ')}]`;
  if (typeof value === 'object') {
    return `{${Object.entries(value)
      .map(([key, inner]) => `${JSON.stringify(key)} = ${toml(inner)}`)
      .join(', ')}}`;
  }
  return JSON.stringify(value);
}
