// One picture on the stage: a person, or the screen they share.

import { RemoteTrack } from '/sdk/index.js';

import { h, setAttr } from '../dom.js';
import { t } from '../i18n.js';
import { icon, setIcon } from '../icons.js';
import { hueOf, initials } from '../names.js';
import { tellDelivery } from './delivery.js';

/**
 * @typedef {import('/sdk/index.js').Participant} Participant
 * @typedef {import('/sdk/index.js').Track} Track
 * @typedef {'camera'|'screen'} TileSource
 */

// A picture cropped by more than this is shown whole instead.
const LEAST_SHOWN = 0.4;
// Firefox empties an element for a moment when another link takes over its picture.
const REFILL_MS = 400;

export class Tile {
  #participant;
  #source;
  /** @type {Track|null} */
  #track = null;
  #isRefilling = false;
  #video = h('video', {
    class: 'tile-video',
    testid: 'video',
    autoplay: true,
    playsinline: true,
    muted: true,
    tabindex: -1,
  });
  #avatar = h('span', { class: 'avatar' });
  #face = h('div', { class: 'tile-face' }, this.#avatar);
  #muted = icon('mic-off', 'small tile-muted');
  #signal = icon('signal-poor', 'small tile-signal');
  #name = h('span', { class: 'tile-text' });
  #label = h('div', { class: 'tile-name' }, this.#muted, this.#signal, this.#name);
  #hand = h('div', { class: 'tile-hand', 'aria-hidden': 'true' }, icon('hand'));

  /** @param {Participant} participant @param {TileSource} source */
  constructor(participant, source) {
    this.#participant = participant;
    this.#source = source;
    this.#video.muted = true;
    this.element = h(
      'div',
      {
        class: `tile ${source}`,
        role: 'group',
        testid: 'tile',
        'data-participant': participant.id,
        'data-source': source,
      },
      this.#face,
      this.#video,
      this.#label,
      this.#hand,
    );
    this.element.classList.toggle('local', participant.isLocal);
    this.#video.addEventListener('resize', () => this.#fit());
    this.#video.addEventListener('loadeddata', () => this.sync());
    this.#video.addEventListener('emptied', () => this.#emptied());
  }

  get participant() {
    return this.#participant;
  }

  get source() {
    return this.#source;
  }

  get video() {
    return this.#video;
  }

  get track() {
    return this.#track;
  }

  /** Whether there is a picture to see. */
  get isSeen() {
    if (!this.#track || this.#track.isMuted || this.#delivery?.paused) return false;
    return this.#video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA || this.#isRefilling;
  }

  get #delivery() {
    return this.#track instanceof RemoteTrack ? this.#track.delivery : null;
  }

  #emptied() {
    this.#isRefilling = Boolean(this.#track?.mediaStreamTrack);
    setTimeout(() => {
      this.#isRefilling = false;
      this.sync();
    }, REFILL_MS);
    this.sync();
  }

  /** Brings the tile in line with its participant. */
  sync() {
    const p = this.#participant;
    this.#useTrack(p.getTrack(this.#source) ?? null);
    const isCamera = this.#source === 'camera';
    const microphone = p.getTrack('microphone');
    const isMuted = isCamera && (!microphone || microphone.isMuted);
    const told = this.#track && !this.#track.isMuted ? tellDelivery(this.#delivery, p.name) : null;
    const trouble = (isCamera && !p.isLocal ? troubleOf(p) : null) ?? (told?.mark ? 'delivery' : null);
    const name = this.#shownName();
    this.element.dataset.participant = p.id;
    this.element.classList.toggle('seen', this.isSeen);
    this.element.classList.toggle('speaking', isCamera && p.isSpeaking && !isMuted);
    this.element.classList.toggle('hand', isCamera && p.handRaised);
    this.element.classList.toggle('away', isCamera && p.presence === 'away');
    this.#name.textContent = name;
    this.#avatar.textContent = initials(p.name);
    this.element.style.setProperty('--hue', String(hueOf(p.name)));
    this.#muted.classList.toggle('shown', isMuted);
    this.#signal.classList.toggle('shown', trouble !== null);
    if (trouble)
      setIcon(
        this.#signal,
        trouble === 'away' ? 'away' : `signal-${trouble === 'lost' ? 'lost' : (told?.mark ?? trouble)}`,
      );
    this.#describe(name, isMuted, trouble, told);
  }

  #shownName() {
    const { name, isLocal } = this.#participant;
    if (this.#source === 'screen') return isLocal ? t('tile.screen.you') : t('tile.screen', { name });
    return isLocal ? t('tile.you', { name }) : name;
  }

  /**
   * @param {string} name
   * @param {boolean} isMuted
   * @param {Trouble|null} trouble
   * @param {import('./delivery.js').Told|null} told
   */
  #describe(name, isMuted, trouble, told) {
    const p = this.#participant;
    const words = [];
    if (isMuted) words.push(t('tile.muted'));
    if (trouble && trouble !== 'delivery') words.push(t(TROUBLES[trouble]));
    const picture = told ? t(told.key, told.params) : '';
    setAttr(this.#label, 'title', [[name, ...words].join(', '), picture].filter(Boolean).join('. '));
    if (told?.mark) words.push(picture);
    if (this.#source === 'camera' && p.handRaised) words.push(t('tile.hand'));
    if (this.#source === 'camera' && (!this.#track || this.#track.isMuted)) words.push(t('tile.nocamera'));
    setAttr(this.element, 'aria-label', [name, ...words].join(', '));
  }

  /** @param {Track|null} track */
  #useTrack(track) {
    if (this.#track === track) return;
    this.#track?.detach(this.#video);
    this.#track = track;
    track?.attach(this.#video);
  }

  /**
   * @param {import('./grid.js').Box} box
   * @param {{isSmall?: boolean, lift?: number}} [options] how far its name must rise above the controls
   */
  place(box, { isSmall = false, lift = 0 } = {}) {
    const { style, classList } = this.element;
    style.transform = `translate(${box.x.toFixed(1)}px, ${box.y.toFixed(1)}px)`;
    style.width = `${box.width.toFixed(1)}px`;
    style.height = `${box.height.toFixed(1)}px`;
    style.setProperty('--lift', `${Math.max(0, Math.round(lift))}px`);
    style.setProperty('--face', `${Math.round(Math.min(box.width, box.height) * 0.34)}px`);
    classList.toggle('small', isSmall || box.width < 200);
    this.#fit();
  }

  /** Fills the tile with the picture, unless that would cut too much of it away. */
  #fit() {
    const { videoWidth, videoHeight } = this.#video;
    const { clientWidth, clientHeight } = this.element;
    if (!videoWidth || !videoHeight || !clientHeight) return;
    const picture = videoWidth / videoHeight;
    const tile = clientWidth / clientHeight;
    const shown = Math.min(picture / tile, tile / picture);
    this.element.classList.toggle('whole', this.#source === 'screen' || shown < LEAST_SHOWN);
  }

  destroy() {
    this.#useTrack(null);
    this.element.remove();
  }
}

/** @typedef {'poor'|'lost'|'away'|'delivery'} Trouble */

const TROUBLES = { away: 'quality.away', lost: 'tile.lost', poor: 'tile.weak' };

/** @param {Participant} participant @returns {'poor'|'lost'|'away'|null} */
function troubleOf({ presence, connectionQuality }) {
  if (presence === 'away') return 'away';
  return connectionQuality === 'poor' || connectionQuality === 'lost' ? connectionQuality : null;
}
