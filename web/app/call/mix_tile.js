// The mix on the stage: everybody in one picture.

import { h, setAttr } from '../dom.js';
import { t } from '../i18n.js';
import { icon } from '../icons.js';
import { namesIn } from './mix_words.js';

/**
 * @typedef {import('/sdk/index.js').Room} Room
 * @typedef {import('/sdk/index.js').Mix} Mix
 * @typedef {import('./grid.js').Box} Box
 */

export class MixTile {
  #room;
  #video = h('video', {
    class: 'tile-video',
    testid: 'mix-video',
    autoplay: true,
    playsinline: true,
    muted: true,
    tabindex: -1,
    'aria-hidden': 'true',
  });
  #names = h('ul', { class: 'unseen', label: 'mix.inside', testid: 'mix-names' });

  /**
   * @param {Room} room
   * @param {Mix} mix
   * @param {() => void} onSeen
   */
  constructor(room, mix, onSeen) {
    this.#room = room;
    this.mix = mix;
    this.#video.muted = true;
    const wait = h('div', { class: 'mix-wait' }, icon('people'), h('span', { t: 'mix.waiting' }));
    this.element = h('div', { class: 'mix-tile', role: 'group', testid: 'mix' }, wait, this.#video, this.#names);
    for (const event of ['loadeddata', 'emptied']) this.#video.addEventListener(event, onSeen);
    mix.video.attach(this.#video);
  }

  get track() {
    return this.mix.video;
  }

  /** Whether there is a picture to see. */
  get isSeen() {
    return this.#video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA;
  }

  /** Whether it is shown only until everybody's own pictures are there. */
  get isLeaving() {
    return this.#room.mix !== this.mix;
  }

  /** Whether nothing of it comes any more. */
  get isOver() {
    return this.isLeaving && !this.mix.video.isSubscribed;
  }

  sync() {
    const names = namesIn(this.mix.state?.places ?? [], (id) => this.#nameOf(id));
    // Who is in it stands in the list.
    setAttr(this.element, 'aria-label', t('mix.label'));
    this.element.classList.toggle('seen', this.isSeen);
    const told = [...this.#names.children].map((item) => item.textContent);
    if (told.length === names.length && told.every((name, i) => name === names[i])) return;
    this.#names.replaceChildren(...names.map((name) => h('li', {}, name)));
  }

  /** @param {string} id */
  #nameOf(id) {
    const { localParticipant: local, remoteParticipants } = this.#room;
    return id === local.id ? t('tile.you', { name: local.name }) : (remoteParticipants.get(id)?.name ?? '?');
  }

  /** @param {Box} box @param {{isBehind: boolean}} options whether other tiles are what is looked at */
  place(box, { isBehind }) {
    const { style, classList } = this.element;
    style.transform = `translate(${box.x.toFixed(1)}px, ${box.y.toFixed(1)}px)`;
    style.width = `${box.width.toFixed(1)}px`;
    style.height = `${box.height.toFixed(1)}px`;
    classList.toggle('behind', isBehind);
  }

  destroy() {
    this.mix.video.detach(this.#video);
    this.element.remove();
  }
}
