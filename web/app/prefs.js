// What this browser remembers of its person: name, devices, language, theme.

const KEY = 'madang.prefs';

/**
 * @typedef {object} Prefs
 * @property {string} [name]
 * @property {'light'|'dark'} [theme]
 * @property {'en'|'ko'} [lang]
 * @property {boolean} [cameraOff]
 * @property {boolean} [micOff]
 * @property {string} [camera]
 * @property {string} [microphone]
 * @property {string} [speaker]
 */

/** @returns {Prefs} */
export function readPrefs() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return found && typeof found === 'object' ? found : {};
  } catch {
    return {};
  }
}

/** @param {Prefs} changes */
export function writePrefs(changes) {
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...readPrefs(), ...changes }));
  } catch {
    // Private windows may refuse storage. Nothing depends on it.
  }
}
