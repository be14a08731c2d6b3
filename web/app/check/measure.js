// Measures a relay by a data channel through it: how long, and how much.

/**
 * @typedef {import('./relay.js').RelayPair} RelayPair
 * @typedef {import('./types.js').SpeedFinding} SpeedFinding
 */

const LOST_MS = 1500;

/** No more than a good call of many people takes: whoever runs the server, or pays for this line, is to feel nothing. */
export const MOST_MBIT = 20;
const LOAD_MS = 3000;
/** The first part is left out: a channel begins slowly. */
const WARM_UP_MS = 800;
const CHUNK = 8 * 1024;
/** What may wait in the browser, so that nothing is sent long after the end. */
const WAITING = 128 * 1024;
const TICK_MS = 10;

/**
 * Asks, waits for the answer, asks again. Each question passes the relay twice, there and back:
 * half its time is the way to the relay and back.
 * @param {RTCDataChannel} channel
 * @param {number} count
 * @param {number} [pauseMs]
 */
export async function ping(channel, count, pauseMs = 0) {
  /** @type {number[]} */
  const times = [];
  for (let i = 0; i < count; i += 1) {
    const time = await askOnce(channel, `${i}`);
    if (time !== null) times.push(time / 2);
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return { medianMs: median(times), worstMs: Math.max(0, ...times), sent: count, lost: count - times.length };
}

/** @param {RTCDataChannel} channel @param {string} word @returns {Promise<number|null>} */
function askOnce(channel, word) {
  return new Promise((resolve) => {
    const start = performance.now();
    const done = (/** @type {number|null} */ time) => {
      clearTimeout(timer);
      channel.removeEventListener('message', hear);
      resolve(time);
    };
    const hear = (/** @type {MessageEvent} */ { data }) => {
      if (data === word) done(performance.now() - start);
    };
    const timer = setTimeout(() => done(null), LOST_MS);
    channel.addEventListener('message', hear);
    if (channel.readyState === 'open') channel.send(word);
    else done(null);
  });
}

/** @param {number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

/**
 * Sends through the relay for three seconds, at MOST_MBIT at most. The same bytes go up and come
 * back down, so the narrower way decides.
 * @param {RelayPair} pair
 * @returns {Promise<Omit<SpeedFinding, 'via'>>}
 */
export async function load(pair) {
  const { load: channel } = pair;
  /** @type {{at: number, bytes: number}[]} */
  const arrived = [];
  let bytes = 0;
  pair.onLoad = (size) => {
    bytes += size;
    arrived.push({ at: performance.now(), bytes: size });
  };
  await send(channel);
  pair.onLoad = () => {};
  const mbit = rate(arrived);
  return { mbit, isMore: mbit > MOST_MBIT * 0.9, bytes };
}

/** @param {{at: number, bytes: number}[]} arrived @returns {number} Mbit/s */
export function rate(arrived) {
  const first = arrived[0]?.at ?? 0;
  const counted = arrived.filter(({ at }) => at >= first + WARM_UP_MS);
  const from = counted[0]?.at ?? 0;
  const seconds = ((counted.at(-1)?.at ?? 0) - from) / 1000;
  // The first one opens the interval, it does not fall into it.
  const bytes = counted.slice(1).reduce((sum, each) => sum + each.bytes, 0);
  return seconds > 0 ? (bytes * 8) / seconds / 1e6 : 0;
}

/** @param {RTCDataChannel} channel @returns {Promise<void>} */
function send(channel) {
  const chunk = new Uint8Array(CHUNK);
  const perMs = (MOST_MBIT * 1e6) / 8 / 1000;
  const start = performance.now();
  let sent = 0;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const passed = performance.now() - start;
      if (passed >= LOAD_MS || channel.readyState !== 'open') {
        clearInterval(timer);
        resolve();
        return;
      }
      const due = passed * perMs;
      while (sent + CHUNK <= due && channel.bufferedAmount < WAITING) {
        channel.send(chunk);
        sent += CHUNK;
      }
      // What the line could not take is not made up for later: that would be more than the most.
      if (channel.bufferedAmount >= WAITING) sent = Math.max(sent, due - WAITING);
    }, TICK_MS);
  });
}
