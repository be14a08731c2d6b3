// Who speaks: from the levels of what arrives, where the server does not say.

import { LevelMeter } from './level.js';

/**
 * @typedef {import('./participant.js').Participant} Participant
 * @typedef {import('./local_participant.js').LocalParticipant} LocalParticipant
 *
 * @typedef {object} SpeakersParts
 * @property {LocalParticipant} local
 * @property {() => Iterable<Participant>} remotes
 * @property {(trackId: string) => RTCRtpReceiver | null} receiverOf
 * @property {(speakers: Participant[]) => void} changed
 */

const TICK_MS = 100;
// A voice begins above the one and ends below the other, so that breath does not flicker.
const ON_LEVEL = 0.02;
const OFF_LEVEL = 0.01;
const ON_MS = 150;
const OFF_MS = 900;
// A source that has fallen silent altogether keeps its last level in the browser's report.
const STALE_MS = 1000;

/** One voice's state over time. */
export class Voice {
  speaking = false;
  // Since when the level has spoken for the other state.
  #since = 0;

  /**
   * @param {number} level
   * @param {number} now
   * @returns {boolean} whether `speaking` changed
   */
  hear(level, now) {
    const contrary = this.speaking ? level < OFF_LEVEL : level > ON_LEVEL;
    if (!contrary) {
      this.#since = now;
      return false;
    }
    if (now - this.#since < (this.speaking ? OFF_MS : ON_MS)) return false;
    this.speaking = !this.speaking;
    this.#since = now;
    return true;
  }
}

export class Speakers {
  /** Loudest first. @type {Participant[]} */
  active = [];
  #parts;
  /** @type {WeakMap<Participant, Voice>} */
  #voices = new WeakMap();
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  /** @type {{ media: MediaStreamTrack, meter: LevelMeter } | null} */
  #own = null;
  // The server says it, in rooms whose sound passes through it.
  #told = false;

  /** @param {SpeakersParts} parts */
  constructor(parts) {
    this.#parts = parts;
  }

  start() {
    this.#told = false;
    this.#timer ??= setInterval(() => this.#tick(performance.now()), TICK_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#own?.meter.stop();
    this.#own = null;
    this.#become([]);
  }

  /** The room has another topology: measured here until the server says who speaks. */
  restart() {
    this.#told = false;
  }

  /** @param {Participant[]} participants the server's word, loudest first */
  tell(participants) {
    this.#told = true;
    this.#become(participants);
  }

  /** @param {number} now */
  #tick(now) {
    const everyone = [this.#parts.local, ...this.#parts.remotes()];
    for (const participant of everyone) {
      const level = this.#levelOf(participant);
      // Falls slowly, as meters do.
      participant.audioLevel = Math.max(level, participant.audioLevel * 0.7);
      if (this.#told) continue;
      const voice = this.#voices.get(participant) ?? new Voice();
      this.#voices.set(participant, voice);
      voice.hear(participant.audioLevel, now);
    }
    if (!this.#told) {
      const speaking = everyone.filter((each) => this.#voices.get(each)?.speaking);
      this.#become(speaking.sort((a, b) => b.audioLevel - a.audioLevel));
    }
  }

  /** @param {Participant} participant */
  #levelOf(participant) {
    const track = participant.getTrack('microphone');
    if (!track || track.isMuted) return 0;
    if (participant === this.#parts.local) return this.#ownLevel(track.mediaStreamTrack);
    const sources = this.#parts.receiverOf(track.id)?.getSynchronizationSources?.() ?? [];
    const now = performance.timeOrigin + performance.now();
    return Math.max(0, ...sources.map((each) => (now - each.timestamp < STALE_MS ? (each.audioLevel ?? 0) : 0)));
  }

  /** @param {MediaStreamTrack | null} media */
  #ownLevel(media) {
    if (!media) return 0;
    if (this.#own?.media !== media) {
      this.#own?.meter.stop();
      this.#own = { media, meter: new LevelMeter(media) };
    }
    return this.#own.meter.level;
  }

  /** @param {Participant[]} speakers */
  #become(speakers) {
    const before = this.active;
    this.active = speakers;
    const same = before.length === speakers.length && before.every((each) => speakers.includes(each));
    if (same) return;
    for (const each of before) each.isSpeaking = speakers.includes(each);
    for (const each of speakers) each.isSpeaking = true;
    this.#parts.changed(speakers);
  }
}
