import assert from 'node:assert/strict';
import test, { beforeEach } from 'node:test';
import { RemoteTrack } from '../src/index.js';
import { media, participant, track } from './fakes.mjs';

beforeEach(() => {
  globalThis.HTMLVideoElement = class {};
  globalThis.MediaStream = class {
    #tracks = [];
    changes = [];
    getTracks = () => [...this.#tracks];
    addTrack(added) {
      this.changes.push(['add', added]);
      this.#tracks.push(added);
    }
    removeTrack(removed) {
      this.changes.push(['remove', removed]);
      this.#tracks = this.#tracks.filter((each) => each !== removed);
    }
  };
});

const sound = () => new RemoteTrack(track('t_1', { kind: 'audio' }), participant('p_a'), () => {});

test('an element keeps its stream when the track in it is exchanged, the old one taken out first', () => {
  const remote = sound();
  const [before, after] = [media('audio'), media('audio')];
  remote.setMedia(before);
  const element = remote.attach({});
  const stream = element.srcObject;
  remote.setMedia(after);
  assert.equal(element.srcObject, stream);
  assert.deepEqual(stream.changes, [
    ['add', before],
    ['remove', before],
    ['add', after],
  ]);
});

test('an element without media is empty until there is some', () => {
  const remote = sound();
  const element = remote.attach({});
  assert.equal(element.srcObject, null);
  const first = media('audio');
  remote.setMedia(first);
  assert.deepEqual(element.srcObject.getTracks(), [first]);
  remote.setMedia(null);
  assert.equal(element.srcObject, null);
  remote.setMedia(first);
  assert.deepEqual(element.srcObject.getTracks(), [first]);
});

test('two elements of one track are fed alike, and a detached one no more', () => {
  const remote = sound();
  const [one, other] = [remote.attach({}), remote.attach({})];
  const first = media('audio');
  remote.setMedia(first);
  assert.notEqual(one.srcObject, other.srcObject);
  remote.detach(one);
  assert.equal(one.srcObject, null);
  const second = media('audio');
  remote.setMedia(second);
  assert.deepEqual(other.srcObject.getTracks(), [second]);
  assert.equal(one.srcObject, null);
});
