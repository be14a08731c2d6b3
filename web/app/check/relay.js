// A relay, tried: two connections of this page that may meet through it alone.

import { hasWebRtc, later, watch, withCredentials } from './candidates.js';
import { relayOutcome } from './judge.js';
import { ping } from './measure.js';

/**
 * @typedef {import('./types.js').IceServer} IceServer
 * @typedef {import('./types.js').RelayFinding} RelayFinding
 * @typedef {import('./types.js').ServerFinding} ServerFinding
 * @typedef {import('./types.js').Transport} Transport
 */

const LONGEST_MS = 8000;
const PINGS = 9;

/** @type {Record<Transport, RegExp>} */
const URLS = { udp: /^turn:(?!.*transport=tcp)/, tcp: /^turn:.*transport=tcp/, tls: /^turns:(?!.*transport=udp)/ };

/** Servers that hold the URLs of one transport only. @param {IceServer[]} servers @param {Transport} transport @returns {IceServer[]} */
export function only(servers, transport) {
  return servers
    .map((server) => ({ ...server, urls: server.urls.filter((url) => URLS[transport].test(url)) }))
    .filter(({ urls }) => urls.length > 0);
}

/** Two ends in this page, joined by a relay. */
export class RelayPair {
  #near;
  #far;
  #found;
  /** @type {RTCDataChannel} answers whatever it gets */
  pings;
  /** @type {RTCDataChannel} */
  load;
  /** @type {(size: number) => void} called for what arrives at the far end of `load` */
  onLoad = () => {};
  /** @type {Promise<true>} */
  open;

  /** @param {IceServer[]} servers of one transport */
  constructor(servers) {
    /** @type {RTCConfiguration} */
    const configuration = { iceServers: withCredentials(servers), iceTransportPolicy: 'relay' };
    this.#near = new RTCPeerConnection(configuration);
    this.#far = new RTCPeerConnection(configuration);
    this.#found = watch(this.#near);
    this.pings = this.#near.createDataChannel('pings', { ordered: false, maxRetransmits: 0 });
    this.load = this.#near.createDataChannel('load', { ordered: false });
    this.#far.addEventListener('datachannel', ({ channel }) => this.#answer(channel));
    exchange(this.#near, this.#far);
    exchange(this.#far, this.#near);
    this.open = Promise.all([this.pings, this.load].map(opened)).then(() => true);
  }

  get errors() {
    return this.#found.errors;
  }

  get candidates() {
    return this.#found.candidates;
  }

  /** True when nothing more can come. */
  get exhausted() {
    return this.#found.complete;
  }

  async start() {
    await this.#near.setLocalDescription(await this.#near.createOffer());
    if (this.#near.localDescription) await this.#far.setRemoteDescription(this.#near.localDescription);
    await this.#far.setLocalDescription(await this.#far.createAnswer());
    if (this.#far.localDescription) await this.#near.setRemoteDescription(this.#far.localDescription);
  }

  close() {
    this.#near.close();
    this.#far.close();
  }

  /** @param {RTCDataChannel} channel */
  #answer(channel) {
    channel.binaryType = 'arraybuffer';
    channel.addEventListener('message', ({ data }) => {
      if (channel.label === 'load') this.onLoad(data.byteLength);
      else if (channel.readyState === 'open') channel.send(data);
    });
  }
}

/** @param {RTCPeerConnection} from @param {RTCPeerConnection} to */
function exchange(from, to) {
  /** @type {RTCIceCandidate[]} come before the other end has heard of this one */
  let early = [];
  const give = (/** @type {RTCIceCandidate} */ candidate) => void to.addIceCandidate(candidate).catch(() => {});
  from.addEventListener('icecandidate', ({ candidate }) => {
    if (!candidate) return;
    if (to.remoteDescription) give(candidate);
    else early.push(candidate);
  });
  to.addEventListener('signalingstatechange', () => {
    if (!to.remoteDescription) return;
    for (const candidate of early) give(candidate);
    early = [];
  });
}

/** @param {RTCDataChannel} channel @returns {Promise<unknown>} */
function opened(channel) {
  if (channel.readyState === 'open') return Promise.resolve();
  return new Promise((resolve) => channel.addEventListener('open', resolve, { once: true }));
}

/**
 * Tries the relay over one transport. The pair is left open for measuring where it works.
 * @param {ServerFinding} server
 * @param {Transport} transport
 * @param {boolean} tcpAnswers whether the relay was reached over plain TCP
 * @returns {Promise<{finding: RelayFinding, pair: RelayPair|null}>}
 */
export async function tryRelay(server, transport, tcpAnswers) {
  const servers = only(server.servers, transport);
  /** @type {RelayFinding} */
  const nothing = { outcome: 'absent', openMs: 0, tripMs: 0, errors: [], candidates: [] };
  if (servers.length === 0) return { finding: nothing, pair: null };
  if (!hasWebRtc()) return { finding: { ...nothing, outcome: 'unreachable' }, pair: null };
  const start = performance.now();
  const pair = new RelayPair(servers);
  await pair.start();
  const isOpen = await Promise.race([pair.open, barren(pair), later(LONGEST_MS)]);
  const openMs = performance.now() - start;
  const tripMs = isOpen ? (await ping(pair.pings, PINGS)).medianMs : 0;
  const { errors, candidates } = pair;
  const outcome = relayOutcome({
    isOpen,
    transport,
    errors,
    hasRelay: candidates.length > 0,
    hasCredentials: server.refused === null,
    certificate: server.certificate,
    tcpAnswers,
  });
  if (!isOpen) pair.close();
  return { finding: { outcome, openMs, tripMs, errors, candidates }, pair: isOpen ? pair : null };
}

/** Gathering is over and brought no relay. @param {RelayPair} pair @returns {Promise<false>} */
async function barren(pair) {
  await pair.exhausted;
  if (pair.candidates.length > 0) return new Promise(() => {});
  // The error may follow the end by a moment.
  return later(300);
}
