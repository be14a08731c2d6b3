// Who is here, how well they are connected, and what a host can do.

import { h, setAttr } from '../dom.js';
import { bindText, onLang, t } from '../i18n.js';
import { icon, setIcon } from '../icons.js';
import { hueOf, initials } from '../names.js';
import { menuItem, openDialog, toggleMenu } from '../popover.js';

/**
 * @typedef {import('/sdk/index.js').Room} Room
 * @typedef {import('/sdk/index.js').Participant} Participant
 */

export class People {
  #room;
  #onProblem;
  /** @type {Map<Participant, Row>} */
  #rows = new Map();
  #list = h('ul', { class: 'people-list' });
  #lock = h('input', { type: 'checkbox', role: 'switch', class: 'switch', id: 'lock', testid: 'lock' });
  #lockRow;

  /**
   * @param {Room} room
   * @param {{copyLink: () => void, onProblem: () => void}} options
   */
  constructor(room, { copyLink, onProblem }) {
    this.#room = room;
    this.#onProblem = onProblem;
    this.#lock.addEventListener('change', () => void this.#setLocked());
    this.#lockRow = h(
      'label',
      { class: 'lock-row', for: 'lock' },
      icon('lock'),
      h(
        'span',
        { class: 'grow' },
        h('b', { t: 'people.lock' }),
        h('span', { class: 'quiet small-text', t: 'people.lock.text' }),
      ),
      this.#lock,
    );
    const copy = h(
      'button',
      { class: 'button people-copy', type: 'button', onclick: copyLink },
      icon('copy', 'small'),
      h('span', { t: 'copy.link' }),
    );
    this.element = h('div', { class: 'people' }, this.#list, h('div', { class: 'people-foot' }, this.#lockRow, copy));
    onLang(() => this.sync());
  }

  sync() {
    const local = this.#room.localParticipant;
    /** @type {Participant[]} */
    const people = [local, ...this.#room.remoteParticipants.values()];
    for (const [participant, row] of this.#rows) {
      if (people.includes(participant)) continue;
      row.element.remove();
      this.#rows.delete(participant);
    }
    const isHost = local.role === 'host';
    for (const participant of people) {
      const row =
        this.#rows.get(participant) ?? new Row(participant, (button) => this.#openActions(participant, button));
      if (!this.#rows.has(participant)) {
        this.#rows.set(participant, row);
        this.#list.append(row.element);
      }
      row.sync(isHost && !participant.isLocal);
    }
    this.#lockRow.hidden = !isHost;
    this.#lock.checked = this.#room.locked;
  }

  async #setLocked() {
    await this.#attempt(this.#room.setLocked(this.#lock.checked));
    this.sync();
  }

  /** @param {Promise<unknown>} action */
  async #attempt(action) {
    try {
      await action;
    } catch {
      this.#onProblem();
    }
  }

  /** @param {Participant} participant @param {HTMLButtonElement} button */
  #openActions(participant, button) {
    const audio = participant.getTrack('microphone');
    const video = participant.getTrack('camera');
    toggleMenu(
      button,
      (close) => {
        const act = (/** @type {() => Promise<unknown>} */ action) => () => {
          close();
          void this.#attempt(action());
        };
        const items = [];
        if (audio && !audio.isMuted)
          items.push(
            menuItem({
              icon: 'mic-off',
              t: 'people.mute',
              testid: 'host-mute',
              onclick: act(() => this.#room.muteTrack(audio.id)),
            }),
          );
        if (video && !video.isMuted)
          items.push(
            menuItem({
              icon: 'camera-off',
              t: 'people.stopvideo',
              testid: 'host-stop-video',
              onclick: act(() => this.#room.muteTrack(video.id)),
            }),
          );
        if (participant.role !== 'host')
          items.push(
            menuItem({
              icon: 'host',
              t: 'people.host.make',
              testid: 'host-make',
              onclick: act(() => this.#room.setRole(participant.id, 'host')),
            }),
          );
        const remove = () => {
          close();
          this.#confirmRemove(participant);
        };
        items.push(
          menuItem({ icon: 'remove', t: 'people.remove', className: 'danger', testid: 'host-remove', onclick: remove }),
        );
        return items;
      },
      { label: 'people.actions', labelParams: { name: participant.name } },
    );
  }

  /** @param {Participant} participant */
  #confirmRemove(participant) {
    openDialog(
      'people.remove.title',
      (close) => {
        const remove = () => {
          close();
          void this.#attempt(this.#room.kick(participant.id));
        };
        return [
          h('p', { class: 'quiet', t: 'people.remove.text' }),
          h(
            'div',
            { class: 'dialog-actions' },
            h('button', { class: 'button', type: 'button', t: 'cancel', onclick: close, autofocus: true }),
            h('button', {
              class: 'button danger',
              type: 'button',
              t: 'people.remove.yes',
              testid: 'remove-yes',
              onclick: remove,
            }),
          ),
        ];
      },
      { name: participant.name },
    );
  }
}

class Row {
  #participant;
  #face = h('span', { class: 'avatar tiny', 'aria-hidden': 'true' });
  #name = h('span', { class: 'person-name' });
  #state = h('span', { class: 'person-state' });
  #signal = icon('signal-good', 'small');
  #quality = h('span', {});
  #role = h('span', { class: 'person-role' });
  #hand = h(
    'span',
    { class: 'person-hand', role: 'img', label: 'tile.hand', hint: 'tile.hand' },
    icon('hand', 'small'),
  );
  #mic = h('span', { class: 'person-mic', role: 'img' }, icon('mic', 'small'));
  #more;

  /** @param {Participant} participant @param {(button: HTMLButtonElement) => void} onActions */
  constructor(participant, onActions) {
    this.#participant = participant;
    this.#more = h(
      'button',
      {
        class: 'icon-button',
        type: 'button',
        'aria-haspopup': 'menu',
        'aria-expanded': 'false',
        testid: 'person-actions',
      },
      icon('more', 'small'),
    );
    this.#more.addEventListener('click', () => onActions(this.#more));
    this.#state.append(this.#signal, this.#quality);
    this.element = h(
      'li',
      { class: 'person', testid: 'person' },
      this.#face,
      h('div', { class: 'person-words' }, h('div', { class: 'person-line' }, this.#name, this.#role), this.#state),
      this.#hand,
      this.#mic,
      this.#more,
    );
  }

  /** @param {boolean} canModerate */
  sync(canModerate) {
    const p = this.#participant;
    const quality = p.presence === 'away' ? 'away' : p.connectionQuality;
    this.element.dataset.participant = p.id;
    this.#face.textContent = initials(p.name);
    this.#face.style.setProperty('--hue', String(hueOf(p.name)));
    this.#name.textContent = p.isLocal ? t('tile.you', { name: p.name }) : p.name;
    this.#role.hidden = p.role === 'participant';
    if (p.role !== 'participant') bindText(this.#role, `people.${p.role}`);
    this.#state.className = `person-state ${quality}`;
    setIcon(this.#signal, quality === 'away' ? 'away' : `signal-${quality}`);
    bindText(this.#quality, `quality.${quality}`);
    this.#hand.hidden = !p.handRaised;
    const microphone = p.getTrack('microphone');
    const isMuted = !microphone || microphone.isMuted;
    this.#mic.classList.toggle('speaking', p.isSpeaking && !isMuted);
    this.#mic.classList.toggle('muted', isMuted);
    setAttr(this.#mic, 'aria-label', t(isMuted ? 'tile.muted' : p.isSpeaking ? 'tile.speaking' : 'device.mic'));
    const svg = this.#mic.querySelector('svg');
    if (svg) setIcon(svg, isMuted ? 'mic-off' : 'mic');
    this.#more.hidden = !canModerate;
    setAttr(this.#more, 'aria-label', t('people.actions', { name: p.name }));
  }
}
