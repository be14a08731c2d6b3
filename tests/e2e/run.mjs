// Runs the test files one after another (browsers share two cores), each in a process of its own.
// Arguments pick files by a part of their name; TEST picks tests by a pattern.
import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const longest = 10 * 60_000;
const here = path.dirname(fileURLToPath(import.meta.url));
const wanted = process.argv.slice(2);
const files = readdirSync(here)
  .filter((name) => name.endsWith('.test.mjs'))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  .sort();

if (files.length === 0) {
  console.error(`No test file matches ${wanted.join(' ')}`);
  process.exit(2);
}

const target = path.join(here, '../../target/e2e');
mkdirSync(target, { recursive: true });
const report = createWriteStream(path.join(target, 'report.txt'));

/** Network namespaces need root; a user namespace has one, and a /run of its own for `ip netns`. */
const asRoot = ['unshare', '--user', '--map-root-user', '--net', '--mount', 'sh', '-c'];
asRoot.push('mount -t tmpfs tmpfs /run && ip link set lo up && exec "$@"', 'sh');

/**
 * Runs one file.
 * @returns {Promise<{ passed: boolean, said: string }>} whether all its tests passed, and what was printed
 */
function run(file) {
  const pattern = process.env.TEST ? [`--test-name-pattern=${process.env.TEST}`] : [];
  const prefix = file.endsWith('network.test.mjs') && process.getuid() !== 0 ? asRoot : [];
  const [program, ...args] = [...prefix, process.execPath, '--test-reporter=spec', ...pattern, path.join(here, file)];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: longest });
  for (const sink of [process.stdout, report]) child.stdout.pipe(sink, { end: false });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (said += text));
  return new Promise((resolve) => {
    child.once('error', (why) => resolve({ passed: false, said: `${said}\n${why}` }));
    child.once('close', (code) => resolve({ passed: code === 0, said }));
  });
}

/** What went wrong, said once more at the end: what comes before it may be cut off. */
const troubles = [];
const failed = [];
const twice = [];
for (const file of files) {
  console.log(`\n${file}`);
  if ((await run(file)).passed) continue;
  // Browsers in real time on a machine that others use too: a second failure in a row is a fault.
  console.log(`\n${file}, once more`);
  const { passed, said } = await run(file);
  (passed ? twice : failed).push(file);
  if (!passed) troubles.push(said.slice(said.indexOf('failing tests')));
}
for (const trouble of troubles) console.log(trouble);
if (twice.length > 0) console.log(`\nPASSED AT THE SECOND ATTEMPT ONLY: ${twice.join(', ')}`);
console.log(failed.length > 0 ? `\nFAILED: ${failed.join(', ')}` : `\nAll of ${files.length} files passed.`);
process.exitCode = failed.length > 0 ? 1 : 0;
