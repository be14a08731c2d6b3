// Camera and microphone, opened as the screen before joining does.

import { openDevices } from '../devices.js';
import { later } from './candidates.js';

/**
 * @typedef {import('/sdk/index.js').LocalTrack} LocalTrack
 * @typedef {import('./types.js').DeviceFinding} DeviceFinding
 */

/** A microphone that is off at a switch of its own gives zeros; a quiet room gives more. */
const LISTEN_MS = 1500;
const LISTEN_EVERY_MS = 30;
/** At 48 000 a second more than passes between two looks. */
const SAMPLES = 2048;

/** Opens what there is. @returns {Promise<{tracks: LocalTrack[], camera: DeviceFinding, microphone: DeviceFinding}>} */
export async function tryDevices() {
  const tracks = await openDevices();
  const find = (/** @type {'camera'|'microphone'} */ source, /** @type {'video'|'audio'} */ kind) => {
    const track = tracks.find((each) => each.source === source);
    const problem = tracks.errors.find((each) => each.kind === kind)?.reason ?? (track ? null : 'unknown');
    return { problem, label: track?.mediaStreamTrack?.label ?? '' };
  };
  return { tracks, camera: find('camera', 'video'), microphone: find('microphone', 'audio') };
}

/** Whether a microphone gives any sound at all. @param {LocalTrack} track @returns {Promise<boolean>} */
export async function hasSound(track) {
  const media = track.mediaStreamTrack;
  if (!media) return false;
  const context = new AudioContext();
  try {
    const analyser = new AnalyserNode(context, { fftSize: SAMPLES });
    context.createMediaStreamSource(new MediaStream([media])).connect(analyser);
    const samples = new Float32Array(SAMPLES);
    for (let passed = 0; passed < LISTEN_MS; passed += LISTEN_EVERY_MS) {
      await later(LISTEN_EVERY_MS);
      analyser.getFloatTimeDomainData(samples);
      if (samples.some((sample) => sample !== 0)) return true;
    }
    // A context that the browser does not let run hears nothing, and that says nothing.
    return context.state !== 'running';
  } catch {
    // Firefox refuses a device whose sample rate is not the context's.
    return true;
  } finally {
    await context.close();
  }
}
