// Keeps a session's secret in sessionStorage, so that a reloaded page is the same participant.

/**
 * @typedef {{ session: string, secret: string }} Ticket
 */

const PREFIX = 'madang:resume:';

/** @returns {Storage | null} */
function defaultStorage() {
  try {
    return globalThis.sessionStorage ?? null;
  } catch {
    return null; // storage is blocked by the browser's settings
  }
}

export class ResumeStore {
  /** @type {Storage | null} */
  #storage;
  #key;
  /** @type {Ticket | null} */
  #ticket = null;
  #onHide = () => this.#write(false);
  #onShow = () => this.#write(true);

  /**
   * @param {string} room
   * @param {Storage | null} [storage]
   */
  constructor(room, storage = defaultStorage()) {
    this.#storage = storage;
    this.#key = PREFIX + room;
  }

  /**
   * The ticket that an earlier page in this tab left behind. A page that lives marks its ticket:
   * "duplicate tab" copies sessionStorage, and the copy must not take the original's place.
   * @returns {Ticket | null}
   */
  inherited() {
    try {
      const saved = JSON.parse(this.#storage?.getItem(this.#key) ?? 'null');
      if (!saved || saved.live || typeof saved.session !== 'string' || typeof saved.secret !== 'string') return null;
      return { session: saved.session, secret: saved.secret };
    } catch {
      return null;
    }
  }

  /** @param {Ticket} ticket */
  save(ticket) {
    if (!this.#ticket) {
      globalThis.addEventListener?.('pagehide', this.#onHide);
      globalThis.addEventListener?.('pageshow', this.#onShow);
    }
    this.#ticket = ticket;
    this.#write(true);
  }

  clear() {
    this.#ticket = null;
    globalThis.removeEventListener?.('pagehide', this.#onHide);
    globalThis.removeEventListener?.('pageshow', this.#onShow);
    try {
      this.#storage?.removeItem(this.#key);
    } catch {
      // nothing was kept then
    }
  }

  /** @param {boolean} live */
  #write(live) {
    if (!this.#ticket) return;
    try {
      this.#storage?.setItem(this.#key, JSON.stringify({ ...this.#ticket, live }));
    } catch {
      // full or blocked: a reload will join anew
    }
  }
}
