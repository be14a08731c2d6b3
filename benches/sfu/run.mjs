// Runs every case against every server, one process of each at a time, and prints the tables.
// The server is on one core, the clients on the other; see docs/performance.md.
import { execFile } from 'node:child_process';
import os from 'node:os';
import { promisify } from 'node:util';
import { Server } from '../../tests/e2e/lib/server.mjs';
import { printTable } from '../lib/table.mjs';
import { startJanus } from './janus.mjs';

const run = promisify(execFile);
const binary = process.env.MADANG_BIN ?? 'target/release/madang';
const seconds = Number(process.env.SECONDS ?? 10);
const cores = { server: 0, clients: Math.min(1, os.cpus().length - 1) };
const addresses = { server: '198.51.100.1', clients: '198.51.100.2' };

const list = (name, fallback) => (process.env[name] ?? fallback).split(',').filter(Boolean);
const receivers = list('RECEIVERS', '10,50,100,200');
const wanted = list('CASES', 'floor,broadcast,conference,sound');

async function startMadang() {
  const server = await Server.start(
    {
      'http.listen': `${addresses.server}:0`,
      'turn.listen': [`${addresses.server}:0`],
      'turn.tls_listen': [],
      'media.listen': [`${addresses.server}:0`],
      'auth.open': true,
      'room.max_participants': 1000,
      'signaling.max_connections_per_address': 1000,
      'http.max_connections_per_address': 1000,
      'log.level': 'warn',
    },
    { wrap: ['taskset', '--cpu-list', String(cores.server)] },
  );
  return { pid: server.pid, url: server.webSocketUrl, stop: () => server.stop() };
}

/** The servers, by name. @type {[string, string, () => Promise<{ pid: number, url: string, stop(): Promise<void> }>][]} */
const all = [
  ['madang', 'madang', startMadang],
  ['janus, one loop', 'janus', () => startJanus(addresses.server, cores.server, 1)],
  ['janus, default loops', 'janus', () => startJanus(addresses.server, cores.server)],
];
const chosen = (process.env.SERVERS ?? 'madang;janus, one loop').split(';');
const servers = all.filter(([name]) => chosen.includes(name));

/** @type {[string, string[], string][]} case, options, words */
const cases = [
  ...receivers.map((count) => ['broadcast', ['--subscribers', count], `1 → ${count}`]),
  ['conference', ['--publishers', '6'], '6 × 6'],
  ['sound', ['--publishers', '10', '--subscribers', '100'], '10 → 100, sound'],
].filter(([name]) => wanted.includes(name));

async function load(kind, server, name, options) {
  const args = [
    ['--cpu-list', String(cores.clients), binary, 'loadtest', 'forward', kind],
    ['--url', server.url, '--server-pid', String(server.pid), '--server-core', String(cores.server)],
    ['--address', addresses.clients, '--time', `${seconds}s`, '--case', name, ...options, '--json'],
  ];
  const { stdout } = await run('taskset', args.flat());
  return JSON.parse(stdout);
}

const fixed = (value, digits) => value.toFixed(digits);

function cells(row) {
  // Whoever has no time left to read is what was measured, not the server.
  const overflowed = row.overflows > 0 ? ` (${row.overflows} overflowed)` : '';
  const busy = row.client_cores > 0.9 ? ' (clients too busy)' : overflowed;
  return [
    fixed(row.user_us + row.system_us, 2),
    fixed(row.user_us, 2),
    fixed(row.system_us, 2),
    fixed(row.softirq_us, 2),
    fixed(row.server.seconds / row.seconds, 2),
    fixed(row.delay_ms.p50, 2),
    fixed(row.delay_ms.p99, 2),
    `${fixed(row.loss * 100, 3)} %`,
    fixed(row.memory_per_participant / 1024, 0),
    `${fixed(row.forwarded / row.seconds, 0)}${busy}`,
  ];
}

async function measure(kind, start, [name, options]) {
  const server = await start();
  try {
    return cells(await load(kind, server, name, options));
  } catch (why) {
    return [
      `failed: ${String(why.stderr || why.message)
        .trim()
        .split('\n')
        .at(-1)}`,
      ...Array(9).fill(''),
    ];
  } finally {
    await server.stop();
  }
}

async function floor() {
  const args = ['loadtest', 'floor', '--receivers', receivers.join(','), '--time', `${Math.ceil(seconds / 2)}s`];
  const places = ['--address', addresses.server, '--core', cores.server, '--receiver-core', cores.clients];
  const { stdout } = await run(binary, [...args, ...places.map(String)]);
  console.log('The floor: the same packets sent to as many sockets, and nothing else\n');
  console.log(stdout);
}

if (wanted.includes('floor')) await floor();
const rows = [];
for (const each of cases) {
  for (const [name, kind, start] of servers) {
    process.stderr.write(`${each[2]}: ${name}\n`);
    rows.push([each[2], name, ...(await measure(kind, start, each))]);
  }
}
const head = ['case', 'server', 'CPU-µs per packet', 'user', 'system', 'softirq thread', 'cores'];
if (rows.length) printTable([...head, 'delay p50 ms', 'p99 ms', 'lost', 'KiB per participant', 'packets/s'], rows);
