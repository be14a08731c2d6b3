// What the server makes of somebody's picture, told to whoever sees less than all of it.

import { bitrate } from '../links/format.js';

/**
 * @typedef {import('/sdk/index.js').Delivery} Delivery
 * @typedef {{key: string, params: Record<string, string>, mark: 'poor'|'lost'|null}} Told `mark`: the sign of the
 *   connection to show with it; without one it is worth a word on request only
 */

const SIZES = new Set(['h', 'm', 'l']);

/**
 * @param {Delivery|null} delivery
 * @param {string} name whose picture it is
 * @returns {Told|null} null where there is nothing to say
 */
export function tellDelivery(delivery, name) {
  if (!delivery || delivery.reason === 'muted') return null;
  const { paused, layer, reason, availableBps } = delivery;
  const size = layer !== null && SIZES.has(layer) ? layer : 'one';
  const params = { name, size, rate: availableBps === null ? '' : bitrate(availableBps) };
  if (reason === 'not_watched' || reason === 'not_speaking') return { key: `delivery.${reason}`, params, mark: null };
  const room = params.rate ? '' : '.unknown';
  if (reason === 'bandwidth') {
    if (paused) return { key: `delivery.paused${room}`, params, mark: 'lost' };
    const what = delivery.temporal !== null && size === 'h' ? 'slower' : 'bandwidth';
    return { key: `delivery.${what}${room}`, params, mark: 'poor' };
  }
  if (paused) return reason === 'publisher' ? { key: 'delivery.waiting', params, mark: null } : null;
  return { key: `delivery.${reason}`, params, mark: null };
}
