// Choosing among cameras, microphones and speakers.

import { createLocalTracks, listDevices } from '/sdk/index.js';

import { h } from './dom.js';
import { t } from './i18n.js';
import { icon } from './icons.js';
import { readPrefs, writePrefs } from './prefs.js';

/** @typedef {'audioinput'|'videoinput'|'audiooutput'} DeviceKind */

const NAMES = /** @type {const} */ ({
  audioinput: 'device.mic',
  videoinput: 'device.camera',
  audiooutput: 'device.speaker',
});
const REMEMBERED = /** @type {const} */ ({ audioinput: 'microphone', videoinput: 'camera', audiooutput: 'speaker' });

/** @param {DeviceKind} kind @param {string} id */
export function rememberDevice(kind, id) {
  writePrefs({ [REMEMBERED[kind]]: id });
}

/**
 * What to ask the browser for: the device used last time, if it is still there.
 * @param {'camera'|'microphone'} source
 * @returns {MediaTrackConstraints}
 */
export function wish(source) {
  const id = readPrefs()[source];
  return id ? { deviceId: { ideal: id } } : {};
}

/**
 * Camera and microphone as last time; each that fails is named in `errors`.
 * @param {{audio?: boolean, video?: boolean}} [which]
 */
export function openDevices({ audio = true, video = true } = {}) {
  return createLocalTracks({ audio: audio && wish('microphone'), video: video && wish('camera') });
}

/** @param {DeviceKind} kind @returns {Promise<{id: string, name: string}[]>} */
async function devicesOf(kind) {
  const all = await listDevices();
  return all
    .filter((device) => device.kind === kind && device.deviceId !== '')
    .map((device, i) => ({
      id: device.deviceId,
      name: device.label || t('device.unnamed', { kind: t(NAMES[kind]), number: i + 1 }),
    }));
}

/** Whether this browser can choose where sound goes. */
export function canChooseSpeaker() {
  return 'setSinkId' in HTMLMediaElement.prototype;
}

/**
 * Menu items, one for each device.
 * @param {DeviceKind} kind
 * @param {string|undefined} current
 * @param {(id: string) => void} choose
 * @returns {Promise<Node[]>}
 */
export async function deviceItems(kind, current, choose) {
  const devices = await devicesOf(kind);
  const title = h('div', { class: 'menu-title', t: NAMES[kind] });
  if (devices.length === 0) return [title, h('p', { class: 'menu-title', t: 'device.none' })];
  const items = devices.map(({ id, name }) =>
    h(
      'button',
      {
        class: 'menu-item',
        type: 'button',
        role: 'menuitemradio',
        'aria-checked': String(id === current),
        onclick: () => choose(id),
      },
      h('span', { class: 'grow' }, name),
      icon('check', 'tick'),
    ),
  );
  return [title, ...items];
}

/**
 * A labelled list, for the dialog.
 * @param {DeviceKind} kind
 * @param {string|undefined} current
 * @param {(id: string) => Promise<void>} choose
 */
export async function deviceSelect(kind, current, choose) {
  const devices = await devicesOf(kind);
  const id = `select-${kind}`;
  const select = h('select', { class: 'field', id, disabled: devices.length === 0 });
  for (const device of devices)
    select.append(h('option', { value: device.id, selected: device.id === current }, device.name));
  if (devices.length === 0) select.append(h('option', { t: 'device.none' }));
  const problem = h('p', { class: 'small-text quiet', role: 'alert' });
  select.addEventListener('change', () => {
    problem.textContent = '';
    choose(select.value).then(
      () => rememberDevice(kind, select.value),
      () => {
        problem.textContent = t('device.failed');
        if (current) select.value = current;
      },
    );
  });
  return h('div', { class: 'select-row' }, h('label', { for: id, t: NAMES[kind] }), select, problem);
}
