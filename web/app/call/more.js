// The menu behind “More”: what is not needed at every moment.

import { canChooseSpeaker, deviceSelect } from '../devices.js';
import { h } from '../dom.js';
import { lang } from '../i18n.js';
import { menuItem, menuSwitch, openDialog, toggleMenu } from '../popover.js';
import { readPrefs } from '../prefs.js';
import { langSwitch, themeSwitch, topologySwitch } from '../switches.js';
import { showKeys } from './keys.js';

/**
 * @typedef {import('/sdk/index.js').Room} Room
 *
 * @typedef {object} MoreActions
 * @property {(control: 'screen'|'hand'|'people'|'links') => boolean} isFolded whether a control has no place in the bar
 * @property {() => void} screen
 * @property {() => void} hand
 * @property {() => void} people
 * @property {() => void} links
 * @property {() => void} copyLink
 * @property {() => void} fullScreen
 * @property {() => void} pip
 * @property {() => boolean} isFloating
 * @property {Pick<import('./mix_controls.js').MixControls, 'isOn'|'isFixed'|'toggle'>} mix
 * @property {() => import('../switches.js').Policy} policy
 * @property {(policy: import('../switches.js').Policy) => void} setPolicy
 */

/**
 * @param {HTMLElement} anchor
 * @param {Room} room
 * @param {MoreActions} actions
 */
export function openMore(anchor, room, actions) {
  toggleMenu(
    anchor,
    (close) => {
      const then = (/** @type {() => void} */ action) => () => {
        close();
        action();
      };
      const { handRaised: hand, isScreenShareEnabled: screen } = room.localParticipant;
      // On a narrow window these leave the bar and live here.
      const folded = /** @type {const} */ ([
        ['screen', screen ? 'more.screen.off' : 'keys.s'],
        ['hand', hand ? 'bar.hand.on' : 'bar.hand'],
        ['people', 'bar.people'],
        ['links', 'bar.links'],
      ]).filter(([control]) => actions.isFolded(control));
      const items = [
        ...folded.map(([control, t]) =>
          menuItem({ icon: control, t, testid: `more-${control}`, onclick: then(actions[control]) }),
        ),
        menuItem({ icon: 'copy', t: 'copy.link', onclick: then(actions.copyLink) }),
        menuItem({
          icon: 'settings',
          t: 'more.devices',
          testid: 'devices',
          onclick: then(() => void showDevices(room)),
        }),
        saveData(actions.mix, close),
      ];
      if (document.fullscreenEnabled) {
        items.push(
          menuItem({
            icon: 'full',
            t: document.fullscreenElement ? 'more.full.off' : 'more.full',
            testid: 'fullscreen',
            onclick: then(actions.fullScreen),
          }),
        );
      }
      if (document.pictureInPictureEnabled) {
        items.push(
          menuItem({
            icon: 'pip',
            t: actions.isFloating() ? 'more.pip.off' : 'more.pip',
            testid: 'pip',
            onclick: then(actions.pip),
          }),
        );
      }
      items.push(
        menuItem({ icon: 'keys', t: 'more.keys', className: 'for-keyboards', testid: 'keys', onclick: then(showKeys) }),
      );
      return [...items, h('hr', { class: 'menu-line' }), ...topology(room, actions), ...settings()];
    },
    { label: 'bar.more' },
  );
}

/** @param {MoreActions['mix']} mix @param {() => void} close */
function saveData(mix, close) {
  return menuSwitch({
    icon: 'leaf',
    t: 'save.name',
    text: mix.isFixed ? 'save.fixed' : 'save.text',
    checked: mix.isOn,
    fixed: mix.isFixed,
    testid: 'save-data',
    onclick: () => {
      close();
      mix.toggle();
    },
  });
}

/** A host's choice for everyone. @param {Room} room @param {MoreActions} actions @returns {Node[]} */
function topology(room, actions) {
  if (room.localParticipant.role !== 'host') return [];
  const choice = topologySwitch(actions.policy, actions.setPolicy);
  choice.dataset.testid = 'topology';
  return [h('div', { class: 'menu-row menu-shape' }, h('span', { t: 'topology.name' }), choice)];
}

/** @returns {Node[]} */
function settings() {
  return [
    h('div', { class: 'menu-row' }, h('span', { t: 'lang.name' }), langSwitch()),
    h('div', { class: 'menu-row' }, h('span', { t: 'theme.name' }), themeSwitch()),
    h(
      'a',
      {
        class: 'menu-item menu-learn',
        href: lang() === 'ko' ? '/learn/ko' : '/learn',
        target: '_blank',
        rel: 'noopener',
        role: 'menuitem',
      },
      h('span', { t: 'more.learn' }),
    ),
  ];
}

/** @param {Room} room */
async function showDevices(room) {
  const { localTracks } = room.localParticipant;
  const current = (/** @type {string} */ source) => localTracks.find((track) => track.source === source)?.deviceId;
  const choose = (/** @type {import('../devices.js').DeviceKind} */ kind) => async (/** @type {string} */ id) => {
    await room.switchActiveDevice(kind, id);
  };
  const selects = [
    await deviceSelect('videoinput', current('camera'), choose('videoinput')),
    await deviceSelect('audioinput', current('microphone'), choose('audioinput')),
  ];
  if (canChooseSpeaker()) selects.push(await deviceSelect('audiooutput', readPrefs().speaker, choose('audiooutput')));
  openDialog('more.devices', () => selects);
}
