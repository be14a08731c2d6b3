// Messages on their way to the server: in order, paced under the server's limit, and kept until
// answered, so that a connection that breaks under them loses none.

import { SignalingError } from './errors.js';

/**
 * @typedef {import('./protocol.js').ClientFrame} ClientMessage
 * @typedef {import('./protocol.js').Done} Done
 * @typedef {{ id: number, message: ClientMessage, sent: boolean,
 *   resolve: (done: Done) => void, reject: (error: Error) => void }} Entry
 */

// Stay under the server's own count, which sees bunched arrivals.
const PACE = 0.8;

export class Outbox {
  #transmit;
  /** @type {Entry[]} */
  #entries = [];
  #nextId = 1;
  #open = false;
  #rate = 50 * PACE;
  #burst = 100 * PACE;
  #tokens = 100 * PACE;
  #refilledAt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {(frame: object) => void} transmit */
  constructor(transmit) {
    this.#transmit = transmit;
  }

  /** How many messages wait to be sent or answered. */
  get size() {
    return this.#entries.length;
  }

  /**
   * @param {{ messages_per_second: number, message_burst: number }} limits
   */
  setPace(limits) {
    this.#rate = Math.max(1, limits.messages_per_second * PACE);
    this.#burst = Math.max(1, limits.message_burst * PACE);
    this.#tokens = Math.min(this.#tokens, this.#burst);
  }

  /**
   * Sends in order, now or as soon as there is a connection.
   * @param {ClientMessage} message
   * @returns {Promise<Done>} rejected with a `SignalingError` when the server refuses
   */
  push(message) {
    return new Promise((resolve, reject) => {
      this.#entries.push({ id: this.#nextId++, message, sent: false, resolve, reject });
      this.#flush();
    });
  }

  /**
   * Sends now or never: what will be out of date once there is a connection again.
   * @param {ClientMessage} message
   */
  pushVolatile(message) {
    if (!this.#open) return;
    this.#refill();
    this.#tokens -= 1;
    this.#transmit(message);
  }

  /**
   * The server's reply.
   * @param {number} id
   * @param {Done | SignalingError} result
   */
  settle(id, result) {
    const index = this.#entries.findIndex((entry) => entry.id === id);
    const entry = this.#entries[index];
    if (!entry) return;
    this.#entries.splice(index, 1);
    if (result instanceof Error) entry.reject(result);
    else entry.resolve(result);
  }

  /**
   * The connection stands; whatever is unanswered goes out again, oldest first.
   * @param {number} [handled] the last request that the server has handled, where it says
   */
  open(handled) {
    this.#open = true;
    this.#tokens = this.#burst;
    this.#refilledAt = performance.now();
    if (handled !== undefined) {
      for (const entry of this.#entries.filter((each) => each.sent && each.id <= handled)) this.settle(entry.id, {});
    }
    for (const entry of this.#entries) entry.sent = false;
    this.#flush();
  }

  /** The connection is gone. */
  pause() {
    this.#open = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /**
   * Gives up on messages.
   * @param {(message: ClientMessage) => boolean} unwanted
   * @param {SignalingError} error
   */
  drop(unwanted, error) {
    const dropped = this.#entries.filter((entry) => unwanted(entry.message));
    this.#entries = this.#entries.filter((entry) => !dropped.includes(entry));
    for (const entry of dropped) entry.reject(error);
  }

  #refill() {
    const now = performance.now();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#refilledAt) / 1000) * this.#rate);
    this.#refilledAt = now;
  }

  #flush() {
    if (!this.#open || this.#timer) return;
    this.#refill();
    for (const entry of this.#entries) {
      if (entry.sent) continue;
      if (this.#tokens < 1) {
        this.#timer = setTimeout(
          () => {
            this.#timer = undefined;
            this.#flush();
          },
          (1000 * (1 - this.#tokens)) / this.#rate,
        );
        return;
      }
      this.#tokens -= 1;
      entry.sent = true;
      this.#transmit({ ...entry.message, id: entry.id });
    }
  }
}
