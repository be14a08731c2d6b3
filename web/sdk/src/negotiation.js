// Offers and answers on one link. The server has named the offerer, so both ends never offer at
// once; each offer has a number that its answer and its candidates carry.

/**
 * @typedef {import('./protocol.js').ClientFrame} ClientMessage
 * @typedef {import('./protocol.js').Description} Description
 * @typedef {import('./protocol.js').Ice} Ice
 * @typedef {import('./protocol.js').OpenLink} OpenLink
 * @typedef {import('./transceivers.js').Mids} Mids
 *
 * @typedef {object} NegotiationParts
 * @property {RTCPeerConnection} connection
 * @property {OpenLink} open
 * @property {(message: ClientMessage) => void} send
 * @property {(sdp: string, mids: import('./transceivers.js').Mids) => string} heard the peer's description, as the browser is to read it
 * @property {(sdp: string) => string} answering this end's answer, as the browser is to take it
 * @property {() => void} beforeOffer makes the transceivers
 * @property {(sdp: string, peerMids: Mids) => void | Promise<void>} offered the remote offer stands; done when it can be answered
 * @property {(peerMids: Mids) => void} answered the remote answer stands
 * @property {() => Mids} ownMids
 * @property {() => void} described one's own description is on its way
 * @property {(event: string) => void} note
 */

const RESTART_SERVES_MS = 2000;

export class Negotiation {
  #parts;
  #connection;
  #n = 0;
  // Of what is set as remote description.
  #remoteN = 0;
  #awaitsAnswer = false;
  #wanted = false;
  #restartWanted = false;
  #restartedAt = -Infinity;
  /** @type {Promise<void>} */
  #queue = Promise.resolve();
  /** Candidates that came before the description they belong to. @type {Ice[]} */
  #early = [];
  #closed = false;

  /** @param {NegotiationParts} parts */
  constructor(parts) {
    this.#parts = parts;
    this.#connection = parts.connection;
    this.#connection.addEventListener('icecandidate', (event) => this.#found(event.candidate));
  }

  close() {
    this.#closed = true;
  }

  /** @returns {{ link: string, epoch: number, n: number }} */
  get #head() {
    const { link, epoch } = this.#parts.open;
    return { link, epoch, n: this.#n };
  }

  /**
   * Offers, now or as soon as the answer to the last offer is in. A restart does not wait: the
   * answer may never come.
   * @param {{ restart?: boolean }} [options]
   */
  offer({ restart = false } = {}) {
    if (this.#parts.open.offerer !== 'you') return;
    // Both ends notice a dead path; the one restart on its way serves both.
    if (restart && this.#awaitsAnswer && performance.now() - this.#restartedAt < RESTART_SERVES_MS) return;
    this.#wanted = true;
    this.#restartWanted ||= restart;
    if (!this.#awaitsAnswer || restart) this.#then(() => this.#makeOffer());
  }

  /** @param {Description} description */
  receive(description) {
    this.#then(() => (description.kind === 'offer' ? this.#takeOffer(description) : this.#takeAnswer(description)));
  }

  /** @param {Ice} ice */
  receiveCandidate(ice) {
    this.#then(async () => {
      if (ice.n > this.#remoteN) this.#early.push(ice);
      else await this.#addCandidate(ice);
    });
  }

  /**
   * One step after the other; a step that fails leaves the rest to the watchdog.
   * @param {() => Promise<void>} step
   */
  #then(step) {
    this.#queue = this.#queue
      .then(() => (this.#closed ? undefined : step()))
      .catch((error) => {
        if (!this.#closed) this.#parts.note(`negotiation failed: ${error}`);
      });
  }

  async #makeOffer() {
    if (!this.#wanted) return;
    const restart = this.#restartWanted;
    if (restart) this.#restartedAt = performance.now();
    this.#wanted = this.#restartWanted = false;
    if (this.#connection.signalingState === 'have-local-offer') await this.#rollback();
    this.#parts.beforeOffer();
    const offer = await this.#connection.createOffer(restart ? { iceRestart: true } : {});
    this.#n += 1;
    this.#awaitsAnswer = true;
    await this.#describe(offer);
  }

  /** @param {Description} offer */
  async #takeOffer(offer) {
    if (offer.n <= this.#remoteN) return;
    if (this.#connection.signalingState !== 'stable') await this.#rollback();
    await this.#connection.setRemoteDescription({ type: 'offer', sdp: this.#parts.heard(offer.sdp, offer.tracks) });
    this.#n = this.#remoteN = offer.n;
    this.#parts.note(`offer ${offer.n} received`);
    await this.#parts.offered(offer.sdp, offer.tracks);
    if (this.#closed) return;
    const { type, sdp } = await this.#connection.createAnswer();
    await this.#describe({ type, sdp: this.#parts.answering(sdp ?? '') });
    await this.#addEarly();
  }

  /** @param {Description} answer */
  async #takeAnswer(answer) {
    if (answer.n !== this.#n || !this.#awaitsAnswer) return;
    await this.#connection.setRemoteDescription({ type: 'answer', sdp: this.#parts.heard(answer.sdp, {}) });
    this.#awaitsAnswer = false;
    this.#remoteN = answer.n;
    this.#parts.note(`answer ${answer.n} received`);
    this.#parts.answered(answer.tracks);
    await this.#addEarly();
    await this.#makeOffer();
  }

  /** @param {RTCSessionDescriptionInit} description */
  async #describe(description) {
    const kind = description.type === 'offer' ? 'offer' : 'answer';
    await this.#connection.setLocalDescription(description);
    if (this.#closed) return;
    this.#parts.note(`${kind} ${this.#n} sent`);
    this.#parts.send({
      t: 'desc',
      ...this.#head,
      kind,
      sdp: description.sdp ?? '',
      tracks: this.#parts.ownMids(),
    });
    this.#parts.described();
  }

  async #rollback() {
    this.#parts.note('rollback');
    await this.#connection.setLocalDescription({ type: 'rollback' });
  }

  /** @param {RTCIceCandidate | null} candidate */
  #found(candidate) {
    if (this.#closed || this.#n === 0) return;
    if (candidate && candidate.candidate === '') return; // end of a generation; null follows
    const init = candidate?.toJSON();
    this.#parts.send({
      t: 'ice',
      ...this.#head,
      candidate: init
        ? {
            candidate: init.candidate ?? '',
            ...(init.sdpMid != null ? { sdpMid: init.sdpMid } : {}),
            ...(init.sdpMLineIndex != null ? { sdpMLineIndex: init.sdpMLineIndex } : {}),
            ...(init.usernameFragment != null ? { usernameFragment: init.usernameFragment } : {}),
          }
        : null,
    });
  }

  async #addEarly() {
    const due = this.#early.filter((ice) => ice.n <= this.#remoteN);
    this.#early = this.#early.filter((ice) => ice.n > this.#remoteN);
    for (const ice of due) await this.#addCandidate(ice);
  }

  /** @param {Ice} ice */
  async #addCandidate(ice) {
    if (!ice.candidate) return; // the last one: nothing to try
    try {
      await this.#connection.addIceCandidate(ice.candidate);
    } catch {
      // Of a generation that an ICE restart has ended, or of a kind this browser does not know.
    }
  }
}
