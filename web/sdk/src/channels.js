// The two data channels of a link, and the framing that gives bytes a topic.

/**
 * @typedef {(bytes: Uint8Array, topic: string, sender: string | null) => void} DataHandler the
 *   sender's id where a server says it; null on links to a participant
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

/**
 * To a server: for whom it is, then the frame. One byte n (0: for everyone), n times one byte of
 * length and a participant's id.
 * @param {Uint8Array} framed
 * @param {string[]} to participants' ids, 255 at most
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function address(framed, to) {
  if (to.length > 255) throw new RangeError('a message goes to 255 participants at most, or to all');
  const ids = to.map((id) => new TextEncoder().encode(id));
  const head = [ids.length, ...ids.flatMap((id) => [id.length, ...id])];
  const message = new Uint8Array(head.length + framed.length);
  if (message.length > MESSAGE_BYTES_MAX) {
    throw new RangeError(`a message has at most ${MESSAGE_BYTES_MAX} bytes, its topic and receivers included`);
  }
  message.set(head);
  message.set(framed, head.length);
  return message;
}

/**
 * From a server: one byte of length, the sender's id, the frame.
 * @param {Uint8Array} message
 * @returns {{ sender: string, framed: Uint8Array } | null} null for what is no such message
 */
export function signed(message) {
  const length = message[0];
  if (!length || message.length < 1 + length) return null;
  return { sender: new TextDecoder().decode(message.subarray(1, 1 + length)), framed: message.subarray(1 + length) };
}

export class Channels {
  #reliable;
  #lossy;
  #isServer;

  /**
   * Both ends make them alike, so that none has to be announced (RFC 8832 is not needed).
   * @param {RTCPeerConnection} connection
   * @param {boolean} isServer whether a server passes the messages on
   * @param {DataHandler} onData
   */
  constructor(connection, isServer, onData) {
    this.#isServer = isServer;
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
        this.#receive(new Uint8Array(event.data), onData);
      };
    }
  }

  /** @param {Uint8Array} received @param {DataHandler} onData */
  #receive(received, onData) {
    const from = this.#isServer ? signed(received) : { sender: null, framed: received };
    const message = from && unframe(from.framed);
    if (message) onData(message.bytes, message.topic, from.sender);
  }

  /** Whether bytes sent now go out by the link. */
  get isOpen() {
    return this.#reliable.readyState === 'open';
  }

  /**
   * @param {Uint8Array<ArrayBuffer>} framed
   * @param {boolean} reliable
   * @param {string[]} to for whom, where a server passes it on; empty: for everyone
   * @returns {boolean} false when the channel can't take it
   */
  send(framed, reliable, to) {
    const channel = reliable ? this.#reliable : this.#lossy;
    if (channel.readyState !== 'open') return false;
    if (channel.bufferedAmount > (reliable ? RELIABLE_BUFFER : LOSSY_BUFFER)) return !reliable;
    channel.send(this.#isServer ? address(framed, to) : framed);
    return true;
  }
}
