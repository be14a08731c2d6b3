// Whether mixing holds up what is forwarded: the delay from one publisher to fifty in a forwarded room, alone, and while
// the same server mixes four and nine people. The server has one core, all clients the other. SECONDS for each.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ChildClient } from '../../tests/e2e/lib/child.mjs';
import { Server, binary } from '../../tests/e2e/lib/server.mjs';
import { until } from '../../tests/e2e/lib/until.mjs';
import { printTable } from '../lib/table.mjs';

const run = promisify(execFile);
const seconds = Number(process.env.SECONDS ?? 15);
const cores = { server: process.env.SERVER_CORES ?? '0', clients: process.env.CLIENT_CORES ?? '1' };

const server = await Server.start(
  { 'room.max_participants': 1000, 'signaling.max_connections_per_address': 1000, 'log.level': 'warn' },
  { wrap: ['taskset', '--cpu-list', cores.server] },
);

const encodedSoFar = async () => (await server.metric('madang_mix_encoded_total')) ?? 0;

/** People who publish the test picture and a tone, in a room that is mixed. */
async function mixed(count) {
  const before = await encodedSoFar();
  const url = `${server.url}/r/mixed-${count}`;
  const people = Array.from({ length: count }, (_, index) => {
    const what = ['--publish', 'pattern', '--tone', String(300 + 90 * index), '--topology', 'mcu'];
    const join = ['join', url, '--json', '--name', `Person ${index + 1}`, ...what];
    return new ChildClient('taskset', ['--cpu-list', cores.clients, binary, ...join]);
  });
  for (const person of people) await person.event('somebody is in', ({ event }) => event === 'joined');
  await until(
    'all are mixed',
    async () => {
      const decoding = await server.metric('madang_mix_decoding');
      const encoded = (await encodedSoFar()) - before;
      return (decoding === count && encoded > 60) || { wait: { decoding, encoded } };
    },
    { timeout: 30_000 },
  );
  return people;
}

async function forwarded() {
  const args = [
    ...['--cpu-list', cores.clients, binary, 'loadtest', 'forward', 'madang', '--url', server.webSocketUrl],
    ...['--server-pid', server.pid, '--server-core', cores.server[0], '--address', '127.0.0.1'],
    ...['--time', `${seconds}s`, '--case', 'broadcast', '--subscribers', 50, '--json'],
  ];
  const { stdout } = await run('taskset', args.map(String));
  return JSON.parse(stdout);
}

const spent = async () =>
  (
    await Promise.all(['decode', 'picture', 'sound'].map((part) => server.metric('madang_mix_seconds_total', { part })))
  ).map((value) => value ?? 0);

try {
  const rows = [];
  for (const count of [0, 4, 9, 0]) {
    const people = count > 0 ? await mixed(count) : [];
    const [before, late] = [await spent(), (await server.metric('madang_mix_late_total')) ?? 0];
    const begun = performance.now();
    const { delay_ms, loss } = await forwarded();
    const passed = (performance.now() - begun) / 1000;
    const cost = (await spent()).map((value, part) => ((value - before[part]) / passed).toFixed(3));
    const left = ((await server.metric('madang_mix_late_total')) ?? 0) - late;
    const delay = [delay_ms.p50, delay_ms.p99].map((value) => value.toFixed(2));
    rows.push([count || 'none', ...delay, `${(loss * 100).toFixed(3)} %`, ...cost, `${(left / passed).toFixed(2)}`]);
    for (const person of people) person.end('SIGINT');
    await until('nobody is mixed', async () => !(await server.metric('madang_mix_rooms')), { timeout: 30_000 });
  }
  const head = [
    'mixed',
    '1 → 50: p50 ms',
    'p99',
    'lost',
    'decoding, cores',
    'pictures',
    'sound',
    'pictures left out per s',
  ];
  printTable(head, rows);
} finally {
  await server.stop();
}
