// The mix: one picture and one sound of everybody, made by the server, in place of their tracks.

import { RemoteTrack } from './remote_track.js';

/**
 * @typedef {import('./protocol.js').Mix} MixInfo
 * @typedef {import('./protocol.js').MixLayout} MixLayout
 * @typedef {import('./protocol.js').MixPlace} MixPlace
 * @typedef {import('./protocol.js').TakeMix} TakeMix
 * @typedef {import('./protocol.js').TrackKind} TrackKind
 * @typedef {import('./shown_size.js').Size} Size
 *
 * @typedef {object} MixState how a mix is made at present
 * @property {MixPlace[]} places who is where in the picture, from the backmost; shares of it, 0 to 1
 * @property {number} fps pictures per second at most
 * @property {number} maxHeight of the largest rendition that is offered, in pixels
 * @property {string | null} limited why it is less than usual, for people
 * @property {MixWork} work
 *
 * @typedef {object} MixWork what the room's mixer does, for all of its viewers
 * @property {number} decoding pictures that are decoded, of so many sources
 * @property {number} encoding pictures that are encoded, in so many renditions
 * @property {number} listeners
 * @property {number} decodeMs processor time for decoding, in milliseconds per second
 * @property {number} encodeMs processor time for composing and encoding
 * @property {number} soundMs processor time for sound
 *
 * @typedef {Exclude<MixLayout['kind'], 'custom'>} PlainLayout
 * @typedef {{ on?: boolean, layout?: MixLayout | PlainLayout, hideSelf?: boolean }} MixWish
 *
 * @typedef {object} MixesHost
 * @property {(message: { t: 'take_mix' } & TakeMix) => Promise<unknown>} request
 * @property {() => boolean} isForEveryone whether the room is mixed, whatever one wishes
 * @property {(track: RemoteTrack, size: Size | null) => void} sized
 * @property {(track: RemoteTrack) => void} added a track to be bound to its media
 * @property {(track: RemoteTrack) => void} ended
 * @property {(kind: TrackKind) => void} arrived what was shown until now can go
 * @property {(kind: TrackKind) => boolean} isForwarded whether everybody's tracks of a kind flow
 * @property {(mix: Mix | null) => void} changed
 * @property {(state: MixState, mix: Mix) => void} stateChanged
 */

/** @type {TrackKind[]} */
const KINDS = ['audio', 'video'];
// What was there before is shown until the new has its first frame, but no longer than this.
const BRIDGE_MS = 3000;

export class Mix {
  /** How people are arranged. @type {MixLayout} */
  layout;
  /** Whether one's own tile is left out. */
  hideSelf;
  /** What the server told last; null until it has. @type {MixState | null} */
  state = null;

  /**
   * @param {MixInfo} info
   * @param {(track: RemoteTrack, size: Size | null) => void} onSize
   */
  constructor(info, onSize) {
    const make = (/** @type {string} */ id, /** @type {TrackKind} */ kind) =>
      new RemoteTrack({ id, cid: id, kind, source: 'mix', muted: false, simulcast: false }, null, onSize);
    /** Its sound. */
    this.audio = make(info.audio, 'audio');
    /** Its picture. */
    this.video = make(info.video, 'video');
    this.layout = info.layout;
    this.hideSelf = info.hide_self;
  }

  /** In which rendition its picture comes, and why; null until the server has said. */
  get delivery() {
    return this.video.delivery;
  }

  /** @returns {RemoteTrack[]} @internal */
  get tracks() {
    return [this.audio, this.video];
  }

  /** @param {MixInfo} info @returns {boolean} whether it is this one @internal */
  is(info) {
    return this.audio.id === info.audio && this.video.id === info.video;
  }
}

/** The mix that is on, and those that are shown until something takes their place. */
export class Mixes {
  /** @type {Mix | null} */
  current = null;
  #host;
  /** Tracks of former mixes. @type {Set<RemoteTrack>} */
  #leaving = new Set();
  /** Kinds of which the current mix has shown nothing yet. @type {Set<TrackKind>} */
  #awaited = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** What was asked for, for a server that has forgotten it. @type {TakeMix} */
  #wish = { on: false };

  /** @param {MixesHost} host */
  constructor(host) {
    this.#host = host;
  }

  /** @returns {RemoteTrack[]} those on their way out included */
  get tracks() {
    return [...(this.current?.tracks ?? []), ...this.#leaving];
  }

  /** @param {string} id @returns {RemoteTrack | undefined} */
  track(id) {
    return this.tracks.find((track) => track.id === id);
  }

  /** @param {TrackKind} kind @returns {boolean} whether the current mix shows or plays */
  isShown(kind) {
    return this.current !== null && !this.#awaited.has(kind);
  }

  /** @param {RemoteTrack} track @returns {boolean} whether it is shown until something takes its place */
  isKept(track) {
    return this.#leaving.has(track) || (track.source !== 'mix' && this.#awaited.has(track.kind));
  }

  /** @param {MixWish} [wish] what is absent stays as it is */
  async take({ on = true, layout, hideSelf } = {}) {
    /** @type {TakeMix} */
    const wish = {
      on,
      ...(layout ? { layout: typeof layout === 'string' ? { kind: layout } : layout } : {}),
      ...(hideSelf !== undefined ? { hide_self: hideSelf } : {}),
    };
    await this.#host.request({ t: 'take_mix', ...wish });
    // A room that is mixed for everyone says nothing of what is wanted in another.
    this.#wish = { ...this.#wish, ...wish, on: this.#host.isForEveryone() ? this.#wish.on : on };
  }

  /**
   * @param {MixInfo | undefined} info absent: everybody's tracks are forwarded
   * @param {{ fresh?: boolean }} [options] of a welcome: whether it begins a new session, in which
   *   nothing of the old arrives
   */
  apply(info, { fresh } = {}) {
    if (fresh) this.#askAgain(info);
    const former = this.current;
    if (former && info && !fresh && former.is(info)) {
      if (fresh === false) former.video.sayAgain();
      return this.#update(former, info);
    }
    if (!former && !info) return;
    for (const track of former?.tracks ?? []) this.#leaving.add(track);
    this.current = info ? new Mix(info, this.#host.sized) : null;
    this.#awaited = new Set(info ? KINDS : []);
    if (fresh) for (const kind of KINDS) this.#end(kind);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#giveUp(), BRIDGE_MS);
    this.#host.changed(this.current);
    for (const track of this.current?.tracks ?? []) this.#host.added(track);
    this.settle();
  }

  /** @param {Mix} mix @param {MixInfo} info */
  #update(mix, info) {
    const same = mix.hideSelf === info.hide_self && JSON.stringify(mix.layout) === JSON.stringify(info.layout);
    if (same) return;
    mix.layout = info.layout;
    mix.hideSelf = info.hide_self;
    this.#host.changed(mix);
  }

  /** @param {import('./protocol.js').MixState} event */
  stateEvent({ places, fps, max_height, limited, work }) {
    if (!this.current) return;
    this.current.state = {
      places,
      fps,
      maxHeight: max_height,
      limited: limited ?? null,
      work: {
        decoding: work.decoding,
        encoding: work.encoding,
        listeners: work.listeners,
        decodeMs: work.decode_ms,
        encodeMs: work.encode_ms,
        soundMs: work.sound_ms,
      },
    };
    this.#host.stateChanged(this.current.state, this.current);
  }

  /** @param {RemoteTrack} track of a mix, whose media flows */
  flows(track) {
    if (!this.current?.tracks.includes(track) || !this.#awaited.has(track.kind)) return;
    afterFirstFrame(track, () => {
      if (this.current?.tracks.includes(track) && this.#awaited.delete(track.kind)) this.#arrived(track.kind);
    });
  }

  /** What the forwarded tracks were waited for goes, once they flow. */
  settle() {
    if (this.current) return;
    for (const kind of KINDS) if (this.#host.isForwarded(kind)) this.#end(kind);
  }

  /** The room is over. */
  clear() {
    this.#wish = { on: false };
    clearTimeout(this.#timer);
    this.#awaited.clear();
    const former = this.current;
    for (const track of former?.tracks ?? []) this.#leaving.add(track);
    this.current = null;
    for (const kind of KINDS) this.#end(kind);
    if (former) this.#host.changed(null);
  }

  /** @param {TrackKind} kind */
  #arrived(kind) {
    this.#end(kind);
    this.#host.arrived(kind);
  }

  #giveUp() {
    this.#awaited.clear();
    for (const kind of KINDS) this.#arrived(kind);
  }

  /** @param {TrackKind} kind of former mixes */
  #end(kind) {
    for (const track of [...this.#leaving].filter((each) => each.kind === kind)) {
      this.#leaving.delete(track);
      this.#host.ended(track);
      track.end();
    }
  }

  /** @param {MixInfo | undefined} info what the new session has */
  #askAgain(info) {
    const wish = this.#wish;
    if (!wish.on && !info) return;
    const hasLayout = !wish.layout || JSON.stringify(wish.layout) === JSON.stringify(info?.layout);
    const hasSelf = wish.hide_self === undefined || wish.hide_self === info?.hide_self;
    if (info && hasLayout && hasSelf) return;
    this.#host.request({ t: 'take_mix', ...wish, on: true }).catch(() => {});
  }
}

/** @param {RemoteTrack} track @param {() => void} then */
function afterFirstFrame(track, then) {
  const element = track.kind === 'video' ? track.attachedElements[0] : undefined;
  if (!element || element.readyState >= 2) then();
  else element.addEventListener('loadeddata', then, { once: true });
}
