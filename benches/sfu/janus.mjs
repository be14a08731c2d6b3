// Debian's janus with nothing but its VideoRoom and its WebSocket interface.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const libraries = () => {
  for (const triple of readdirSync('/usr/lib')) {
    const dir = path.join('/usr/lib', triple, 'janus');
    try {
      return { dir, plugins: readdirSync(path.join(dir, 'plugins')), transports: readdirSync(path.join(dir, 'transports')) };
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
    `general: { json = "compact", ws = true, ws_port = 8188, ws_ip = "${address}", wss = false }\n`,
  );
  write('janus.plugin.videoroom.jcfg', 'general: { }\n');
}

/** Starts it on one core. @param {string} address @param {number} core @param {number} [loops] */
export async function startJanus(address, core, loops) {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'madang-janus-'));
  configure(dir, address, loops);
  const args = ['--cpu-list', String(core), 'janus', '-F', dir, '-C', path.join(dir, 'janus.jcfg')];
  const child = spawn('taskset', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.on('data', (data) => (said += data));
  await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`janus is not ready after 20 s:\n${said}`)), 20_000);
    child.once('exit', (code) => reject(new Error(`janus ended (${code}):\n${said}`)));
    child.stdout.on('data', (data) => {
      said += data;
      // taskset becomes the program that it starts, so the process is janus itself.
      if (/WebSockets thread started/.test(said)) {
        clearTimeout(late);
        resolve(undefined);
      }
    });
  });
  return {
    pid: child.pid,
    url: `ws://${address}:8188/`,
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
