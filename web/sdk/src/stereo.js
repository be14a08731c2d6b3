// Opus comes in two channels only to an end that has asked for them in its description (RFC 7587 §7,
// `stereo`), and browsers do not ask by themselves.

const OPUS = /^a=rtpmap:(\d+) opus\/48000\/2/im;

/**
 * @param {string} sdp
 * @param {(mid: string, media: string) => boolean} isMeant which of its sounds come in two channels
 * @returns {string}
 */
export function withStereo(sdp, isMeant) {
  return sdp
    .split(/^(?=m=)/m)
    .map((media) => (media.startsWith('m=audio') && isMeant(midOf(media), media) ? asStereo(media) : media))
    .join('');
}

/** In an answer: whatever is received comes as it was sent. @param {string} sdp */
export const receivingStereo = (sdp) => withStereo(sdp, (_, media) => /^a=recvonly\r?$/m.test(media));

/**
 * Of one's own tracks, a shared screen's sound is sent as it is heard here.
 * @param {import('./local_track.js').LocalTrack[]} tracks
 * @param {string | undefined} id
 */
export const isScreenSound = (tracks, id) =>
  tracks.some((track) => track.id === id && track.kind === 'audio' && track.source === 'screen');

/** @param {string} media */
const midOf = (media) => /^a=mid:(\S+)/m.exec(media)?.[1] ?? '';

/** @param {string} media */
function asStereo(media) {
  const payloadType = OPUS.exec(media)?.[1];
  if (payloadType === undefined) return media;
  const format = new RegExp(`^(a=fmtp:${payloadType} .*?)(\\r?)$`, 'm');
  const line = format.exec(media);
  if (line === null) return media.replace(OPUS, `$&\r\na=fmtp:${payloadType} stereo=1`);
  return /[ ;]stereo=/.test(line[0]) ? media : media.replace(format, '$1;stereo=1$2');
}
