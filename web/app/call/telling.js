// What happens in the room, told in a few words.

/**
 * @typedef {import('/sdk/index.js').Room} Room
 * @typedef {import('/sdk/index.js').Participant} Participant
 */

// Below this a camera's picture is sent visibly smaller.
const SMALLER_BPS = 400_000;
const TOGETHER_MS = 600;
const LIMITS = ['congestion', 'room_limit', 'participant_limit'];

/**
 * @param {Room} room
 * @param {object} views
 * @param {import('./toasts.js').Toasts} views.toasts
 * @param {import('./banner.js').Banner} views.banner
 * @param {import('./panel.js').Panel} views.panel
 * @param {() => void} views.openChat
 * @param {() => boolean} views.isOwnDoing whether a mute now is this person's own
 */
export function tellOf(room, { toasts, banner, panel, openChat, isOwnDoing }) {
  tellOfPeople(room, toasts);
  tellOfSelf(room, toasts, isOwnDoing);
  room.on('chatReceived', (message) => {
    if (panel.chatArrived(message)) return;
    const text = message.text.length > 80 ? `${message.text.slice(0, 79)}…` : message.text;
    toasts.say('chat.new', { name: message.fromName, text }, { icon: 'chat', onclick: openChat });
  });
  room.on('bitrateChanged', () => {
    const limits = [...room.links.values()].flatMap((link) =>
      link.limit && LIMITS.includes(link.limit.reason) ? link.limit : [],
    );
    const least = limits.toSorted((a, b) => a.bps - b.bps)[0];
    const isSmaller = least !== undefined && least.bps < SMALLER_BPS && room.localParticipant.isCameraEnabled;
    banner.limitChanged(least?.reason ?? 'unlimited', isSmaller);
  });
}

/** @param {Room} room @param {import('./toasts.js').Toasts} toasts */
function tellOfPeople(room, toasts) {
  /** @type {WeakSet<Participant>} */
  const hands = new WeakSet();
  /** @type {string[]} */
  let arrived = [];
  /** @type {Set<string>} names of those whom a new session replaces at this moment */
  const returning = new Set();
  room.on('participantConnected', (p) => {
    // Those who were here before come with the welcome, and need no announcement.
    const isBack = returning.delete(p.name);
    if (room.state !== 'connected' || isBack) return;
    if (arrived.push(p.name) > 1) return;
    // Friends come in together; one word serves for all.
    setTimeout(() => {
      const names = arrived.slice(0, 2).join(', ');
      if (arrived.length > 2) toasts.say('say.joined.many', { names, count: arrived.length - 2 });
      else toasts.say('say.joined', { name: names });
      arrived = [];
    }, TOGETHER_MS);
  });
  room.on('participantDisconnected', (p, reason) => {
    // Without a reason nobody left: after a restart of the server the same person has a new session.
    if (!reason || reason === 'duplicate_identity') {
      returning.add(p.name);
      setTimeout(() => returning.delete(p.name), TOGETHER_MS);
      return;
    }
    if (room.state !== 'connected') return;
    const key = reason === 'kicked' ? 'say.kicked' : reason === 'lost' ? 'say.lost' : 'say.left';
    toasts.say(key, { name: p.name });
  });
  room.on('participantChanged', (p) => {
    const isNew = p.handRaised && !hands.has(p);
    if (p.handRaised) hands.add(p);
    else hands.delete(p);
    if (isNew && !p.isLocal) toasts.say('say.hand', { name: p.name }, { icon: 'hand', tone: 'hand' });
  });
  room.on('trackPublished', (track, p) => {
    if (track.source === 'screen' && track.kind === 'video')
      toasts.say('say.screen', { name: p.name }, { icon: 'screen' });
  });
}

/** @param {Room} room @param {import('./toasts.js').Toasts} toasts @param {() => boolean} isOwnDoing */
function tellOfSelf(room, toasts, isOwnDoing) {
  let isLocked = room.locked;
  let { role } = room.localParticipant;
  let isSettled = false;
  room.on('trackMuted', (track, p) => {
    if (!p.isLocal || track.source === 'screen' || isOwnDoing()) return;
    toasts.say(
      track.kind === 'audio' ? 'say.muted.host' : 'say.camera.host',
      {},
      { icon: track.kind === 'audio' ? 'mic-off' : 'camera-off' },
    );
  });
  room.on('roomChanged', () => {
    if (room.locked !== isLocked)
      toasts.say(room.locked ? 'say.locked' : 'say.unlocked', {}, { icon: room.locked ? 'lock' : 'unlock' });
    isLocked = room.locked;
  });
  room.on('participantChanged', (p) => {
    if (!p.isLocal || p.role === role) return;
    role = p.role;
    if (role === 'host' && isSettled) toasts.say('say.host', {}, { icon: 'host' });
  });
  const settle = () => {
    role = room.localParticipant.role;
    isLocked = room.locked;
    isSettled = true;
  };
  if (room.state === 'connected') settle();
  else room.once('connected', settle);
}
