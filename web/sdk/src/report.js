// The numbers of all links, for the page and, every 2 s, for the server.

/**
 * @typedef {import('./link.js').Link} Link
 * @typedef {import('./stats.js').LinkNumbers} LinkNumbers
 * @typedef {import('./protocol.js').LinkStats} LinkStats
 * @typedef {import('./protocol.js').ClientFrame} ClientMessage
 * @typedef {import('./protocol.js').Topology} Topology
 */

const REPORT_MS = 2000;

/** @param {Link} link @param {LinkNumbers} numbers @returns {LinkStats} */
function forServer(link, numbers) {
  return {
    link: link.id,
    up_bps: Math.round(numbers.upBps),
    down_bps: Math.round(numbers.downBps),
    ...(numbers.path !== null ? { path: numbers.path } : {}),
    ...(numbers.rttMs !== null ? { rtt_ms: numbers.rttMs } : {}),
    ...(numbers.lossDown !== null ? { loss_down: numbers.lossDown } : {}),
    ...(numbers.lossUp !== null ? { loss_up: numbers.lossUp } : {}),
    ...(numbers.availableUpBps !== null ? { available_up_bps: Math.round(numbers.availableUpBps) } : {}),
  };
}

/**
 * Streams up and down that this client and the server hold, by the shape of the room.
 * @param {Topology} topology
 * @param {number} links open ones of this client
 * @param {number} people
 * @param {boolean} [isMixed] whether the server mixes for this client
 */
export function countStreams(topology, links, people, isMixed = false) {
  switch (topology) {
    case 'mesh':
      return { uplinks: links, downlinks: links, server: { uplinks: 0, downlinks: 0 } };
    case 'sfu':
      return {
        uplinks: links,
        downlinks: isMixed ? links : people - 1,
        server: {
          uplinks: isMixed ? (people - 1) ** 2 + links : people * (people - 1),
          downlinks: people,
        },
      };
    case 'mcu':
      return { uplinks: links, downlinks: links, server: { uplinks: people, downlinks: people } };
  }
}

/**
 * @param {Iterable<Link>} links
 */
export async function linkReports(links) {
  return Promise.all(
    [...links].map(async (link) => {
      const numbers = await link.sample();
      const { id, kind, peer, state, limit, quality } = link;
      return { id, kind, peer, state, limit, quality, ...numbers };
    }),
  );
}

export class Reporter {
  #links;
  #send;
  #measured;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /**
   * @param {() => Iterable<Link>} links
   * @param {(message: ClientMessage) => void} send
   * @param {() => void} measured
   */
  constructor(links, send, measured) {
    this.#measured = measured;
    this.#links = links;
    this.#send = send;
  }

  start() {
    this.#timer ??= setInterval(() => this.#report(), REPORT_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #report() {
    const links = [...this.#links()].filter((link) => link.state !== 'closed');
    if (links.length === 0) return;
    const reports = await Promise.all(links.map(async (link) => forServer(link, await link.sample())));
    this.#send({ t: 'stats', links: reports });
    this.#measured();
  }
}
