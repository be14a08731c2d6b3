// Which media each remote track shows: that of the newest link that has some, and until then what
// was shown before.

/**
 * @typedef {import('./link.js').Link} Link
 * @typedef {import('./participant.js').RemoteParticipant} RemoteParticipant
 * @typedef {import('./parts.js').Parts} Parts
 * @typedef {import('./parts.js').RoomHost} RoomHost
 * @typedef {import('./remote_track.js').RemoteTrack} RemoteTrack
 * @typedef {import('./protocol.js').TrackKind} TrackKind
 */

/** @param {Parts} parts @returns {RemoteTrack[]} everybody's, and the mix's */
const arriving = ({ roster, mixes }) => [...mixes.tracks, ...roster.remoteTracks()];

/**
 * Gives a track the media that a link receives for it, once both are known.
 * @param {RoomHost} room
 * @param {Parts} parts
 * @param {RemoteTrack} track
 * @param {{ keep?: boolean }} [options] whether what is shown may stay until something takes its place
 */
export function bind(room, parts, track, { keep = true } = {}) {
  const { links, mixes } = parts;
  const isMix = track.source === 'mix';
  // What a mix has taken the place of does not flow any more on links that are closed to the server.
  const receivers = links.receiversOf(track.id, { retiring: isMix || !mixes.isShown(track.kind) });
  const shown = receivers.find((each) => each.track === track.mediaStreamTrack);
  // What flows already is shown until the newer link has its first packet.
  const receiver = receivers.find((each) => !each.track.muted) ?? shown ?? receivers[0];
  for (const each of receivers) each.track.onunmute = () => bind(room, parts, track);
  if (!receiver && keep && mixes.isKept(track) && !isTaken(parts, track)) return;
  track.setMedia(receiver?.track ?? null);
  const flows = receiver !== undefined && !receiver.track.muted;
  if (track.isSubscribed !== Boolean(receiver)) {
    track.setSubscribed(Boolean(receiver));
    if (!receiver) track.setDelivery(null);
    tell(room, track, receiver !== undefined);
  }
  if (isMix && flows) mixes.flows(track);
  else if (!isMix) mixes.settle();
  links.endUnused((link) => isShown(parts, link));
}

/**
 * A link carries other tracks than before.
 * @param {RoomHost} room
 * @param {Parts} parts
 * @param {Link} link
 */
export function bindAll(room, parts, link) {
  for (const id of link.receivedIds) {
    const track = parts.roster.remoteTrack(id) ?? parts.mixes.track(id);
    if (track) bind(room, parts, track);
  }
  rebind(room, parts, link);
}

/**
 * What a link carried may arrive elsewhere now, or be another track's: a server uses its media
 * descriptions again.
 * @param {RoomHost} room
 * @param {Parts} parts
 * @param {Link} link
 * @param {{ keep?: boolean }} [options]
 */
export function rebind(room, parts, link, options) {
  for (const track of arriving(parts)) {
    const media = track.mediaStreamTrack;
    if (media && link.receives(media)) bind(room, parts, track, options);
  }
}

/**
 * The mix has taken the place of everybody's tracks of a kind, or nothing has come in its place.
 * @param {RoomHost} room
 * @param {Parts} parts
 * @param {TrackKind} kind
 */
export function bindKind(room, parts, kind) {
  for (const track of parts.roster.remoteTracks()) if (track.kind === kind) bind(room, parts, track);
}

/** @param {RoomHost} room @param {RemoteTrack} track of a mix */
export function unbindMix(room, track) {
  if (!track.isSubscribed) return;
  track.setSubscribed(false);
  tell(room, track, false);
}

/** @param {Parts} parts @param {TrackKind} kind @returns {boolean} whether all that is sent of it arrives */
export function isForwarded({ roster }, kind) {
  return [...roster.remoteTracks()].every((track) => {
    const isExpected = track.kind === kind && !track.isMuted && !track.delivery?.paused;
    return !isExpected || track.mediaStreamTrack?.muted === false;
  });
}

/** @param {RoomHost} room @param {RemoteTrack} track @param {boolean} subscribed */
function tell(room, track, subscribed) {
  if (track.source === 'mix') {
    room.emit(subscribed ? 'mixTrackSubscribed' : 'mixTrackUnsubscribed', track);
  } else {
    const participant = /** @type {RemoteParticipant} */ (track.participant);
    room.emit(subscribed ? 'trackSubscribed' : 'trackUnsubscribed', track, participant);
  }
}

/** @param {Parts} parts @param {RemoteTrack} track @returns {boolean} whether its media is another track's now */
function isTaken({ links }, { id, mediaStreamTrack: media }) {
  if (!media) return true;
  return [...links.all.values()].some((link) => {
    const carried = link.trackOf(media);
    return carried !== undefined && carried !== id;
  });
}

/** @param {Parts} parts @param {Link} link */
function isShown(parts, link) {
  return arriving(parts).some(({ mediaStreamTrack: media }) => media !== null && link.receives(media));
}
