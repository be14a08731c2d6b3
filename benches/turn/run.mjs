// madang, coturn and a bare forwarder, each in a new process for each repetition, under the same load.
// SECONDS of each row (5), RUNS of which the median counts (3), IDLE allocations (100000; 0: none),
// CASES (numbers, from 1), COTURN_SWITCHES (added to coturn's plain settings, as a server of its own).
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { printTable, median } from '../lib/table.mjs';

const bin = process.env.MADANG_BIN ?? 'target/release/madang';
// A reply that never comes must not hang the benchmark.
const PATIENCE_MS = 900_000;
const seconds = process.env.SECONDS ?? '5';
const runs = Number(process.env.RUNS ?? 3);
// One open file each, and some for everything else.
const allowed = Number(process.env.OPEN_FILES ?? 100_000) - 1500;
const idle = Math.min(Number(process.env.IDLE ?? 100_000), allowed);
const switches = (process.env.COTURN_SWITCHES ?? '').split(' ').filter(Boolean);
const MADANG_PORT = 34_780;
const COTURN_PORT = 34_790;
const PORTS = { first: 1024, last: 31_000 };

const load = (direction, allocations, payload, burst, rate, gso = 1) => ({
  direction,
  allocations,
  payload,
  burst,
  rate,
  gso,
});
const all = [
  load('client-to-peer', 1, 200, 32, 100_000),
  load('client-to-peer', 1, 200, 32, 400_000),
  load('client-to-peer', 1, 200, 32, 100_000, 16),
  load('client-to-peer', 1, 200, 32, 400_000, 16),
  load('client-to-peer', 100, 1200, 1, 100_000),
  load('peer-to-client', 100, 200, 1, 100_000),
  load('client-to-client', 2, 1200, 8, 50_000),
];
const picked = process.env.CASES?.split(',').map(Number);
const cases = all.filter((_, index) => !picked || picked.includes(index + 1));

/** A process on core 0. @param {string[]} command @param {object} env */
function pinned(command, env = {}, errors = 'inherit') {
  return spawn('taskset', ['-c', '0', ...command], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', errors],
  });
}

async function startMadang(more = {}) {
  const server = pinned([bin, 'serve', '--log', 'json', '--log-level', 'error'], {
    MADANG__HTTP__LISTEN: '127.0.0.1:0',
    MADANG__MEDIA__LISTEN: '127.0.0.1:0',
    MADANG__TURN__LISTEN: `127.0.0.1:${MADANG_PORT}`,
    MADANG__TURN__SECRETS: 'load',
    MADANG__TURN__ALLOW_PEERS: '127.0.0.0/8',
    MADANG__TURN__RELAY_PORTS: `${PORTS.first}-${PORTS.last}`,
    MADANG__TURN__ALLOCATIONS: '1000000',
    MADANG__TURN__ALLOCATIONS_PER_USER: '1000000',
    MADANG__TURN__ALLOCATIONS_PER_ADDRESS: '1000000',
    MADANG__TURN__UNAUTHENTICATED_PER_SECOND: '1000000',
    ...more,
  });
  for await (const line of createInterface({ input: server.stdout })) {
    if (line.startsWith('ready ')) return server;
  }
  throw new Error('madang did not start');
}

async function startCoturn(more = []) {
  const server = pinned(
    [
      'turnserver',
      '-n',
      '--listening-ip=127.0.0.1',
      `--listening-port=${COTURN_PORT}`,
      '--relay-ip=127.0.0.1',
      '--realm=load',
      '--use-auth-secret',
      '--static-auth-secret=load',
      '--no-tls',
      '--no-dtls',
      '--no-cli',
      '--allow-loopback-peers',
      `--min-port=${PORTS.first}`,
      `--max-port=${PORTS.last}`,
      '--pidfile=',
      '--log-file=/dev/null',
      ...more,
      // Of SCTP, where the kernel has none, it complains on each start.
    ],
    {},
    'ignore',
  );
  server.stdout.resume();
  // It says nothing that could be waited for.
  await sleep(1500);
  if (server.exitCode !== null) throw new Error('coturn did not start');
  return server;
}

async function stop(server) {
  if (server.exitCode !== null || server.signalCode !== null) return;
  server.kill('SIGKILL');
  await once(server, 'exit');
}

function turn(...options) {
  const command = ['-c', '1', bin, 'loadtest', 'turn', '--json', '--secret', 'load', ...options];
  return JSON.parse(
    execFileSync('taskset', command, { encoding: 'utf8', timeout: PATIENCE_MS, stdio: ['ignore', 'pipe', 'inherit'] }),
  );
}

function options({ direction, allocations, payload, burst, rate, gso }) {
  const each = { direction, allocations, payload, burst, rate, gso, time: `${seconds}s`, 'server-core': 0 };
  return Object.entries(each).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

const servers = [
  ['madang', startMadang, MADANG_PORT],
  ['coturn', startCoturn, COTURN_PORT],
  ...(switches.length ? [[`coturn ${switches.join(' ')}`, () => startCoturn(switches), COTURN_PORT]] : []),
  ['bare forwarder'],
];

async function measure(each, [, start, port]) {
  if (!start) return turn('--bare', ...options(each));
  const server = await start();
  try {
    return turn('--server', `127.0.0.1:${port}`, '--pid', String(server.pid), ...options(each));
  } finally {
    await stop(server);
  }
}

const rows = [];
for (const each of cases) {
  const results = servers.map(() => []);
  for (let run = 0; run < runs; run += 1) {
    for (const [index, server] of servers.entries()) results[index].push(await measure(each, server));
  }
  servers.forEach(([name], index) => {
    const middle = (value) => median(results[index].map(value));
    const cost = (value) => middle((result) => value(result.server)).toFixed(2);
    const { direction, allocations, payload, burst, rate, gso } = each;
    const sender = gso > 1 ? `bursts of ${burst}, GSO of ${gso}` : burst > 1 ? `bursts of ${burst}` : 'no bursts';
    const loss = middle((result) => result.loss) * 100;
    const costs = results[index].map((result) => result.server.seconds_per_million);
    rows.push([
      `${direction.replaceAll('-', ' ')}, ${allocations} × ${payload} B, ${sender}, ${rate}/s`,
      name,
      cost((server) => server.seconds_per_million),
      `${Math.min(...costs).toFixed(2)}…${Math.max(...costs).toFixed(2)}`,
      cost((server) => server.user),
      cost((server) => server.system),
      cost((server) => server.softirq),
      cost((server) => server.cores),
      Math.round(middle((result) => result.offered_rate)),
      Math.round(middle((result) => result.delivered_rate)),
      loss === 0 ? '0' : `${loss.toFixed(3)} %`,
      middle((result) => result.receiver_drops),
      `${(middle((result) => result.load_idle) * 100).toFixed(0)} %`,
    ]);
  });
}
if (rows.length) {
  printTable(
    [
      'case',
      'server',
      'CPU-s per million',
      'spread',
      'user',
      'system',
      'softirq thread',
      'cores',
      'offered/s',
      'delivered/s',
      'lost',
      "load's own drops",
      'load idle',
    ],
    rows,
  );
}

if (idle > 0) {
  console.log(`\nMemory of ${idle} idle allocations, on four relay addresses:\n`);
  const addresses = ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4'];
  const server = await startMadang({ MADANG__TURN__RELAY_ADDRESSES: addresses.join(',') });
  try {
    const told = turn('--server', `127.0.0.1:${MADANG_PORT}`, '--pid', String(server.pid), '--idle', String(idle));
    const mega = (bytes) => (bytes / 1e6).toFixed(1);
    const { before, after } = told;
    printTable(
      ['MB', 'before', 'after'],
      [
        ['resident (RSS)', mega(before.rss), mega(after.rss)],
        ['proportional (PSS)', mega(before.pss), mega(after.pss)],
        ["the kernel's objects (slab, whole machine)", mega(before.slab), mega(after.slab)],
        ['UDP sockets (number)', before.udp_sockets, after.udp_sockets],
      ],
    );
  } catch (why) {
    console.log(`not measured: ${String(why.message).split('\n')[0]} (open files allowed: see ulimit -n)`);
  } finally {
    await stop(server);
  }
}
