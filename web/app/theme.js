// Light, dark, or as the system has it.

import { readPrefs, writePrefs } from './prefs.js';

/** @typedef {'auto'|'light'|'dark'} Theme */

/** @returns {Theme} */
export function currentTheme() {
  return readPrefs().theme ?? 'auto';
}

/** @param {Theme} theme */
export function setTheme(theme) {
  const root = document.documentElement;
  if (theme === 'auto') delete root.dataset.theme;
  else root.dataset.theme = theme;
  writePrefs({ theme: theme === 'auto' ? undefined : theme });
}
