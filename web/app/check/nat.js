// What a browser can tell of the NAT before it: which of its addresses STUN servers see.

/**
 * @typedef {import('./types.js').Candidate} Candidate
 * @typedef {import('./types.js').Gathering} Gathering
 * @typedef {import('./types.js').IceError} IceError
 * @typedef {import('./types.js').NatKind} NatKind
 */

/**
 * RFC 4787 §4.1: a mapping that depends on whom one talks to shows a different port or address to
 * each server. So it takes two servers to see it; filtering (§5) can't be seen from a page at all.
 * @param {Gathering} gathering
 * @param {string[]} stunUrls
 * @returns {NatKind}
 */
export function natKind(gathering, stunUrls) {
  const mapped = gathering.candidates.filter(({ type, protocol }) => type === 'srflx' && protocol === 'udp');
  const groups = [...grouped(mapped).values()];
  if (groups.some((group) => distinct(group) > 1)) return 'symmetric';
  if (groups.length === 0) {
    if (hasUdpAnswer(gathering)) return 'none';
    return gathering.candidates.some(({ type, protocol }) => type === 'host' && protocol === 'udp')
      ? 'blocked'
      : 'unused';
  }
  if (mapped.every((each) => isOwn(each, gathering.candidates))) return 'none';
  const asked = new Set(mapped.map(({ family }) => family));
  const answered = [...asked].some((family) => serversOf(stunUrls, family, gathering) > 1);
  return answered ? 'same' : 'some';
}

/** By the socket that they are the outside of; browsers that hide it use one for each family. @param {Candidate[]} mapped */
function grouped(mapped) {
  /** @type {Map<string, Candidate[]>} */
  const groups = new Map();
  for (const each of mapped) {
    const base = each.relatedPort ? `${each.relatedAddress} ${each.relatedPort}` : each.family;
    groups.set(base, [...(groups.get(base) ?? []), each]);
  }
  return groups;
}

/** @param {Candidate[]} group */
function distinct(group) {
  return new Set(group.map(({ address, port }) => `${address} ${port}`)).size;
}

/** @param {Candidate} mapped @param {Candidate[]} all */
function isOwn({ address, port, relatedPort }, all) {
  // A server on this very machine; a browser that shows only its default address does not list this one.
  if (/^(127\.|::1$)/.test(address)) return true;
  return port === relatedPort && all.some((each) => each.type === 'host' && each.address === address);
}

/** A browser leaves out what STUN says when that is its own address: then other answers tell. @param {Gathering} gathering */
function hasUdpAnswer({ candidates, errors }) {
  return candidates.some(isByUdp) || errors.some(isAnswer);
}

/** @param {Candidate} candidate */
function isByUdp({ type, protocol, relayProtocol }) {
  return type === 'relay' ? relayProtocol === 'udp' : type === 'srflx' && protocol === 'udp';
}

/** Any error of a server is an answer of it; 701 (W3C WebRTC §5.7.1) is the lack of one. @param {IceError} error */
function isAnswer({ url, code }) {
  return code !== 701 && /^turn:/.test(url) && !/transport=tcp/.test(url);
}

/**
 * How many servers have answered to sockets of this family. One that says the same as another is
 * not heard of, unless it gives a relay as well, or the browser is done and has nothing against it.
 * @param {string[]} urls @param {string} family @param {Gathering} gathering
 */
function serversOf(urls, family, { candidates, errors, isComplete }) {
  const answers = [...candidates.filter(isByUdp), ...errors.filter(isAnswer)];
  const heard = new Set(answers.map(({ url }) => hostOf(url)));
  const failed = new Set(errors.map(({ url }) => hostOf(url)));
  const hosts = new Set(urls.map(hostOf).filter((host) => canBe(host, family)));
  return [...hosts].filter((host) => heard.has(host) || (isComplete && !failed.has(host))).length;
}

/** @param {string} url */
function hostOf(url) {
  return url.replace(/^\w+:/, '').replace(/\?.*$/, '');
}

/** @param {string} host with its port @param {string} family */
function canBe(host, family) {
  if (host.startsWith('[')) return family === 'IPv6';
  return /^[\d.]+(:\d+)?$/.test(host) ? family === 'IPv4' : true;
}
