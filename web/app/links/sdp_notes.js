// What each kind of SDP line says: the sentences by key, and whether the line matters to someone
// who wants to understand the link. RFC 8866 (SDP), RFC 9429 (JSEP), RFC 8839 (ICE).

import { candidateNotes } from './candidate.js';

/** @typedef {import('./sdp.js').Note} Note */
/** @typedef {import('./sdp.js').SdpSection} SdpSection */
/**
 * @typedef {object} Found
 * @property {Note[]} notes
 * @property {boolean} essential
 * @property {string} once set where the same line in a later section says nothing new
 */

const NOTHING = Object.freeze({ notes: [], essential: false, once: '' });
const HELPER_CODECS = /^(rtx|red|ulpfec|flexfec-03|telephone-event|cn)$/i;
const KNOWN_CODECS = new Set([
  'opus',
  'vp8',
  'vp9',
  'h264',
  'h265',
  'av1',
  'rtx',
  'red',
  'ulpfec',
  'flexfec-03',
  'g722',
  'pcmu',
  'pcma',
  'telephone-event',
  'cn',
]);

/** @type {Record<string, {key: string, essential: boolean}>} */
const EXTENSIONS = {
  'urn:ietf:params:rtp-hdrext:ssrc-audio-level': { key: 'ext_audio_level', essential: true },
  'urn:ietf:params:rtp-hdrext:csrc-audio-level': { key: 'ext_mix_level', essential: false },
  'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01': {
    key: 'ext_transport_cc',
    essential: true,
  },
  'urn:ietf:params:rtp-hdrext:sdes:mid': { key: 'ext_mid', essential: true },
  'urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id': { key: 'ext_rid', essential: true },
  'urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id': { key: 'ext_repaired_rid', essential: false },
  'http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time': { key: 'ext_send_time', essential: false },
  'urn:ietf:params:rtp-hdrext:toffset': { key: 'ext_toffset', essential: false },
  'urn:3gpp:video-orientation': { key: 'ext_orientation', essential: false },
  'http://www.webrtc.org/experiments/rtp-hdrext/playout-delay': { key: 'ext_playout_delay', essential: false },
  'http://www.webrtc.org/experiments/rtp-hdrext/video-content-type': { key: 'ext_content_type', essential: false },
  'http://www.webrtc.org/experiments/rtp-hdrext/video-timing': { key: 'ext_timing', essential: false },
  'http://www.webrtc.org/experiments/rtp-hdrext/color-space': { key: 'ext_color', essential: false },
  'https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension': {
    key: 'ext_dependency',
    essential: true,
  },
};

/** @type {Record<string, string>} */
const FEEDBACK = {
  nack: 'fb_nack',
  'nack pli': 'fb_pli',
  'ccm fir': 'fb_fir',
  'goog-remb': 'fb_remb',
  'transport-cc': 'fb_transport_cc',
};

/** @type {Record<string, string>} */
const FORMAT_PARAMETERS = {
  useinbandfec: 'fmtp_fec',
  usedtx: 'fmtp_dtx',
  stereo: 'fmtp_stereo',
  maxaveragebitrate: 'fmtp_max_average',
  minptime: 'fmtp_minptime',
  maxplaybackrate: 'fmtp_max_playback',
  'packetization-mode': 'fmtp_packetization',
  'profile-level-id': 'fmtp_h264_profile',
  'level-asymmetry-allowed': 'fmtp_asymmetry',
  'profile-id': 'fmtp_vp9_profile',
  'max-fs': 'fmtp_max_fs',
  'max-fr': 'fmtp_max_fr',
  'x-google-start-bitrate': 'fmtp_start_bitrate',
};

/** @type {Record<string, (value: string, section: SdpSection) => Found>} */
const ATTRIBUTES = {
  group: (value) =>
    say(
      'bundle',
      {
        mids: value
          .replace(/^BUNDLE ?/, '')
          .split(' ')
          .join(', '),
      },
      value.startsWith('BUNDLE'),
    ),
  'ice-options': (value) => say('trickle', {}, value.includes('trickle'), value),
  'ice-lite': () => say('ice_lite', {}, true),
  'ice-ufrag': (value) => say('ice_ufrag', { value }, true, value),
  'ice-pwd': (value) => say('ice_pwd', {}, true, value),
  fingerprint: (value) => say('fingerprint', { algorithm: (value.split(' ')[0] ?? '').toUpperCase() }, true, value),
  setup: (value) => say(`setup_${value}`, {}, true, `setup ${value}`),
  mid: (value) => say('mid', { value }, true),
  msid: (value) => say('msid', { track: value.split(' ')[1] ?? value }, true),
  'msid-semantic': () => say('msid_semantic', {}, false),
  'extmap-allow-mixed': () => say('mixed', {}, false),
  'rtcp-mux': () => say('rtcp_mux', {}, false),
  'rtcp-mux-only': () => say('rtcp_mux', {}, false),
  'rtcp-rsize': () => say('rtcp_rsize', {}, false),
  'rtcp-xr': () => say('rtcp_xr', {}, false),
  rtcp: () => say('rtcp_port', {}, false),
  'bundle-only': () => say('bundle_only', {}, false),
  sendrecv: (_, section) => direction('sendrecv', section),
  sendonly: (_, section) => direction('sendonly', section),
  recvonly: (_, section) => direction('recvonly', section),
  inactive: (_, section) => direction('inactive', section),
  extmap: headerExtension,
  rtpmap: codec,
  fmtp: format,
  'rtcp-fb': feedback,
  rid: (value) => say(value.includes(' recv') ? 'rid_recv' : 'rid_send', { value: value.split(' ')[0] ?? '' }, true),
  simulcast: (value) =>
    say(
      'simulcast',
      {
        layers: value
          .replace(/^(send|recv) /, '')
          .split(';')
          .join(', '),
      },
      true,
    ),
  ssrc: (value) => say('ssrc', { value: value.split(' ')[0] ?? '' }, false),
  'ssrc-group': (value) => say(value.startsWith('FID') ? 'ssrc_fid' : 'ssrc_group', {}, false),
  'sctp-port': (value) => say('sctp_port', { value }, true),
  'max-message-size': (value) => say('max_message', { kib: kibibytes(value) }, true),
  candidate: candidateNotes,
  'end-of-candidates': () => say('end_of_candidates', {}, false),
};

/**
 * @param {string} text one line
 * @param {SdpSection} section the section that it stands in
 * @returns {Found}
 */
export function notesFor(text, section) {
  const type = text.slice(0, 2);
  if (type === 'm=') return mediaLine(section);
  if (type === 'b=') return bandwidth(text.slice(2));
  if (type === 'o=') return origin(text.slice(2));
  if (type === 'c=') return say('connection', {}, false);
  if (type !== 'a=') return NOTHING;
  const colon = text.indexOf(':');
  const name = colon < 0 ? text.slice(2) : text.slice(2, colon);
  const handler = Object.hasOwn(ATTRIBUTES, name) ? ATTRIBUTES[name] : undefined;
  return handler ? handler(colon < 0 ? '' : text.slice(colon + 1), section) : NOTHING;
}

/**
 * @param {string} key
 * @param {Record<string, string>} params
 * @param {boolean} essential
 * @param {string} [once]
 * @returns {Found}
 */
export function say(key, params, essential, once = '') {
  return { notes: [{ key, params }], essential, once };
}

/** @param {SdpSection} section @returns {Found} */
function mediaLine(section) {
  if (section.rejected) return say('m_rejected', {}, true);
  if (section.kind === 'application') return say('m_data', {}, true);
  const names = section.payloads.filter((p) => !HELPER_CODECS.test(p.codec) && p.codec !== '').map((p) => p.codec);
  const codecs = [...new Set(names)].join(', ');
  const key = section.kind === 'audio' ? 'm_audio' : section.kind === 'video' ? 'm_video' : 'm_other';
  const { notes } = say(key, { codecs, count: String(section.payloads.length) }, true);
  if (section.port === '9') notes.push({ key: 'm_port_nine', params: {} });
  return { notes, essential: true, once: '' };
}

/** @param {string} value @returns {Found} */
function bandwidth(value) {
  const [kind = '', amount = ''] = value.split(':');
  const figure = Number(amount);
  if (kind === 'AS') return say('b_as', { kbps: amount }, true);
  if (kind === 'TIAS' && Number.isFinite(figure))
    return say('b_tias', { kbps: String(Math.round(figure / 1000)) }, true);
  return say('b_other', { kind }, true);
}

/** @param {string} value @returns {Found} */
function origin(value) {
  const [name = '', , version = ''] = value.split(' ');
  return say(name.startsWith('mozilla') ? 'origin_firefox' : 'origin', { version }, false);
}

/** @param {string} name @param {SdpSection} section @returns {Found} */
function direction(name, section) {
  return say(`dir_${name}`, {}, section.kind !== 'session' && section.kind !== 'application');
}

/** @param {string} value @returns {Found} */
function headerExtension(value) {
  const [id = '', uri = ''] = value.split(' ');
  const known = Object.hasOwn(EXTENSIONS, uri) ? EXTENSIONS[uri] : undefined;
  const number = id.split('/')[0] ?? '';
  return known ? say(known.key, { id: number }, known.essential, uri) : say('ext_other', { id: number }, false);
}

/** @param {string} value @param {SdpSection} section @returns {Found} */
function codec(value, section) {
  const [pt = '', description = ''] = value.split(' ');
  const [name = '', clock = '', channels = ''] = description.split('/');
  const lower = name.toLowerCase();
  const first = section.payloads.find((p) => p.codec.toLowerCase() === lower);
  const key =
    lower === 'red' && section.kind === 'audio'
      ? 'codec_red_audio'
      : KNOWN_CODECS.has(lower)
        ? `codec_${lower}`
        : 'codec_other';
  const params = { pt, codec: name, khz: String(Number(clock) / 1000), channels: channels || '1' };
  const minor = /^(ulpfec|flexfec-03|telephone-event|cn|g722|pcmu|pcma)$/.test(lower);
  return { notes: [{ key, params }], essential: first?.pt === pt && !minor, once: '' };
}

/** @param {string} pt @param {SdpSection} section whether the format is the one that comes first */
function isPreferred(pt, section) {
  return section.payloads.find((p) => !HELPER_CODECS.test(p.codec))?.pt === pt;
}

/** @param {string} value @param {SdpSection} section @returns {Found} */
function format(value, section) {
  const space = value.indexOf(' ');
  const pt = value.slice(0, space);
  const list = value.slice(space + 1);
  const payload = section.payloads.find((p) => p.pt === pt);
  if (payload?.codec.toLowerCase() === 'rtx') return say('fmtp_apt', { apt: list.replace('apt=', '') }, false);
  if (payload?.codec.toLowerCase() === 'red') return say('fmtp_red', {}, false);
  /** @type {Note[]} */
  const notes = [];
  for (const item of list.split(';')) {
    const [name = '', setting = ''] = item.trim().split('=');
    const key = Object.hasOwn(FORMAT_PARAMETERS, name) ? FORMAT_PARAMETERS[name] : undefined;
    if (key && setting !== '0') notes.push({ key, params: parameterOf(name, setting) });
  }
  return { notes, essential: notes.length > 0 && isPreferred(pt, section), once: '' };
}

const H264_PROFILES = new Map([
  ['42', 'Baseline'],
  ['4d', 'Main'],
  ['58', 'Extended'],
  ['64', 'High'],
]);

/** @param {string} name @param {string} value @returns {Record<string, string>} */
function parameterOf(name, value) {
  if (name === 'maxaveragebitrate') return { kbps: String(Math.round(Number(value) / 1000)) };
  if (name === 'profile-level-id') {
    const constrained = (Number.parseInt(value.slice(2, 4), 16) & 0x40) !== 0 ? 'Constrained ' : '';
    const profile = H264_PROFILES.get(value.slice(0, 2).toLowerCase()) ?? value.slice(0, 2);
    return { profile: constrained + profile, level: String(Number.parseInt(value.slice(4, 6), 16) / 10) };
  }
  return { value };
}

/** @param {string} value @param {SdpSection} section @returns {Found} */
function feedback(value, section) {
  const space = value.indexOf(' ');
  const pt = value.slice(0, space);
  const name = value.slice(space + 1);
  const key = Object.hasOwn(FEEDBACK, name) ? FEEDBACK[name] : undefined;
  return key ? say(key, {}, isPreferred(pt, section) || pt === '*') : NOTHING;
}

/** @param {string} bytes */
function kibibytes(bytes) {
  const n = Number(bytes);
  return Number.isFinite(n) ? String(Math.round(n / 1024)) : bytes;
}
