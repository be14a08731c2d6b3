// The steps of a check, in their order. Each writes into the findings, and is judged by them.

import { gather, later, urlsOf } from './candidates.js';
import { hasSound, tryDevices } from './devices.js';
import * as judge from './judge.js';
import { load, ping } from './measure.js';
import { natKind } from './nat.js';
import { tryRelay } from './relay.js';
import { askServer, trySignaling } from './signaling.js';

/**
 * @typedef {import('./types.js').Findings} Findings
 * @typedef {import('./types.js').Judgement} Judgement
 * @typedef {import('./types.js').ServerFinding} ServerFinding
 * @typedef {import('./types.js').Transport} Transport
 * @typedef {import('/sdk/index.js').LocalTrack} LocalTrack
 * @typedef {'camera'|'microphone'|'signaling'|'addresses'|'nat'|Transport|'trip'|'speed'} StepName
 */

/** @type {{name: 'devices'|'network'|'relay', steps: StepName[]}[]} */
export const GROUPS = [
  { name: 'devices', steps: ['camera', 'microphone'] },
  { name: 'network', steps: ['signaling', 'addresses', 'nat'] },
  { name: 'relay', steps: ['udp', 'tcp', 'tls', 'trip', 'speed'] },
];

export const STEPS = GROUPS.flatMap(({ steps }) => steps);

const TRANSPORTS = /** @type {const} */ (['udp', 'tcp', 'tls']);

/** How long the network waits for the person to answer the browser's question. */
const ANSWER_MS = 10_000;
const PINGS = 25;
const PING_PAUSE_MS = 20;
/** Long enough to be seen as a step of its own. */
const PACE_MS = 250;

export class Check {
  /** @type {Findings} */
  findings = { relay: {} };
  #onStep;
  #onTracks;
  #token;
  /** @type {LocalTrack[]} */
  #tracks = [];
  /** @type {Partial<Record<Transport, import('./relay.js').RelayPair>>} */
  #pairs = {};
  #isOver = false;

  /**
   * @param {object} options
   * @param {string} options.token
   * @param {(name: StepName, judgement: Judgement) => void} options.onStep
   * @param {(tracks: LocalTrack[]) => void} options.onTracks camera and microphone, while they are open
   */
  constructor({ token, onStep, onTracks }) {
    this.#token = token;
    this.#onStep = onStep;
    this.#onTracks = onTracks;
  }

  /** Never throws: what breaks is a finding. @returns {Promise<Findings>} */
  async run() {
    try {
      const devices = this.#devices();
      await Promise.race([devices, later(ANSWER_MS)]);
      await this.#network();
      await this.#relays();
      await this.#figures();
      await Promise.race([devices, later(0)]);
    } finally {
      this.#end();
    }
    return this.findings;
  }

  async #devices() {
    this.#start('camera');
    this.#start('microphone');
    const { tracks, camera, microphone } = await tryDevices();
    if (this.#isOver) return stop(tracks);
    this.#tracks = tracks;
    this.#onTracks(tracks);
    this.findings.camera = camera;
    this.#say('camera', judge.judgeDevice('camera', camera));
    const sound = tracks.find((track) => track.source === 'microphone');
    if (sound && !(await hasSound(sound))) microphone.problem = 'silent';
    if (this.#isOver) return;
    this.findings.microphone = microphone;
    this.#say('microphone', judge.judgeDevice('microphone', microphone));
  }

  async #network() {
    const { findings } = this;
    this.#start('signaling');
    const [server, signaling] = await Promise.all([askServer(this.#token), trySignaling(), later(PACE_MS)]);
    Object.assign(findings, { server, signaling });
    this.#say('signaling', judge.judgeSignaling(findings));

    this.#start('addresses');
    this.#start('nat');
    [findings.gathering] = await Promise.all([gather(server.servers), later(PACE_MS)]);
    this.#say('addresses', judge.judgeAddresses(findings));
    const stun = urlsOf(server.servers).filter((url) => url.startsWith('stun:'));
    findings.nat = natKind(findings.gathering, stun);
    this.#say('nat', server.problem ? { state: 'skipped', say: 'check.nat.unasked' } : judge.judgeNat(findings));
  }

  async #relays() {
    const { findings } = this;
    const server = /** @type {ServerFinding} */ (findings.server);
    for (const transport of TRANSPORTS) {
      this.#start(transport);
      const tcp = findings.relay.tcp?.outcome ?? 'absent';
      const tcpAnswers = ['open', 'reached', 'refused', 'stuck'].includes(tcp);
      const [{ finding, pair }] = await Promise.all([tryRelay(server, transport, tcpAnswers), later(PACE_MS)]);
      findings.relay[transport] = finding;
      if (pair) this.#pairs[transport] = pair;
      this.#say(transport, judge.judgeRelay(transport, findings));
    }
  }

  /** Of the best relay: that is the one a call would use. */
  async #figures() {
    const { findings } = this;
    const via = TRANSPORTS.find((transport) => this.#pairs[transport]);
    const pair = via && this.#pairs[via];
    this.#start('trip');
    findings.trip = pair ? { via, ...(await ping(pair.pings, PINGS, PING_PAUSE_MS)) } : null;
    this.#say('trip', judge.judgeTrip(findings));
    this.#start('speed');
    findings.speed = pair ? { via, ...(await load(pair)) } : null;
    this.#say('speed', judge.judgeSpeed(findings));
  }

  #end() {
    this.#isOver = true;
    for (const pair of Object.values(this.#pairs)) pair.close();
    stop(this.#tracks);
    this.#onTracks([]);
    for (const source of /** @type {const} */ (['camera', 'microphone'])) {
      if (this.findings[source]) continue;
      this.findings[source] = { problem: 'unanswered', label: '' };
      this.#say(source, judge.judgeDevice(source, { problem: 'unanswered', label: '' }));
    }
  }

  /** @param {StepName} name */
  #start(name) {
    this.#onStep(name, { state: 'running', say: '' });
  }

  /** @param {StepName} name @param {Judgement} judgement */
  #say(name, judgement) {
    this.#onStep(name, judgement);
  }
}

/** @param {LocalTrack[]} tracks */
function stop(tracks) {
  for (const track of tracks) track.stop();
}
