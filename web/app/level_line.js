// The level of a microphone as a living line: flat in silence, waves in speech.

import { createLevelMeter } from '/sdk/index.js';

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 600;
const HEIGHT = 40;
const POINTS = 61;

export class LevelLine {
  #path = document.createElementNS(SVG, 'path');
  /** @type {ReturnType<typeof createLevelMeter>} */
  #meter = null;
  #level = 0;
  #frame = 0;
  #still = matchMedia('(prefers-reduced-motion: reduce)');

  constructor() {
    this.element = document.createElementNS(SVG, 'svg');
    this.element.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    this.element.setAttribute('preserveAspectRatio', 'none');
    this.element.setAttribute('class', 'level-line');
    this.element.setAttribute('aria-hidden', 'true');
    this.element.append(this.#path);
    this.#draw(0);
  }

  /** @param {import('/sdk/index.js').LocalTrack|null} track */
  listen(track) {
    this.#meter?.stop();
    this.#meter = track && !track.isMuted ? createLevelMeter(track) : null;
    this.element.classList.toggle('live', this.#meter !== null);
    cancelAnimationFrame(this.#frame);
    if (this.#meter) this.#frame = requestAnimationFrame(this.#step);
    else this.#draw(0);
  }

  stop() {
    this.listen(null);
  }

  /** @param {number} now */
  #step = (now) => {
    const loud = Math.min(1, (this.#meter?.level ?? 0) * 5);
    // Rises at once, falls softly.
    this.#level = loud > this.#level ? loud : this.#level * 0.92 + loud * 0.08;
    this.#draw(now);
    this.#frame = requestAnimationFrame(this.#step);
  };

  /** @param {number} now milliseconds */
  #draw(now) {
    const middle = HEIGHT / 2;
    const phase = this.#still.matches ? 0 : now / 180;
    const points = [];
    for (let i = 0; i < POINTS; i += 1) {
      const along = i / (POINTS - 1);
      const window = Math.sin(Math.PI * along) ** 2;
      const wave = Math.sin(along * 19 - phase) * 0.65 + Math.sin(along * 33 + phase * 0.7) * 0.35;
      points.push(`${(along * WIDTH).toFixed(1)} ${(middle + wave * window * this.#level * (middle - 3)).toFixed(2)}`);
    }
    this.#path.setAttribute('d', `M${points.join('L')}`);
  }
}
