// Which codecs this browser brings, and in which order a link offers them.

/** @typedef {import('./protocol.js').Codecs} Codecs */

// Formats that help a codec rather than being one.
const HELPERS = new Set(['RTX', 'RED', 'ULPFEC', 'FLEXFEC-03', 'CN', 'TELEPHONE-EVENT']);

/** @param {string} mimeType */
const codecName = (mimeType) => (mimeType.split('/')[1] ?? '').toUpperCase();

/**
 * @param {'audio' | 'video'} kind
 * @returns {string[]}
 */
function codecsOf(kind) {
  const send = globalThis.RTCRtpSender?.getCapabilities?.(kind);
  const receive = globalThis.RTCRtpReceiver?.getCapabilities?.(kind);
  if (!send || !receive) return kind === 'audio' ? ['OPUS'] : ['VP8'];
  const received = new Set(receive.codecs.map((codec) => codecName(codec.mimeType)));
  const names = send.codecs.map((codec) => codecName(codec.mimeType));
  return [...new Set(names)].filter((name) => received.has(name) && !HELPERS.has(name));
}

/** @type {Codecs | undefined} */
let known;

/**
 * The codecs that this browser can both send and receive.
 * @returns {Codecs}
 */
export function ownCodecs() {
  known ??= { audio: codecsOf('audio'), video: codecsOf('video') };
  return known;
}

/**
 * Puts one video codec before the others.
 * @param {Codecs} codecs
 * @param {string} [name]
 * @returns {Codecs}
 */
export function preferred(codecs, name) {
  if (name === undefined || !codecs.video.includes(name)) return codecs;
  return { ...codecs, video: [name, ...codecs.video.filter((each) => each !== name)] };
}

/**
 * What a picture may be sent in; none means all that this browser has.
 * @param {string} [name] the one wished for
 * @returns {string[]}
 */
export function sendable(name) {
  return name !== undefined && ownCodecs().video.includes(name) ? [name] : [];
}

/**
 * Offers the room's codecs in the room's order and none else, so that every link of a room can
 * carry a track in the same codec and the SDP stays short.
 * @param {RTCRtpTransceiver} transceiver
 * @param {'audio' | 'video'} kind
 * @param {Codecs} codecs
 */
export function preferCodecs(transceiver, kind, codecs) {
  const wanted = codecs[kind];
  const able = globalThis.RTCRtpReceiver?.getCapabilities?.(kind)?.codecs;
  if (!able || wanted.length === 0 || !('setCodecPreferences' in transceiver)) return;
  const rank = (/** @type {RTCRtpCodec} */ codec) => wanted.indexOf(codecName(codec.mimeType));
  const main = able.filter((codec) => rank(codec) >= 0).sort((a, b) => rank(a) - rank(b));
  if (main.length === 0) return;
  const helpers = able.filter((codec) => HELPERS.has(codecName(codec.mimeType)));
  try {
    transceiver.setCodecPreferences([...main, ...helpers]);
  } catch {
    // A browser that refuses the list keeps its own order, which is valid too.
  }
}
