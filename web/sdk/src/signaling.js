// The signaling session: one WebSocket after another, made to look like one that never breaks.

import { SignalingError } from './errors.js';
import { Outbox } from './outbox.js';

/**
 * @typedef {import('./protocol.js').Hello} Hello
 * @typedef {import('./protocol.js').Welcome} Welcome
 * @typedef {import('./protocol.js').ClientFrame} ClientMessage
 * @typedef {import('./protocol.js').ServerFrame} ServerFrame
 * @typedef {import('./protocol.js').Done} Done
 * @typedef {import('./resume_store.js').ResumeStore} ResumeStore
 *
 * @typedef {object} SignalingHandlers
 * @property {() => Omit<Hello, 'resume'>} hello what to say first on a connection
 * @property {(welcome: Welcome, fresh: boolean) => void} welcome fresh: not the session there was before
 * @property {() => void} resumed the session goes on, missed events follow
 * @property {(frame: ServerFrame) => void} event
 * @property {() => void} interrupted the connection broke and is being made anew
 * @property {(end: { code: string, message: string }) => void} ended it is over
 */

const SUBPROTOCOL = 'madang.v1';
const BACKOFF_MS = 200;
const BACKOFF_MAX_MS = 2000;
const ANSWER_MS = 5000;
const PONG_MS = 10_000;
const NUDGE_PONG_MS = 2000;
const ACK_MS = 1000;
const ACK_EVENTS = 32;
const FIRST_ATTEMPTS = 4;
// A laptop opened the next morning does not walk back into the meeting by itself.
const GIVE_UP_MS = 10 * 60_000;
// Refusals after which the same session can be taken up again.
const PASSING = new Set(['slow_consumer', 'rate_limited', 'server_draining', 'internal']);
// What still means the same in a new session.
const isTimeless = (/** @type {ClientMessage} */ message) =>
  (message.t === 'chat' || message.t === 'data') && (message.to ?? []).length === 0;

/**
 * The address of the WebSocket, from a page's, a server's or its own.
 * @param {string} url
 * @returns {string}
 */
export function signalingUrl(url) {
  const parsed = new URL(url, globalThis.location?.href);
  parsed.protocol = parsed.protocol.replace(/^http/, 'ws');
  if (parsed.pathname === '/' || parsed.pathname === '') parsed.pathname = '/v1/ws';
  parsed.hash = '';
  return parsed.href;
}

export class Signaling {
  #url;
  #handlers;
  #store;
  #outbox = new Outbox((frame) => this.#socket?.send(JSON.stringify(frame)));
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {'idle' | 'hello' | 'ready' | 'waiting' | 'closed'} */
  #phase = 'idle';
  /** @type {import('./resume_store.js').Ticket | null} */
  #ticket = null;
  // Whether this page has the state that `#lastS` stands for.
  #established = false;
  #lastS = 0;
  #ackedS = 0;
  /** The last request that the server says it has had. @type {number | undefined} */
  #handledId;
  #attempt = 0;
  #lostAt = 0;
  #heardAt = 0;
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */
  #timers = new Map();
  /** @type {{ resolve: () => void, reject: (error: Error) => void } | null} */
  #first = null;
  #onOnline = () => this.nudge();

  /**
   * @param {string} url
   * @param {ResumeStore} store
   * @param {SignalingHandlers} handlers
   */
  constructor(url, store, handlers) {
    this.#url = signalingUrl(url);
    this.#store = store;
    this.#handlers = handlers;
  }

  /** Whether messages reach the server at this moment. */
  get isReady() {
    return this.#phase === 'ready';
  }

  /**
   * @returns {Promise<void>} done when the first welcome has been handled
   */
  connect() {
    this.#ticket = this.#store.inherited();
    globalThis.addEventListener?.('online', this.#onOnline);
    return new Promise((resolve, reject) => {
      this.#first = { resolve, reject };
      this.#dial();
    });
  }

  /**
   * A request; it waits for a connection, and outlives a broken one.
   * @param {ClientMessage} message
   * @returns {Promise<Done>}
   */
  request(message) {
    if (this.#phase === 'closed') return Promise.reject(new SignalingError('closed', 'The room has been left.'));
    return this.#outbox.push(message);
  }

  /**
   * A request whose refusal nobody needs to hear of.
   * @param {ClientMessage} message
   */
  send(message) {
    this.request(message).catch(() => {});
  }

  /**
   * A message that is worth nothing later.
   * @param {ClientMessage} message
   */
  sendVolatile(message) {
    this.#outbox.pushVolatile(message);
  }

  /** The network may have changed: look whether the connection lives, or try again at once. */
  nudge() {
    if (this.#phase === 'waiting') this.#dial();
    else if (this.#phase === 'ready') this.#ping(NUDGE_PONG_MS);
  }

  /** Says goodbye and ends for good. */
  leave() {
    this.#outbox.pushVolatile({ t: 'leave' });
    this.#close();
  }

  #close() {
    this.#phase = 'closed';
    this.#store.clear();
    this.#outbox.pause();
    this.#outbox.drop(() => true, new SignalingError('closed', 'The room has been left.'));
    globalThis.removeEventListener?.('online', this.#onOnline);
    this.#hangUp();
  }

  /** @param {string} name @param {number} ms @param {() => void} action */
  #after(name, ms, action) {
    clearTimeout(this.#timers.get(name));
    this.#timers.set(name, setTimeout(action, ms));
  }

  #hangUp() {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
  }

  #dial() {
    this.#hangUp();
    this.#phase = 'hello';
    /** @type {WebSocket} */
    let socket;
    try {
      socket = new WebSocket(this.#url, SUBPROTOCOL);
    } catch (error) {
      this.#end(new SignalingError('unreachable', String(error), { fatal: true }));
      return;
    }
    this.#socket = socket;
    this.#after('answer', ANSWER_MS, () => this.#lost());
    const current = (/** @type {() => void} */ action) => () => {
      if (this.#socket === socket) action();
    };
    socket.onopen = current(() => this.#sayHello());
    socket.onclose = current(() => this.#lost());
    socket.onmessage = (event) => {
      if (this.#socket === socket) this.#receive(event.data);
    };
  }

  #sayHello() {
    /** @type {Hello} */
    const hello = { ...this.#handlers.hello() };
    if (this.#ticket) {
      hello.resume = { ...this.#ticket };
      if (this.#established) hello.resume.last_s = this.#lastS;
    }
    this.#socket?.send(JSON.stringify({ t: 'hello', ...hello }));
  }

  /** @param {unknown} data */
  #receive(data) {
    this.#heardAt = performance.now();
    /** @type {ServerFrame} */
    let frame;
    try {
      frame = JSON.parse(String(data));
    } catch {
      return;
    }
    switch (frame.t) {
      case 'welcome':
        return this.#welcomed(frame);
      case 'resumed':
        return this.#resumed(frame);
      case 'ok':
        if (frame.re !== undefined) this.#outbox.settle(frame.re, frame);
        return;
      case 'error':
        return this.#refused(frame);
      case 'bye':
        return this.#bye(frame);
      case 'pong':
        return;
      default:
        this.#event(frame);
    }
  }

  /** @param {ServerFrame} frame */
  #event(frame) {
    if (this.#phase !== 'ready') return;
    if (frame.s !== undefined) {
      if (frame.s <= this.#lastS) return; // replayed, and known already
      if (frame.s > this.#lastS + 1) return this.#lost(); // a gap: have it replayed
      this.#lastS = frame.s;
      this.#acknowledge();
    }
    this.#handlers.event(frame);
  }

  #acknowledge() {
    if (this.#lastS - this.#ackedS >= ACK_EVENTS) this.#ack();
    else if (!this.#timers.has('ack')) this.#after('ack', ACK_MS, () => this.#ack());
  }

  #ack() {
    clearTimeout(this.#timers.get('ack'));
    this.#timers.delete('ack');
    this.#ackedS = this.#lastS;
    this.sendVolatile({ t: 'ack', s: this.#lastS });
  }

  /** @param {ServerFrame & { t: 'welcome' }} welcome */
  #welcomed(welcome) {
    const fresh = !this.#established || welcome.session !== this.#ticket?.session;
    if (fresh) {
      const error = new SignalingError('closed', 'The server began a new session.');
      this.#outbox.drop((message) => !isTimeless(message), error);
    }
    this.#ticket = { session: welcome.session, secret: welcome.secret };
    this.#store.save(this.#ticket);
    this.#established = true;
    this.#lastS = this.#ackedS = welcome.last_s;
    this.#outbox.setPace(welcome.limits);
    this.#ready();
    this.#pingEvery(welcome.ping_interval_ms);
    this.#handlers.welcome(welcome, fresh);
    this.#outbox.open(fresh ? undefined : this.#handledId);
    this.#first?.resolve();
    this.#first = null;
  }

  /** @param {ServerFrame & { t: 'resumed' }} resumed */
  #resumed(resumed) {
    if (!this.#ticket) return;
    this.#ticket = { session: this.#ticket.session, secret: resumed.secret };
    this.#store.save(this.#ticket);
    this.#handledId = resumed.last_id;
    if (!resumed.replay) return; // a welcome follows
    this.#ready();
    this.#pingEvery(this.#pingMs);
    this.#outbox.open(resumed.last_id);
    this.#handlers.resumed();
  }

  #ready() {
    clearTimeout(this.#timers.get('answer'));
    this.#phase = 'ready';
    this.#attempt = 0;
    this.#lostAt = 0;
  }

  #pingMs = 15_000;

  /** @param {number} ms */
  #pingEvery(ms) {
    this.#pingMs = ms;
    this.#after('ping', ms, () => {
      this.#ping(PONG_MS);
      this.#pingEvery(ms);
    });
  }

  /** @param {number} withinMs */
  #ping(withinMs) {
    const asked = performance.now();
    this.sendVolatile({ t: 'ping' });
    this.#after('pong', withinMs, () => {
      if (this.#heardAt < asked) this.#lost();
    });
  }

  /** @param {ServerFrame & { t: 'error' }} failure */
  #refused(failure) {
    const error = new SignalingError(failure.code, failure.message, {
      fatal: failure.fatal,
      retryAfterMs: failure.retry_after_ms,
    });
    if (failure.re !== undefined) this.#outbox.settle(failure.re, error);
    if (this.#phase === 'hello' && this.#ticket && failure.code === 'unauthorized') {
      // The secret is not (any more) this session's: come in as anybody else does.
      this.#forget();
      this.#dial();
    } else if (failure.fatal && PASSING.has(failure.code)) {
      this.#lost(failure.retry_after_ms);
    } else if (failure.fatal || this.#phase === 'hello') {
      this.#end(error);
    }
  }

  /** @param {ServerFrame & { t: 'bye' }} bye */
  #bye(bye) {
    if (bye.action === 'stop') {
      this.#end(new SignalingError(bye.code ?? 'closed', bye.message, { fatal: true }));
      return;
    }
    if (bye.action === 'rejoin') this.#forget();
    this.#lost(bye.retry_after_ms);
  }

  #forget() {
    this.#ticket = null;
    this.#store.clear();
  }

  /** @param {number} [waitMs] what the server asks for */
  #lost(waitMs) {
    const wasReady = this.#phase === 'ready';
    this.#hangUp();
    this.#outbox.pause();
    this.#phase = 'waiting';
    this.#lostAt ||= Date.now();
    const tries = this.#attempt++;
    const hopeless = this.#first ? tries + 1 >= FIRST_ATTEMPTS : Date.now() - this.#lostAt > GIVE_UP_MS;
    if (hopeless) {
      this.#end(new SignalingError('unreachable', 'The server can not be reached.', { fatal: true }));
      return;
    }
    const backoff = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** Math.min(tries, 10));
    // Spread out, so that a server that comes back is not met by everyone in the same instant.
    const delay = (waitMs ?? 0) + backoff * (0.5 + Math.random() / 2);
    this.#after('dial', delay, () => this.#dial());
    if (wasReady) this.#handlers.interrupted();
  }

  /** @param {SignalingError} error */
  #end(error) {
    if (this.#phase === 'closed') return;
    const first = this.#first;
    this.#first = null;
    this.#close();
    if (first) first.reject(error);
    else this.#handlers.ended({ code: error.code, message: error.message });
  }
}
