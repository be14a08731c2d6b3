// Opens one device.

import { MediaError } from './errors.js';

/** @typedef {import('./protocol.js').TrackKind} TrackKind */

/** @type {Record<TrackKind, MediaTrackConstraints>} */
export const DEFAULT_CONSTRAINTS = {
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } },
};

/** @param {TrackKind | 'screen'} kind @returns {MediaDevices} */
export function mediaDevices(kind) {
  // Undefined outside a secure context: HTTPS, or this very machine.
  if (!navigator.mediaDevices) throw new MediaError('insecure', kind);
  return navigator.mediaDevices;
}

/**
 * One track of one device.
 * @param {TrackKind} kind
 * @param {MediaTrackConstraints} constraints
 * @returns {Promise<MediaStreamTrack>}
 * @throws {MediaError}
 */
export async function acquire(kind, constraints) {
  const devices = mediaDevices(kind);
  try {
    const stream = await devices.getUserMedia({ [kind]: constraints });
    const track = stream.getTracks()[0];
    if (!track) throw new MediaError('unknown', kind);
    return track;
  } catch (error) {
    throw MediaError.from(error, kind);
  }
}
