// The call: puts stage, controls and panel together and keeps them in line with the room.

import { MediaError } from '/sdk/index.js';

import { wish } from '../devices.js';
import { h } from '../dom.js';
import { onLang } from '../i18n.js';
import { icon } from '../icons.js';
import { readPrefs, writePrefs } from '../prefs.js';
import { Banner } from './banner.js';
import { Bar } from './bar.js';
import { IdleFold } from './idle.js';
import { listenForKeys, showKeys } from './keys.js';
import { MixControls } from './mix_controls.js';
import { refusalOf } from './mix_words.js';
import { openMore } from './more.js';
import { Panel } from './panel.js';
import { Floating } from './pip.js';
import { Stage } from './stage.js';
import { tellOf } from './telling.js';
import { Toasts } from './toasts.js';

/**
 * @typedef {import('/sdk/index.js').Room} Room
 * @typedef {import('/sdk/index.js').RoomEvents} RoomEvents
 * @typedef {import('./panel.js').PanelName} PanelName
 */

/** @type {(keyof RoomEvents)[]} what changes the picture */
const EVENTS = [
  'connected',
  'reconnecting',
  'reconnected',
  'participantConnected',
  'participantDisconnected',
  'participantChanged',
  'trackPublished',
  'trackUnpublished',
  'trackSubscribed',
  'trackUnsubscribed',
  'localTrackPublished',
  'localTrackUnpublished',
  'trackMuted',
  'trackUnmuted',
  'trackDeliveryChanged',
  'mixChanged',
  'mixStateChanged',
  'mixTrackSubscribed',
  'mixTrackUnsubscribed',
  'mixDeliveryChanged',
  'activeSpeakersChanged',
  'connectionQualityChanged',
  'roomChanged',
  'audioPlaybackChanged',
  'chatReceived',
];

// When the first pictures are through, there is time for what may be asked next.
const WARM_MS = 4000;

export class Call {
  #room;
  #link;
  #toasts = new Toasts();
  #stage;
  #bar;
  #panel;
  #banner;
  #mix;
  #floating;
  #fold;
  #stopKeys;
  #stopLang;
  #warmTimer;
  #isScheduled = false;
  #isOver = false;
  #isToggling = false;
  /** What was asked for here. @type {import('../switches.js').Policy} */
  #policy;
  #lockMark = h(
    'span',
    { class: 'lock-mark', role: 'img', label: 'room.locked', hint: 'room.locked', hidden: true },
    icon('lock', 'small'),
  );

  /**
   * @param {Room} room
   * @param {{link: string, policy?: import('../switches.js').Policy, onLeave: () => void}} options `policy`: wished for on
   *   the way in
   */
  constructor(room, { link, policy = 'auto', onLeave }) {
    this.#room = room;
    this.#policy = policy;
    this.#link = link;
    const copyLink = () => void this.#copyLink();
    this.#stage = new Stage(room, makeInvite(copyLink));
    this.#banner = new Banner(room);
    this.#mix = new MixControls(room, this.#toasts);
    this.#floating = new Floating(() => this.#stage.foremost?.track ?? null);
    this.#panel = new Panel(room, {
      copyLink,
      onProblem: () => this.#toasts.say('people.failed', {}, { icon: 'warn' }),
      onChange: (now, before) => this.#panelChanged(now, before),
    });
    this.#bar = new Bar(this.#controls(onLeave));
    const top = h(
      'header',
      { class: 'call-top' },
      h(
        'div',
        { class: 'room-pill' },
        this.#lockMark,
        h('h1', { class: 'room-name' }, room.name),
        this.#copyButton(copyLink),
      ),
      this.#mix.element,
    );
    const dock = h('div', { class: 'dock' }, this.#bar.element);
    const yard = h(
      'div',
      { class: 'call-yard' },
      this.#stage.element,
      top,
      this.#banner.element,
      this.#toasts.element,
      dock,
      this.#floating.element,
    );
    this.element = h('div', { class: 'call' }, yard, this.#panel.element);
    this.#fold = new IdleFold(this.element, {
      mayFold: () => this.#panel.open === null && room.remoteParticipants.size > 0 && room.state === 'connected',
      measure: () =>
        this.#stage.setBar({
          height: dock.offsetHeight,
          left: this.#bar.element.offsetLeft,
          right: this.#bar.element.offsetLeft + this.#bar.element.offsetWidth,
        }),
    });
    this.#stopKeys = listenForKeys(this.#keys());
    for (const event of EVENTS) room.on(event, this.#schedule);
    tellOf(room, {
      toasts: this.#toasts,
      banner: this.#banner,
      panel: this.#panel,
      openChat: () => this.#panel.toggle('chat'),
      isOwnDoing: () => this.#isToggling,
    });
    room.on('mediaDevicesError', this.tellMediaError);
    this.#stopLang = onLang(() => this.#sync());
    this.#restoreSpeaker();
    this.#warmTimer = setTimeout(() => this.#panel.prepare(), WARM_MS);
    this.#sync();
  }

  /** @param {() => void} copyLink */
  #copyButton(copyLink) {
    return h(
      'button',
      {
        class: 'pill-button',
        type: 'button',
        label: 'copy.link',
        hint: 'copy.link',
        testid: 'copy-link',
        onclick: copyLink,
      },
      icon('copy', 'small'),
      h('span', { t: 'copy.short', 'aria-hidden': 'true' }),
    );
  }

  /** @param {() => void} onLeave @returns {import('./bar.js').Actions} */
  #controls(onLeave) {
    return {
      mic: () => void this.#toggleDevice('mic'),
      camera: () => void this.#toggleDevice('camera'),
      screen: () => void this.#toggleScreen(),
      hand: () => void this.#toggleHand(),
      chat: () => this.#panel.toggle('chat'),
      people: () => this.#panel.toggle('people'),
      links: () => this.#panel.toggle('links'),
      more: (button) => this.#openMore(button),
      leave: onLeave,
    };
  }

  /** @returns {Record<import('./keys.js').KeyName, () => void>} */
  #keys() {
    return {
      m: () => void this.#toggleDevice('mic'),
      v: () => void this.#toggleDevice('camera'),
      s: () => void this.#toggleScreen(),
      h: () => void this.#toggleHand(),
      c: () => this.#panel.toggle('chat'),
      l: () => this.#panel.toggle('links'),
      f: () => void this.#toggleFullScreen(),
      '?': showKeys,
      Escape: () => this.#panel.toggle(null),
    };
  }

  /** @param {HTMLButtonElement} button */
  #openMore(button) {
    openMore(button, this.#room, {
      isFolded: (control) => this.#bar.isFolded(control),
      screen: () => void this.#toggleScreen(),
      hand: () => void this.#toggleHand(),
      people: () => this.#panel.toggle('people'),
      links: () => this.#panel.toggle('links'),
      copyLink: () => void this.#copyLink(),
      fullScreen: () => void this.#toggleFullScreen(),
      pip: () => void this.#toggleFloating(),
      isFloating: () => this.#floating.isOpen,
      mix: this.#mix,
      policy: () => this.#policy,
      setPolicy: (policy) => void this.#setPolicy(policy),
    });
  }

  /** @param {import('../switches.js').Policy} policy */
  async #setPolicy(policy) {
    const before = this.#policy;
    this.#policy = policy;
    try {
      await this.#room.setTopology(policy);
    } catch (error) {
      this.#policy = before;
      const { t: words, tp } = refusalOf(error, policy);
      this.#toasts.say(words === 'save.failed' ? 'topology.failed' : words, tp, { icon: 'warn' });
    }
  }

  /** @param {'mic'|'camera'} device */
  async #toggleDevice(device) {
    const local = this.#room.localParticipant;
    if (local.role === 'viewer') return;
    this.#isToggling = true;
    try {
      if (device === 'mic') await local.setMicrophoneEnabled(!local.isMicrophoneEnabled, wish('microphone'));
      else await local.setCameraEnabled(!local.isCameraEnabled, wish('camera'));
      writePrefs(device === 'mic' ? { micOff: !local.isMicrophoneEnabled } : { cameraOff: !local.isCameraEnabled });
    } catch (error) {
      this.#sayFailed(error);
    } finally {
      this.#isToggling = false;
    }
    this.#schedule();
  }

  async #toggleScreen() {
    const local = this.#room.localParticipant;
    if (local.role === 'viewer') return;
    try {
      await local.setScreenShareEnabled(!local.isScreenShareEnabled);
    } catch (error) {
      this.#sayFailed(error);
    }
    this.#schedule();
  }

  // What a device refuses is told by the room, wherever it was asked for.
  /** @param {unknown} error */
  #sayFailed(error) {
    if (!(error instanceof MediaError)) this.#toasts.say('people.failed', {}, { icon: 'warn' });
  }

  /** @param {MediaError} error */
  tellMediaError = ({ kind, reason }) => {
    // Somebody who closes the browser's question has changed their mind; there is nothing to say.
    if (kind === 'screen' && reason === 'refused') return;
    const name = { audio: 'mic-off', video: 'camera-off', screen: 'screen-stop' }[kind];
    this.#toasts.say(`call.${kind}.${reason}`, {}, { icon: name });
  };

  async #toggleHand() {
    const local = this.#room.localParticipant;
    await local.setHandRaised(!local.handRaised).catch(() => this.#toasts.say('people.failed', {}, { icon: 'warn' }));
    this.#schedule();
  }

  async #toggleFullScreen() {
    if (document.fullscreenElement) await document.exitFullscreen();
    else await document.documentElement.requestFullscreen?.();
  }

  async #toggleFloating() {
    const floated = await this.#floating.toggle().catch(() => false);
    if (!floated) this.#toasts.say('more.pip.none', {}, { icon: 'pip' });
  }

  async #copyLink() {
    try {
      await navigator.clipboard.writeText(this.#link);
      this.#toasts.say('copy.done', {}, { icon: 'check' });
    } catch {
      this.#toasts.say('copy.failed', { link: this.#link }, { icon: 'copy' });
    }
  }

  /** @param {PanelName|null} now @param {PanelName|null} before */
  #panelChanged(now, before) {
    this.element.classList.toggle('with-panel', now !== null);
    if (now === 'chat') this.#toasts.clear();
    if (now === null && before) {
      // On a phone some controls live behind “More”.
      const control = this.#bar.isFolded(before) ? 'more' : before;
      this.#bar.button(control).focus({ preventScroll: true });
    }
    this.#sync();
    this.#fold.wake();
  }

  #restoreSpeaker() {
    const { speaker } = readPrefs();
    // A speaker that is gone leaves the sound where it is.
    if (speaker) this.#room.switchActiveDevice('audiooutput', speaker).catch(() => {});
  }

  // Many events come at once; the page is brought in line once for all of them.
  #schedule = () => {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      if (!this.#isOver) this.#sync();
    });
  };

  #sync() {
    const local = this.#room.localParticipant;
    this.#stage.sync();
    this.#banner.sync();
    this.#mix.sync();
    this.#panel.sync();
    this.#floating.sync();
    this.#lockMark.hidden = !this.#room.locked;
    this.#bar.sync({
      mic: local.isMicrophoneEnabled,
      camera: local.isCameraEnabled,
      screen: local.isScreenShareEnabled,
      hand: local.handRaised,
      panel: this.#panel.open,
      unread: this.#panel.unread,
      people: this.#room.remoteParticipants.size + 1,
      canPublish: local.role !== 'viewer',
    });
    document.title = `${this.#panel.unread > 0 ? `(${this.#panel.unread}) ` : ''}${this.#room.name} · madang`;
  }

  destroy() {
    this.#isOver = true;
    for (const event of EVENTS) this.#room.off(event, this.#schedule);
    this.#stopKeys();
    this.#stopLang();
    clearTimeout(this.#warmTimer);
    this.#fold.destroy();
    this.#banner.destroy();
    this.#panel.destroy();
    this.#floating.destroy();
    this.#stage.destroy();
    this.element.remove();
    for (const open of document.querySelectorAll('.menu, dialog')) open.remove();
    if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
  }
}

/** @param {() => void} copyLink */
function makeInvite(copyLink) {
  const copy = h(
    'button',
    { class: 'button strong', type: 'button', testid: 'invite-copy', onclick: copyLink },
    icon('copy', 'small'),
    h('span', { t: 'copy.link' }),
  );
  return h(
    'section',
    { class: 'invite', label: 'copy.link' },
    h('h2', { t: 'invite.title' }),
    h('p', { class: 'quiet', t: 'invite.text' }),
    copy,
  );
}
