// A small floating picture of the screen shared, or of who speaks.

import { h } from '../dom.js';

/** @typedef {import('/sdk/index.js').Track} Track */

export class Floating {
  #foremost;
  /** @type {Track|null} */
  #shown = null;
  #video = h('video', {
    class: 'floating',
    autoplay: true,
    playsinline: true,
    muted: true,
    tabindex: -1,
    'aria-hidden': 'true',
  });

  /** @param {() => Track|null} foremost what to show now */
  constructor(foremost) {
    this.#foremost = foremost;
    this.#video.muted = true;
    this.#video.addEventListener('leavepictureinpicture', () => this.#stop());
    this.element = this.#video;
  }

  get isOpen() {
    return document.pictureInPictureElement === this.#video;
  }

  /** @returns {Promise<boolean>} whether there was a picture to float */
  async toggle() {
    if (this.isOpen) {
      await document.exitPictureInPicture();
      return true;
    }
    this.#show(this.#foremost());
    if (!this.#shown) return false;
    await this.#video.play();
    await this.#video.requestPictureInPicture();
    return true;
  }

  /** Follows who is foremost. */
  sync() {
    if (this.isOpen) this.#show(this.#foremost());
  }

  /** @param {Track|null} track */
  #show(track) {
    if (track === this.#shown || !track) return;
    this.#shown?.detach(this.#video);
    this.#shown = track;
    track.attach(this.#video);
  }

  #stop() {
    this.#shown?.detach(this.#video);
    this.#shown = null;
  }

  destroy() {
    if (this.isOpen) document.exitPictureInPicture().catch(() => {});
    this.#stop();
    this.#video.remove();
  }
}
