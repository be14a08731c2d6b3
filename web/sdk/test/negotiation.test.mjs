import assert from 'node:assert/strict';
import test from 'node:test';
import { Negotiation } from '../src/negotiation.js';
import { FakePeerConnection, settled } from './fakes.mjs';

function end(offerer) {
  const connection = new FakePeerConnection();
  const sent = [];
  const seen = [];
  const negotiation = new Negotiation({
    connection,
    open: { link: 'l_1', epoch: 2, kind: 'mesh', peer: 'p_b', offerer },
    send: (message) => sent.push(message),
    heard: (sdp) => sdp,
    answering: (sdp) => sdp,
    beforeOffer: () => seen.push('beforeOffer'),
    offered: (_sdp, mids) => seen.push(['offered', mids]),
    answered: (mids) => seen.push(['answered', mids]),
    ownMids: () => ({ 0: 't_own' }),
    described: () => seen.push('described'),
    note: () => {},
  });
  return { connection, sent, seen, negotiation };
}

const answer = (n) => ({ link: 'l_1', epoch: 2, n, kind: 'answer', sdp: 'a', tracks: { 0: 't_peer' } });
const offer = (n) => ({ link: 'l_1', epoch: 2, n, kind: 'offer', sdp: `o${n}`, tracks: { 0: 't_peer' } });
const ice = (n, candidate) => ({ link: 'l_1', epoch: 2, n, candidate: candidate && { candidate } });

test('an offer names its link, epoch, number and tracks', async () => {
  const { negotiation, sent, seen } = end('you');
  negotiation.offer();
  await settled();
  assert.deepEqual(sent, [
    { t: 'desc', link: 'l_1', epoch: 2, n: 1, kind: 'offer', sdp: 'offer 1', tracks: { 0: 't_own' } },
  ]);
  negotiation.receive(answer(1));
  await settled();
  assert.deepEqual(seen, ['beforeOffer', 'described', ['answered', { 0: 't_peer' }]]);
});

test('the end that does not offer never does', async () => {
  const { negotiation, sent } = end('peer');
  negotiation.offer();
  await settled();
  assert.deepEqual(sent, []);
});

test('changes while an answer is awaited make one more offer after it', async () => {
  const { negotiation, sent } = end('you');
  negotiation.offer();
  await settled();
  negotiation.offer();
  negotiation.offer();
  await settled();
  assert.equal(sent.length, 1);
  negotiation.receive(answer(1));
  await settled();
  assert.deepEqual(
    sent.map((message) => message.n),
    [1, 2],
  );
});

test('answers to earlier offers, and second answers, are dropped', async () => {
  const { negotiation, connection } = end('you');
  negotiation.offer();
  await settled();
  negotiation.receive(answer(0));
  negotiation.receive(answer(1));
  negotiation.receive(answer(1));
  await settled();
  assert.equal(connection.calls.filter(([what]) => what === 'remote').length, 1);
});

test('candidates wait for the description that they belong to', async () => {
  const { negotiation, connection } = end('peer');
  negotiation.receiveCandidate(ice(1, 'early'));
  negotiation.receiveCandidate(ice(2, 'for the next'));
  await settled();
  assert.deepEqual(connection.candidates, []);
  negotiation.receive(offer(1));
  negotiation.receiveCandidate(ice(1, 'late'));
  negotiation.receiveCandidate(ice(1, null));
  await settled();
  assert.deepEqual(connection.candidates, ['early', 'late']);
  negotiation.receive(offer(2));
  await settled();
  assert.deepEqual(connection.candidates, ['early', 'late', 'for the next']);
});

test('an offer is answered with its own number, and once', async () => {
  const { negotiation, sent } = end('peer');
  negotiation.receive(offer(3));
  negotiation.receive(offer(3));
  negotiation.receive(offer(2));
  await settled();
  assert.deepEqual(
    sent.map((message) => [message.kind, message.n]),
    [['answer', 3]],
  );
});

test('a restart does not wait for an answer that may never come', async () => {
  const { negotiation, connection, sent } = end('you');
  negotiation.offer();
  await settled();
  negotiation.offer({ restart: true });
  await settled();
  assert.deepEqual(connection.calls, [
    ['createOffer', {}],
    ['local', 'offer'],
    ['local', 'rollback'],
    ['createOffer', { iceRestart: true }],
    ['local', 'offer'],
  ]);
  assert.deepEqual(
    sent.map((message) => message.n),
    [1, 2],
  );
});

test('two ends that notice the same dead path make one restart', async () => {
  const { negotiation, sent } = end('you');
  negotiation.offer({ restart: true });
  await settled();
  negotiation.offer({ restart: true });
  await settled();
  assert.equal(sent.length, 1);
});

test('an offer that meets one of our own rolls ours back', async () => {
  const { negotiation, connection } = end('peer');
  connection.signalingState = 'have-local-offer';
  negotiation.receive(offer(1));
  await settled();
  assert.deepEqual(connection.calls.slice(0, 2), [
    ['local', 'rollback'],
    ['remote', 'offer', 'o1'],
  ]);
});

test('candidates found carry the number of the negotiation; the last is null', async () => {
  const { negotiation, connection, sent } = end('you');
  const found = (candidate) => connection.dispatchEvent(Object.assign(new Event('icecandidate'), { candidate }));
  negotiation.offer();
  await settled();
  found({ candidate: 'candidate:1', toJSON: () => ({ candidate: 'candidate:1', sdpMid: '0', sdpMLineIndex: 0 }) });
  found({ candidate: '', toJSON: () => ({ candidate: '' }) });
  found(null);
  assert.deepEqual(sent.slice(1), [
    { t: 'ice', link: 'l_1', epoch: 2, n: 1, candidate: { candidate: 'candidate:1', sdpMid: '0', sdpMLineIndex: 0 } },
    { t: 'ice', link: 'l_1', epoch: 2, n: 1, candidate: null },
  ]);
});

test('a step that fails does not stop the next', async () => {
  const { negotiation, connection, sent } = end('peer');
  const good = connection.setRemoteDescription;
  connection.setRemoteDescription = async () => {
    throw new Error('bad sdp');
  };
  negotiation.receive(offer(1));
  await settled();
  connection.setRemoteDescription = good;
  negotiation.receive(offer(2));
  await settled();
  assert.deepEqual(
    sent.map((message) => message.n),
    [2],
  );
});
