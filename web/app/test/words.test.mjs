import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import en from '../i18n/en.js';
import ko from '../i18n/ko.js';

const PARAMETERS = {
  name: 'Ada',
  names: 'Ada, Bo',
  count: 2,
  kind: 'x',
  number: 1,
  link: 'x',
  text: 'x',
  size: 'l',
  rate: '400 kbit/s',
};
const say = (text) => (typeof text === 'function' ? text(PARAMETERS) : text);

test('both languages say the same things', () => {
  assert.deepEqual(Object.keys(ko).sort(), Object.keys(en).sort());
  for (const words of [en, ko]) {
    for (const [key, text] of Object.entries(words)) {
      assert.ok(say(text).trim(), key);
      assert.doesNotMatch(say(text), /undefined/, key);
    }
  }
});

test('every word that the pages name exists', () => {
  const folders = ['..', '../call'].map((folder) => new URL(`${folder}/`, import.meta.url));
  const files = folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => /\.(js|html)$/.test(name))
      .map((name) => new URL(name, folder)),
  );
  for (const file of files) {
    const source = readFileSync(file, 'utf8');
    for (const [, key] of source.matchAll(
      /(?:\b(?:t|label|hint|placeholderKey): |\bt\(|data-t(?:-\w+)?=)['"]([a-z_.]+)['"]/g,
    )) {
      assert.ok(key in en, `${key} in ${file.pathname}`);
    }
  }
});

test('no page has a script, a style or a handler in its text', () => {
  const folder = new URL('../', import.meta.url);
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.html'))) {
    const page = readFileSync(new URL(name, folder), 'utf8');
    assert.doesNotMatch(page, /<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/, name);
  }
});
