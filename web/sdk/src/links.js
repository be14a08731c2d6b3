// All links of this client: opened, closed and addressed as the server says.

import { frame } from './channels.js';
import { Limits } from './bandwidth.js';
import { Link } from './link.js';

/**
 * @typedef {import('./protocol.js').OpenLink} OpenLink
 * @typedef {import('./protocol.js').ServerFrame} ServerFrame
 * @typedef {import('./protocol.js').ClientFrame} ClientMessage
 * @typedef {import('./local_track.js').LocalTrack} LocalTrack
 * @typedef {import('./link.js').LinkHost} LinkHost
 *
 * @typedef {LinkHost & {
 *   opened: (link: Link) => void,
 *   closed: (link: Link) => void,
 *   retired: (link: Link) => void,
 *   request: (message: ClientMessage) => Promise<unknown>,
 * }} LinksHost
 */

// Events of a network change come in flocks.
const NETWORK_SETTLES_MS = 300;
// When a room moves to another topology, the old links' last pictures bridge the gap until the new
// ones' first, but no longer than this.
const RETIRING_MS = 3000;

export class Links {
  /** By the server's link id. @type {Map<string, Link>} */
  all = new Map();
  #host;
  /** Of the session before, by peer. @type {Map<string, Link>} */
  #former = new Map();
  /** Of the topology before, until the new one's media arrives. @type {Map<Link, ReturnType<typeof setTimeout>>} */
  #retiring = new Map();
  #limits = new Limits();
  #epoch = 0;
  /** Replacements without success, by peer. @type {Map<string, number>} */
  #attempts = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #networkTimer;
  #onNetwork = () => {
    clearTimeout(this.#networkTimer);
    this.#networkTimer = setTimeout(() => {
      for (const link of this.all.values()) link.networkChanged();
    }, NETWORK_SETTLES_MS);
  };

  /** @param {LinksHost} host */
  constructor(host) {
    this.#host = {
      ...host,
      mapped: (/** @type {Link} */ link) => {
        this.applyLimits();
        host.mapped(link);
      },
      changed: (/** @type {Link} */ link) => {
        if (link.state === 'connected') this.#attempts.delete(link.peer ?? '');
        this.applyLimits();
        host.changed(link);
      },
    };
  }

  /** The room is joined: watch the network. */
  start() {
    globalThis.addEventListener?.('online', this.#onNetwork);
    networkInformation()?.addEventListener('change', this.#onNetwork);
  }

  /**
   * A new session has links of its own. What still flows between people on the old ones may go on
   * until they have come back.
   * @param {(peer: string) => boolean} isExpected
   */
  supersede(isExpected) {
    for (const link of [...this.all.values()]) {
      if (link.peer === null || link.state !== 'connected' || !isExpected(link.peer)) continue;
      this.#former.set(link.peer, link);
      this.all.delete(link.id);
      this.#host.closed(link);
    }
    this.clear();
  }

  /** @param {string} peer has come back, or will not */
  release(peer) {
    this.#former.get(peer)?.close();
    this.#former.delete(peer);
  }

  /** Closes all of them. */
  clear() {
    for (const id of [...this.all.keys()]) this.close(id);
    for (const link of [...this.#retiring.keys()]) this.#end(link);
    this.#epoch = 0;
    this.#limits.clear();
    this.#attempts.clear();
  }

  /**
   * The server's whole list.
   * @param {OpenLink[]} opens
   */
  reset(opens) {
    const valid = new Set(opens.map((open) => `${open.link}/${open.epoch}`));
    for (const link of [...this.all.values()]) {
      if (!valid.has(`${link.id}/${link.epoch}`)) this.close(link.id);
    }
    for (const open of opens) this.open(open);
  }

  /** @param {OpenLink} open */
  open(open) {
    if (this.all.has(open.link)) return;
    this.moved(open.epoch);
    const link = new Link(open, this.#host, this.#attempts.get(open.peer ?? '') ?? 0);
    this.all.set(link.id, link);
    this.applyLimits();
    this.#host.opened(link);
  }

  /** @param {string} id */
  close(id) {
    const link = this.all.get(id);
    if (!link) return;
    if (link.state === 'failed') {
      const key = link.peer ?? '';
      this.#attempts.set(key, (this.#attempts.get(key) ?? 0) + 1);
    }
    this.all.delete(id);
    this.#limits.forget(id);
    if (link.state === 'connected' && link.epoch < this.#epoch) this.#retire(link);
    else link.close();
    this.applyLimits();
    this.#host.closed(link);
  }

  /** @param {number} epoch the room has moved, or is about to */
  moved(epoch) {
    this.#epoch = Math.max(this.#epoch, epoch);
  }

  /** @param {Link} link */
  #retire(link) {
    link.retire();
    this.#retiring.set(
      link,
      setTimeout(() => this.#end(link), RETIRING_MS),
    );
  }

  /** @param {Link} link that was retiring */
  #end(link) {
    clearTimeout(this.#retiring.get(link));
    this.#retiring.delete(link);
    // What is shown of it goes elsewhere first: Chromium shows an ended track as black.
    this.#host.retired(link);
    link.close();
  }

  /** @param {(link: Link) => boolean} isInUse whether something of it is still shown */
  endUnused(isInUse) {
    for (const link of [...this.#retiring.keys()]) if (!isInUse(link)) this.#end(link);
  }

  /**
   * @param {ServerFrame} message
   * @returns {boolean} whether it was for a link
   */
  handle(message) {
    switch (message.t) {
      case 'link':
        if (message.op === 'open') this.open(message);
        else this.close(message.link);
        return true;
      case 'desc':
        this.#at(message)?.receiveDescription(message);
        return true;
      case 'ice':
        this.#at(message)?.receiveCandidate(message);
        return true;
      case 'negotiate':
        this.#at(message)?.negotiate({ restart: message.restart });
        return true;
      case 'bitrate':
        this.#limits.hear(message);
        this.applyLimits();
        return true;
      default:
        return false;
    }
  }

  /** A track has been published: whoever offers, offers again. */
  published() {
    for (const link of this.all.values()) link.negotiate({});
  }

  /** @param {LocalTrack[]} tracks what is left */
  unpublished(tracks) {
    for (const link of this.all.values()) link.releaseTracks(tracks);
    this.applyLimits();
  }

  /** @param {LocalTrack} track */
  refresh(track) {
    for (const link of this.all.values()) link.refreshTrack(track);
    this.applyLimits();
  }

  renewConfiguration() {
    for (const link of this.all.values()) link.renewConfiguration();
  }

  applyLimits() {
    const links = [...this.all.values()];
    for (const link of links) {
      const alike = links.filter(({ kind }) => kind === link.kind).length;
      link.applyLimits(this.#limits, alike);
    }
  }

  /**
   * Where a track arrives: one place, but for the moments in which a room moves.
   * @param {string} trackId
   * @param {{ retiring?: boolean }} [options] whether those of the topology before count
   * @returns {RTCRtpReceiver[]} the newest link's first
   */
  receiversOf(trackId, { retiring = true } = {}) {
    const links = [...this.all.values(), ...(retiring ? this.#retiring.keys() : [])].sort((a, b) => b.epoch - a.epoch);
    return links.flatMap((link) => link.receiverOf(trackId) ?? []);
  }

  /**
   * Sends to those whose data channel is open by it, and to the others by signaling. What may be
   * lost is lost there.
   * @param {Uint8Array} bytes
   * @param {{ reliable: boolean, to: string[], topic: string }} options
   */
  async publishData(bytes, { reliable, to, topic }) {
    const framed = frame(bytes, topic);
    const links = [...this.all.values()];
    // While a room moves there are links of both kinds; nothing is to arrive twice.
    const server = links.find((link) => link.peer === null && link.isDataOpen);
    const peers = links.filter((link) => link.peer !== null && (to.length === 0 || to.includes(link.peer)));
    const wanted = server ? [server] : peers.length > 0 ? peers : links;
    const missed = wanted.filter((link) => !link.sendData(framed, reliable, to));
    if (!reliable || missed.length === 0) return;
    const missing = missed.flatMap((link) => link.peer ?? []);
    await this.#host.request({
      t: 'data',
      payload: base64(bytes),
      to: missing.length === wanted.length || missing.length === 0 ? to : missing,
      ...(topic ? { topic } : {}),
    });
  }

  /** The room is over. */
  end() {
    for (const peer of [...this.#former.keys()]) this.release(peer);
    clearTimeout(this.#networkTimer);
    globalThis.removeEventListener?.('online', this.#onNetwork);
    networkInformation()?.removeEventListener('change', this.#onNetwork);
    this.clear();
  }

  /** @param {{ link: string, epoch: number }} message @returns {Link | undefined} */
  #at({ link: id, epoch }) {
    const link = this.all.get(id);
    return link?.epoch === epoch ? link : undefined;
  }
}

/** Chromium's; Firefox has none on computers. @returns {EventTarget | undefined} */
function networkInformation() {
  return /** @type {any} */ (globalThis.navigator)?.connection;
}

/** @param {Uint8Array} bytes RFC 4648 §4 */
export function base64(bytes) {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** @param {string} text */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
