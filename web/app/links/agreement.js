// What offer and answer come to, seen from this end. Pure.

import { codecNames, parseSdp } from './sdp.js';

/** @typedef {import('./sdp.js').SdpSection} SdpSection */
/** @typedef {import('./types.js').LinkLike} LinkLike */
/**
 * @typedef {object} Agreed one media section that both ends described, or that was only offered
 * @property {string} mid
 * @property {string} kind
 * @property {string} direction from this end's view
 * @property {string[]} codecs best first
 * @property {boolean} isRefused
 */
/**
 * @typedef {object} Descriptions
 * @property {SdpSection[]|null} offer
 * @property {SdpSection[]|null} answer
 * @property {boolean} isOfferOurs
 */

/**
 * Offer and answer of a link, whichever end made them. While a new offer waits for its answer the
 * old answer stands beside it.
 * @param {Pick<LinkLike, 'offerer'|'localDescription'|'remoteDescription'>} link
 * @returns {Descriptions}
 */
export function descriptionsOf(link) {
  const isOfferOurs = link.offerer === 'you';
  const offer = isOfferOurs ? link.localDescription : link.remoteDescription;
  const answer = isOfferOurs ? link.remoteDescription : link.localDescription;
  return {
    offer: offer ? parseSdp(offer.sdp) : null,
    answer: answer ? parseSdp(answer.sdp) : null,
    isOfferOurs,
  };
}

/** @type {Record<string, string>} */
const MIRROR = { sendrecv: 'sendrecv', inactive: 'inactive', sendonly: 'recvonly', recvonly: 'sendonly' };

/**
 * @param {Descriptions} descriptions
 * @returns {Agreed[]}
 */
export function agreement({ offer, answer, isOfferOurs }) {
  return (offer ?? []).slice(1).map((offered, i) => {
    const answered = answer?.[i + 1];
    const decided = answered ?? offered;
    const isOurs = answered ? !isOfferOurs : isOfferOurs;
    return {
      mid: offered.mid,
      kind: offered.kind,
      direction: isOurs ? decided.direction : (MIRROR[decided.direction] ?? decided.direction),
      codecs: codecNames(decided),
      isRefused: decided.rejected,
    };
  });
}

/**
 * Which end begins the DTLS handshake: the active one (RFC 8842 §5.3).
 * @param {Descriptions} descriptions
 * @returns {'you'|'peer'|null}
 */
export function handshakeBy({ answer, isOfferOurs }) {
  const setup = answer?.flatMap((section) => section.lines).find((line) => line.text.startsWith('a=setup:'))?.text;
  if (!setup) return null;
  const answererBegins = setup === 'a=setup:active';
  return answererBegins === isOfferOurs ? 'peer' : 'you';
}
