// What the links panel needs of the SDK's Room. The SDK's own classes fit these shapes.

/** @typedef {'direct'|'relay_udp'|'relay_tcp'|'relay_tls'|'relay_remote'} LinkPath */
/** @typedef {'connecting'|'connected'|'reconnecting'|'failed'|'closed'} LinkState */
/** @typedef {'mesh'|'sfu'|'mcu'} Topology */
/** @typedef {'excellent'|'good'|'poor'|'lost'} Quality */
/** @typedef {{bps: number|null, reason: string}} LinkLimit */

/**
 * @typedef {object} TrackFigures
 * @property {string} id
 * @property {'up'|'down'} direction
 * @property {string} kind
 * @property {string|null} [source]
 * @property {number|null} [bps]
 * @property {number|null} [width]
 * @property {number|null} [height]
 * @property {number|null} [fps]
 * @property {string|null} [codec]
 * @property {string|null} [limitation]
 * @property {string|null} [mid] the media section that carries it
 * @property {string|null} [rid] the layer, where it is sent in several
 * @property {boolean|null} [active] whether the layer is sent
 */

/**
 * @typedef {object} LinkFigures
 * @property {string} id
 * @property {Topology} kind
 * @property {string|null} peer
 * @property {LinkState} state
 * @property {LinkPath|null} path
 * @property {number|null} [upBps]
 * @property {number|null} [downBps]
 * @property {number|null} [rttMs]
 * @property {number|null} [lossUp]
 * @property {number|null} [lossDown]
 * @property {number|null} [availableUpBps]
 * @property {string|null} [srtpCipher]
 * @property {LinkLimit|null} [limit]
 * @property {Quality|null} [quality]
 * @property {TrackFigures[]} tracks
 */

/**
 * @typedef {object} RoomFigures
 * @property {Topology|null} topology
 * @property {number} uplinks
 * @property {number} downlinks
 * @property {{uplinks: number, downlinks: number}} server
 * @property {LinkFigures[]} links
 */

/** @typedef {{type?: string|null, protocol?: string|null, relayProtocol?: string|null, address?: string|null, port?: number|null, url?: string|null}} CandidateFigures */

/**
 * @typedef {object} PairFigures
 * @property {string} state
 * @property {boolean} nominated
 * @property {boolean} selected
 * @property {CandidateFigures|null} local
 * @property {CandidateFigures|null} remote
 * @property {number|null} [rttMs]
 * @property {number|null} [bytesSent]
 * @property {number|null} [bytesReceived]
 */

/** @typedef {{type: string, sdp: string}|null|undefined} Description */

/**
 * @typedef {object} LinkLike
 * @property {string} id
 * @property {string|null} peer
 * @property {'you'|'peer'} offerer
 * @property {LinkState} state
 * @property {Description} localDescription
 * @property {Description} remoteDescription
 * @property {ReadonlyArray<{at: number, event: string}>} history
 * @property {() => Promise<PairFigures[]>} candidatePairs
 */

/** @typedef {{paused: boolean, layer: string|null, temporal?: number|null, reason: string}} DeliveryLike */
/** @typedef {{id: string, kind: string, source: string, delivery?: DeliveryLike|null}} TrackLike */
/**
 * @typedef {object} MixStateLike
 * @property {number} fps
 * @property {number} maxHeight
 * @property {string|null} limited
 * @property {{decoding: number, encoding: number, listeners: number, decodeMs: number, encodeMs: number, soundMs: number}} work
 */
/** @typedef {{audio: TrackLike, video: TrackLike, state: MixStateLike|null}} MixLike */
/** @typedef {{id: string, name: string, presence?: string, order?: number, tracks?: Map<string, TrackLike>}} PersonLike */

/**
 * @typedef {object} RoomLike
 * @property {string|null} [topology]
 * @property {PersonLike|null} localParticipant
 * @property {Map<string, PersonLike>} remoteParticipants
 * @property {Map<string, LinkLike>} links
 * @property {MixLike|null} [mix] in place of everybody's tracks
 * @property {() => Promise<RoomFigures>} getStats
 * @property {(event: any, listener: any) => unknown} on
 * @property {(event: any, listener: any) => unknown} off
 */

export {};
