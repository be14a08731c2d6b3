// A sound card for a browser: without any, Firefox's Web Audio has a clock that stands still.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { until } from './until.mjs';

/**
 * Starts a PulseAudio of its own whose only output goes nowhere.
 * @returns {Promise<{ env: Record<string, string>, stop(): void }>} what its clients need to find it
 */
export async function startSoundCard() {
  const home = mkdtempSync(path.join(tmpdir(), 'madang-sound-'));
  const socket = path.join(home, 'native');
  const load = ['module-null-sink', `module-native-protocol-unix auth-anonymous=1 socket=${socket}`];
  const args = [
    '-n',
    '--daemonize=no',
    '--exit-idle-time=-1',
    '--log-level=error',
    ...load.map((each) => `--load=${each}`),
  ];
  const env = { ...process.env, HOME: home, PULSE_RUNTIME_PATH: home, XDG_RUNTIME_DIR: home, XDG_CONFIG_HOME: home };
  const child = spawn('pulseaudio', args, { env, stdio: 'ignore' });
  let fault = '';
  child.once('error', (error) => (fault = error.message));
  child.once('exit', (code) => (fault ||= `it ended with ${code}`));
  const stop = () => {
    child.kill();
    rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
  try {
    await until('PulseAudio listens', () => {
      if (fault) throw new Error(`pulseaudio: ${fault}; make test installs it`);
      return existsSync(socket) || { wait: socket };
    });
  } catch (error) {
    stop();
    throw error;
  }
  return { env: { PULSE_SERVER: `unix:${socket}` }, stop };
}
