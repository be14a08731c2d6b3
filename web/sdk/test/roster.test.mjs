import assert from 'node:assert/strict';
import test from 'node:test';
import { Participant } from '../src/participant.js';
import { Roster } from '../src/roster.js';
import { participant, passTime, stopTime, track } from './fakes.mjs';

function roster() {
  const local = new Participant();
  local.id = 'p_me';
  local.trackChanged = (info, byHost) => events.push(['own', info.id, byHost]);
  const events = [];
  const made = new Roster(local, {
    emit: (event, ...args) => events.push([event, ...args.map((each) => each?.id ?? each)]),
    sized: (which, size) => events.push(['sized', which.id, size]),
    added: (which) => events.push(['added', which.id]),
    removed: (id) => events.push(['removed', id]),
  });
  return { roster: made, events };
}

test('people and their tracks come, change and go', () => {
  const { roster: room, events } = roster();
  room.participantEvent({ change: 'added', participant: participant('p_a', { tracks: [track('t_1')] }) });
  room.participantEvent({ change: 'changed', participant: participant('p_a', { hand: true, tracks: [track('t_1')] }) });
  room.trackEvent({ change: 'changed', participant: 'p_a', track: track('t_1', { muted: true }) });
  room.trackEvent({ change: 'added', participant: 'p_a', track: track('t_2', { source: 'screen' }) });
  room.trackEvent({ change: 'removed', participant: 'p_a', track: track('t_2', { source: 'screen' }) });
  room.participantEvent({ change: 'removed', participant: participant('p_a'), reason: 'left' });
  assert.deepEqual(events, [
    ['participantConnected', 'p_a'],
    ['trackPublished', 't_1', 'p_a'],
    ['added', 't_1'],
    ['participantChanged', 'p_a'],
    ['trackMuted', 't_1', 'p_a'],
    ['trackPublished', 't_2', 'p_a'],
    ['added', 't_2'],
    ['trackUnpublished', 't_2', 'p_a'],
    ['trackUnpublished', 't_1', 'p_a'],
    ['removed', 'p_a'],
    ['participantDisconnected', 'p_a', 'left'],
  ]);
  assert.equal(room.remotes.size, 0);
});

test('a new picture of the room keeps who stays, by the same object', () => {
  const { roster: room, events } = roster();
  room.reset([participant('p_a', { tracks: [track('t_1')] }), participant('p_b')]);
  const ana = room.remotes.get('p_a');
  events.length = 0;
  room.reset([participant('p_a', { name: 'Ana', tracks: [track('t_2')] }), participant('p_c')]);
  assert.equal(room.remotes.get('p_a'), ana);
  assert.deepEqual([...room.remotes.keys()], ['p_a', 'p_c']);
  assert.deepEqual(
    events.map(([event, id]) => `${event} ${id}`),
    [
      'removed p_b',
      'participantDisconnected p_b',
      'participantChanged p_a',
      'trackUnpublished t_1',
      'trackPublished t_2',
      'added t_2',
      'participantConnected p_c',
    ],
  );
});

test('published tracks are counted by kind, for the offer', () => {
  const { roster: room } = roster();
  room.reset([participant('p_a', { tracks: [track('t_1'), track('t_2', { kind: 'audio' }), track('t_3')] })]);
  assert.deepEqual(room.countTracks('p_a'), { audio: 1, video: 2 });
  assert.deepEqual(room.countTracks('p_nobody'), { audio: 0, video: 0 });
  assert.deepEqual(room.countTracks(null), { audio: 0, video: 0 });
});

test('events about oneself are not about somebody else', () => {
  const { roster: room, events } = roster();
  room.participantEvent({ change: 'changed', participant: participant('p_me', { role: 'host' }) });
  room.trackEvent({ change: 'changed', participant: 'p_me', track: track('t_9', { muted: true }), by: 'p_host' });
  room.trackEvent({ change: 'changed', participant: 'p_me', track: track('t_9', { muted: true }), by: 'p_me' });
  assert.deepEqual(events, [
    ['participantChanged', 'p_me'],
    ['own', 't_9', true],
    ['own', 't_9', false],
  ]);
  assert.equal(room.remotes.size, 0);
});

test('the size on screen is said once it has settled, and only when it changes by much', (t) => {
  stopTime(t, ['setTimeout']);
  const { roster: room, events } = roster();
  room.reset([participant('p_a', { tracks: [track('t_1')] })]);
  events.length = 0;
  const shown = room.remoteTrack('t_1');
  shown.setSize({ width: 100, height: 50 });
  shown.setSize({ width: 320.4, height: 180 });
  passTime(250);
  shown.setSize({ width: 330, height: 185 });
  passTime(250);
  shown.setSize(null);
  passTime(250);
  assert.deepEqual(events, [
    ['sized', 't_1', { width: 320, height: 180 }],
    ['sized', 't_1', null],
  ]);
});

test('people of a server that was restarted stay until they are back under a new id', (t) => {
  stopTime(t, ['setTimeout']);
  const { roster: room, events } = roster();
  const before = [
    participant('p_a', { tracks: [track('t_1', { cid: 'camera-a' })] }),
    participant('p_b', { tracks: [track('t_2', { cid: 'camera-b' })] }),
    participant('p_c', { name: 'Cho' }),
    participant('p_d', { identity: 'dan@example.org' }),
  ];
  room.reset(before);
  room.reset([], { linger: true });
  assert.deepEqual([...room.remotes.keys()], ['p_a', 'p_b', 'p_c', 'p_d']);
  assert.equal(room.remotes.get('p_a').presence, 'away');
  events.length = 0;
  const back = [
    participant('p_1', { tracks: [track('t_9', { cid: 'camera-a' })] }),
    participant('p_3', { name: 'Cho' }),
    participant('p_4', { identity: 'dan@example.org' }),
    participant('p_5', { name: 'somebody new' }),
  ];
  for (const info of back) room.participantEvent({ change: 'added', participant: info });
  assert.deepEqual([...room.remotes.keys()], ['p_b', 'p_1', 'p_3', 'p_4', 'p_5']);
  assert.deepEqual(
    events.filter(([event]) => event.startsWith('participant')).map(([event, id]) => `${event} ${id}`),
    [
      'participantDisconnected p_a',
      'participantConnected p_1',
      'participantDisconnected p_c',
      'participantConnected p_3',
      'participantDisconnected p_d',
      'participantConnected p_4',
      'participantConnected p_5',
    ],
  );
  passTime(4000);
  assert.equal(room.remotes.has('p_b'), false);
  assert.deepEqual(events.at(-1), ['participantDisconnected', 'p_b', 'lost']);
});
