// What a room tells, and with which arguments.

/**
 * @typedef {import('./link.js').Link} Link
 * @typedef {import('./mix.js').Mix} Mix
 * @typedef {import('./participant.js').Participant} Participant
 * @typedef {import('./participant.js').RemoteParticipant} RemoteParticipant
 * @typedef {import('./track.js').Track} Track
 * @typedef {import('./remote_track.js').RemoteTrack} RemoteTrack
 * @typedef {import('./local_track.js').LocalTrack} LocalTrack
 * @typedef {import('./errors.js').MediaError} MediaError
 * @typedef {import('./protocol.js').LeaveReason} LeaveReason
 * @typedef {import('./protocol.js').TopologyEvent} TopologyEvent
 * @typedef {{ code: string, message: string }} End why a room ended: a code of the protocol,
 *   `left` after disconnect(), or `unreachable`
 * @typedef {{ from: Participant | undefined, fromId: string, fromName: string, text: string, at: Date, isPrivate: boolean }} ChatMessage
 *
 * @typedef {object} RoomEvents
 * @property {[]} connected
 * @property {[]} reconnecting signaling is lost; media goes on
 * @property {[]} reconnected
 * @property {[end: End]} disconnected
 * @property {[participant: RemoteParticipant]} participantConnected
 * @property {[participant: RemoteParticipant, reason?: LeaveReason]} participantDisconnected
 * @property {[participant: Participant]} participantChanged name, role, presence or hand; one's own too
 * @property {[track: RemoteTrack, participant: RemoteParticipant]} trackPublished
 * @property {[track: RemoteTrack, participant: RemoteParticipant]} trackUnpublished
 * @property {[track: RemoteTrack, participant: RemoteParticipant]} trackSubscribed attach it now
 * @property {[track: RemoteTrack, participant: RemoteParticipant]} trackUnsubscribed
 * @property {[track: LocalTrack]} localTrackPublished
 * @property {[track: LocalTrack]} localTrackUnpublished
 * @property {[track: Track, participant: Participant]} trackMuted one's own too
 * @property {[track: Track, participant: Participant]} trackUnmuted
 * @property {[track: RemoteTrack, participant: RemoteParticipant]} trackDeliveryChanged in which layer
 *   the server forwards it, and why: `track.delivery`
 * @property {[mix: Mix | null]} mixChanged the server mixes from now on, another one, in another
 *   arrangement, or not any more
 * @property {[state: import('./mix.js').MixState, mix: Mix]} mixStateChanged
 * @property {[track: RemoteTrack]} mixTrackSubscribed a mix's sound or picture arrives: attach it now
 * @property {[track: RemoteTrack]} mixTrackUnsubscribed
 * @property {[mix: Mix]} mixDeliveryChanged in which rendition the picture comes, and why
 * @property {[speakers: Participant[]]} activeSpeakersChanged loudest first
 * @property {[quality: import('./protocol.js').ConnectionQuality, participant: Participant]} connectionQualityChanged
 * @property {[bytes: Uint8Array, participant: RemoteParticipant | undefined, topic: string]} dataReceived
 * @property {[message: ChatMessage]} chatReceived
 * @property {[topology: import('./protocol.js').Topology, event: TopologyEvent]} topologyChanged
 * @property {[]} roomChanged locked, codecs or limits
 * @property {[link: Link]} linkOpened
 * @property {[link: Link]} linkChanged its state
 * @property {[link: Link]} linkClosed
 * @property {[bitrate: import('./protocol.js').Bitrate]} bitrateChanged
 * @property {[canPlay: boolean]} audioPlaybackChanged
 * @property {[error: MediaError]} mediaDevicesError
 */

export {};
