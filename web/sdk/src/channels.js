// The two data channels of a link, and the framing that gives bytes a topic.

/**
 * @typedef {(bytes: Uint8Array, topic: string) => void} DataHandler
 */

export const MESSAGE_BYTES_MAX = 64 * 1024;
const TOPIC_BYTES_MAX = 64;
// Past this, what may be lost is; past that, what may not be lost is refused.
const LOSSY_BUFFER = 256 * 1024;
const RELIABLE_BUFFER = 8 * 1024 * 1024;

/**
 * One byte of length, the topic in UTF-8, the bytes.
 * @param {Uint8Array} bytes
 * @param {string} topic at most 64 bytes
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function frame(bytes, topic) {
  const name = new TextEncoder().encode(topic);
  if (name.length > TOPIC_BYTES_MAX) throw new RangeError(`a topic has at most ${TOPIC_BYTES_MAX} bytes`);
  const framed = new Uint8Array(1 + name.length + bytes.length);
  if (framed.length > MESSAGE_BYTES_MAX) throw new RangeError(`a message has at most ${MESSAGE_BYTES_MAX} bytes`);
  framed[0] = name.length;
  framed.set(name, 1);
  framed.set(bytes, 1 + name.length);
  return framed;
}

/**
 * @param {Uint8Array} framed
 * @returns {{ bytes: Uint8Array, topic: string } | null} null for what is no frame
 */
export function unframe(framed) {
  const length = framed[0];
  if (length === undefined || length > TOPIC_BYTES_MAX || framed.length < 1 + length) return null;
  const topic = new TextDecoder().decode(framed.subarray(1, 1 + length));
  return { bytes: framed.slice(1 + length), topic };
}

export class Channels {
  #reliable;
  #lossy;

  /**
   * Both ends make them alike, so that none has to be announced (RFC 8832 is not needed).
   * @param {RTCPeerConnection} connection
   * @param {DataHandler} onData
   */
  constructor(connection, onData) {
    this.#reliable = connection.createDataChannel('reliable', { negotiated: true, id: 0 });
    this.#lossy = connection.createDataChannel('lossy', {
      negotiated: true,
      id: 1,
      ordered: false,
      maxRetransmits: 0,
    });
    for (const channel of [this.#reliable, this.#lossy]) {
      channel.binaryType = 'arraybuffer';
      channel.onmessage = (event) => {
        if (!(event.data instanceof ArrayBuffer)) return;
        const message = unframe(new Uint8Array(event.data));
        if (message) onData(message.bytes, message.topic);
      };
    }
  }

  /** Whether bytes sent now go out by the link. */
  get isOpen() {
    return this.#reliable.readyState === 'open';
  }

  /**
   * @param {Uint8Array<ArrayBuffer>} framed
   * @param {boolean} reliable
   * @returns {boolean} false when the channel can't take it
   */
  send(framed, reliable) {
    const channel = reliable ? this.#reliable : this.#lossy;
    if (channel.readyState !== 'open') return false;
    if (channel.bufferedAmount > (reliable ? RELIABLE_BUFFER : LOSSY_BUFFER)) return !reliable;
    channel.send(framed);
    return true;
  }
}
