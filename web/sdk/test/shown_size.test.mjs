import assert from 'node:assert/strict';
import test, { beforeEach } from 'node:test';
import { RemoteTrack } from '../src/index.js';
import { participant, passTime, stopTime, track } from './fakes.mjs';

/** @type {{ resized: Function, seen: Function, watched: Set<object> }} */
let screen;

beforeEach(() => {
  screen = { watched: new Set() };
  const observer = (name) =>
    class {
      constructor(told) {
        screen[name] = told;
      }
      observe(element) {
        screen.watched.add(element);
      }
      unobserve(element) {
        screen.watched.delete(element);
      }
      disconnect() {}
    };
  globalThis.ResizeObserver = observer('resized');
  globalThis.IntersectionObserver = observer('seen');
  globalThis.HTMLVideoElement = class extends EventTarget {};
  globalThis.MediaStream = class {};
  globalThis.document = Object.assign(new EventTarget(), { hidden: false, pictureInPictureElement: null });
  globalThis.devicePixelRatio = 2;
});

function attached(t) {
  stopTime(t, ['setTimeout']);
  const said = [];
  const remote = new RemoteTrack(track('t_1'), participant('p_a'), (_track, size) => said.push(size));
  const element = new HTMLVideoElement();
  remote.attach(element);
  return { remote, element, said };
}

const resize = (target, width, height) => screen.resized([{ target, contentRect: { width, height } }]);
const view = (target, isIntersecting) => screen.seen([{ target, isIntersecting }]);

test('an attached picture is asked for in the pixels that it covers', (t) => {
  const { element, said } = attached(t);
  resize(element, 320, 180);
  view(element, true);
  passTime(250);
  assert.deepEqual(said, [{ width: 640, height: 360 }]);
  for (let width = 330; width <= 640; width += 10) resize(element, width, (width * 9) / 16);
  passTime(250);
  assert.deepEqual(said.at(-1), { width: 1280, height: 720 });
  assert.equal(said.length, 2, 'one word for a whole drag');
});

test('the largest of several elements counts', (t) => {
  const { remote, element, said } = attached(t);
  const other = new HTMLVideoElement();
  remote.attach(other);
  for (const each of [element, other]) view(each, true);
  resize(element, 160, 90);
  resize(other, 640, 360);
  passTime(250);
  assert.deepEqual(said, [{ width: 1280, height: 720 }]);
  remote.detach(other);
  passTime(250);
  assert.deepEqual(said.at(-1), { width: 320, height: 180 });
});

test('what nobody sees for three seconds is not asked for, and is when it is seen again', (t) => {
  const { element, said } = attached(t);
  resize(element, 320, 180);
  view(element, true);
  passTime(250);
  view(element, false);
  passTime(2000);
  view(element, true);
  passTime(4000);
  assert.equal(said.length, 1, 'it was only scrolled past');
  document.hidden = true;
  document.dispatchEvent(new Event('visibilitychange'));
  passTime(3250);
  assert.equal(said.at(-1), null);
  document.hidden = false;
  document.dispatchEvent(new Event('visibilitychange'));
  passTime(250);
  assert.deepEqual(said.at(-1), { width: 640, height: 360 });
});

test('a picture that floats over other windows is seen though the page is hidden', (t) => {
  const { element, said } = attached(t);
  document.pictureInPictureElement = element;
  element.dispatchEvent(new Event('enterpictureinpicture'));
  document.hidden = true;
  document.dispatchEvent(new Event('visibilitychange'));
  passTime(5000);
  assert.equal(said.length, 1);
  assert.ok(said[0].width > 0);
});

test('what the app says itself goes before what is measured', (t) => {
  const { remote, element, said } = attached(t);
  remote.setSize({ width: 100, height: 50 });
  assert.equal(screen.watched.size, 0);
  resize(element, 320, 180);
  passTime(5000);
  assert.deepEqual(said, [{ width: 100, height: 50 }]);
});

test('a track that has ended is measured no longer', (t) => {
  const { remote, element, said } = attached(t);
  resize(element, 320, 180);
  view(element, true);
  remote.end();
  passTime(5000);
  assert.deepEqual(said, []);
  assert.equal(screen.watched.size, 0);
});
