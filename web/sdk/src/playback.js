// Sound that the browser holds back until somebody clicks.

export class Playback {
  /** @type {Set<HTMLMediaElement>} */
  #blocked = new Set();
  /** @type {Set<HTMLMediaElement>} */
  #sounding = new Set();
  /** @type {string | null} */
  #sink = null;
  #onChange;

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /** Whether all sound plays. */
  get isAllowed() {
    return this.#blocked.size === 0;
  }

  /**
   * @param {HTMLMediaElement} element
   * @param {'audio' | 'video'} kind
   */
  play(element, kind) {
    if (kind === 'audio') {
      this.#sounding.add(element);
      this.#direct(element).catch(() => {}); // that loudspeaker has gone: the default plays
    }
    Promise.resolve(element.play()).then(
      () => this.#unblock(element),
      (error) => {
        // AbortError: a newer source took this one's place, whose own play() reports.
        if (kind === 'audio' && error?.name === 'NotAllowedError') this.#block(element);
      },
    );
  }

  /**
   * Plays by another loudspeaker from now on, where the browser lets pages choose.
   * @param {string} deviceId
   */
  async setSink(deviceId) {
    this.#sink = deviceId;
    await Promise.all([...this.#sounding].map((element) => this.#direct(element)));
  }

  /** @param {HTMLMediaElement} element */
  async #direct(element) {
    if (this.#sink !== null && 'setSinkId' in element) await element.setSinkId(this.#sink);
  }

  /** Plays what was held back. Call it from a click. */
  async start() {
    await Promise.all(
      [...this.#blocked].map((element) =>
        element.play().then(
          () => this.#unblock(element),
          () => {},
        ),
      ),
    );
  }

  /** @param {HTMLMediaElement} element */
  forget(element) {
    this.#sounding.delete(element);
    this.#unblock(element);
  }

  /** @param {HTMLMediaElement} element */
  #unblock(element) {
    if (this.#blocked.delete(element) && this.isAllowed) this.#onChange();
  }

  /** @param {HTMLMediaElement} element */
  #block(element) {
    const first = this.isAllowed;
    this.#blocked.add(element);
    if (first) this.#onChange();
  }
}
