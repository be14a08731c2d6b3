// The controls fold away while somebody looks, and come back on movement, touch or focus.

const IDLE_MS = 3500;
const FIRST_MS = 8000;

export class IdleFold {
  #element;
  #options;
  #timer;
  #observer;
  #events = /** @type {const} */ (['pointermove', 'pointerdown', 'keydown', 'focusin']);

  /**
   * @param {HTMLElement} element gets the class `folded`
   * @param {{mayFold: () => boolean, measure: () => void}} options
   */
  constructor(element, options) {
    this.#element = element;
    this.#options = options;
    for (const event of this.#events) document.addEventListener(event, this.wake, { passive: true });
    this.#observer = new ResizeObserver(() => options.measure());
    const dock = element.querySelector('.dock');
    if (dock) this.#observer.observe(dock);
    this.#timer = setTimeout(this.#fold, FIRST_MS);
  }

  /** Shows the controls for a while. */
  wake = () => {
    clearTimeout(this.#timer);
    this.#element.classList.remove('folded');
    this.#timer = setTimeout(this.#fold, IDLE_MS);
  };

  #fold = () => {
    const isBusy =
      this.#element.querySelector('.dock:hover, .call-top:hover') !== null ||
      hasKeyboardFocus(this.#element) ||
      document.querySelector('.menu, dialog[open]') !== null;
    if (isBusy || !this.#options.mayFold()) {
      this.#timer = setTimeout(this.#fold, IDLE_MS);
      return;
    }
    this.#element.classList.add('folded');
  };

  destroy() {
    clearTimeout(this.#timer);
    this.#observer.disconnect();
    for (const event of this.#events) document.removeEventListener(event, this.wake);
  }
}

/** @param {HTMLElement} element */
function hasKeyboardFocus(element) {
  return element.querySelector('.dock :focus-visible, .call-top :focus-visible') !== null;
}
