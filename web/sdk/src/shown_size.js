// How large a picture is on screen, from the elements that show it.

/** @typedef {{ width: number, height: number }} Size in device pixels */

// A tab that is looked away from for a moment, or a list that is scrolled past, changes nothing.
const HIDDEN_MS = 3000;
// Of a picture that floats over other windows, the page does not learn the size.
const FLOATING = { width: 480, height: 270 };

export class ShownSize {
  #onSize;
  /** What is known of each: its box, and whether it is in view. @type {Map<Element, { size: Size, inView: boolean }>} */
  #elements = new Map();
  #resizes;
  #views;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #hiding;
  #onPage = () => this.#measure();

  /** @param {(size: Size | null) => void} onSize null: nothing of it is seen */
  constructor(onSize) {
    this.#onSize = onSize;
    this.#resizes = new ResizeObserver((entries) => {
      for (const { target, contentRect } of entries) {
        this.#learn(target, { size: { width: contentRect.width, height: contentRect.height } });
      }
    });
    this.#views = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) this.#learn(target, { inView: isIntersecting });
    });
    document.addEventListener('visibilitychange', this.#onPage);
  }

  /** @param {Element} element */
  watch(element) {
    if (this.#elements.has(element)) return;
    this.#elements.set(element, { size: { width: 0, height: 0 }, inView: false });
    this.#resizes.observe(element);
    this.#views.observe(element);
    for (const event of FLOATS) element.addEventListener(event, this.#onPage);
  }

  /** @param {Element} element */
  unwatch(element) {
    this.#elements.delete(element);
    this.#resizes.unobserve(element);
    this.#views.unobserve(element);
    for (const event of FLOATS) element.removeEventListener(event, this.#onPage);
    this.#measure();
  }

  end() {
    for (const element of [...this.#elements.keys()]) this.unwatch(element);
    clearTimeout(this.#hiding);
    this.#resizes.disconnect();
    this.#views.disconnect();
    document.removeEventListener('visibilitychange', this.#onPage);
  }

  /** @param {Element} element @param {{ size?: Size, inView?: boolean }} news */
  #learn(element, news) {
    const known = this.#elements.get(element);
    if (!known) return;
    Object.assign(known, news);
    this.#measure();
  }

  #measure() {
    const shown = [...this.#elements].flatMap(([element, known]) => this.#sizeOf(element, known) ?? []);
    const largest = shown.sort((a, b) => b.width * b.height - a.width * a.height)[0];
    if (largest) {
      clearTimeout(this.#hiding);
      this.#hiding = undefined;
      const scale = globalThis.devicePixelRatio || 1;
      this.#onSize({ width: largest.width * scale, height: largest.height * scale });
    } else {
      this.#hiding ??= setTimeout(() => this.#onSize(null), HIDDEN_MS);
    }
  }

  /**
   * @param {Element} element
   * @param {{ size: Size, inView: boolean }} known
   * @returns {Size | null}
   */
  #sizeOf(element, { size, inView }) {
    if (document.pictureInPictureElement === element) return FLOATING;
    const isSeen = inView && !document.hidden && size.width > 0 && size.height > 0;
    return isSeen ? size : null;
  }
}

const FLOATS = ['enterpictureinpicture', 'leavepictureinpicture'];
