// Before joining: the mirror, the microphone's line, a name, and who is inside already.

import { createLocalTracks, watchDevices } from '/sdk/index.js';

import { deviceItems, openDevices, rememberDevice } from './devices.js';
import { h, setAttr } from './dom.js';
import { bindAttribute, bindText, onLang } from './i18n.js';
import { icon, setIcon, sign } from './icons.js';
import { LevelLine } from './level_line.js';
import { toggleMenu } from './popover.js';
import { readPrefs, writePrefs } from './prefs.js';
import { whoIsInside } from './roster.js';
import { langSwitch, themeSwitch } from './switches.js';

/**
 * @typedef {import('/sdk/index.js').LocalTrack} LocalTrack
 * @typedef {import('/sdk/index.js').MediaError} MediaError
 * @typedef {'camera'|'microphone'} Source
 * @typedef {LocalTrack[] & {errors?: MediaError[]}} Opened
 * @typedef {object} Choice
 * @property {string} name
 * @property {LocalTrack[]} tracks
 * @property {Promise<Opened>} late tracks whose devices are still being opened or asked for
 */

const ROSTER_MS = 5000;

export class Prejoin {
  #options;
  /** @type {Record<Source, LocalTrack|null>} */
  #tracks = { camera: null, microphone: null };
  /** @type {Record<Source, MediaError|null>} */
  #errors = { camera: null, microphone: null };
  #asking = true;
  #isOver = false;
  #isJoining = false;
  /** @type {Promise<Opened>} what is being opened now, for a call that has begun meanwhile */
  #opening = Promise.resolve([]);
  #line = new LevelLine();
  #video = h('video', { class: 'mirror-video', autoplay: true, playsinline: true, muted: true, label: 'pre.preview' });
  #dark = h('p', { class: 'mirror-dark', t: 'pre.camera.starting' });
  #problem = h('p', { class: 'pre-problem', role: 'status', hidden: true });
  #retry = h('button', {
    class: 'button small-button',
    type: 'button',
    t: 'device.retry',
    hidden: true,
    onclick: () => this.#open(),
  });
  #inside = h('p', { class: 'pre-inside', role: 'status' });
  #nameless = h('p', { class: 'pre-nameless small-text', id: 'name-missing', role: 'alert' });
  #name = h('input', {
    class: 'field',
    id: 'name',
    type: 'text',
    maxlength: 64,
    autocomplete: 'nickname',
    placeholderKey: 'pre.name.hint',
    'aria-describedby': 'name-missing',
    oninput: () => {
      setAttr(this.#name, 'aria-invalid', null);
      this.#nameless.removeAttribute('data-t');
      this.#nameless.textContent = '';
    },
    testid: 'name',
  });
  #join = h('button', { class: 'button strong large', type: 'submit', testid: 'join', t: 'pre.join' });
  /** @type {Record<Source, HTMLButtonElement>} */
  #toggles;
  #stopWatching;
  #stopLang;
  #timer;

  /**
   * @param {object} options
   * @param {string} options.room
   * @param {string} options.token
   * @param {string} options.name
   * @param {LocalTrack[]} [options.tracks] still open from a call that has ended
   * @param {(choice: Choice) => Promise<void>} options.onJoin
   */
  constructor(options) {
    this.#options = options;
    this.#name.value = options.name;
    this.#video.muted = true;
    this.#toggles = { microphone: this.#makeToggle('microphone'), camera: this.#makeToggle('camera') };
    this.element = this.#build();
    this.#stopWatching = watchDevices(() => this.#devicesChanged());
    this.#timer = setInterval(() => void this.#askInside(), ROSTER_MS);
    this.#stopLang = onLang(() => this.#show());
    void this.#askInside();
    this.#open();
  }

  focus() {
    // On a phone the keyboard would cover half the mirror.
    if (matchMedia('(pointer: coarse)').matches) return;
    if (this.#name.value) this.#join.focus();
    else this.#name.focus();
  }

  /** Leaves the screen; tracks that were not handed over go dark. @param {{keepTracks: boolean}} how */
  destroy({ keepTracks }) {
    this.#isOver = true;
    clearInterval(this.#timer);
    this.#stopWatching();
    this.#stopLang();
    this.#line.stop();
    this.#tracks.camera?.detach(this.#video);
    if (!keepTracks) for (const track of Object.values(this.#tracks)) track?.stop();
    this.element.remove();
  }

  #build() {
    const mirror = h(
      'div',
      { class: 'mirror' },
      this.#video,
      this.#dark,
      h('div', { class: 'mirror-controls' }, this.#split('microphone'), this.#split('camera')),
    );
    const form = h(
      'form',
      { class: 'pre-form', novalidate: true, onsubmit: (/** @type {Event} */ event) => void this.#submit(event) },
      h('div', { class: 'pre-title' }, h('p', { class: 'quiet', t: 'pre.room' }), h('h1', {}, this.#options.room)),
      h(
        'div',
        { class: 'pre-field' },
        h('label', { class: 'label', for: 'name', t: 'pre.name' }),
        this.#name,
        this.#nameless,
      ),
      this.#join,
      this.#inside,
    );
    const seen = h(
      'section',
      { class: 'pre-seen' },
      mirror,
      this.#line.element,
      h('div', { class: 'pre-help' }, this.#problem, this.#retry),
    );
    const home = h('a', { class: 'pre-home', href: '/', label: 'notice.home' }, sign());
    return h(
      'main',
      { class: 'pre' },
      h('header', { class: 'pre-top' }, home, h('div', { class: 'home-switches' }, langSwitch(), themeSwitch())),
      h('div', { class: 'pre-main' }, seen, form),
    );
  }

  /** @param {Source} source */
  #makeToggle(source) {
    const button = h('button', {
      class: 'round',
      type: 'button',
      testid: source === 'camera' ? 'pre-camera' : 'pre-mic',
      onclick: () => void this.#toggle(source),
    });
    button.append(icon(source === 'camera' ? 'camera' : 'mic'));
    return button;
  }

  /** A button that turns a device on and off, and one beside it that chooses. @param {Source} source */
  #split(source) {
    const kind = source === 'camera' ? 'videoinput' : 'audioinput';
    const chooser = h('button', {
      class: 'round chooser',
      type: 'button',
      label: source === 'camera' ? 'device.camera.choose' : 'device.mic.choose',
      'aria-haspopup': 'menu',
      'aria-expanded': 'false',
      onclick: async () => {
        const current = this.#tracks[source]?.deviceId;
        const items = await deviceItems(kind, current, (id) => {
          close();
          void this.#choose(source, id);
        });
        let close = () => {};
        const label = source === 'camera' ? 'device.camera.choose' : 'device.mic.choose';
        toggleMenu(chooser, (c) => ((close = c), items), { label });
      },
    });
    chooser.append(icon('down', 'small'));
    return h('div', { class: 'split' }, this.#toggles[source], chooser);
  }

  #open() {
    this.#opening = this.#ask();
  }

  /** @returns {Promise<Opened>} what came after the screen was left for the call */
  async #ask() {
    this.#asking = true;
    this.#show();
    const kept = this.#options.tracks ?? [];
    this.#options.tracks = [];
    const has = (/** @type {Source} */ source) =>
      this.#tracks[source] ?? kept.find((track) => track.source === source) ?? null;
    this.#tracks = { camera: has('camera'), microphone: has('microphone') };
    const opened = await openDevices({ audio: !this.#tracks.microphone, video: !this.#tracks.camera });
    if (this.#isOver) return this.#comeLate(opened);
    this.#errors = { camera: null, microphone: null };
    for (const track of opened) this.#tracks[track.source === 'camera' ? 'camera' : 'microphone'] = track;
    for (const error of opened.errors) this.#errors[error.kind === 'video' ? 'camera' : 'microphone'] = error;
    await turnAsWished(Object.values(this.#tracks));
    this.#asking = false;
    this.#tracks.camera?.attach(this.#video);
    this.#show();
    return [];
  }

  /** @param {Opened} opened @returns {Promise<Opened>} */
  async #comeLate(opened) {
    if (this.#isJoining) await turnAsWished(opened);
    else for (const track of opened) track.stop();
    return this.#isJoining ? opened : [];
  }

  /** @param {Source} source */
  async #toggle(source) {
    const track = this.#tracks[source];
    if (!track) return void this.#open();
    try {
      await track.turn(!track.isMuted);
      writePrefs(source === 'camera' ? { cameraOff: track.isMuted } : { micOff: track.isMuted });
    } catch (error) {
      this.#fail(source, error);
    }
    this.#show();
  }

  /** @param {Source} source @param {string} id */
  async #choose(source, id) {
    try {
      const track = this.#tracks[source];
      if (track) await track.switchDevice(id);
      else {
        const constraints = { deviceId: { exact: id } };
        const opened = await createLocalTracks(source === 'camera' ? { video: constraints } : { audio: constraints });
        if (opened.errors[0]) throw opened.errors[0];
        this.#tracks[source] = opened[0] ?? null;
        if (source === 'camera') opened[0]?.attach(this.#video);
      }
      this.#errors[source] = null;
      rememberDevice(source === 'camera' ? 'videoinput' : 'audioinput', id);
    } catch (error) {
      this.#fail(source, error);
    }
    this.#show();
  }

  /** @param {Source} source @param {unknown} error */
  #fail(source, error) {
    if (error instanceof Error && 'reason' in error) this.#errors[source] = /** @type {MediaError} */ (error);
  }

  // A camera that was plugged in after all is taken at once.
  #devicesChanged() {
    const isMissing = Object.values(this.#errors).some((error) => error?.reason === 'missing');
    if (isMissing && !this.#asking) this.#open();
  }

  #show() {
    const { camera, microphone } = this.#tracks;
    const isSeen = camera !== null && !camera.isMuted;
    this.#video.hidden = !isSeen;
    this.#dark.hidden = isSeen;
    bindText(this.#dark, this.#asking ? 'pre.camera.starting' : 'pre.camera.off');
    this.#showToggle('camera', isSeen);
    this.#showToggle('microphone', microphone !== null && !microphone.isMuted);
    this.#line.listen(microphone);
    const problem = this.#asking ? null : problemOf(this.#errors);
    this.#problem.hidden = !problem && !this.#asking;
    this.#problem.classList.toggle('is-problem', problem !== null);
    if (problem || this.#asking) bindText(this.#problem, problem ?? 'pre.ask');
    this.#retry.hidden = !problem;
  }

  /** @param {Source} source @param {boolean} on */
  #showToggle(source, on) {
    const button = this.#toggles[source];
    const word = source === 'camera' ? 'camera' : 'mic';
    button.classList.toggle('off', !on);
    setAttr(button, 'aria-pressed', String(on));
    bindAttribute(button, 'aria-label', `device.${word}.${on ? 'off' : 'on'}`);
    bindAttribute(button, 'title', `device.${word}.${on ? 'off' : 'on'}`);
    const svg = button.querySelector('svg');
    if (svg) setIcon(svg, on ? word : `${word}-off`);
  }

  async #askInside() {
    const names = await whoIsInside(this.#options.room, this.#options.token);
    if (names === 'refused') clearInterval(this.#timer);
    if (this.#isOver || !names || names === 'refused') return;
    if (names.length === 0) bindText(this.#inside, 'pre.inside.none');
    else if (names.length <= 4) bindText(this.#inside, 'pre.inside', { names: names.join(', ') });
    else bindText(this.#inside, 'pre.inside.more', { names: names.slice(0, 3).join(', '), count: names.length - 3 });
  }

  /** @param {Event} event */
  async #submit(event) {
    event.preventDefault();
    const name = this.#name.value.trim();
    if (!name) {
      setAttr(this.#name, 'aria-invalid', 'true');
      bindText(this.#nameless, 'pre.name.missing');
      this.#name.focus();
      return;
    }
    writePrefs({ name });
    setAttr(this.#join, 'aria-busy', 'true');
    this.#join.disabled = true;
    bindText(this.#join, 'pre.joining');
    const tracks = Object.values(this.#tracks).flatMap((track) => track ?? []);
    this.#isJoining = true;
    await this.#options.onJoin({ name, tracks, late: this.#opening });
  }
}

/** As the person left them last time. @param {(LocalTrack|null)[]} tracks */
export async function turnAsWished(tracks) {
  const { micOff, cameraOff } = readPrefs();
  for (const track of tracks) {
    if (track && (track.source === 'camera' ? cameraOff : micOff)) await track.turn(true);
  }
}

/** @param {Record<Source, MediaError|null>} errors @returns {string|null} */
function problemOf({ camera, microphone }) {
  if (camera && microphone) {
    return camera.reason === microphone.reason ? `media.both.${camera.reason}` : 'media.both.unknown';
  }
  if (camera) return `media.video.${camera.reason}`;
  return microphone ? `media.audio.${microphone.reason}` : null;
}
