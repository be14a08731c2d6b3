// Which of a link's transceivers carries which track, by mid.

import { preferCodecs } from './codecs.js';
import { initialEncoding } from './bandwidth.js';

/**
 * @typedef {import('./protocol.js').Codecs} Codecs
 * @typedef {import('./protocol.js').TrackKind} TrackKind
 * @typedef {import('./local_track.js').LocalTrack} LocalTrack
 * @typedef {Record<string, string>} Mids track ids by mid
 * @typedef {{ audio: number, video: number }} Counts
 */

/** @type {TrackKind[]} */
const KINDS = ['audio', 'video'];

/** @param {RTCRtpTransceiver} transceiver @returns {TrackKind} */
const kindOf = (transceiver) => (transceiver.receiver.track.kind === 'audio' ? 'audio' : 'video');

/**
 * The direction that each media description of an SDP offers, by mid.
 * @param {string} sdp
 * @returns {Map<string, string>}
 */
export function directionsOf(sdp) {
  const directions = new Map();
  for (const section of sdp.split(/^m=/m).slice(1)) {
    const mid = /^a=mid:(\S+)/m.exec(section)?.[1];
    const direction = /^a=(sendrecv|sendonly|recvonly|inactive)\s*$/m.exec(section)?.[1] ?? 'sendrecv';
    if (mid !== undefined) directions.set(mid, direction);
  }
  return directions;
}

export class Transceivers {
  #connection;
  /** What each sends. @type {Map<RTCRtpTransceiver, LocalTrack>} */
  #sent = new Map();
  /** What each receives, by mid. @type {Map<string, string>} */
  #received = new Map();
  /** The layers that each is asked to send, where they are several. @type {WeakMap<RTCRtpTransceiver, string[]>} */
  #rids = new WeakMap();
  // One stream for what has to stay in lip sync, another for a shared screen.
  #streams = { person: new MediaStream(), screen: new MediaStream() };

  /** @param {RTCPeerConnection} connection */
  constructor(connection) {
    this.#connection = connection;
  }

  /** @returns {RTCRtpTransceiver[]} */
  get #live() {
    return this.#connection.getTransceivers().filter((each) => each.direction !== 'stopped');
  }

  /** @param {LocalTrack} track */
  #streamOf(track) {
    return track.source === 'screen' ? this.#streams.screen : this.#streams.person;
  }

  /**
   * Makes room for one's own tracks and for the peer's, before an offer.
   * @param {LocalTrack[]} tracks
   * @param {Counts} peerTracks how many the peer has published
   * @param {Codecs} codecs
   */
  prepareOffer(tracks, peerTracks, codecs) {
    this.release(tracks);
    for (const kind of KINDS) {
      const unsent = tracks.filter((track) => track.kind === kind && !this.#transceiverOf(track));
      for (const track of unsent) {
        const free = this.#live.find((each) => kindOf(each) === kind && !this.#sent.has(each));
        if (free) this.#assign(free, track);
        else this.#add(track);
      }
      const missing = peerTracks[kind] - this.#live.filter((each) => kindOf(each) === kind).length;
      for (let i = 0; i < missing; i++) this.#connection.addTransceiver(kind, { direction: 'recvonly' });
    }
    this.#direct(codecs);
  }

  /**
   * Puts one's own tracks where the offer has room for them, before an answer.
   * @param {LocalTrack[]} tracks
   * @param {string} offer
   * @param {Codecs} codecs
   */
  prepareAnswer(tracks, offer, codecs) {
    this.release(tracks);
    const directions = directionsOf(offer);
    const wanted = (/** @type {RTCRtpTransceiver} */ each) =>
      each.mid !== null && ['sendrecv', 'recvonly'].includes(directions.get(each.mid) ?? '');
    for (const track of tracks) {
      if (this.#transceiverOf(track)) continue;
      const free = this.#live.find((each) => kindOf(each) === track.kind && !this.#sent.has(each) && wanted(each));
      if (free) this.#assign(free, track);
    }
    this.#direct(codecs);
  }

  /**
   * Sends and receives what a server's offer names, before an answer. Media descriptions of a
   * server carry one direction each, and are used again for other tracks.
   * @param {Mids} mids one's own tracks where the server receives, others' where it sends
   * @param {LocalTrack[]} tracks
   * @param {string} offer
   * @returns {RTCRtpSender[]} those that send another track than before
   */
  acceptOffer(mids, tracks, offer) {
    const directions = directionsOf(offer);
    const former = this.#sent;
    const changed = [];
    this.#sent = new Map();
    this.#received = new Map();
    for (const transceiver of this.#live) {
      const { mid } = transceiver;
      if (mid === null) continue;
      const offered = directions.get(mid);
      const id = mids[mid];
      const own = offered === 'recvonly' ? tracks.find((track) => track.id === id) : undefined;
      if (own) this.#send(transceiver, own, former.get(transceiver));
      else if (former.has(transceiver)) transceiver.sender.replaceTrack(null).catch(() => {});
      if (own && own !== former.get(transceiver)) changed.push(transceiver.sender);
      if (id !== undefined && offered === 'sendonly') this.#received.set(mid, id);
      const direction = own ? 'sendonly' : this.#received.has(mid) ? 'recvonly' : 'inactive';
      if (transceiver.direction !== direction) transceiver.direction = direction;
    }
    return changed;
  }

  /**
   * @param {RTCRtpTransceiver} transceiver
   * @param {LocalTrack} track
   * @param {LocalTrack | undefined} former what it sent until now
   */
  #send(transceiver, track, former) {
    if (former === track) this.#sent.set(transceiver, track);
    else this.#assign(transceiver, track);
    const encodings = track.kind === 'video' ? (transceiver.sender.getParameters().encodings ?? []) : [];
    this.#rids.set(
      transceiver,
      encodings.flatMap(({ rid }) => rid ?? []),
    );
  }

  /**
   * Stops sending what is not published any more. Its transceiver serves the next track.
   * @param {LocalTrack[]} tracks what is still published
   */
  release(tracks) {
    for (const [transceiver, track] of this.#sent) {
      if (tracks.includes(track)) continue;
      this.#sent.delete(transceiver);
      transceiver.sender.replaceTrack(null).catch(() => {});
    }
  }

  /**
   * The browser's track was exchanged, by a mute or another device; no negotiation is needed.
   * @param {LocalTrack} track
   */
  refresh(track) {
    const sender = this.#transceiverOf(track)?.sender;
    if (sender && sender.track !== track.mediaStreamTrack) {
      sender.replaceTrack(track.mediaStreamTrack).catch(() => {});
    }
  }

  /** @returns {Mids} one's own tracks, once the mids are known */
  ownMids() {
    /** @type {Mids} */
    const mids = {};
    for (const [transceiver, track] of this.#sent) {
      if (transceiver.mid !== null && track.id) mids[transceiver.mid] = track.id;
    }
    return mids;
  }

  /** @param {Mids} mids the peer's tracks */
  setPeerMids(mids) {
    this.#received = new Map(Object.entries(mids));
  }

  /** @returns {string[]} ids of the peer's tracks that this link carries */
  get receivedIds() {
    return [...this.#received.values()];
  }

  /**
   * @param {string} trackId of the peer
   * @returns {RTCRtpReceiver | null}
   */
  receiverOf(trackId) {
    const mid = [...this.#received].find(([, id]) => id === trackId)?.[0];
    return this.#live.find((each) => each.mid !== null && each.mid === mid)?.receiver ?? null;
  }

  /** @param {MediaStreamTrack} media @returns {boolean} whether it arrives here */
  receives(media) {
    return this.#live.some((each) => each.receiver.track === media);
  }

  /** @param {MediaStreamTrack} media @returns {string | undefined} the peer's track that arrives as it */
  trackOf(media) {
    const mid = this.#live.find((each) => each.receiver.track === media)?.mid;
    return mid ? this.#received.get(mid) : undefined;
  }

  /** @returns {{ sender: RTCRtpSender, track: LocalTrack, rids: string[] }[]} */
  get senders() {
    return [...this.#sent].map(([transceiver, track]) => ({
      sender: transceiver.sender,
      track,
      rids: this.#rids.get(transceiver) ?? [],
    }));
  }

  /**
   * @param {string | undefined} mid
   * @param {'up' | 'down'} direction
   * @returns {string | undefined} the server's id of the track there
   */
  trackAt(mid, direction) {
    if (mid === undefined) return undefined;
    if (direction === 'down') return this.#received.get(mid);
    return [...this.#sent].find(([transceiver]) => transceiver.mid === mid)?.[1].id;
  }

  /** @param {LocalTrack} track */
  #transceiverOf(track) {
    return [...this.#sent].find(([, each]) => each === track)?.[0];
  }

  /** @param {LocalTrack} track */
  #add(track) {
    const transceiver = this.#connection.addTransceiver(track.mediaStreamTrack ?? track.kind, {
      direction: 'sendrecv',
      streams: [this.#streamOf(track)],
      sendEncodings: [initialEncoding(track)],
    });
    this.#sent.set(transceiver, track);
  }

  /** @param {RTCRtpTransceiver} transceiver @param {LocalTrack} track */
  #assign(transceiver, track) {
    this.#sent.set(transceiver, track);
    transceiver.sender.replaceTrack(track.mediaStreamTrack).catch(() => {});
    if ('setStreams' in transceiver.sender) transceiver.sender.setStreams(this.#streamOf(track));
  }

  /** @param {Codecs} codecs */
  #direct(codecs) {
    for (const transceiver of this.#live) {
      const direction = this.#sent.has(transceiver) ? 'sendrecv' : 'recvonly';
      if (transceiver.direction !== direction) transceiver.direction = direction;
      preferCodecs(transceiver, kindOf(transceiver), codecs);
    }
  }
}
