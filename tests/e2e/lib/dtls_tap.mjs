// A UDP path to the server on which the DTLS handshake can be read, because Firefox does not tell
// pages how media is encrypted. DTLS 1.2 says it in the open: ServerHello, use_srtp (RFC 5764 §4.1.1).
import dgram from 'node:dgram';

const HANDSHAKE = 22;
const SERVER_HELLO = 2;
const USE_SRTP = 14;
/** The registry of RFC 5764 §4.1.2 and RFC 7714 §14.2. */
const PROFILES = {
  0x0001: 'AES_CM_128_HMAC_SHA1_80',
  0x0002: 'AES_CM_128_HMAC_SHA1_32',
  0x0007: 'AEAD_AES_128_GCM',
  0x0008: 'AEAD_AES_256_GCM',
};

/**
 * The SRTP profile that a ServerHello in a datagram chooses, wherever in it the DTLS record begins:
 * on the way to a relay it is wrapped in TURN's framing.
 * @param {Buffer} datagram
 * @returns {string | null}
 */
export function srtpProfile(datagram) {
  for (let at = 0; at + 60 < datagram.length; at++) {
    const isRecord = datagram[at] === HANDSHAKE && datagram[at + 1] === 0xfe && datagram[at + 13] === SERVER_HELLO;
    if (!isRecord) continue;
    // Record header 13, handshake header 12, version 2, random 32, session id, cipher suite 2, compression 1.
    let place = at + 13 + 12 + 2 + 32;
    place += 1 + datagram[place] + 2 + 1;
    const end = place + 2 + datagram.readUInt16BE(place);
    for (place += 2; place + 4 <= end; place += 4 + datagram.readUInt16BE(place + 2)) {
      if (datagram.readUInt16BE(place) !== USE_SRTP) continue;
      const profile = datagram.readUInt16BE(place + 6);
      return PROFILES[profile] ?? `0x${profile.toString(16)}`;
    }
  }
  return null;
}

export class DtlsTap {
  /** The profiles chosen by the server so far. @type {string[]} */
  profiles = [];
  #front = dgram.createSocket('udp4');
  /** By the client's port, so that its answers find back. @type {Map<number, dgram.Socket>} */
  #backs = new Map();
  #target;

  /** @param {number} target the UDP port on this machine that it leads to */
  static async start(target) {
    const tap = new DtlsTap();
    tap.#target = target;
    tap.#front.on('message', (data, from) => tap.#back(from).send(data, target, '127.0.0.1'));
    await new Promise((resolve) => tap.#front.bind(0, '127.0.0.1', resolve));
    return tap;
  }

  /** The port to use in place of the target's. */
  get port() {
    return this.#front.address().port;
  }

  /** @param {dgram.RemoteInfo} from */
  #back(from) {
    const known = this.#backs.get(from.port);
    if (known) return known;
    const back = dgram.createSocket('udp4');
    this.#backs.set(from.port, back);
    back.on('message', (data) => {
      const profile = srtpProfile(data);
      if (profile) this.profiles.push(profile);
      this.#front.send(data, from.port, from.address);
    });
    return back;
  }

  stop() {
    for (const socket of [this.#front, ...this.#backs.values()]) socket.close();
  }
}

/**
 * Runs in the page before its scripts: relays are reached by way of the tap.
 * @param {{ from: number, to: number }} ports
 */
export function leadThroughTap({ from, to }) {
  const Native = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Native {
    constructor(configuration) {
      const moved = (configuration.iceServers ?? []).map((server) => ({
        ...server,
        urls: [server.urls].flat().map((url) => url.replace(`:${from}`, `:${to}`)),
      }));
      super({ ...configuration, iceServers: moved });
    }
  };
}
