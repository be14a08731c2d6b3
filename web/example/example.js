// A call in 30 lines: join with camera and microphone, show and play everybody.
import { Room, createLocalTracks } from '/sdk/index.js';

const form = /** @type {HTMLFormElement} */ (document.querySelector('form'));
const status = /** @type {HTMLElement} */ (document.querySelector('[role=status]'));
const main = /** @type {HTMLElement} */ (document.querySelector('main'));

/** @param {import('/sdk/index.js').Track} track */
function show(track) {
  const element = track.attach();
  if (element instanceof HTMLVideoElement) element.width = 320;
  main.append(element);
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  form.inert = true;
  const { room: roomName = '', name = '' } = Object.fromEntries(new FormData(form).entries());
  const tracks = await createLocalTracks();
  const room = new Room({ room: String(roomName), name: String(name), tracks });
  room.on('trackSubscribed', show);
  room.on('trackUnsubscribed', (track) => track.detach().forEach((element) => element.remove()));
  room.on('disconnected', ({ message }) => (status.textContent = message));
  room.on('audioPlaybackChanged', (canPlay) => {
    if (!canPlay) addEventListener('click', () => room.startAudio(), { once: true });
  });
  await room.connect(location.origin).catch((error) => (status.textContent = error.message));
  form.inert = room.state === 'connected';
  tracks.filter((track) => track.kind === 'video').forEach(show);
});
