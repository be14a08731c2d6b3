// Signs tokens with the binary's own command.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { binary } from './server.mjs';

/** @param {string} id @param {string} secret @param {Record<string, string>} options */
export async function token(id, secret, options) {
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const env = { ...process.env, MADANG__AUTH__KEYS: `{${id} = "${secret}"}` };
  const { stdout } = await promisify(execFile)(binary, ['token', ...args], { env });
  return stdout.trim();
}
