// Figures as people read them. Each keeps its width roughly the same, so that a live table rests.

/** @param {number|null|undefined} bps bits per second */
export function bitrate(bps) {
  if (bps === null || bps === undefined || !Number.isFinite(bps)) return '–';
  if (bps >= 9_950_000) return `${Math.round(bps / 1e6)} Mbit/s`;
  if (bps >= 999_500) return `${(bps / 1e6).toFixed(1)} Mbit/s`;
  if (bps > 0 && bps < 1000) return '<1 kbit/s';
  return `${Math.round(bps / 1000)} kbit/s`;
}

/** @param {number|null|undefined} ms */
export function milliseconds(ms) {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return '–';
  return ms > 0 && ms < 1 ? '<1 ms' : `${Math.round(ms)} ms`;
}

/** @param {number|null|undefined} share 0 to 1 */
export function percent(share) {
  if (share === null || share === undefined || !Number.isFinite(share)) return '–';
  const value = share * 100;
  if (value > 0 && value < 0.1) return '<0.1 %';
  return `${value >= 9.95 ? Math.round(value) : value.toFixed(1)} %`;
}

/** @param {number|null|undefined} bytes */
export function byteCount(bytes) {
  if (bytes === null || bytes === undefined || !Number.isFinite(bytes)) return '–';
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  if (bytes < 999_500) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1e6).toFixed(bytes < 9.95e6 ? 1 : 0)} MB`;
}

/**
 * @param {{width?: number|null, height?: number|null, fps?: number|null}|null|undefined} picture
 * @returns {string} as in `640×360, 30 fps`, or nothing
 */
export function pictureSize(picture) {
  if (!picture?.width || !picture.height) return '';
  const size = `${picture.width}×${picture.height}`;
  return picture.fps ? `${size}, ${Math.round(picture.fps)} fps` : size;
}
