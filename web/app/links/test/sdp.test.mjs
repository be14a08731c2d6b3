import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { agreement, descriptionsOf, handshakeBy } from '../agreement.js';
import { parseCandidate } from '../candidate.js';
import { codecNames, parseSdp } from '../sdp.js';
import { sentence } from '../strings.js';
import { english } from '../sdp_words.en.js';
import { korean } from '../sdp_words.ko.js';

const read = (name) => readFileSync(new URL(`fixtures/${name}.sdp`, import.meta.url), 'utf8');
const FIXTURES = ['chromium-offer', 'firefox-answer', 'firefox-offer', 'chromium-answer', 'chromium-simulcast-offer'];
const lineOf = (section, start) => section.lines.find((line) => line.text.startsWith(start));
const keys = (line) => line.notes.map((note) => note.key);

test('every line of a real description is kept, in order and with its number', () => {
  for (const name of FIXTURES) {
    const text = read(name);
    const lines = parseSdp(text).flatMap((section) => section.lines);
    const expected = text.split('\r\n').filter(Boolean);
    assert.deepEqual(
      lines.map((l) => l.number),
      expected.map((_, i) => i + 1),
      name,
    );
    lines.forEach((line, i) => {
      if (!line.text.startsWith('a=ice-pwd:')) assert.equal(line.text, expected[i]);
    });
  }
});

test('the ICE password is never shown, by any browser’s description', () => {
  for (const name of FIXTURES) {
    const passwords = [...read(name).matchAll(/a=ice-pwd:(\S+)/g)].map((m) => m[1]);
    assert.ok(passwords.length > 0, name);
    const shown = JSON.stringify(parseSdp(read(name)));
    for (const password of passwords) assert.ok(!shown.includes(password), name);
  }
});

test('a Chromium offer has sound, picture and data channels, best codecs first', () => {
  const [session, audio, video, data] = parseSdp(read('chromium-offer'));
  assert.equal(session.kind, 'session');
  assert.deepEqual(
    [audio, video, data].map((s) => [s.kind, s.mid, s.direction]),
    [
      ['audio', '0', 'sendrecv'],
      ['video', '1', 'sendrecv'],
      ['application', '2', 'sendrecv'],
    ],
  );
  assert.deepEqual(codecNames(audio), ['opus', 'G722', 'PCMU', 'PCMA']);
  assert.deepEqual(codecNames(video), ['VP8', 'H264', 'AV1', 'VP9']);
  assert.equal(audio.payloads[0].fmtp, 'minptime=10;useinbandfec=1');
  assert.deepEqual(video.payloads[0].feedback, ['goog-remb', 'transport-cc', 'ccm fir', 'nack', 'nack pli']);
});

test('Firefox sets its fingerprint for the whole session and lists no H.264', () => {
  const [session, audio, video] = parseSdp(read('firefox-offer'));
  assert.deepEqual(lineOf(session, 'a=fingerprint:').notes, [{ key: 'fingerprint', params: { algorithm: 'SHA-256' } }]);
  assert.equal(lineOf(session, 'a=sendrecv').essential, false);
  assert.equal(lineOf(audio, 'a=sendrecv').essential, true);
  assert.deepEqual(codecNames(video), ['VP8', 'VP9', 'AV1']);
});

test('each kind of line that matters is explained', () => {
  const [session, audio, video, data] = parseSdp(read('chromium-offer'));
  const explained = [
    [session, 'a=group:', ['bundle']],
    [audio, 'm=audio', ['m_audio']],
    [audio, 'a=ice-ufrag:', ['ice_ufrag']],
    [audio, 'a=ice-pwd:', ['ice_pwd']],
    [audio, 'a=ice-options:', ['trickle']],
    [audio, 'a=setup:actpass', ['setup_actpass']],
    [audio, 'a=extmap:1 ', ['ext_audio_level']],
    [audio, 'a=extmap:3 ', ['ext_transport_cc']],
    [audio, 'a=msid:', ['msid']],
    [audio, 'a=rtpmap:111 ', ['codec_opus']],
    [audio, 'a=rtpmap:63 ', ['codec_red_audio']],
    [audio, 'a=fmtp:111 ', ['fmtp_minptime', 'fmtp_fec']],
    [audio, 'a=candidate:135059521 ', ['cand_host']],
    [video, 'a=rtpmap:96 ', ['codec_vp8']],
    [video, 'a=rtpmap:97 ', ['codec_rtx']],
    [video, 'a=rtcp-fb:96 nack pli', ['fb_pli']],
    [video, 'a=rtcp-fb:96 transport-cc', ['fb_transport_cc']],
    [data, 'm=application', ['m_data']],
    [data, 'a=sctp-port:', ['sctp_port']],
    [data, 'a=max-message-size:', ['max_message']],
  ];
  for (const [section, start, expected] of explained) {
    const line = lineOf(section, start);
    assert.deepEqual(keys(line), expected, start);
    assert.equal(line.essential, true, start);
  }
});

test('what repeats or hardly matters is folded', () => {
  const [, audio, video, data] = parseSdp(read('chromium-offer'));
  // The transport is bundled: its lines say nothing new in later sections.
  for (const section of [video, data]) {
    for (const start of ['a=ice-ufrag:', 'a=ice-pwd:', 'a=fingerprint:', 'a=setup:', 'a=candidate:']) {
      assert.equal(lineOf(section, start).essential, false, start);
    }
  }
  for (const start of ['a=rtcp-rsize', 'a=ssrc:', 'a=rtpmap:0 ', 'c=', 'a=candidate:302448193 ']) {
    assert.equal(lineOf(audio, start).essential, false, start);
  }
  // The second H.264 profile, and feedback for formats that do not come first.
  for (const start of ['a=rtpmap:104 ', 'a=rtcp-fb:98 ', 'a=fmtp:97 '])
    assert.equal(lineOf(video, start).essential, false, start);
  const essential = [audio, video, data].flatMap((s) => s.lines).filter((l) => l.essential).length;
  assert.ok(essential < 50, `${essential} lines of 195 matter`);
});

test('simulcast layers are named', () => {
  const video = parseSdp(read('chromium-simulcast-offer'))[2];
  assert.deepEqual(lineOf(video, 'a=simulcast:').notes, [{ key: 'simulcast', params: { layers: 'h, m, l' } }]);
  assert.deepEqual(lineOf(video, 'a=rid:m').notes, [{ key: 'rid_send', params: { value: 'm' } }]);
});

test('bandwidth, refusal, H.264 profile and a candidate’s kind are read', () => {
  const sdp = [
    'v=0',
    'm=video 0 UDP/TLS/RTP/SAVPF 102',
    'b=TIAS:500000',
    'b=AS:600',
    'a=mid:7',
    'a=inactive',
    'a=rtpmap:102 H264/90000',
    'a=fmtp:102 profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=0',
    'a=candidate:1 1 udp 41885695 203.0.113.5 49160 typ relay raddr 198.51.100.7 rport 5000',
    'a=candidate:2 1 udp 1686052607 198.51.100.7 5000 typ srflx raddr 0.0.0.0 rport 0',
    'a=candidate:3 1 udp 2122260223 1f4c019e-0000-4000-8000-00000000009e.local 6000 typ host',
  ].join('\n');
  const video = parseSdp(sdp)[1];
  assert.equal(video.rejected, true);
  assert.deepEqual(keys(video.lines[0]), ['m_rejected']);
  assert.deepEqual(lineOf(video, 'b=TIAS').notes, [{ key: 'b_tias', params: { kbps: '500' } }]);
  assert.deepEqual(lineOf(video, 'b=AS').notes, [{ key: 'b_as', params: { kbps: '600' } }]);
  assert.deepEqual(lineOf(video, 'a=fmtp').notes, [
    { key: 'fmtp_h264_profile', params: { profile: 'Constrained Baseline', level: '3.1' } },
    { key: 'fmtp_packetization', params: { value: '1' } },
  ]);
  const kinds = video.lines.filter((l) => l.text.startsWith('a=candidate')).flatMap(keys);
  assert.deepEqual(kinds, ['cand_relay', 'cand_srflx', 'cand_mdns']);
});

test('nonsense is kept and never throws', () => {
  const nonsense = [
    '',
    'hello',
    'm=',
    'm=video',
    'a=',
    'a=rtpmap',
    'a=fmtp:',
    'a=candidate:',
    'a=__proto__:1',
    'a=constructor',
    'b=',
    'o=',
    'a=extmap:1 constructor',
    'a=setup:sideways',
    'a=rtcp-fb:1 toString',
  ];
  const lines = parseSdp(nonsense.join('\r\n')).flatMap((s) => s.lines);
  assert.equal(lines.length, nonsense.filter(Boolean).length);
  for (const line of lines) for (const note of line.notes) assert.equal(typeof sentence(note, 'en'), 'string');
  assert.equal(parseCandidate('1 1 udp'), null);
});

test('offer and answer of two different browsers come to an agreement, seen from either end', () => {
  const offer = { type: 'offer', sdp: read('chromium-offer') };
  const answer = { type: 'answer', sdp: read('firefox-answer') };
  const ours = descriptionsOf({ offerer: 'you', localDescription: offer, remoteDescription: answer });
  const theirs = descriptionsOf({ offerer: 'peer', localDescription: answer, remoteDescription: offer });
  assert.deepEqual(
    agreement(ours).map((a) => [a.mid, a.direction, a.codecs]),
    [
      ['0', 'sendrecv', ['opus', 'G722', 'PCMU', 'PCMA']],
      ['1', 'sendrecv', ['VP8', 'AV1', 'VP9']],
      ['2', 'sendrecv', []],
    ],
  );
  assert.equal(handshakeBy(ours), 'peer');
  assert.equal(handshakeBy(theirs), 'you');
});

test('a direction is turned around when the other end decided it', () => {
  const offer = {
    type: 'offer',
    sdp: 'v=0\nm=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:0\na=sendrecv\na=rtpmap:96 VP8/90000',
  };
  const answer = { type: 'answer', sdp: offer.sdp.replace('sendrecv', 'recvonly') };
  const from = (offerer, localDescription, remoteDescription) =>
    agreement(descriptionsOf({ offerer, localDescription, remoteDescription }))[0];
  assert.equal(from('you', offer, answer).direction, 'sendonly');
  assert.equal(from('peer', answer, offer).direction, 'recvonly');
  assert.equal(from('you', offer, null).direction, 'sendrecv');
});

test('every sentence exists in both languages with the same parameters', () => {
  const parameters = (text) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();
  assert.deepEqual(Object.keys(korean).sort(), Object.keys(english).sort());
  for (const key of Object.keys(english)) {
    for (const p of parameters(korean[key])) assert.ok(parameters(english[key]).includes(p), `${key} ${p}`);
  }
  for (const name of FIXTURES) {
    for (const line of parseSdp(read(name)).flatMap((s) => s.lines)) {
      for (const note of line.notes) {
        for (const lang of ['en', 'ko']) {
          const words = sentence(note, lang);
          assert.ok(words !== '' && !/\{[a-z]+\}|undefined/.test(words), `${lang} ${note.key}: ${words}`);
        }
      }
    }
  }
});
