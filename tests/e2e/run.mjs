// Runs the test files one after another (browsers share two cores) and prints a readable report.
// Arguments pick files by a part of their name; TEST picks tests by a pattern.
import { createWriteStream, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

const here = path.dirname(fileURLToPath(import.meta.url));
const wanted = process.argv.slice(2);
const files = readdirSync(here)
  .filter((name) => name.endsWith('.test.mjs'))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  .sort()
  .map((name) => path.join(here, name));

if (files.length === 0) {
  console.error(`No test file matches ${wanted.join(' ')}`);
  process.exit(2);
}

const target = path.join(here, '../../target/e2e');
mkdirSync(target, { recursive: true });

let failed = 0;
let passed = 0;
const stream = run({
  files,
  concurrency: 1,
  timeout: 300_000,
  testNamePatterns: process.env.TEST ? [process.env.TEST] : undefined,
});
stream.on('test:fail', () => failed++);
stream.on('test:pass', () => passed++);
const report = stream.compose(spec);
report.pipe(createWriteStream(path.join(target, 'report.txt')));
report.pipe(process.stdout);
report.on('end', () => {
  if (passed === 0 && failed === 0) console.error('No test ran.');
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
});
