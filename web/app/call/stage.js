// The stage: everyone's tiles, large screens first.

import { h } from '../dom.js';
import { layoutGrid, layoutStrip } from './grid.js';
import { Tile } from './tile.js';

/**
 * @typedef {import('/sdk/index.js').Room} Room
 * @typedef {import('/sdk/index.js').Participant} Participant
 */

const GAP = 8;

export class Stage {
  #room;
  /** By participant object and source: a participant's id changes when its session does. @type {Map<Participant, Map<string, Tile>>} */
  #tiles = new Map();
  /** Sound of others, by track. @type {Map<import('/sdk/index.js').Track, HTMLMediaElement>} */
  #sounds = new Map();
  #soundBox = h('div', { hidden: true });
  #invite;
  #barHeight = 0;
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

  /** @param {number} height of the controls above the stage's lower edge, whether seen or not */
  setBarHeight(height) {
    if (this.#barHeight === height) return;
    this.#barHeight = height;
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
    const heard = [...this.#room.remoteParticipants.values()].flatMap((p) => [...p.tracks.values()].filter((track) => track.kind === 'audio'));
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
      const boxes = layoutStrip(screens.length, cameras.length, width, height, GAP);
      screens.forEach((tile, i) => this.#place(tile, boxes.large[i], false));
      cameras.forEach((tile, i) => this.#place(tile, boxes.small[i], true));
      return;
    }
    const isAlone = !this.#invite.hidden;
    const boxes = layoutGrid(cameras.length + (isAlone ? 1 : 0), width, height, GAP);
    cameras.forEach((tile, i) => this.#place(tile, boxes[i + (isAlone ? 1 : 0)], false));
    if (isAlone && boxes[0]) this.#placeInvite(boxes[0]);
  }

  /** @param {Tile} tile @param {import('./grid.js').Box|undefined} box @param {boolean} isSmall */
  #place(tile, box, isSmall) {
    if (!box) return;
    const moved = { ...box, x: box.x + GAP, y: box.y + GAP };
    const lift = moved.y + moved.height - (this.element.clientHeight - this.#barHeight);
    tile.place(moved, { isSmall, lift });
  }

  /** @param {import('./grid.js').Box} box */
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
