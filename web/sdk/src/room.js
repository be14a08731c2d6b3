// A room, as an app sees it.

import { Emitter } from './emitter.js';
import { SignalingError } from './errors.js';
import { helloOf } from './hello.js';
import { resumeLevels } from './level.js';
import { fromBase64 } from './links.js';
import { makeParts } from './parts.js';
import { countStreams, linkReports } from './report.js';
import { deliveryOf } from './remote_track.js';
import { ResumeStore } from './resume_store.js';
import { Signaling } from './signaling.js';
import { roomIn } from './token.js';
import { certificate, warm } from './warm.js';

/**
 * @typedef {import('./hello.js').RoomOptions} RoomOptions
 * @typedef {import('./protocol.js').Welcome} Welcome
 * @typedef {import('./protocol.js').ServerFrame} ServerFrame
 * @typedef {import('./protocol.js').RoomInfo} RoomInfo
 * @typedef {import('./protocol.js').Role} Role
 * @typedef {import('./protocol.js').Topology} Topology
 * @typedef {import('./protocol.js').TopologyPolicy} TopologyPolicy
 * @typedef {import('./room_events.js').RoomEvents} RoomEvents
 * @typedef {import('./room_events.js').ChatMessage} ChatMessage
 * @typedef {import('./room_events.js').End} End
 * @typedef {'disconnected' | 'connecting' | 'connected' | 'reconnecting'} RoomState
 */

/** @extends {Emitter<RoomEvents>} */
export class Room extends Emitter {
  /** Chat, oldest first. @type {ChatMessage[]} */
  messages = [];
  #options;
  /** @type {RoomState} */
  #state = 'disconnected';
  /** @type {RoomInfo} */
  #info = { name: '', locked: false, codecs: { audio: [], video: [] } };
  /** @type {Topology} */
  #topology = 'mesh';
  #epoch = 0;
  /** @type {import('./protocol.js').IceServer[]} */
  #iceServers = [];
  #token = '';
  /** @type {Signaling | null} */
  #signaling = null;
  #playback;
  #local;
  #roster;
  #links;
  #mixes;
  #speakers;
  #reporter;

  /** @param {RoomOptions} [options] */
  constructor(options = {}) {
    super();
    this.#options = options;
    const parts = makeParts({
      emit: (event, ...args) => this.emit(event, ...args),
      signaling: () => this.#signaling,
      isJoined: () => this.#state === 'connected' || this.#state === 'reconnecting',
      codecs: () => this.#info.codecs,
      topology: () => this.#topology,
      iceServers: () => this.#iceServers,
      data: (from, bytes, topic) => this.#data(from, bytes, topic),
      options,
    });
    this.#playback = parts.playback;
    this.#local = parts.local;
    this.#roster = parts.roster;
    this.#links = parts.links;
    this.#mixes = parts.mixes;
    this.#speakers = parts.speakers;
    this.#reporter = parts.reporter;
  }

  /**
   * Joins a room.
   * @param {string} url of the server
   * @param {string | null | undefined} token where the server has keys
   * @param {RoomOptions} options
   * @returns {Promise<Room>}
   * @throws {SignalingError}
   */
  static async connect(url, token, options) {
    const room = new Room(options);
    await room.connect(url, token);
    return room;
  }

  /**
   * Does ahead of time what joining would otherwise wait for. Harmless to call at any time.
   * @returns {Promise<void>}
   */
  static prepare() {
    return warm();
  }

  /**
   * @param {string} url of the server
   * @param {string | null} [token]
   * @throws {SignalingError} with the server's code, or `unreachable`
   */
  async connect(url, token) {
    if (this.#state !== 'disconnected') throw new SignalingError('bad_request', 'This room is connected already.');
    const name = this.#options.room ?? roomIn(token);
    if (!name) throw new SignalingError('bad_request', 'options.room or a token that names the room is needed.');
    this.#state = 'connecting';
    this.#info = { ...this.#info, name };
    this.#token = token ?? '';
    this.#local.name = this.#options.name ?? '';
    for (const track of this.#options.tracks ?? []) this.#local.addTrack(track);
    this.#signaling = new Signaling(url, new ResumeStore(name, this.#options.storage), {
      hello: () => helloOf(this.#options, this.#local, { room: this.#info.name, token: this.#token }),
      welcome: (welcome, fresh) => this.#welcome(welcome, fresh),
      resumed: () => this.#reconnected(),
      event: (frame) => this.#event(frame),
      interrupted: () => this.#interrupted(),
      ended: (end) => this.#end(end),
    });
    try {
      await Promise.all([this.#signaling.connect(), certificate()]);
    } catch (error) {
      this.#state = 'disconnected';
      this.#signaling = null;
      throw error;
    }
  }

  /**
   * Leaves for good, and gives the devices back unless told to keep them.
   * @param {{ stopTracks?: boolean }} [options]
   */
  async disconnect({ stopTracks = true } = {}) {
    if (!this.#signaling) return;
    this.#signaling.leave();
    this.#end({ code: 'left', message: '' }, stopTracks);
  }

  get state() {
    return this.#state;
  }
  get name() {
    return this.#info.name;
  }
  get locked() {
    return this.#info.locked;
  }
  get topology() {
    return this.#topology;
  }
  /** Grows each time the room changes its topology. */
  get epoch() {
    return this.#epoch;
  }
  /** What everyone in the room has, best first. */
  get codecs() {
    return this.#info.codecs;
  }
  get localParticipant() {
    return this.#local;
  }
  /** By id, in the order in which they came. */
  get remoteParticipants() {
    return this.#roster.remotes;
  }
  /** By id. */
  get links() {
    return this.#links.all;
  }
  /** One picture and one sound of everybody, in place of their tracks; null while those come. */
  get mix() {
    return this.#mixes.current;
  }
  /** Loudest first. */
  get activeSpeakers() {
    return this.#speakers.active;
  }
  /** False while the browser holds sound back: call startAudio() from a click. */
  get canPlaybackAudio() {
    return this.#playback.isAllowed;
  }

  async startAudio() {
    await Promise.all([this.#playback.start(), resumeLevels()]);
  }

  /** Everything measured, now. */
  async getStats() {
    const links = await linkReports(this.#links.all.values());
    const people = this.#roster.remotes.size + 1;
    return {
      topology: this.#topology,
      epoch: this.#epoch,
      ...countStreams(this.#topology, links.length, people, this.mix !== null),
      links,
    };
  }

  /** @param {string} text @param {{ to?: string[] }} [options] default: to everyone */
  async sendChat(text, { to = [] } = {}) {
    await this.#request({ t: 'chat', text, to });
  }

  /**
   * Asks the server to mix for this client, or to forward again, or for another arrangement. In a
   * room whose topology is `mcu` it mixes for everybody.
   * @param {import('./mix.js').MixWish} [wish] default: `{ on: true }`; what is absent stays as it is
   */
  takeMix(wish) {
    return this.#mixes.take(wish);
  }

  /** @param {TopologyPolicy} policy */
  async setTopology(policy) {
    await this.#request({ t: 'mod', action: 'topology', policy });
  }
  /** @param {string} participant */
  async kick(participant) {
    await this.#request({ t: 'mod', action: 'kick', participant });
  }
  /** @param {string} track of somebody; nobody can be unmuted from afar */
  async muteTrack(track) {
    await this.#request({ t: 'mod', action: 'mute', track });
  }
  /** @param {boolean} locked newcomers are refused */
  async setLocked(locked) {
    await this.#request({ t: 'mod', action: 'lock', locked });
  }
  /** @param {string} participant @param {Role} role */
  async setRole(participant, role) {
    await this.#request({ t: 'mod', action: 'role', participant, role });
  }
  /** @param {number | null} bps the most, null for no limit @param {string} [participant] default: each */
  async setBitrateLimit(bps, participant) {
    await this.#request({
      t: 'mod',
      action: 'bitrate',
      ...(participant ? { participant } : {}),
      ...(bps !== null ? { max_send_bps: bps } : {}),
    });
  }

  /**
   * @param {'audioinput' | 'videoinput' | 'audiooutput'} kind
   * @param {string} deviceId
   */
  async switchActiveDevice(kind, deviceId) {
    if (kind === 'audiooutput') return this.#playback.setSink(deviceId);
    const source = kind === 'audioinput' ? 'microphone' : 'camera';
    const tracks = this.#local.localTracks.filter((track) => track.source === source);
    await Promise.all(tracks.map((track) => track.switchDevice(deviceId)));
  }

  /** @param {import('./protocol.js').ClientFrame} message */
  #request(message) {
    if (!this.#signaling) return Promise.reject(new SignalingError('closed', 'The room is not connected.'));
    return this.#signaling.request(message);
  }

  /** @param {Welcome} welcome @param {boolean} fresh */
  #welcome(welcome, fresh) {
    this.#info = welcome.room;
    this.#topology = welcome.topology;
    this.#epoch = welcome.epoch;
    this.#iceServers = welcome.ice_servers;
    const present = new Set(welcome.participants.map((each) => each.id));
    if (fresh) this.#links.supersede((peer) => !present.has(peer));
    this.#local.welcome(welcome.self, fresh);
    this.#roster.reset(welcome.participants, { linger: fresh });
    this.#mixes.apply(welcome.mix, { fresh });
    this.#links.reset(welcome.links);
    this.#links.start();
    this.#speakers.start();
    this.#reporter.start();
    this.#reconnected();
  }

  #reconnected() {
    const before = this.#state;
    this.#state = 'connected';
    if (before === 'connecting') this.emit('connected');
    else if (before === 'reconnecting') this.emit('reconnected');
  }

  #interrupted() {
    if (this.#state !== 'connected') return;
    this.#state = 'reconnecting';
    this.emit('reconnecting');
  }

  /** @param {End} end @param {boolean} [stopTracks] */
  #end(end, stopTracks = true) {
    this.#signaling = null;
    this.#state = 'disconnected';
    this.#speakers.stop();
    this.#reporter.stop();
    this.#mixes.clear();
    this.#links.end();
    this.#roster.reset([]);
    this.#local.leave(stopTracks);
    this.emit('disconnected', end);
  }

  /** @param {ServerFrame} frame */
  #event(frame) {
    if (this.#links.handle(frame)) {
      if (frame.t === 'bitrate') this.emit('bitrateChanged', frame);
      return;
    }
    switch (frame.t) {
      case 'participant':
        return this.#roster.participantEvent(frame);
      case 'track':
        return this.#roster.trackEvent(frame);
      case 'chat':
        return this.#chat(frame);
      case 'data':
        return this.#data(frame.from, fromBase64(frame.payload), frame.topic ?? '');
      case 'quality':
        return this.#quality(frame);
      case 'delivery':
        return this.#links.all.has(frame.link) ? this.#delivery(frame) : undefined;
      case 'mix':
        return this.#mixes.apply(frame.mix);
      case 'mix_state':
        return this.#mixes.stateEvent(frame);
      case 'speakers':
        return this.#speakers.tell(frame.participants.flatMap((id) => this.#roster.participant(id) ?? []));
      case 'room':
        this.#info = frame;
        return this.emit('roomChanged');
      case 'topology':
        return this.#topologyEvent(frame);
      case 'ice_servers':
        this.#iceServers = frame.ice_servers;
        return this.#links.renewConfiguration();
      case 'token':
        this.#token = frame.token;
    }
  }

  /** @param {import('./protocol.js').ChatEvent} event */
  #chat(event) {
    const from = this.#roster.participant(event.from);
    /** @type {ChatMessage} */
    const message = {
      from,
      fromId: event.from,
      fromName: from?.name ?? '',
      text: event.text,
      at: new Date(event.at_ms),
      isPrivate: event.private,
    };
    this.messages.push(message);
    this.emit('chatReceived', message);
  }

  /** @param {string | null} from @param {Uint8Array} bytes @param {string} topic */
  #data(from, bytes, topic) {
    const participant = from === null ? undefined : this.#roster.remotes.get(from);
    this.emit('dataReceived', bytes, participant, topic);
  }

  /** @param {import('./protocol.js').Quality} event */
  #quality({ participant: id, quality }) {
    const participant = this.#roster.participant(id);
    if (!participant || participant.connectionQuality === quality) return;
    participant.connectionQuality = quality;
    this.emit('connectionQualityChanged', quality, participant);
  }

  /** @param {import('./protocol.js').Delivery} event */
  #delivery(event) {
    const mix = this.mix;
    if (mix?.video.id !== event.track) return this.#roster.deliveryEvent(event);
    mix.video.setDelivery(deliveryOf(event));
    this.emit('mixDeliveryChanged', mix);
  }

  /** @param {import('./protocol.js').TopologyEvent} event */
  #topologyEvent(event) {
    this.#links.moved(event.epoch);
    if (event.phase !== 'commit') return;
    this.#topology = event.kind;
    this.#epoch = event.epoch;
    this.#speakers.restart();
    if (event.kind !== 'sfu') this.#roster.forgetDeliveries();
    if (event.kind === 'mesh') this.#mixes.apply(undefined);
    this.emit('topologyChanged', event.kind, event);
  }
}
