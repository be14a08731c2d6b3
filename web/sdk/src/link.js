// One link: a PeerConnection to another participant or to the server, from open to close.

import { plan } from './bandwidth.js';
import { Channels } from './channels.js';
import { Negotiation } from './negotiation.js';
import { SenderControl } from './sender_control.js';
import { withStartBitrate } from './start_bitrate.js';
import { isScreenSound, receivingStereo, withStereo } from './stereo.js';
import { LinkMeter, candidatePairsOf } from './stats.js';
import { Transceivers } from './transceivers.js';
import { Watchdog } from './watchdog.js';

/**
 * @typedef {import('./protocol.js').ClientFrame} ClientMessage
 * @typedef {import('./protocol.js').OpenLink} OpenLink
 * @typedef {import('./protocol.js').Codecs} Codecs
 * @typedef {import('./protocol.js').ConnectionQuality} ConnectionQuality
 * @typedef {import('./local_track.js').LocalTrack} LocalTrack
 * @typedef {import('./bandwidth.js').Limit} Limit
 * @typedef {import('./bandwidth.js').Limits} Limits
 * @typedef {'connecting' | 'connected' | 'reconnecting' | 'failed' | 'closed'} LinkState
 *
 * @typedef {object} LinkHost what a link needs of the room
 * @property {(message: ClientMessage) => void} send in order, sooner or later
 * @property {() => LocalTrack[]} localTracks
 * @property {(peer: string | null) => { audio: number, video: number }} peerTracks how many are published
 * @property {() => RTCConfiguration} configuration
 * @property {() => Codecs} codecs
 * @property {(link: Link) => boolean} canAct whether both ends can be reached by signaling
 * @property {(trackId: string) => string | null} sourceOf
 * @property {(link: Link, limitBps: number | null) => number | null} startKbps where the bit rate begins
 * @property {(link: Link) => void} mapped tracks have come, gone or moved
 * @property {(link: Link) => void} changed
 * @property {(link: Link, bytes: Uint8Array, topic: string, sender: string | null) => void} data
 */

const HISTORY = 200;

export class Link {
  #open;
  #host;
  #connection;
  #negotiation;
  #transceivers;
  #channels;
  #meter;
  #watchdog;
  #senders = new SenderControl();
  /** @type {LinkState} */
  #state = 'connecting';
  #wasConnected = false;
  #isRetired = false;
  // The same for the link's whole life: another value would restart its bandwidth estimation.
  /** @type {number | null | undefined} */
  #startKbps;
  /** The newest limit that the server set for it. @type {Limit | null} */
  #limit = null;
  /** @type {{ code: number, text: string, url: string }[]} */
  #candidateErrors = [];
  /** What happened to it, oldest first. @type {{ at: number, event: string }[]} */
  #history = [];

  /**
   * @param {OpenLink} open
   * @param {LinkHost} host
   * @param {number} attempt how often this pair's link has been replaced without success
   */
  constructor(open, host, attempt) {
    this.#open = open;
    this.#host = host;
    const connection = (this.#connection = new RTCPeerConnection(host.configuration()));
    this.#channels = new Channels(connection, open.peer === undefined, (bytes, topic, sender) =>
      host.data(this, bytes, topic, sender ?? this.peer),
    );
    this.#transceivers = new Transceivers(connection);
    this.#meter = new LinkMeter(connection, this.#transceivers, host.sourceOf);
    this.#watchdog = new Watchdog({
      // A server answers checks and leaves it to its clients to notice what is wrong.
      isFirst: open.offerer === 'you' || open.peer === undefined,
      attempt,
      canAct: () => host.canAct(this),
      restart: () => this.restart(),
      replace: () => this.#askReplacement(),
    });
    this.#negotiation = new Negotiation({
      connection,
      open,
      send: host.send,
      note: (event) => this.#note(event),
      heard: (sdp, mids) => {
        const started = withStartBitrate(sdp, (this.#startKbps ??= host.startKbps(this, this.#limit?.bps ?? null)));
        return withStereo(started, (mid) => isScreenSound(host.localTracks(), mids[mid]));
      },
      answering: receivingStereo,
      beforeOffer: () => this.#transceivers.prepareOffer(host.localTracks(), host.peerTracks(this.peer), host.codecs()),
      offered: (sdp, mids) => this.#offered(sdp, mids),
      answered: (mids) => {
        this.#transceivers.setPeerMids(mids);
        host.mapped(this);
      },
      ownMids: () => (open.peer === undefined ? {} : this.#transceivers.ownMids()),
      described: () => this.#watchdog.described(),
    });
    connection.addEventListener('connectionstatechange', () => this.#connectionChanged());
    connection.addEventListener('iceconnectionstatechange', () => this.#note(`ice ${connection.iceConnectionState}`));
    connection.addEventListener('icecandidateerror', (event) => this.#candidateFailed(event));
    this.#note(`open, ${open.offerer === 'you' ? 'offering' : 'awaiting an offer'}`);
    if (open.offerer === 'you') this.#negotiation.offer();
  }

  /** @param {string} sdp @param {import('./transceivers.js').Mids} mids */
  async #offered(sdp, mids) {
    const tracks = this.#host.localTracks();
    if (this.peer === null) {
      for (const sender of this.#transceivers.acceptOffer(mids, tracks, sdp)) this.#senders.forget(sender);
    } else {
      this.#transceivers.setPeerMids(mids);
      this.#transceivers.prepareAnswer(tracks, sdp, this.#host.codecs());
    }
    this.#host.mapped(this);
    // The layers' sizes have to be right in the first frame already.
    if (this.peer === null) await this.#senders.settled();
  }

  get id() {
    return this.#open.link;
  }
  get epoch() {
    return this.#open.epoch;
  }
  get kind() {
    return this.#open.kind;
  }
  /** The participant at the other end; null for the server. */
  get peer() {
    return this.#open.peer ?? null;
  }
  get offerer() {
    return this.#open.offerer;
  }
  get state() {
    return this.#state;
  }
  get history() {
    return this.#history;
  }
  /**
   * STUN and TURN servers that did not serve, by STUN error code (RFC 8489 §14.8); 701 means out
   * of reach, as is a `turns:` server whose certificate the browser does not trust.
   */
  get candidateErrors() {
    return this.#candidateErrors;
  }
  get limit() {
    return this.#limit;
  }
  /** `direct`, or how it is relayed; null until a candidate pair is chosen. */
  get path() {
    return this.#meter.numbers.path;
  }
  get upBps() {
    return this.#meter.numbers.upBps;
  }
  get downBps() {
    return this.#meter.numbers.downBps;
  }
  get rttMs() {
    return this.#meter.numbers.rttMs;
  }
  get lossUp() {
    return this.#meter.numbers.lossUp;
  }
  get lossDown() {
    return this.#meter.numbers.lossDown;
  }
  get availableUpBps() {
    return this.#meter.numbers.availableUpBps;
  }
  /** How media is encrypted, once it is and the browser says. */
  get srtpCipher() {
    return this.#meter.numbers.srtpCipher;
  }

  /** By the protocol's thresholds. @returns {ConnectionQuality} */
  get quality() {
    if (this.#state !== 'connected') return this.#wasConnected || this.#state === 'failed' ? 'lost' : 'good';
    const rtt = this.rttMs ?? 0;
    const loss = Math.max(this.lossUp ?? 0, this.lossDown ?? 0);
    if (rtt < 150 && loss < 0.02) return 'excellent';
    return rtt < 400 && loss < 0.08 ? 'good' : 'poor';
  }

  /** @returns {{ type: string, sdp: string } | null} */
  get localDescription() {
    return plain(this.#connection.localDescription);
  }
  /** @returns {{ type: string, sdp: string } | null} */
  get remoteDescription() {
    return plain(this.#connection.remoteDescription);
  }

  /** The candidate pairs tried, and the one chosen. */
  async candidatePairs() {
    return candidatePairsOf(await this.#connection.getStats());
  }

  /** Its numbers, measured now. */
  async sample() {
    const before = this.#meter.numbers;
    const numbers = await this.#meter.sample();
    if (numbers !== before) {
      for (const { sender, track, rids } of this.#transceivers.senders) {
        if (rids.length > 1) continue;
        const sent = numbers.tracks.find((each) => each.direction === 'up' && each.id === track.id);
        if (sent?.height) this.#senders.measured(sender, sent.height);
      }
    }
    return numbers;
  }

  /** @returns {import('./stats.js').LinkNumbers} as last measured @internal */
  get numbers() {
    return this.#meter.numbers;
  }

  /** Renews the path (ICE restart, RFC 8445 §2.4), or asks the offerer to. @internal */
  restart() {
    this.#note('ice restart');
    if (this.#open.offerer === 'you') this.#negotiation.offer({ restart: true });
    else this.#host.send({ t: 'restart', link: this.id, epoch: this.epoch, replace: false });
  }

  #askReplacement() {
    this.#note('asks to be replaced');
    this.#become('failed');
    this.#host.send({ t: 'restart', link: this.id, epoch: this.epoch, replace: true });
  }

  /** @param {{ restart?: boolean }} options @internal */
  negotiate(options) {
    this.#negotiation.offer(options);
  }

  /** @param {import('./protocol.js').Description} description @internal */
  receiveDescription(description) {
    this.#negotiation.receive(description);
  }

  /** @param {import('./protocol.js').Ice} ice @internal */
  receiveCandidate(ice) {
    this.#negotiation.receiveCandidate(ice);
  }

  /** @internal */
  networkChanged() {
    this.#watchdog.networkChanged();
  }

  /** New relay credentials count from the next ICE restart on. @internal */
  renewConfiguration() {
    try {
      const { iceServers, iceTransportPolicy } = this.#host.configuration();
      this.#connection.setConfiguration({ ...this.#connection.getConfiguration(), iceServers, iceTransportPolicy });
    } catch (error) {
      this.#note(`configuration refused: ${error}`);
    }
  }

  /** @param {LocalTrack[]} tracks still published @internal */
  releaseTracks(tracks) {
    this.#transceivers.release(tracks);
  }

  /** @param {LocalTrack} track @internal */
  refreshTrack(track) {
    this.#transceivers.refresh(track);
  }

  /** @param {string} trackId @returns {RTCRtpReceiver | null} @internal */
  receiverOf(trackId) {
    return this.#transceivers.receiverOf(trackId);
  }

  /** @param {MediaStreamTrack} media @returns {boolean} whether it arrives by this link @internal */
  receives(media) {
    return this.#transceivers.receives(media);
  }

  /** @param {MediaStreamTrack} media @returns {string | undefined} the track that arrives as it @internal */
  trackOf(media) {
    return this.#transceivers.trackOf(media);
  }

  /** @returns {string[]} @internal */
  get receivedIds() {
    return this.#transceivers.receivedIds;
  }

  /**
   * @param {Limits} limits
   * @param {number} links how many there are
   * @internal
   */
  applyLimits(limits, links) {
    const limit = limits.ofLink(this.id, links);
    if (limit?.bps !== this.#limit?.bps || limit?.reason !== this.#limit?.reason) {
      this.#note(limit ? `at most ${Math.round(limit.bps / 1000)} kbit/s: ${limit.reason}` : 'no limit');
    }
    this.#limit = limit;
    const sending = this.#transceivers.senders;
    const tracks = sending.map(({ sender, track, rids }) => ({
      id: track.id,
      kind: track.kind,
      source: track.source,
      width: track.width ?? 0,
      height: (rids.length > 1 ? 0 : this.#senders.heightOf(sender)) || (track.height ?? 0),
      rids,
      isForwarded: this.peer === null,
    }));
    const encodings = plan(limit?.bps ?? null, tracks, (id) => limits.ofTrack(this.id, id), links);
    for (const { sender, track } of sending) {
      const wanted = encodings.get(track.id);
      if (wanted) this.#senders.apply(sender, track, wanted);
    }
  }

  /** Whether bytes sent now go out by this link. @internal */
  get isDataOpen() {
    return this.#channels.isOpen;
  }

  /**
   * @param {Uint8Array<ArrayBuffer>} framed
   * @param {boolean} reliable
   * @param {string[]} to for whom, where a server passes it on; empty: for everyone
   * @returns {boolean}
   * @internal
   */
  sendData(framed, reliable, to) {
    return this.#channels.send(framed, reliable, to);
  }

  /** Closed to the server; what still flows may, until it is closed here too. @internal */
  retire() {
    this.#isRetired = true;
    this.#watchdog.stop();
    this.#negotiation.close();
  }

  /** @internal */
  close() {
    if (this.#state === 'closed') return;
    this.retire();
    this.#connection.close();
    this.#note('closed');
    this.#state = 'closed';
  }

  #connectionChanged() {
    const state = this.#connection.connectionState;
    if (this.#state === 'closed' || this.#isRetired) return;
    this.#note(`connection ${state}`);
    this.#watchdog.connectionState(state);
    if (state === 'connected') {
      this.#wasConnected = true;
      this.#become('connected');
    } else if (this.#wasConnected) {
      this.#become('reconnecting');
    } else if (state === 'failed') {
      this.#become('failed');
    }
  }

  /** @param {RTCPeerConnectionIceErrorEvent} event */
  #candidateFailed({ errorCode: code, errorText: text, url }) {
    const known = this.#candidateErrors.some((each) => each.code === code && each.url === url);
    if (known) return;
    this.#candidateErrors.push({ code, text, url });
    this.#note(`ice server ${url}: ${code} ${text}`);
  }

  /** @param {LinkState} state */
  #become(state) {
    if (this.#state === state || this.#state === 'closed') return;
    this.#state = state;
    this.#host.changed(this);
  }

  /** @param {string} event */
  #note(event) {
    this.#history.push({ at: Date.now(), event });
    if (this.#history.length > HISTORY) this.#history.shift();
  }
}

/** @param {RTCSessionDescription | null} description */
const plain = (description) => description && { type: description.type, sdp: description.sdp };
