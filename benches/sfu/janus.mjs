// Debian's janus with nothing but its VideoRoom and its WebSocket interface.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { until } from '../../tests/e2e/lib/until.mjs';

const port = 8188;

const libraries = () => {
  for (const triple of readdirSync('/usr/lib')) {
    const dir = path.join('/usr/lib', triple, 'janus');
    try {
      return {
        dir,
        plugins: readdirSync(path.join(dir, 'plugins')),
        transports: readdirSync(path.join(dir, 'transports')),
      };
    } catch {
      // Another architecture's directory.
    }
  }
  throw new Error('janus has no plugins; is the Debian package installed?');
};

const allBut = (wanted, files) => files.filter((file) => file.endsWith('.so') && file !== wanted).join(',');

/** @param {string} dir @param {string} address @param {number | undefined} loops event loops; undefined: one for each handle */
function configure(dir, address, loops) {
  const { dir: library, plugins, transports } = libraries();
  const write = (name, text) => writeFileSync(path.join(dir, name), text);
  write(
    'janus.jcfg',
    `general: {
  configs_folder = "${dir}"
  plugins_folder = "${library}/plugins"
  transports_folder = "${library}/transports"
  debug_level = 2
  session_timeout = 0
  ${loops ? `event_loops = ${loops}` : ''}
}
media: { ipv6 = false }
nat: {
  ice_lite = true
  ice_enforce_list = "${address}"
}
plugins: { disable = "${allBut('libjanus_videoroom.so', plugins)}" }
transports: { disable = "${allBut('libjanus_websockets.so', transports)}" }
events: { broadcast = false }
`,
  );
  write(
    'janus.transport.websockets.jcfg',
    `general: { json = "compact", ws = true, ws_port = ${port}, ws_ip = "${address}", wss = false }\n`,
  );
  write('janus.plugin.videoroom.jcfg', 'general: { }\n');
}

const accepts = (address, port) =>
  new Promise((resolve) => {
    const socket = net.connect(port, address);
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });

/** Starts it on one core. @param {string} address @param {number} core @param {number} [loops] */
export async function startJanus(address, core, loops) {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'madang-janus-'));
  configure(dir, address, loops);
  const args = ['--cpu-list', String(core), 'janus', '-F', dir, '-C', path.join(dir, 'janus.jcfg')];
  const child = spawn('taskset', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const output of [child.stdout, child.stderr]) output.on('data', (data) => (said += data));
  try {
    await until('janus accepts connections', () => child.exitCode === null && accepts(address, port), {
      timeout: 20_000,
    });
  } catch (why) {
    child.kill('SIGKILL');
    throw new Error(`${why.message}\n${said}`);
  }
  // taskset becomes the program that it starts, so the process is janus itself.
  return {
    pid: child.pid,
    url: `ws://${address}:${port}/`,
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(late);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
