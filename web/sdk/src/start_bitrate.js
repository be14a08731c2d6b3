// Chromium begins at 300 kbit/s whatever the path, and climbs from there: for its first seconds a
// picture is a quarter of what the path carries. A parameter in the peer's SDP makes it begin
// higher, and its congestion control goes down at once where that is too much.

const START_KBPS = 1200;
const START_LEAST_KBPS = 300;
const VIDEO = /^a=rtpmap:(\d+) (?:VP8|VP9|H264|AV1)\/90000/gm;

/** Whether this browser reads the parameter. */
const isChromium = () =>
  /** @type {any} */ (globalThis.navigator)?.userAgentData?.brands?.some(
    (/** @type {{ brand: string }} */ each) => each.brand === 'Chromium',
  ) ?? false;

/**
 * Where a link begins: all links share the way out.
 * @param {number} links how many there are
 * @param {number | null} limitBps the server's limit for this one
 * @returns {number | null} null where the browser would not read it
 */
export function startKbps(links, limitBps) {
  if (!isChromium()) return null;
  const share = Math.max(START_LEAST_KBPS, START_KBPS / Math.max(1, links));
  return Math.round(Math.min(share, limitBps === null ? Infinity : limitBps / 1000));
}

/**
 * @param {string} sdp the peer's
 * @param {number | null} kbps
 * @returns {string}
 */
export function withStartBitrate(sdp, kbps) {
  if (kbps === null) return sdp;
  const parameter = `x-google-start-bitrate=${kbps}`;
  let changed = sdp;
  for (const [line, payloadType] of sdp.matchAll(VIDEO)) {
    const format = new RegExp(`^(a=fmtp:${payloadType} .*?)(\\r?)$`, 'm');
    changed = format.test(changed)
      ? changed.replace(format, `$1;${parameter}$2`)
      : changed.replace(line, `${line}\r\na=fmtp:${payloadType} ${parameter}`);
  }
  return changed;
}
