// How loud a track is, 0 to 1.

/** @type {AudioContext | null} */
let context = null;

/** @returns {AudioContext | null} one for the page: browsers limit their number */
function audioContext() {
  if (!context && globalThis.AudioContext) context = new AudioContext({ latencyHint: 'playback' });
  return context;
}

/** Lets meters run, where the browser waits for a click. Call it from one. */
export async function resumeLevels() {
  if (context?.state === 'suspended') await context.resume().catch(() => {});
}

/** The loudness of one MediaStreamTrack. */
export class LevelMeter {
  /** @type {MediaStreamAudioSourceNode | undefined} */
  #source;
  /** @type {AnalyserNode | undefined} */
  #analyser;
  #samples;

  /** @param {MediaStreamTrack} media an audio track */
  constructor(media) {
    const audio = audioContext();
    this.#samples = new Float32Array(1024);
    try {
      this.#source = audio?.createMediaStreamSource(new MediaStream([media]));
      this.#analyser = audio?.createAnalyser();
    } catch {
      // Firefox refuses a device whose sample rate is not the context's: no level then.
    }
    if (this.#analyser) {
      this.#analyser.fftSize = this.#samples.length;
      this.#source?.connect(this.#analyser);
    }
    if (audio?.state === 'suspended') audio.resume().catch(() => {});
  }

  /** Root mean square of the last 20 ms or so, 0 to 1. */
  get level() {
    if (!this.#analyser) return 0;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let sum = 0;
    for (const sample of this.#samples) sum += sample * sample;
    return Math.min(1, Math.sqrt(sum / this.#samples.length));
  }

  stop() {
    this.#source?.disconnect();
  }
}

/**
 * @param {{ mediaStreamTrack: MediaStreamTrack | null }} track a local audio track
 * @returns {LevelMeter | null}
 */
export function createLevelMeter(track) {
  return track.mediaStreamTrack ? new LevelMeter(track.mediaStreamTrack) : null;
}
