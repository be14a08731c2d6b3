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
