// Decides when a link needs an ICE restart, and when it is to be replaced.

/**
 * @typedef {object} WatchdogParts
 * @property {boolean} isFirst whether the first move is this end's; else the other end is left a moment for it
 * @property {number} attempt how often this pair's link has been replaced without success
 * @property {() => boolean} canAct whether both ends can be reached by signaling
 * @property {() => void} restart
 * @property {() => void} replace
 */

const CONNECT_MS = 5000;
const CONNECT_MAX_MS = 15_000;
const DISCONNECTED_MS = 2000;
const FAILED_MS = 0;
// Between people the offerer has the first move, so that one restart is made.
const DEFERENCE_MS = 1000;
const AGAIN_MS = 1000;

export class Watchdog {
  #parts;
  #connectMs;
  #connected = false;
  #restarted = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #restartTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #connectTimer;

  /** @param {WatchdogParts} parts */
  constructor(parts) {
    this.#parts = parts;
    // A slow path must not be torn down again and again just before it stands.
    this.#connectMs = Math.min(CONNECT_MAX_MS, CONNECT_MS * 1.6 ** parts.attempt);
    // The offer itself may never come.
    this.#expectConnection(this.#connectMs + DEFERENCE_MS);
  }

  stop() {
    clearTimeout(this.#restartTimer);
    clearTimeout(this.#connectTimer);
  }

  /** One's own description is on its way. */
  described() {
    if (!this.#connected) this.#expectConnection(this.#connectMs);
  }

  /** @param {RTCPeerConnectionState} state */
  connectionState(state) {
    const deference = this.#parts.isFirst ? 0 : DEFERENCE_MS;
    switch (state) {
      case 'connected':
        this.#connected = true;
        this.#restarted = false;
        this.stop();
        break;
      case 'disconnected':
        this.#connected = false;
        this.#restartIn(DISCONNECTED_MS + deference);
        break;
      case 'failed':
        this.#connected = false;
        if (this.#restarted) this.#replace();
        else this.#restartIn(FAILED_MS + deference);
        break;
    }
  }

  /** This machine has another network: old paths may look alive for a while, but are not. */
  networkChanged() {
    this.#restartIn(0);
  }

  /** @param {number} ms */
  #restartIn(ms) {
    clearTimeout(this.#restartTimer);
    this.#restartTimer = setTimeout(() => {
      if (!this.#parts.canAct()) return this.#restartIn(AGAIN_MS);
      this.#restarted = true;
      this.#parts.restart();
      if (!this.#connected) this.#expectConnection(this.#connectMs);
    }, ms);
  }

  /** @param {number} ms */
  #expectConnection(ms) {
    clearTimeout(this.#connectTimer);
    this.#connectTimer = setTimeout(() => this.#replace(), ms);
  }

  #replace() {
    if (this.#connected) return;
    const able = this.#parts.canAct();
    if (able) this.#parts.replace();
    // Should the server not do it, or signaling be down, ask again.
    this.#expectConnection(able ? this.#connectMs : AGAIN_MS);
  }
}
