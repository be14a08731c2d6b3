// Typed events: `on`, `off`, `once`, and `emit` for the SDK itself.

/**
 * @template {Record<string, any[]>} Events
 */
export class Emitter {
  /** @type {Map<keyof Events, Set<(...args: any[]) => void>>} */
  #listeners = new Map();

  /**
   * Calls `listener` on every `event`, until `off`.
   * @template {keyof Events} K
   * @param {K} event
   * @param {(...args: Events[K]) => void} listener
   * @returns {this}
   */
  on(event, listener) {
    let listeners = this.#listeners.get(event);
    if (!listeners) {
      listeners = new Set();
      this.#listeners.set(event, listeners);
    }
    listeners.add(/** @type {any} */ (listener));
    return this;
  }

  /**
   * Undoes `on`.
   * @template {keyof Events} K
   * @param {K} event
   * @param {(...args: Events[K]) => void} listener
   * @returns {this}
   */
  off(event, listener) {
    this.#listeners.get(event)?.delete(/** @type {any} */ (listener));
    return this;
  }

  /**
   * Calls `listener` on the next `event` only.
   * @template {keyof Events} K
   * @param {K} event
   * @param {(...args: Events[K]) => void} listener
   * @returns {this}
   */
  once(event, listener) {
    /** @type {(...args: Events[K]) => void} */
    const wrapped = (...args) => {
      this.off(event, wrapped);
      listener(...args);
    };
    return this.on(event, wrapped);
  }

  /**
   * A listener that throws does not keep the others, or the SDK, from going on.
   * @template {keyof Events} K
   * @param {K} event
   * @param {Events[K]} args
   * @internal
   */
  emit(event, ...args) {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) {
      try {
        listener(...args);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
