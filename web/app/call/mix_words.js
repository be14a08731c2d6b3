// What is said of the mix: who is in it, why it is less than usual, why it is refused.

import { t } from '../i18n.js';
import { tellDelivery } from './delivery.js';

/**
 * @typedef {import('/sdk/index.js').Mix} Mix
 * @typedef {{participant: string, source: string, left: number, top: number}} Place
 * @typedef {{key: string, more: string}} Note `more`: said to whoever asks
 */

// Rows of tiles that are out of line by less than this share are read as one.
const ROW = 0.08;

/**
 * Who is in the picture, in the order in which one reads it.
 * @param {Place[]} places
 * @param {(id: string) => string} nameOf
 * @returns {string[]}
 */
export function namesIn(places, nameOf) {
  const inOrder = places.toSorted((a, b) => (Math.abs(a.top - b.top) > ROW ? a.top - b.top : a.left - b.left));
  return inOrder.map(({ participant, source }) => {
    const name = nameOf(participant);
    return source === 'screen' ? t('mix.screen', { name }) : name;
  });
}

/**
 * Why the picture is less than it could be.
 * @param {Pick<Mix, 'state'|'delivery'>|null} mix
 * @returns {Note|null}
 */
export function noteOf(mix) {
  if (!mix) return null;
  if (mix.state?.limited) return { key: 'mix.limited', more: mix.state.limited };
  const told = tellDelivery(mix.delivery, '');
  return told?.mark ? { key: 'mix.smaller', more: t(told.key, told.params) } : null;
}

/**
 * The word for what the server refuses.
 * @param {any} error
 * @param {string} topology
 * @returns {{t: string, tp: Record<string, string>}}
 */
export function refusalOf(error, topology) {
  const code = String(error?.code ?? '');
  if (code === 'room_full') return { t: 'save.full', tp: {} };
  if (code === 'forbidden' && topology === 'mesh') return { t: 'save.mesh', tp: {} };
  // Without a code of the protocol nothing was said, by anybody.
  const isSaid = code !== '' && !['closed', 'unreachable'].includes(code) && error.message;
  return isSaid ? { t: 'save.refused', tp: { text: error.message } } : { t: 'save.failed', tp: {} };
}
