// Figures as people read them. Number and unit stay on one line.

const UNIT = '\u00a0';

/** @param {number|null|undefined} bps bits per second */
export function bitrate(bps) {
  if (bps === null || bps === undefined || !Number.isFinite(bps)) return '–';
  if (bps >= 9_950_000) return `${Math.round(bps / 1e6)}${UNIT}Mbit/s`;
  if (bps >= 999_500) return `${(bps / 1e6).toFixed(1)}${UNIT}Mbit/s`;
  if (bps > 0 && bps < 1000) return `<1${UNIT}kbit/s`;
  return `${Math.round(bps / 1000)}${UNIT}kbit/s`;
}

/** @param {number|null|undefined} ms */
export function milliseconds(ms) {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return '–';
  return ms > 0 && ms < 1 ? `<1${UNIT}ms` : `${Math.round(ms)}${UNIT}ms`;
}

/** @param {number|null|undefined} share 0 to 1 */
export function percent(share) {
  if (share === null || share === undefined || !Number.isFinite(share)) return '–';
  const value = share * 100;
  if (value > 0 && value < 0.1) return `<0.1${UNIT}%`;
  return `${value >= 9.95 ? Math.round(value) : value.toFixed(1)}${UNIT}%`;
}

/** @param {number|null|undefined} bytes */
export function byteCount(bytes) {
  if (bytes === null || bytes === undefined || !Number.isFinite(bytes)) return '–';
  if (bytes < 1000) return `${Math.round(bytes)}${UNIT}B`;
  if (bytes < 999_500) return `${Math.round(bytes / 1000)}${UNIT}kB`;
  return `${(bytes / 1e6).toFixed(bytes < 9.95e6 ? 1 : 0)}${UNIT}MB`;
}

/**
 * @param {{width?: number|null, height?: number|null, fps?: number|null}|null|undefined} picture
 * @returns {string} as in `640×360, 30 fps`, or nothing
 */
export function pictureSize(picture) {
  if (!picture?.width || !picture.height) return '';
  const size = `${picture.width}×${picture.height}`;
  return picture.fps ? `${size},${UNIT}${Math.round(picture.fps)}${UNIT}fps` : size;
}
