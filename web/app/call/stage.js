// The stage: everyone's tiles, large screens first.

import { h } from '../dom.js';
import { layoutGrid, layoutMix, layoutStrip, shownOf } from './grid.js';
import { MixTile } from './mix_tile.js';
import { Tile } from './tile.js';

/**
 * @typedef {import('/sdk/index.js').Room} Room
 * @typedef {import('/sdk/index.js').Participant} Participant
 * @typedef {import('./grid.js').Box} Box
 */

const GAP = 8;
// The share of a tile's area worth keeping when the controls are given a place of their own.
const KEPT_AREA = 0.94;
const NAME_HEIGHT = 36;

/** @param {Participant} participant */
const sourcesOf = (participant) => (participant.getTrack('screen') ? ['screen', 'camera'] : ['camera']);

/** @param {Box[]} boxes */
const areaOf = ([box]) => (box ? box.width * box.height : 0);

export class Stage {
  #room;
  /** By participant object and source: a participant's id changes when its session does. @type {Map<Participant, Map<string, Tile>>} */
  #tiles = new Map();
  /** Sound of others, by track. @type {Map<import('/sdk/index.js').Track, HTMLMediaElement>} */
  #sounds = new Map();
  /** Everybody in one picture, while the server mixes. @type {MixTile|null} */
  #mix = null;
  #soundBox = h('div', { hidden: true });
  #invite;
  /** Where the controls are when they are seen. @type {{height: number, left: number, right: number}} */
  #bar = { height: 0, left: 0, right: 0 };
  #observer;

  /** @param {Room} room @param {HTMLElement} invite what to show beside somebody who is alone */
  constructor(room, invite) {
    this.#room = room;
    this.#invite = invite;
    invite.hidden = true;
    this.element = h('div', { class: 'stage', role: 'main' }, invite);
    this.#observer = new ResizeObserver(() => this.layout());
    this.#observer.observe(this.element);
    this.element.append(this.#soundBox);
  }

  /** @param {{height: number, left: number, right: number}} bar the controls above the stage's lower edge */
  setBar(bar) {
    this.#bar = bar;
    this.layout();
  }

  /** People in the order of the grid: oneself last. @returns {Participant[]} */
  get people() {
    return [...this.#room.remoteParticipants.values(), this.#room.localParticipant];
  }

  /** Whether the mix is what is looked at, rather than everyone's tiles. */
  get #isMixed() {
    if (!this.#mix || this.#mix.isLeaving) return false;
    // What is seen stays until the mix is.
    return this.#mix.isSeen || !this.#all().some((tile) => tile.isSeen && !tile.participant.isLocal);
  }

  /** The tile worth floating: a screen, else who speaks, else the first other. @returns {Tile|MixTile|null} */
  get foremost() {
    if (this.#mix?.isSeen && this.#isMixed) return this.#mix;
    const seen = this.#all().filter((tile) => tile.isSeen);
    const speaker = this.#room.activeSpeakers.find((p) => !p.isLocal);
    return (
      seen.find((tile) => tile.source === 'screen' && !tile.participant.isLocal) ??
      seen.find((tile) => tile.participant === speaker) ??
      seen.find((tile) => !tile.participant.isLocal) ??
      seen[0] ??
      null
    );
  }

  /** Brings tiles and sound in line with the room. */
  sync() {
    this.#syncMix();
    const isMixed = this.#isMixed;
    const people = isMixed ? [this.#room.localParticipant] : this.people;
    for (const [participant, tiles] of this.#tiles) {
      if (people.includes(participant)) continue;
      for (const tile of tiles.values()) tile.destroy();
      this.#tiles.delete(participant);
    }
    for (const participant of people) this.#syncPerson(participant, isMixed ? ['camera'] : sourcesOf(participant));
    this.#syncSound();
    this.#order();
    this.#invite.hidden = this.people.length > 1 || this.#room.state !== 'connected';
    this.layout();
  }

  /** A mix that is on its way out is shown as long as something of it comes. */
  #syncMix() {
    const { mix, remoteParticipants } = this.#room;
    // Who is alone has nobody to see in it.
    const wanted = remoteParticipants.size > 0 ? mix : null;
    if (this.#mix && (wanted ? this.#mix.mix !== wanted : this.#mix.isOver || mix !== null)) {
      this.#mix.destroy();
      this.#mix = null;
    }
    if (wanted && !this.#mix) {
      this.#mix = new MixTile(this.#room, wanted, () => this.sync());
      this.element.insertBefore(this.#mix.element, this.element.firstChild);
    }
    this.#mix?.sync();
  }

  /** @param {Participant} participant @param {string[]} wanted sources */
  #syncPerson(participant, wanted) {
    const tiles = this.#tiles.get(participant) ?? new Map();
    this.#tiles.set(participant, tiles);
    for (const [source, tile] of tiles) {
      if (wanted.includes(source)) continue;
      tile.destroy();
      tiles.delete(source);
    }
    for (const source of wanted) {
      if (!tiles.has(source)) {
        const tile = new Tile(participant, source === 'screen' ? 'screen' : 'camera');
        tiles.set(source, tile);
        tile.element.classList.add('entering');
        this.element.append(tile.element);
        requestAnimationFrame(() => requestAnimationFrame(() => tile.element.classList.remove('entering')));
      }
      tiles.get(source)?.sync();
    }
  }

  // Reading order follows the order on the screen.
  #order() {
    const wanted = this.#all().map((tile) => tile.element);
    const present = [...this.element.querySelectorAll(':scope > .tile')];
    if (wanted.every((element, i) => element === present[i])) return;
    for (const element of wanted) this.element.insertBefore(element, this.#invite);
  }

  #syncSound() {
    /** @type {import('/sdk/index.js').Track[]} */
    const heard = [...this.#room.remoteParticipants.values()].flatMap((p) =>
      [...p.tracks.values()].filter((track) => track.kind === 'audio'),
    );
    if (this.#room.mix) heard.push(this.#room.mix.audio);
    for (const [track, element] of this.#sounds) {
      // A mix that is given back is heard until everybody is by themselves.
      if (heard.includes(track) || (track.source === 'mix' && 'isSubscribed' in track && track.isSubscribed)) continue;
      track.detach(element);
      element.remove();
      this.#sounds.delete(track);
    }
    for (const track of heard) {
      if (this.#sounds.has(track)) continue;
      const element = track.attach();
      this.#sounds.set(track, element);
      this.#soundBox.append(element);
    }
  }

  /** Screens first, then people. @returns {Tile[]} */
  #all() {
    const tiles = this.people.flatMap((p) => [...(this.#tiles.get(p)?.values() ?? [])]);
    return [...tiles.filter((t) => t.source === 'screen'), ...tiles.filter((t) => t.source === 'camera')];
  }

  layout() {
    const { clientWidth, clientHeight } = this.element;
    const width = clientWidth - GAP * 2;
    const height = clientHeight - GAP * 2;
    const tiles = this.#all();
    if (this.#layoutMix(width, height)) return;
    const screens = tiles.filter((tile) => tile.source === 'screen');
    const cameras = tiles.filter((tile) => tile.source === 'camera');
    if (screens.length > 0) {
      const boxes = this.#strip(screens.length, cameras.length, width, height);
      screens.forEach((tile, i) => this.#place(tile, boxes.large[i], false));
      cameras.forEach((tile, i) => this.#place(tile, boxes.small[i], true));
      return;
    }
    const isAlone = !this.#invite.hidden;
    const boxes = this.#grid(cameras.length + (isAlone ? 1 : 0), width, height);
    cameras.forEach((tile, i) => this.#place(tile, boxes[i + (isAlone ? 1 : 0)], false));
    if (isAlone && boxes[0]) this.#placeInvite(boxes[0]);
  }

  /**
   * In the mix names stand at the foot of the picture, so the controls always have a place of their own.
   * @param {number} width
   * @param {number} height
   * @returns {boolean} whether that is all
   */
  #layoutMix(width, height) {
    if (!this.#mix) return false;
    const isMixed = this.#isMixed;
    const { picture, own } = layoutMix(width, height - this.#bar.height, GAP);
    const isBehind = !isMixed && !this.#mix.isLeaving;
    this.#mix.place({ ...picture, x: picture.x + GAP, y: picture.y + GAP }, { isBehind });
    if (isMixed) for (const tile of this.#all()) this.#place(tile, own, true);
    return isMixed;
  }

  /**
   * Leaves the controls their place where that costs the pictures next to nothing.
   * @param {number} count
   * @param {number} width
   * @param {number} height
   */
  #grid(count, width, height) {
    const whole = layoutGrid(count, width, height, GAP);
    const above = layoutGrid(count, width, height - this.#bar.height, GAP);
    return areaOf(above) > areaOf(whole) * KEPT_AREA ? above : whole;
  }

  /**
   * @param {number} screens
   * @param {number} cameras
   * @param {number} width
   * @param {number} height
   */
  #strip(screens, cameras, width, height) {
    const whole = layoutStrip(screens, cameras, width, height, GAP);
    const above = layoutStrip(screens, cameras, width, height - this.#bar.height, GAP);
    return shownOf(above.large) > shownOf(whole.large) * KEPT_AREA ? above : whole;
  }

  /** @param {Tile} tile @param {Box|undefined} box @param {boolean} isSmall */
  #place(tile, box, isSmall) {
    if (!box) return;
    const moved = { ...box, x: box.x + GAP, y: box.y + GAP };
    // A row of the grid rises together; beside a screen only what lies under the controls does.
    const isUnder = !isSmall || (moved.x < this.#bar.right && moved.x + moved.width > this.#bar.left);
    const lift = moved.y + moved.height - (this.element.clientHeight - this.#bar.height);
    tile.place(moved, { isSmall, lift: isUnder ? Math.min(lift, moved.height - NAME_HEIGHT) : 0 });
  }

  /** @param {Box} box */
  #placeInvite(box) {
    const { style } = this.#invite;
    style.transform = `translate(${(box.x + GAP).toFixed(1)}px, ${(box.y + GAP).toFixed(1)}px)`;
    style.width = `${box.width.toFixed(1)}px`;
    style.height = `${box.height.toFixed(1)}px`;
  }

  destroy() {
    this.#observer.disconnect();
    for (const tiles of this.#tiles.values()) for (const tile of tiles.values()) tile.destroy();
    for (const [track, element] of this.#sounds) track.detach(element);
    this.#mix?.destroy();
    this.element.remove();
  }
}
