// The Python client (tests/e2e/python/client.py) as a child process.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ChildClient } from './child.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const python = path.join(here, '../../../.venv/bin/python');

export class PythonClient extends ChildClient {
  /**
   * @param {Record<string, string | number | undefined>} options of client.py, by their names
   * @param {Record<string, string>} [env]
   */
  constructor(options, env = {}) {
    const args = Object.entries(options).flatMap(([name, value]) =>
      value === undefined ? [] : [`--${name}`, String(value)],
    );
    super(python, [path.join(here, '../python/client.py'), ...args], env);
  }
}
