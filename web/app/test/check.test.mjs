import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { judgeAddresses, judgeRelay, judgeSpeed, judgeTrip, relayOutcome } from '../check/judge.js';
import { median, rate } from '../check/measure.js';
import { natKind } from '../check/nat.js';
import { reportText, shortened } from '../check/report.js';
import { verdict } from '../check/verdict.js';
import en from '../check/words.en.js';
import ko from '../check/words.ko.js';

const LOCAL = '192.0.2.10';

function candidate(type, more = {}) {
  const base = { type, protocol: 'udp', family: 'IPv4', address: LOCAL, port: 5000 };
  return { ...base, relatedAddress: '', relatedPort: 0, relayProtocol: null, url: '', ...more };
}
const host = candidate('host');
const mapped = (port, more) =>
  candidate('srflx', { address: '203.0.113.7', port, relatedAddress: LOCAL, relatedPort: 5000, ...more });
const relayed = candidate('relay', { address: '198.51.100.1', relayProtocol: 'udp' });
const gathering = (candidates, errors = [], isComplete = true) => ({ candidates, errors, isComplete });
const STUN = ['stun:198.51.100.1:3478', 'stun:198.51.100.2:3478'];
const timeout = { url: STUN[0], code: 701, text: 'STUN binding request timed out.' };

test('a NAT that shows each server another port is symmetric', () => {
  assert.equal(natKind(gathering([host, mapped(40001), mapped(40002)]), STUN), 'symmetric');
});

test('two sockets with a port each do not make a NAT symmetric', () => {
  const other = mapped(40002, { relatedAddress: '192.0.2.11', relatedPort: 6000 });
  assert.equal(natKind(gathering([host, mapped(40001), other]), STUN), 'same');
});

test('sockets that the browser hides are told apart by their family', () => {
  const hidden = { relatedAddress: '0.0.0.0', relatedPort: 0 };
  const v6 = { ...hidden, family: 'IPv6', address: '2001:db8::7' };
  assert.equal(natKind(gathering([mapped(40001, hidden), mapped(40002, v6)]), STUN), 'same');
  assert.equal(natKind(gathering([mapped(40001, hidden), mapped(40002, hidden)]), STUN), 'symmetric');
});

test('one server alone cannot tell of which kind a NAT is', () => {
  assert.equal(natKind(gathering([host, mapped(40001)]), STUN.slice(0, 1)), 'some');
  assert.equal(natKind(gathering([host, mapped(40001)], [timeout]), STUN), 'some', 'the other did not answer');
  assert.equal(natKind(gathering([host, mapped(40001)]), [STUN[0], 'stun:[2001:db8::1]:3478']), 'some');
  assert.equal(natKind(gathering([host, mapped(40001)]), STUN), 'same');
});

test('a server that says the same as another is heard by its relay', () => {
  const [first, second] = STUN.map((url) => ({
    ...relayed,
    url: url.replace('stun:', 'turn:').concat('?transport=udp'),
  }));
  const seen = [host, mapped(40001, { url: STUN[0] })];
  assert.equal(natKind(gathering([...seen, first, second], [], false), STUN), 'same');
  assert.equal(natKind(gathering([...seen, first], [], false), STUN), 'some');
});

test('without a mapped address it counts whether anything came over UDP', () => {
  assert.equal(natKind(gathering([host, relayed]), STUN), 'none');
  const unauthorized = { url: 'turn:198.51.100.1:3478?transport=udp', code: 401, text: '' };
  assert.equal(natKind(gathering([host], [unauthorized]), STUN), 'none');
  assert.equal(natKind(gathering([host], [timeout]), STUN), 'blocked');
  const overTcp = { ...unauthorized, url: 'turn:198.51.100.1:3478?transport=tcp' };
  assert.equal(natKind(gathering([host], [overTcp]), STUN), 'blocked');
  const byTcp = candidate('relay', { relayProtocol: 'tcp' });
  assert.equal(natKind(gathering([byTcp], []), STUN), 'unused', 'the browser has no UDP address of its own');
  assert.equal(natKind(gathering([host, mapped(5000, { address: LOCAL })]), STUN), 'none', 'its own address');
  assert.equal(natKind(gathering([host, mapped(5000, { address: '127.0.0.1' })]), STUN), 'none', 'its own machine');
});

test('a relay that cannot be used says why', () => {
  const seen = { isOpen: false, transport: 'tls', errors: [], hasRelay: false, hasCredentials: true };
  const outcome = (more) => relayOutcome({ ...seen, certificate: 'self_signed', tcpAnswers: true, ...more });
  const failed = [{ url: 'turns:x', code: 701, text: '' }];
  assert.equal(outcome({ isOpen: true }), 'open');
  assert.equal(outcome({ hasRelay: true }), 'stuck');
  assert.equal(outcome({ errors: failed }), 'untrusted');
  assert.equal(outcome({ errors: failed, certificate: 'configured' }), 'unreachable');
  assert.equal(outcome({ errors: failed, transport: 'tcp' }), 'unreachable');
  assert.equal(outcome({ errors: failed, tcpAnswers: false }), 'unreachable', 'nothing of the server answers');
  assert.equal(outcome({}), 'unreachable');
  const refused = [{ url: 'turns:x', code: 486, text: '' }];
  assert.equal(outcome({ errors: refused }), 'refused');
  assert.equal(outcome({ errors: refused, hasCredentials: false }), 'reached');
});

const relay = (outcome) => ({ outcome, openMs: 100, tripMs: 10, errors: [], candidates: [] });
function findings({ udp = 'open', tcp = 'open', tls = 'open', ...more } = {}) {
  return {
    camera: { problem: null, label: 'Camera of Ada' },
    microphone: { problem: null, label: '' },
    server: { servers: [], certificate: 'configured', refused: null, problem: null },
    signaling: { isOpen: true, tripMs: 12 },
    gathering: gathering([host, mapped(40001)]),
    nat: 'same',
    relay: { udp: relay(udp), tcp: relay(tcp), tls: relay(tls) },
    trip: { via: 'udp', medianMs: 20, worstMs: 30, sent: 25, lost: 0 },
    speed: { via: 'udp', mbit: 12, isMore: false, bytes: 4_500_000 },
    ...more,
  };
}

test('the verdict follows from what works', () => {
  const server = (more) => ({ server: { ...findings().server, ...more } });
  for (const [what, tone, say] of [
    [{}, 'good', 'good'],
    [{ nat: 'symmetric' }, 'good', 'symmetric'],
    [{ nat: 'blocked', udp: 'unreachable' }, 'mind', 'tcp_only'],
    [{ nat: 'blocked', udp: 'unreachable', tcp: 'unreachable' }, 'mind', 'tls_only'],
    [{ nat: 'unused', udp: 'unreachable' }, 'mind', 'browser'],
    [{ nat: 'some', udp: 'unreachable' }, 'mind', 'udp_relay'],
    [{ nat: 'same', udp: 'stuck', tcp: 'stuck', tls: 'stuck' }, 'mind', 'relay_gone'],
    [{ nat: 'symmetric', udp: 'refused', tcp: 'refused', tls: 'refused' }, 'bad', 'symmetric_alone'],
    [{ nat: 'blocked', udp: 'unreachable', tcp: 'unreachable', tls: 'unreachable' }, 'bad', 'blocked'],
    [{ ...server({ refused: 'unauthorized' }), udp: 'reached', tcp: 'reached', tls: 'reached' }, 'mind', 'unmeasured'],
    [
      { ...server({ refused: 'unauthorized' }), nat: 'blocked', udp: 'unreachable', tcp: 'reached', tls: 'reached' },
      'mind',
      'unmeasured_blocked',
    ],
    [{ signaling: { isOpen: false, tripMs: 0 } }, 'bad', 'server'],
    [server({ problem: 'unreachable' }), 'bad', 'server'],
    [server({ problem: 'rate_limited' }), 'mind', 'again'],
    [{ gathering: gathering([]), nat: 'unused' }, 'bad', 'no_webrtc'],
  ]) {
    const found = verdict(findings(what));
    assert.deepEqual([found.tone, found.say], [tone, `verdict.${say}`], JSON.stringify(what));
    assert.deepEqual(found.notes, [], say);
  }
});

test('what is worth minding is noted, and colours a good verdict', () => {
  const gone = { problem: 'refused', label: '' };
  for (const [what, note] of [
    [{ tls: 'untrusted' }, 'untrusted'],
    [{ speed: { via: 'udp', mbit: 1, isMore: false, bytes: 1 } }, 'slow'],
    [{ trip: { via: 'udp', medianMs: 200, worstMs: 300, sent: 25, lost: 0 } }, 'far'],
    [{ trip: { via: 'udp', medianMs: 200, worstMs: 300, sent: 25, lost: 3 } }, 'lossy'],
    [{ camera: gone }, 'camera'],
    [{ microphone: gone }, 'microphone'],
    [{ camera: gone, microphone: gone }, 'devices'],
  ]) {
    const found = verdict(findings(what));
    assert.deepEqual([found.tone, found.notes], ['mind', [`verdict.note.${note}`]], note);
  }
});

test('figures are judged by what a call needs', () => {
  const speed = (mbit) => judgeSpeed(findings({ speed: { via: 'udp', mbit, isMore: mbit > 18, bytes: 1 } }));
  assert.deepEqual([speed(0.3).state, speed(1.5).state, speed(5).state], ['failed', 'warning', 'passed']);
  assert.deepEqual(
    [speed(1.53).value, speed(12.4).value, speed(19.6).value],
    ['1.5 Mbit/s', '12 Mbit/s', '20+ Mbit/s'],
  );
  const trip = (medianMs, lost) =>
    judgeTrip(findings({ trip: { via: 'udp', medianMs, worstMs: 900, sent: 25, lost } }));
  assert.deepEqual([trip(20, 0).state, trip(20, 1).state, trip(20, 2).state], ['passed', 'passed', 'warning']);
  assert.equal(trip(151, 0).state, 'warning');
  assert.equal(judgeSpeed(findings({ speed: null })).state, 'skipped');
});

test('kinds of candidates are told with their families', () => {
  const v6 = candidate('host', { family: 'IPv6', address: '2001:db8::5' });
  const { facts } = judgeAddresses({ relay: {}, gathering: gathering([host, v6, mapped(1)]) });
  assert.deepEqual(facts, ['host: IPv4, IPv6', 'srflx: IPv4', 'relay: –']);
});

test('a certificate that may be untrusted is named beside a port that may be closed', () => {
  assert.equal(judgeRelay('tls', findings({ tls: 'unreachable' })).say, 'check.relay.tls.doubtful');
  const nothing = findings({ tcp: 'unreachable', tls: 'unreachable' });
  assert.equal(judgeRelay('tls', nothing).say, 'check.relay.tls.unreachable');
});

test('a median is the middle, and a rate leaves the beginning out', () => {
  assert.deepEqual([median([]), median([3, 1, 2]), median([4, 1, 3, 2])], [0, 2, 2.5]);
  const slowThenFast = [
    ...Array.from({ length: 8 }, (_, i) => ({ at: i * 100, bytes: 1000 })),
    ...Array.from({ length: 21 }, (_, i) => ({ at: 800 + i * 100, bytes: 125_000 })),
  ];
  assert.equal(rate(slowThenFast), 10);
  assert.equal(rate([]), 0);
  assert.equal(rate([{ at: 5, bytes: 1000 }]), 0);
});

test('addresses are shortened, and stay so unless asked for', () => {
  for (const [address, short] of [
    ['203.0.113.7', '203.0.x.x'],
    ['2001:db8:1:2::7', '2001:db8:…'],
    ['::1', '…'],
    ['6f8b3d5c-1111.local', '….local'],
  ]) {
    assert.equal(shortened(address), short);
  }
  const error = { url: 'turns:198.51.100.1:5349?transport=tcp', code: 701, text: 'Failed' };
  const found = findings({ gathering: gathering([host, mapped(40001)], [error]) });
  const steps = [['camera', { state: 'passed', say: 'check.camera.ok', with: { label: 'Camera of Ada' } }]];
  const t = (key, params = {}) => (typeof en[key] === 'function' ? en[key](params) : en[key]);
  const parts = {
    findings: found,
    steps,
    verdict: verdict(found),
    at: new Date(0),
    page: 'https://x',
    browser: 'B',
    t,
  };
  const short = reportText({ ...parts, isFull: false });
  assert.doesNotMatch(short, /203\.0\.113|192\.0\.2\.10|Ada|undefined/);
  assert.match(short, /srflx udp IPv4 203\.0\.x\.x:40001 \(← 192\.0\.x\.x:5000\)/);
  assert.match(short, /turns:198\.51\.100\.1:5349\?transport=tcp: 701 Failed/);
  const full = reportText({ ...parts, isFull: true });
  assert.match(full, /203\.0\.113\.7:40001/);
  assert.match(full, /Camera of Ada/);
});

const PARAMETERS = { label: 'x', code: 486, lost: 2, sent: 25, done: 1, all: 10 };
const say = (text) => (typeof text === 'function' ? text(PARAMETERS) : text);

test('both languages have all the words of the check', () => {
  assert.deepEqual(Object.keys(ko).sort(), Object.keys(en).sort());
  for (const words of [en, ko]) {
    for (const [key, text] of Object.entries(words)) {
      assert.ok(say(text)?.trim(), key);
      assert.doesNotMatch(say(text), /undefined/, key);
      if (/^verdict\.[a-z_]+$/.test(key)) assert.ok(`${key}.text` in words, `${key} says what follows`);
    }
  }
  const folder = new URL('../check/', import.meta.url);
  for (const name of readdirSync(folder).filter((file) => !file.startsWith('words.'))) {
    const source = readFileSync(new URL(name, folder), 'utf8');
    for (const [, key] of source.matchAll(/'((?:check|report)\.[a-z_.]+[a-z])'/g))
      assert.ok(key in en, `${key} in ${name}`);
    for (const [, key] of source.matchAll(/'(verdict\.note\.[a-z_]+)'/g)) assert.ok(key in en, `${key} in ${name}`);
    for (const [, key] of source.matchAll(/say: '([a-z_]+)'/g)) assert.ok(`verdict.${key}` in en, `${key} in ${name}`);
  }
});
