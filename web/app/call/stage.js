// The stage: everyone's tiles, large screens first.

import { h } from '../dom.js';
import { layoutGrid, layoutStrip, shownOf } from './grid.js';
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

/** @param {Box[]} boxes */
const areaOf = ([box]) => (box ? box.width * box.height : 0);

export class Stage {
  #room;
  /** By participant object and source: a participant's id changes when its session does. @type {Map<Participant, Map<string, Tile>>} */
  #tiles = new Map();
  /** Sound of others, by track. @type {Map<import('/sdk/index.js').Track, HTMLMediaElement>} */
  #sounds = new Map();
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

  /** The tile worth floating: a screen, else who speaks, else the first other. @returns {Tile|null} */
  get foremost() {
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
    const people = this.people;
    for (const [participant, tiles] of this.#tiles) {
      if (people.includes(participant)) continue;
      for (const tile of tiles.values()) tile.destroy();
      this.#tiles.delete(participant);
    }
    for (const participant of people) this.#syncPerson(participant);
    this.#syncSound();
    this.#order();
    this.#invite.hidden = people.length > 1 || this.#room.state !== 'connected';
    this.layout();
  }

  /** @param {Participant} participant */
  #syncPerson(participant) {
    const tiles = this.#tiles.get(participant) ?? new Map();
    this.#tiles.set(participant, tiles);
    const wanted = participant.getTrack('screen') ? ['screen', 'camera'] : ['camera'];
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
    const heard = [...this.#room.remoteParticipants.values()].flatMap((p) =>
      [...p.tracks.values()].filter((track) => track.kind === 'audio'),
    );
    for (const [track, element] of this.#sounds) {
      if (heard.includes(track)) continue;
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
    this.element.remove();
  }
}
