// Network namespaces with veth pairs between them: machines that share nothing but cables.
// Addresses are those of RFC 5737, for documentation; nothing leaves this machine.
import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

let made = 0;

function ip(...args) {
  return execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
}

export class Namespace {
  /** @param {string} label */
  constructor(label) {
    this.name = `madang-${process.pid}-${++made}-${label}`;
    ip('netns', 'add', this.name);
    this.run('ip', 'link', 'set', 'lo', 'up');
  }

  /** Runs a command inside. */
  run(...command) {
    const [program, ...args] = [...this.prefix, ...command];
    return execFileSync(program, args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
  }

  /** The words to put before a command so that it runs inside. (`ip netns exec` mounts /sys too, which not every root may.) */
  get prefix() {
    return ['nsenter', `--net=/run/netns/${this.name}`];
  }

  /** A script that runs a program inside, for launchers that want one path. */
  wrapper(program) {
    const script = path.join(os.tmpdir(), `${this.name}.sh`);
    writeFileSync(script, `#!/bin/sh\nexec ${this.prefix.join(' ')} ${program} "$@"\n`);
    chmodSync(script, 0o755);
    return script;
  }

  remove() {
    ip('netns', 'del', this.name);
  }
}

/**
 * A cable between two namespaces; both ends come up with an address.
 * @param {[Namespace, string, string]} one the namespace, the interface's name, its address with prefix
 * @param {[Namespace, string, string]} other
 */
export function connect(one, other) {
  const [from, fromName] = one;
  const [to, toName] = other;
  ip('link', 'add', fromName, 'netns', from.name, 'type', 'veth', 'peer', 'name', toName, 'netns', to.name);
  for (const [space, name, address] of [one, other]) {
    // A link-local IPv6 address would appear a second later, and a browser that sees a network change
    // ends what it was just fetching.
    space.run('ip', 'link', 'set', name, 'addrgenmode', 'none');
    space.run('ip', 'addr', 'add', address, 'dev', name);
    space.run('ip', 'link', 'set', name, 'up');
  }
}
