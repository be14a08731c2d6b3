// Stand-ins for what a browser has and node has not.

/** A WebSocket whose other end is the test. */
export class FakeWebSocket {
  /** @type {FakeWebSocket[]} */
  static made = [];
  sent = [];
  closed = false;

  constructor(url, protocol) {
    this.url = url;
    this.protocol = protocol;
    FakeWebSocket.made.push(this);
  }

  static get last() {
    return FakeWebSocket.made.at(-1);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.closed = true;
  }

  /** The server accepts. */
  open() {
    this.onopen?.();
  }

  /** The server says something. */
  say(message) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  /** The network breaks. */
  break() {
    this.onclose?.({ code: 1006 });
  }

  of(t) {
    return this.sent.filter((message) => message.t === t);
  }
}

export class FakeStorage {
  map = new Map();
  getItem(key) {
    return this.map.get(key) ?? null;
  }
  setItem(key, value) {
    this.map.set(key, value);
  }
  removeItem(key) {
    this.map.delete(key);
  }
}

/** As much of a PeerConnection as a negotiation touches. */
export class FakePeerConnection extends EventTarget {
  signalingState = 'stable';
  calls = [];
  candidates = [];
  #offers = 0;

  async createOffer(options) {
    this.calls.push(['createOffer', options]);
    return { type: 'offer', sdp: `offer ${++this.#offers}` };
  }

  async createAnswer() {
    return { type: 'answer', sdp: 'answer' };
  }

  async setLocalDescription(description) {
    this.calls.push(['local', description.type]);
    this.signalingState = description.type === 'offer' ? 'have-local-offer' : 'stable';
  }

  async setRemoteDescription(description) {
    this.calls.push(['remote', description.type, description.sdp]);
    this.signalingState = description.type === 'offer' ? 'have-remote-offer' : 'stable';
  }

  async addIceCandidate(candidate) {
    this.candidates.push(candidate.candidate);
  }
}

/** A PeerConnection for whole rooms: transceivers and channels, and mids as an offer gives them. */
export class FakeRoomConnection extends FakePeerConnection {
  /** @type {FakeRoomConnection[]} */
  static made = [];
  connectionState = 'new';
  iceConnectionState = 'new';
  channels = [];
  transceivers = [];
  closed = false;

  constructor(configuration) {
    super();
    this.configuration = configuration;
    FakeRoomConnection.made.push(this);
  }

  createDataChannel(label, options) {
    const channel = {
      label,
      ...options,
      readyState: 'connecting',
      bufferedAmount: 0,
      sent: [],
      send: (bytes) => channel.sent.push(bytes),
    };
    this.channels.push(channel);
    return channel;
  }

  addTransceiver(what, { direction = 'sendrecv', rids } = {}) {
    const track = typeof what === 'string' ? null : what;
    const kind = track?.kind ?? what;
    const sender = {
      track,
      replaceTrack: async (next) => {
        sender.track = next;
      },
      getParameters: () => ({ encodings: (rids ?? [undefined]).map((rid) => (rid ? { rid } : {})) }),
      setParameters: async (parameters) => {
        sender.encodings = parameters.encodings;
        sender.encoding = parameters.encodings[0];
      },
    };
    const transceiver = { mid: null, direction, sender, receiver: { track: { kind } } };
    this.transceivers.push(transceiver);
    return transceiver;
  }

  getTransceivers() {
    return this.transceivers;
  }

  async setLocalDescription(description) {
    await super.setLocalDescription(description);
    this.transceivers.forEach((transceiver, index) => (transceiver.mid ??= String(index)));
  }

  /** An offer makes the transceivers that it names, with the encodings that it asks for. */
  async setRemoteDescription(description) {
    await super.setRemoteDescription(description);
    if (description.type !== 'offer') return;
    for (const [, kind, lines] of description.sdp.matchAll(/^m=(audio|video)(.*?)(?=^m=|$(?![^]))/gms)) {
      const mid = /^a=mid:(\S+)/m.exec(lines)[1];
      if (this.transceivers.some((each) => each.mid === mid)) continue;
      const rids = /^a=simulcast:recv (\S+)/m.exec(lines)?.[1].split(';');
      const transceiver = this.addTransceiver(kind, { direction: 'recvonly', rids });
      transceiver.mid = mid;
      transceiver.receiver.track.muted = true;
    }
  }

  async getStats() {
    return new Map();
  }

  become(state) {
    this.connectionState = state;
    this.dispatchEvent(new Event('connectionstatechange'));
  }

  close() {
    this.closed = true;
  }
}

/**
 * As much of a server's offer as the SDK reads: the direction is the server's.
 * @param {{ mid: string, kind: string, direction: string, rids?: string[] }[]} sections
 */
export function serverOffer(sections) {
  const lines = sections.flatMap(({ mid, kind, direction, rids }) => [
    `m=${kind} 9 UDP/TLS/RTP/SAVPF 96`,
    `a=mid:${mid}`,
    `a=${direction}`,
    ...(rids ? [...rids.map((rid) => `a=rid:${rid} recv`), `a=simulcast:recv ${rids.join(';')}`] : []),
  ]);
  return ['v=0', ...lines, ''].join('\r\n');
}

/** @param {'audio' | 'video'} kind */
export function media(kind) {
  return Object.assign(new EventTarget(), {
    kind,
    enabled: true,
    readyState: 'live',
    getSettings: () => (kind === 'video' ? { width: 1280, height: 720, deviceId: 'camera' } : { deviceId: 'mic' }),
    stop() {
      this.readyState = 'ended';
    },
  });
}

/** Puts the stand-ins where a browser has the real ones. */
export function browser() {
  FakeWebSocket.made = [];
  FakeRoomConnection.made = [];
  globalThis.WebSocket = FakeWebSocket;
  globalThis.RTCPeerConnection = FakeRoomConnection;
  globalThis.MediaStream = class {};
}

/** Lets everything that is only waiting for promises happen. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

export function welcome(more = {}) {
  return {
    t: 'welcome',
    version: 1,
    session: 's_one',
    secret: 'first',
    last_s: 0,
    self: participant('p_me'),
    room: { name: 'yard', locked: false, codecs: { audio: ['OPUS'], video: ['VP8'] } },
    participants: [],
    topology: 'mesh',
    epoch: 0,
    links: [],
    ice_servers: [],
    limits: {
      frame_bytes: 65536,
      chat_bytes: 4096,
      data_bytes: 32768,
      messages_per_second: 50,
      message_burst: 100,
      tracks: 8,
      participants: 50,
    },
    ping_interval_ms: 15000,
    resume_grace_ms: 60000,
    ...more,
  };
}

export function participant(id, more = {}) {
  return {
    id,
    identity: id,
    name: id,
    role: 'participant',
    presence: 'present',
    hand: false,
    order: 1,
    tracks: [],
    ...more,
  };
}

export function track(id, more = {}) {
  return { id, cid: `cid-${id}`, kind: 'video', source: 'camera', muted: false, simulcast: false, ...more };
}

let now = 0;
let lastTimer = 0;
/** @type {Map<number, { at: number, every?: number, work: () => void }>} */
const timers = new Map();

/**
 * Time stands still until `passTime`. Our own, because Node 18's mocked timers miss some.
 * @param {import('node:test').TestContext} t
 * @param {('setTimeout' | 'setInterval')[]} apis
 */
export function stopTime(t, apis) {
  const { setTimeout, setInterval, clearTimeout, clearInterval } = globalThis;
  t.after(() => {
    Object.assign(globalThis, { setTimeout, setInterval, clearTimeout, clearInterval });
    timers.clear();
  });
  for (const api of apis) {
    globalThis[api] = (work, delay = 0, ...args) => {
      const every = api === 'setInterval' ? Math.max(1, delay) : undefined;
      timers.set(++lastTimer, { at: now + (every ?? delay), every, work: () => work(...args) });
      return lastTimer;
    };
    globalThis[api.replace('set', 'clear')] = (timer) => timers.delete(timer);
  }
}

/** Lets time pass, and everything happen that is due. @param {number} ms */
export function passTime(ms) {
  const end = now + ms;
  for (;;) {
    const due = [...timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
    if (!due) break;
    const [id, timer] = due;
    now = timer.at;
    if (timer.every) timer.at += timer.every;
    else timers.delete(id);
    timer.work();
  }
  now = end;
}
