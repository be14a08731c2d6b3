// Makes senders do what the plan says, one change at a time and only when it is one.

/** @typedef {import('./bandwidth.js').Encoding} Encoding */

// A new scale costs a keyframe: changes smaller than this are not worth one.
const SCALE_STEP = 1.2;
// Until frames of a new scale show in the statistics.
const SCALE_SETTLES_MS = 1000;

export class SenderControl {
  /** @type {WeakMap<RTCRtpSender, Encoding>} */
  #wanted = new WeakMap();
  /** @type {WeakMap<RTCRtpSender, { scale: number, at: number }>} */
  #scales = new WeakMap();
  /** @type {WeakMap<RTCRtpSender, number>} */
  #heights = new WeakMap();
  /** @type {WeakSet<RTCRtpSender>} */
  #busy = new WeakSet();

  /**
   * @param {RTCRtpSender} sender
   * @param {'audio' | 'video'} kind
   * @param {Encoding} encoding
   */
  apply(sender, kind, encoding) {
    const before = this.#wanted.get(sender);
    if (before && isNear(before.scale, encoding.scale)) encoding = { ...encoding, scale: before.scale };
    if (before && JSON.stringify(before) === JSON.stringify(encoding)) return;
    this.#wanted.set(sender, encoding);
    if (!this.#busy.has(sender)) this.#set(sender, kind, encoding);
  }

  /**
   * The browser shrinks pictures too, when bandwidth or processor are short, and its scale and
   * ours multiply. So ours starts from what its own leaves over.
   * @param {RTCRtpSender} sender
   * @param {number} encodedHeight as measured just now
   */
  measured(sender, encodedHeight) {
    const applied = this.#scales.get(sender);
    if (applied && performance.now() - applied.at < SCALE_SETTLES_MS) return;
    this.#heights.set(sender, encodedHeight * this.#scaleOf(sender));
  }

  /** @param {RTCRtpSender} sender @returns {number} lines that reach the encoder, 0 if not known yet */
  heightOf(sender) {
    return this.#heights.get(sender) ?? 0;
  }

  /** @param {RTCRtpSender} sender */
  #scaleOf(sender) {
    return this.#scales.get(sender)?.scale ?? 1;
  }

  /**
   * @param {RTCRtpSender} sender
   * @param {'audio' | 'video'} kind
   * @param {Encoding} encoding
   */
  async #set(sender, kind, encoding) {
    this.#busy.add(sender);
    try {
      const parameters = sender.getParameters();
      for (const each of parameters.encodings ?? []) {
        each.active = encoding.active;
        each.maxBitrate = encoding.maxBitrate;
        if (kind === 'audio') {
          each.priority = each.networkPriority = 'high';
        } else {
          each.scaleResolutionDownBy = encoding.scale;
          if (encoding.maxFramerate) each.maxFramerate = encoding.maxFramerate;
          else delete each.maxFramerate;
        }
      }
      if (parameters.encodings?.length) await sender.setParameters(parameters);
      if (this.#scaleOf(sender) !== encoding.scale) {
        this.#scales.set(sender, { scale: encoding.scale, at: performance.now() });
      }
    } catch {
      // Not negotiated yet, or closed: the next word of the server, or the next answer, tries again.
      this.#wanted.delete(sender);
    } finally {
      this.#busy.delete(sender);
    }
    const newest = this.#wanted.get(sender);
    if (newest && newest !== encoding) this.#set(sender, kind, newest);
  }
}

/** @param {number} one @param {number} other */
const isNear = (one, other) =>
  (one === 1) === (other === 1) && Math.max(one, other) / Math.min(one, other) < SCALE_STEP;
