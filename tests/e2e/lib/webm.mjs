// When the frames of a WebM file are shown, read from the file itself (RFC 9559).

const CLUSTER = 0x1f43b675;
const SEGMENT = 0x18538067;
const TIMESTAMP = 0xe7;
const SIMPLE_BLOCK = 0xa3;

/** A number of variable length (RFC 8794 §4), with its marker or without. */
function number(bytes, at, keepsMarker) {
  const length = Math.clz32(bytes[at]) - 23;
  let value = keepsMarker ? bytes[at] : bytes[at] & (0xff >> length);
  for (let i = 1; i < length; i++) value = value * 256 + bytes[at + i];
  return { value, next: at + length };
}

/**
 * @param {Buffer} bytes
 * @returns {Map<number, number[]>} milliseconds from the file's beginning, of each track's frames
 */
export function frameTimes(bytes) {
  const times = new Map();
  let cluster = 0;
  for (let at = 0; at < bytes.length;) {
    const id = number(bytes, at, true);
    const size = number(bytes, id.next, false);
    // What has parts is gone into, the rest is passed over.
    at = id.value === SEGMENT || id.value === CLUSTER ? size.next : size.next + size.value;
    if (id.value === TIMESTAMP) cluster = bytes.readUIntBE(size.next, size.value);
    if (id.value === SIMPLE_BLOCK) {
      const track = bytes[size.next] & 0x7f;
      times.set(track, [...(times.get(track) ?? []), cluster + bytes.readInt16BE(size.next + 1)]);
    }
  }
  return times;
}
