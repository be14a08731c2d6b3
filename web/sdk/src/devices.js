// Cameras, microphones and screens.

import { acquire, DEFAULT_CONSTRAINTS, mediaDevices } from './capture.js';
import { MediaError } from './errors.js';
import { LocalTrack } from './local_track.js';

/**
 * @typedef {import('./protocol.js').TrackKind} TrackKind
 * @typedef {{ audio?: boolean | MediaTrackConstraints, video?: boolean | MediaTrackConstraints }} LocalTrackOptions
 */

/** @param {TrackKind} kind @param {boolean | MediaTrackConstraints} wish */
const constraintsOf = (kind, wish) =>
  typeof wish === 'object' ? { ...DEFAULT_CONSTRAINTS[kind], ...wish } : DEFAULT_CONSTRAINTS[kind];

/**
 * @param {TrackKind} kind
 * @param {boolean | MediaTrackConstraints} [wish]
 * @returns {Promise<LocalTrack>}
 * @throws {MediaError}
 */
export async function createLocalTrack(kind, wish = true) {
  const constraints = constraintsOf(kind, wish);
  return new LocalTrack(await acquire(kind, constraints), kind === 'audio' ? 'microphone' : 'camera', constraints);
}

/**
 * Opens camera and microphone, asking once for both where the browser allows. What fails is in
 * `errors`, and does not keep the other from being used.
 * @param {LocalTrackOptions} [options] default: both
 * @returns {Promise<LocalTrack[] & { errors: MediaError[] }>}
 */
export async function createLocalTracks(options = { audio: true, video: true }) {
  /** @type {TrackKind[]} */
  const kinds = ['audio', 'video'];
  const wanted = kinds.filter((kind) => options[kind]);
  /** @type {MediaError[]} */
  const errors = [];
  /** @type {LocalTrack[]} */
  let tracks = [];
  if (wanted.length === 2) tracks = await together(options);
  if (tracks.length === 0) {
    const results = await Promise.allSettled(wanted.map((kind) => createLocalTrack(kind, options[kind])));
    results.forEach((result, index) => {
      if (result.status === 'fulfilled') tracks.push(result.value);
      else errors.push(MediaError.from(result.reason, wanted[index] ?? 'video'));
    });
  }
  return Object.assign(tracks, { errors });
}

/**
 * One question to the person, instead of two.
 * @param {LocalTrackOptions} options
 * @returns {Promise<LocalTrack[]>} none when either can't be had
 */
async function together(options) {
  const audio = constraintsOf('audio', options.audio ?? true);
  const video = constraintsOf('video', options.video ?? true);
  try {
    const stream = await mediaDevices('video').getUserMedia({ audio, video });
    return stream
      .getTracks()
      .map((media) =>
        media.kind === 'audio' ? new LocalTrack(media, 'microphone', audio) : new LocalTrack(media, 'camera', video),
      );
  } catch {
    return [];
  }
}

/**
 * Shares a screen, a window or a tab: its picture, and its sound where the browser gives it.
 * @param {DisplayMediaStreamOptions} [options]
 * @returns {Promise<LocalTrack[]>}
 * @throws {MediaError} `refused` also when the person closed the browser's question
 */
export async function createScreenTracks(options = { video: { frameRate: { ideal: 15 } }, audio: true }) {
  const devices = mediaDevices('screen');
  if (!devices.getDisplayMedia) throw new MediaError('missing', 'screen');
  try {
    const stream = await devices.getDisplayMedia(options);
    return stream.getTracks().map((media) => new LocalTrack(media, 'screen'));
  } catch (error) {
    throw MediaError.from(error, 'screen');
  }
}

/**
 * The devices there are. Names are empty until the person has allowed one.
 * @returns {Promise<MediaDeviceInfo[]>}
 */
export async function listDevices() {
  if (!navigator.mediaDevices?.enumerateDevices) return [];
  return (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.deviceId !== 'communications');
}

/**
 * @param {() => void} listener called when a device was plugged in or out
 * @returns {() => void} stops it
 */
export function watchDevices(listener) {
  navigator.mediaDevices?.addEventListener?.('devicechange', listener);
  return () => navigator.mediaDevices?.removeEventListener?.('devicechange', listener);
}
