// The server's place in the middle of the yard: a ring of stones with a fire, and a pot on it
// where the server mixes.

import { s, say, set } from './dom.js';

const STONES = 9;

/** @param {{x: number, y: number}} middle */
export function makeHearth(middle) {
  const name = s('text', { class: 'hearth-name', 'text-anchor': 'middle', y: -33 });
  const pot = s(
    'g',
    { class: 'hearth-pot' },
    s('path', { class: 'hearth-handle', d: 'M-15 0H-20M15 0H20' }),
    s('circle', { class: 'hearth-rim', r: 14 }),
    s('circle', { class: 'hearth-lid', r: 10.5 }),
    s('circle', { class: 'hearth-knob', r: 2.6 }),
  );
  const element = s(
    'g',
    { class: 'hearth', transform: `translate(${middle.x} ${middle.y})` },
    s('circle', { class: 'hearth-ash', r: 24 }),
    ...stones(),
    s('circle', { class: 'hearth-glow', r: 13 }),
    s('circle', { class: 'hearth-ember', r: 6.5 }),
    pot,
    name,
  );
  return {
    element,
    /** @param {import('./model.js').View} view @param {string} label */
    update({ topology, isMixed }, label) {
      set(element, { visibility: topology === 'mesh' ? 'hidden' : 'visible' });
      set(pot, { visibility: isMixed ? 'inherit' : 'hidden' });
      say(name, label);
    },
  };
}

/** Stones are not all alike. */
function stones() {
  return Array.from({ length: STONES }, (_, i) => {
    const degrees = (360 * i) / STONES;
    const length = 11 + ((i * 5) % 4);
    return s('rect', {
      class: 'hearth-stone',
      x: -length / 2,
      y: -25,
      width: length,
      height: 8,
      rx: 4,
      transform: `rotate(${degrees})`,
    });
  });
}
