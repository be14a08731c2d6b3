// Homes behind NATs, in network namespaces: the program natlab (crates/lab) translates between
// two interfaces, one in the home and one on the internet. Rust tests have the same in
// crates/lab/src/yard.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Namespace } from './namespaces.mjs';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const natlab = process.env.NATLAB_BIN ?? path.join(root, 'target/debug/natlab');

/** Where the server is. */
export const serverAddress = '203.0.113.1';

const independent = 'endpoint-independent';
const address = 'address-dependent';
const port = 'address-and-port-dependent';

/** The options of natlab for each kind, the outermost NAT first. */
export const kinds = {
  'full cone': [['--mapping', independent, '--filtering', independent]],
  'address-restricted': [['--mapping', independent, '--filtering', address]],
  'port-restricted': [['--mapping', independent, '--filtering', port]],
  symmetric: [['--mapping', port, '--filtering', port]],
  'UDP blocked': [['--mapping', independent, '--filtering', port, '--udp-blocked']],
  'double, outer symmetric': [
    ['--mapping', port, '--filtering', port],
    ['--mapping', independent, '--filtering', port],
  ],
};

/** A namespace that passes packets on, with the server's address. */
export class Internet {
  #homes = 0;
  #ends = [];

  constructor() {
    this.space = this.#made('internet');
    forward(this.space);
    this.space.run('ip', 'addr', 'add', `${serverAddress}/32`, 'dev', 'lo');
  }

  #made(label) {
    const space = new Namespace(label);
    this.#ends.push(() => space.remove());
    return space;
  }

  /**
   * A home behind NATs of that kind.
   * @param {keyof typeof kinds} kind
   * @returns {Promise<Namespace>} where the people at home are
   */
  async home(kind) {
    const number = ++this.#homes;
    let upper = this.space;
    for (const [depth, options] of kinds[kind].entries()) {
      const last = depth + 1 === kinds[kind].length;
      const lower = this.#made(last ? 'home' : 'carrier');
      if (!last) forward(lower);
      const own = last ? `192.168.${number}.2` : `100.64.${number}.1`;
      const shown = depth === 0 ? `198.51.100.${number}` : `100.64.${number}.2`;
      await this.#nat(upper, lower, own, shown, `nat${number}`, options);
      upper = lower;
    }
    return upper;
  }

  /** Lets nothing out of the home that was made as that one, but TCP to one port. */
  onlyTcpTo(tcpPort, number) {
    const from = `iifname "nat${number}"`;
    const rules = `${from} meta l4proto != tcp drop\n${from} tcp dport != ${tcpPort} drop\n`;
    // Not in the home's own output, where a program would be told at once.
    this.space.run('nft', `table ip strict {\nchain in {\ntype filter hook prerouting priority filter\n${rules}}\n}`);
  }

  async #nat(upper, lower, own, shown, outside, options) {
    if (!existsSync(natlab)) throw new Error(`${natlab} is missing: cargo build -p madang-lab --bin natlab`);
    const [program, ...args] = [...lower.prefix, natlab];
    args.push('--inside', 'wan', '--outside', outside, '--outer', shown, ...options);
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#ends.push(() => child.kill());
    await new Promise((resolve, reject) => {
      createInterface(child.stdout).once('line', resolve);
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`natlab ended (${code})`)));
    });
    lower.run('ip', 'link', 'set', outside, 'netns', upper.name);
    lower.run('ip', 'addr', 'add', `${own}/32`, 'dev', 'wan');
    lower.run('ip', 'link', 'set', 'wan', 'up');
    lower.run('ip', 'route', 'add', 'default', 'dev', 'wan', 'src', own);
    upper.run('ip', 'link', 'set', outside, 'up');
    upper.run('ip', 'route', 'add', `${shown}/32`, 'dev', outside);
  }

  /** NATs end before the namespaces that they are in. */
  remove() {
    for (const end of this.#ends.reverse()) end();
  }
}

function forward(space) {
  space.run('sysctl', '-q', '-w', 'net.ipv4.ip_forward=1', 'net.ipv4.conf.all.rp_filter=0');
}
