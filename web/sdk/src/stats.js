// What a link measures: RTCStatsReport (W3C WebRTC Statistics) made into rates.

/**
 * @typedef {import('./protocol.js').LinkPath} LinkPath
 * @typedef {import('./transceivers.js').Transceivers} Transceivers
 *
 * @typedef {object} TrackNumbers
 * @property {string} id the server's track id
 * @property {string | null} mid the media section that carries it
 * @property {'up' | 'down'} direction
 * @property {'audio' | 'video'} kind
 * @property {string | null} source
 * @property {string | null} rid the layer, where the track is sent in several: each has an entry
 * @property {boolean | null} active whether the layer is sent, where the browser says
 * @property {number} bps
 * @property {number | null} width
 * @property {number | null} height
 * @property {number | null} fps
 * @property {string | null} codec
 * @property {number | null} framesDecoded
 * @property {number | null} framesEncoded
 * @property {number} packetsLost
 * @property {number | null} jitterMs
 * @property {number | null} audioLevel
 * @property {number | null} totalAudioEnergy
 * @property {string | null} limitation why the encoder sends less: `bandwidth`, `cpu`, `other`
 *
 * @typedef {object} LinkNumbers
 * @property {LinkPath | null} path
 * @property {number} upBps
 * @property {number} downBps
 * @property {number | null} rttMs
 * @property {number | null} lossUp 0 to 1
 * @property {number | null} lossDown 0 to 1
 * @property {number | null} availableUpBps
 * @property {string | null} srtpCipher as RFC 5764 and RFC 7714 name it, e.g. `AEAD_AES_128_GCM`
 * @property {TrackNumbers[]} tracks
 *
 * @typedef {Record<string, any>} Stat
 * @typedef {{ at: number, bytes: number, packets: number, lost: number }} Count
 */

/** @type {LinkNumbers} */
export const NO_NUMBERS = Object.freeze({
  path: null,
  upBps: 0,
  downBps: 0,
  rttMs: null,
  lossUp: null,
  lossDown: null,
  availableUpBps: null,
  srtpCipher: null,
  tracks: [],
});

// Two readers within this time get the same sample, so that neither spoils the other's rates.
const SAMPLE_MS = 450;

/** @param {number | undefined} value @param {number} [factor] */
const orNull = (value, factor = 1) => (typeof value === 'number' ? value * factor : null);

/**
 * @param {Map<string, Stat>} stats
 * @returns {Stat | undefined}
 */
function selectedPair(stats) {
  const all = [...stats.values()];
  const transport = all.find((stat) => stat.type === 'transport' && stat.selectedCandidatePairId);
  if (transport) return stats.get(transport.selectedCandidatePairId);
  const pairs = all.filter((stat) => stat.type === 'candidate-pair');
  return pairs.find((stat) => stat.selected) ?? pairs.find((stat) => stat.nominated && stat.state === 'succeeded');
}

/**
 * @param {Stat | undefined} local
 * @param {Stat | undefined} remote
 * @returns {LinkPath | null}
 */
function pathOf(local, remote) {
  if (!local) return null;
  if (local.candidateType === 'relay') {
    if (local.relayProtocol === 'tls') return 'relay_tls';
    return local.relayProtocol === 'tcp' ? 'relay_tcp' : 'relay_udp';
  }
  return remote?.candidateType === 'relay' ? 'relay_remote' : 'direct';
}

/** @param {RTCStatsReport} report @returns {Map<string, Stat>} */
const asMap = (report) => {
  /** @type {Map<string, Stat>} */
  const stats = new Map();
  report.forEach((stat) => stats.set(stat.id, stat));
  return stats;
};

export class LinkMeter {
  #connection;
  #transceivers;
  #sourceOf;
  /** @type {Map<string, Count>} */
  #before = new Map();
  #sampledAt = -Infinity;
  /** @type {Promise<LinkNumbers> | null} */
  #sampling = null;
  /** The newest sample. @type {LinkNumbers} */
  numbers = NO_NUMBERS;

  /**
   * @param {RTCPeerConnection} connection
   * @param {Transceivers} transceivers
   * @param {(trackId: string) => string | null} sourceOf
   */
  constructor(connection, transceivers, sourceOf) {
    this.#connection = connection;
    this.#transceivers = transceivers;
    this.#sourceOf = sourceOf;
  }

  /** @returns {Promise<LinkNumbers>} rates since the sample before */
  sample() {
    if (this.#sampling) return this.#sampling;
    if (performance.now() - this.#sampledAt < SAMPLE_MS) return Promise.resolve(this.numbers);
    this.#sampling = this.#measure().finally(() => {
      this.#sampling = null;
      this.#sampledAt = performance.now();
    });
    return this.#sampling;
  }

  /** @returns {Promise<LinkNumbers>} */
  async #measure() {
    if (this.#connection.connectionState === 'closed') return this.numbers;
    const stats = asMap(await this.#connection.getStats());
    const pair = selectedPair(stats);
    const rtp = [...stats.values()].filter((stat) => stat.type === 'inbound-rtp' || stat.type === 'outbound-rtp');
    const measured = rtp.map((stat) => this.#stream(stat, stats));
    const up = measured.filter((each) => each.numbers.direction === 'up');
    const down = measured.filter((each) => each.numbers.direction === 'down');
    const sum = (/** @type {typeof up} */ list) => list.reduce((total, each) => total + each.numbers.bps, 0);
    const rtts = up.map((each) => each.rttMs).filter((rtt) => rtt !== null);
    this.numbers = {
      path: pathOf(stats.get(pair?.localCandidateId), stats.get(pair?.remoteCandidateId)),
      upBps: sum(up),
      downBps: sum(down),
      rttMs: orNull(pair?.currentRoundTripTime, 1000) ?? (rtts.length ? Math.min(...rtts) : null),
      lossUp: share(up),
      lossDown: share(down),
      availableUpBps: orNull(pair?.availableOutgoingBitrate),
      srtpCipher: [...stats.values()].find((stat) => stat.type === 'transport')?.srtpCipher ?? null,
      // Of a track that was withdrawn, the transceiver still remembers.
      tracks: measured.map((each) => each.numbers).filter((each) => each.source !== null),
    };
    return this.numbers;
  }

  /**
   * @param {Stat} stat
   * @param {Map<string, Stat>} stats
   * @returns {{ numbers: TrackNumbers, rttMs: number | null, lost: number, packets: number }}
   */
  #stream(stat, stats) {
    const isUp = stat.type === 'outbound-rtp';
    const remote = isUp ? stats.get(stat.remoteId) : undefined;
    const media = isUp ? stats.get(stat.mediaSourceId) : undefined;
    const lost = (isUp ? remote?.packetsLost : stat.packetsLost) ?? 0;
    const rate = this.#rate(stat, isUp, lost);
    const id = this.#transceivers.trackAt(stat.mid, isUp ? 'up' : 'down') ?? '';
    return {
      rttMs: orNull(remote?.roundTripTime, 1000),
      lost: rate.lost,
      packets: rate.packets,
      numbers: {
        id,
        mid: stat.mid ?? null,
        direction: isUp ? 'up' : 'down',
        kind: stat.kind,
        source: this.#sourceOf(id),
        rid: stat.rid ?? null,
        active: stat.active ?? null,
        bps: rate.bps,
        width: orNull(stat.frameWidth),
        height: orNull(stat.frameHeight),
        fps: orNull(stat.framesPerSecond),
        codec: stats.get(stat.codecId)?.mimeType?.split('/')[1]?.toUpperCase() ?? null,
        framesDecoded: orNull(stat.framesDecoded),
        framesEncoded: orNull(stat.framesEncoded),
        packetsLost: lost,
        jitterMs: orNull(isUp ? remote?.jitter : stat.jitter, 1000),
        audioLevel: orNull(isUp ? media?.audioLevel : stat.audioLevel),
        totalAudioEnergy: orNull(isUp ? media?.totalAudioEnergy : stat.totalAudioEnergy),
        limitation:
          stat.qualityLimitationReason && stat.qualityLimitationReason !== 'none' ? stat.qualityLimitationReason : null,
      },
    };
  }

  /**
   * @param {Stat} stat
   * @param {boolean} isUp
   * @param {number} lost
   */
  #rate(stat, isUp, lost) {
    const bytes = isUp
      ? (stat.bytesSent ?? 0) + (stat.headerBytesSent ?? 0)
      : (stat.bytesReceived ?? 0) + (stat.headerBytesReceived ?? 0);
    const packets = (isUp ? stat.packetsSent : stat.packetsReceived) ?? 0;
    const now = { at: stat.timestamp, bytes, packets, lost };
    const before = this.#before.get(stat.id);
    this.#before.set(stat.id, now);
    if (!before || now.at <= before.at) return { bps: 0, packets: 0, lost: 0 };
    return {
      bps: Math.max(0, Math.round(((bytes - before.bytes) * 8000) / (now.at - before.at))),
      packets: Math.max(0, packets - before.packets),
      lost: Math.max(0, lost - before.lost),
    };
  }
}

/**
 * @param {{ numbers: TrackNumbers, lost: number, packets: number }[]} streams
 * @returns {number | null} share of packets lost
 */
function share(streams) {
  const lost = streams.reduce((total, each) => total + each.lost, 0);
  const packets = streams.reduce((total, each) => total + each.packets, 0);
  if (packets === 0) return null;
  const isUp = streams[0]?.numbers.direction === 'up';
  // Sent packets include those lost on the way; received packets do not.
  return Math.min(1, lost / (isUp ? packets : packets + lost));
}

/**
 * The candidate pairs that were tried, for people who want to see.
 * @param {RTCStatsReport} report
 */
export function candidatePairsOf(report) {
  const stats = asMap(report);
  const selected = selectedPair(stats);
  const describe = (/** @type {Stat | undefined} */ candidate) => ({
    type: /** @type {string} */ (candidate?.candidateType ?? ''),
    protocol: /** @type {string} */ (candidate?.protocol ?? ''),
    relayProtocol: /** @type {string | null} */ (candidate?.relayProtocol ?? null),
    address: /** @type {string} */ (candidate?.address ?? candidate?.ip ?? ''),
    port: /** @type {number | null} */ (candidate?.port ?? null),
    url: /** @type {string | null} */ (candidate?.url || null),
  });
  return [...stats.values()]
    .filter((stat) => stat.type === 'candidate-pair')
    .map((pair) => ({
      state: /** @type {string} */ (pair.state),
      nominated: Boolean(pair.nominated),
      selected: pair === selected,
      local: describe(stats.get(pair.localCandidateId)),
      remote: describe(stats.get(pair.remoteCandidateId)),
      rttMs: orNull(pair.currentRoundTripTime, 1000),
      bytesSent: pair.bytesSent ?? 0,
      bytesReceived: pair.bytesReceived ?? 0,
    }));
}
