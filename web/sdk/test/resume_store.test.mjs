import assert from 'node:assert/strict';
import test, { afterEach, beforeEach } from 'node:test';
import { ResumeStore } from '../src/resume_store.js';
import { FakeStorage } from './fakes.mjs';

/** @type {EventTarget} */
let page;

beforeEach(() => {
  page = new EventTarget();
  globalThis.addEventListener = page.addEventListener.bind(page);
  globalThis.removeEventListener = page.removeEventListener.bind(page);
});

afterEach(() => {
  delete globalThis.addEventListener;
  delete globalThis.removeEventListener;
});

test('a page that was reloaded finds its ticket', () => {
  const storage = new FakeStorage();
  new ResumeStore('yard', storage).save({ session: 's_1', secret: 'x' });
  page.dispatchEvent(new Event('pagehide'));
  assert.deepEqual(new ResumeStore('yard', storage).inherited(), { session: 's_1', secret: 'x' });
  assert.equal(new ResumeStore('other', storage).inherited(), null);
});

test('a duplicated tab does not take the place of a page that lives', () => {
  const storage = new FakeStorage();
  new ResumeStore('yard', storage).save({ session: 's_1', secret: 'x' });
  assert.equal(new ResumeStore('yard', storage).inherited(), null);
});

test('a page that comes back from the cache lives again', () => {
  const storage = new FakeStorage();
  new ResumeStore('yard', storage).save({ session: 's_1', secret: 'x' });
  page.dispatchEvent(new Event('pagehide'));
  page.dispatchEvent(new Event('pageshow'));
  assert.equal(new ResumeStore('yard', storage).inherited(), null);
});

test('who left for good leaves nothing behind', () => {
  const storage = new FakeStorage();
  const store = new ResumeStore('yard', storage);
  store.save({ session: 's_1', secret: 'x' });
  store.clear();
  page.dispatchEvent(new Event('pagehide'));
  assert.equal(storage.map.size, 0);
});

test('storage that is blocked or broken means joining anew', () => {
  const broken = {
    getItem: () => '{',
    setItem: () => {
      throw new Error('full');
    },
    removeItem: () => {
      throw new Error('blocked');
    },
  };
  const store = new ResumeStore('yard', broken);
  assert.equal(store.inherited(), null);
  store.save({ session: 's_1', secret: 'x' });
  store.clear();
  assert.equal(new ResumeStore('yard', null).inherited(), null);
});
