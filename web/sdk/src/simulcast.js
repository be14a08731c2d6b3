// One picture in several sizes at once, for a server that forwards to each what they can use.

/**
 * @typedef {import('./bandwidth.js').Encoding} Encoding
 * @typedef {import('./bandwidth.js').Sending} Sending
 * @typedef {import('./bandwidth.js').TrackLimit} TrackLimit
 * @typedef {{ rid: string, scale: number, bps: number, fps?: number }} Layer
 */

/** How much smaller than the capture, by RID: full, half and quarter size. @type {Record<string, number>} */
const CAMERA_SCALES = { h: 1, m: 2, l: 4 };
/** @type {Record<string, number>} */
const SCREEN_SCALES = { h: 1, l: 2 };
const SCREEN_FPS = 30;
// The small picture of a screen is for a tile: that something moves can be seen at this rate.
const SMALL_SCREEN_FPS = 5;
const SCREEN_BPS = 2_500_000;
const SMALL_SCREEN_BPS = 300_000;
const CAMERA_BPS_MAX = 2_500_000;
const HD_PIXELS = 1280 * 720;
const HD_BPS = 1_700_000;
// A picture of a quarter of the pixels needs more than a quarter of the bits: 500 kbit/s at 360
// lines and 150 at 180.
const BITS_EXPONENT = 0.88;
// A layer below this many lines is too small to be worth an encoder.
const LINES_LEAST = 90;
// With less of what it wants than this, the next smaller layer looks better.
const LEAST_SHARE = 0.5;
// Below this a picture would only take what the sound needs.
const FLOOR_BPS = 60_000;
// Three frame rates in one stream: a server can halve or quarter it without a keyframe.
export const TEMPORAL_LAYERS = 'L1T3';

/**
 * Whether this browser may send several layers by RID (RFC 8853). Its capabilities do not tell:
 * Firefox does it, and lists no header extension for it. One that does not answers with one layer.
 */
export function canSimulcast() {
  return typeof globalThis.RTCRtpSender?.prototype?.setParameters === 'function';
}

/**
 * The layers of a track, the smallest first.
 * @param {Sending} track
 * @returns {Layer[]}
 */
function ladder({ source, width, height, rids }) {
  const isScreen = source === 'screen';
  const scales = isScreen ? SCREEN_SCALES : CAMERA_SCALES;
  const layers = rids.map((rid, index) => {
    const scale = scales[rid] ?? 2 ** index;
    if (isScreen) {
      const isSmall = scale > 1;
      return { rid, scale, bps: isSmall ? SMALL_SCREEN_BPS : SCREEN_BPS, fps: isSmall ? SMALL_SCREEN_FPS : SCREEN_FPS };
    }
    const pixels = width && height ? (width * height) / scale ** 2 : HD_PIXELS / scale ** 2;
    const bps = Math.round(HD_BPS * (pixels / HD_PIXELS) ** BITS_EXPONENT);
    return { rid, scale, bps: Math.min(bps, CAMERA_BPS_MAX) };
  });
  return layers.sort((a, b) => b.scale - a.scale);
}

/**
 * Shares a track's part of the link between its layers. When there is not enough for all, the
 * largest goes first.
 * @param {Sending} track with two RIDs or more
 * @param {number} budget bits per second
 * @param {TrackLimit} limit
 * @returns {Encoding[]} in the order of the track's RIDs
 */
export function shareLayers(track, budget, limit) {
  const layers = ladder(track);
  const lines = Math.min(track.width || 1280, track.height || 720);
  const useful = layers.filter(({ scale }) => scale === 1 || lines / scale >= LINES_LEAST);
  const given = limit.stopped ? new Map() : allot(useful, Math.min(budget, limit.bps ?? Infinity), limit.layers);
  return track.rids.flatMap((rid) => {
    const layer = layers.find((each) => each.rid === rid);
    if (!layer) return [];
    return {
      rid,
      active: given.has(rid),
      maxBitrate: Math.round(given.get(rid) ?? layer.bps),
      scale: layer.scale,
      ...(layer.fps ? { maxFramerate: layer.fps } : {}),
      scalabilityMode: TEMPORAL_LAYERS,
    };
  });
}

/**
 * @param {Layer[]} layers the smallest first
 * @param {number} budget
 * @param {string[] | null} watched RIDs; null means all
 * @returns {Map<string, number>} bits per second by RID, for those that are to be sent
 */
function allot(layers, budget, watched) {
  /** @type {Map<string, number>} */
  const given = new Map();
  if (watched?.length === 0) return given;
  const fits = (/** @type {Layer} */ layer, /** @type {number} */ bps) =>
    bps >= (layer === layers[0] ? FLOOR_BPS : layer.bps * LEAST_SHARE);
  const wanted = layers.filter(({ rid }) => watched === null || watched.includes(rid));
  let left = budget;
  for (const layer of wanted) {
    if (!fits(layer, left)) break;
    given.set(layer.rid, Math.min(layer.bps, left));
    left -= Math.min(layer.bps, left);
  }
  if (given.size > 0) return given;
  // What is watched is out of reach or not sent: the next best is better than nothing.
  const below = layers.filter((layer) => wanted.length === 0 || layer.scale >= (wanted[0]?.scale ?? 1));
  const best = wanted.length === 0 ? layers[0] : below.findLast((layer) => fits(layer, budget));
  if (best && fits(best, budget)) given.set(best.rid, Math.min(best.bps, budget));
  return given;
}
