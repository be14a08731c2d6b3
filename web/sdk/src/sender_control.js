// Makes senders do what the plan says, one change at a time and only when it is one.

/**
 * @typedef {import('./bandwidth.js').Encoding} Encoding
 * @typedef {{ kind: 'audio' | 'video', source: string }} What
 */

// A new scale costs a keyframe: changes smaller than this are not worth one.
const SCALE_STEP = 1.2;
// Until frames of a new scale show in the statistics.
const SCALE_SETTLES_MS = 1000;

export class SenderControl {
  /** @type {WeakMap<RTCRtpSender, Encoding[]>} */
  #wanted = new WeakMap();
  /** Of senders with one encoding. @type {WeakMap<RTCRtpSender, { scale: number, at: number }>} */
  #scales = new WeakMap();
  /** @type {WeakMap<RTCRtpSender, number>} */
  #heights = new WeakMap();
  /** @type {Map<RTCRtpSender, Promise<void>>} */
  #busy = new Map();
  /** Those whose codec has no temporal layers. @type {WeakSet<RTCRtpSender>} */
  #unlayered = new WeakSet();

  /**
   * @param {RTCRtpSender} sender
   * @param {What} what it sends
   * @param {Encoding[]} encodings one, or one for each RID
   */
  apply(sender, what, encodings) {
    const before = this.#wanted.get(sender);
    encodings = encodings.map((each, index) => steady(each, before?.[index]));
    if (before && JSON.stringify(before) === JSON.stringify(encodings)) return;
    this.#wanted.set(sender, encodings);
    if (!this.#busy.has(sender)) this.#begin(sender, what, encodings);
  }

  /** Every change made so far has been taken. */
  async settled() {
    while (this.#busy.size > 0) await Promise.all(this.#busy.values());
  }

  /**
   * Another track, or the same after a negotiation, starts from what the browser has.
   * @param {RTCRtpSender} sender
   */
  forget(sender) {
    this.#wanted.delete(sender);
    this.#heights.delete(sender);
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
   * @param {What} what
   * @param {Encoding[]} encodings
   */
  #begin(sender, what, encodings) {
    const setting = this.#set(sender, what, encodings).then(() => {
      this.#busy.delete(sender);
      const newest = this.#wanted.get(sender);
      if (newest && newest !== encodings) this.#begin(sender, what, newest);
    });
    this.#busy.set(sender, setting);
  }

  /**
   * @param {RTCRtpSender} sender
   * @param {What} what
   * @param {Encoding[]} encodings
   */
  async #set(sender, what, encodings) {
    const isLayered = encodings.some((each) => each.scalabilityMode) && !this.#unlayered.has(sender);
    let done = await attempt(sender, what, encodings, isLayered);
    if (!done && isLayered) {
      done = await attempt(sender, what, encodings, false);
      if (done) this.#unlayered.add(sender);
    }
    const scale = encodings[0]?.scale ?? 1;
    if (done && this.#scaleOf(sender) !== scale) this.#scales.set(sender, { scale, at: performance.now() });
    // Not negotiated yet, or closed: the next word of the server, or the next answer, tries again.
    if (!done && this.#wanted.get(sender) === encodings) this.#wanted.delete(sender);
  }
}

/**
 * @param {RTCRtpSender} sender
 * @param {What} what
 * @param {Encoding[]} encodings
 * @param {boolean} isLayered with temporal layers
 * @returns {Promise<boolean>} whether the browser took it
 */
async function attempt(sender, what, encodings, isLayered) {
  try {
    const parameters = sender.getParameters();
    if (!parameters.encodings?.length) return true;
    fill(parameters, what, encodings, isLayered);
    await sender.setParameters(parameters);
    return true;
  } catch {
    return false;
  }
}

/**
 * A change of scale too small to be worth a keyframe is none.
 * @param {Encoding} encoding
 * @param {Encoding | undefined} before
 */
function steady(encoding, before) {
  return before && isNear(before.scale, encoding.scale) ? { ...encoding, scale: before.scale } : encoding;
}

/**
 * @param {RTCRtpSendParameters} parameters
 * @param {What} what
 * @param {Encoding[]} encodings
 * @param {boolean} isLayered
 */
function fill(parameters, { kind, source }, encodings, isLayered) {
  const isScreen = source === 'screen';
  parameters.encodings.forEach((each, index) => {
    const wanted = encodings.find(({ rid }) => rid !== undefined && rid === each.rid) ?? encodings[index];
    if (!wanted) return;
    each.active = wanted.active;
    each.maxBitrate = wanted.maxBitrate;
    if (kind === 'audio') {
      each.priority = each.networkPriority = 'high';
      return;
    }
    each.scaleResolutionDownBy = wanted.scale;
    if (wanted.maxFramerate) each.maxFramerate = wanted.maxFramerate;
    else delete each.maxFramerate;
    const scalable = /** @type {{ scalabilityMode?: string }} */ (each);
    if (wanted.scalabilityMode && isLayered) scalable.scalabilityMode = wanted.scalabilityMode;
    else delete scalable.scalabilityMode;
    // Chromium takes a priority for the sender as a whole, from its first encoding.
    if (wanted.scalabilityMode && isScreen && index === 0) each.priority = 'medium';
  });
  if (kind === 'video' && encodings.some((each) => each.scalabilityMode)) {
    const preferring = /** @type {{ degradationPreference?: string }} */ (parameters);
    preferring.degradationPreference = isScreen ? 'maintain-resolution' : 'balanced';
  }
}

/** @param {number} one @param {number} other */
const isNear = (one, other) =>
  (one === 1) === (other === 1) && Math.max(one, other) / Math.min(one, other) < SCALE_STEP;
