// What a page shows and plays of the server's mix.
import assert from 'node:assert/strict';
import { connections } from './sfu.mjs';
import { until } from './until.mjs';

/** Runs in the page: the mean colour at places of the mixed picture, shares of its width and height. */
function coloursAt(room, points) {
  const element = document.querySelector('[data-testid="mix-video"]');
  if (!element || element.readyState < 2 || !element.videoWidth) return null;
  const [width, height] = [element.videoWidth, element.videoHeight];
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(element, 0, 0);
  return points.map(([x, y]) => {
    const { data } = context.getImageData(Math.round(x * width) - 2, Math.round(y * height) - 2, 4, 4);
    const sum = [0, 0, 0];
    for (let i = 0; i < data.length; i += 4) for (let c = 0; c < 3; c++) sum[c] += data[i + c];
    return sum.map((value) => Math.round(value / (data.length / 4)));
  });
}

/** Runs in the page: how loud each of these tones is in the mix, in decibels, once it has listened for a while. */
async function tonesOf(room, hertz) {
  const track = room.mix?.audio.mediaStreamTrack;
  if (!track) return null;
  window.__mixEar ??= new AudioContext();
  const context = window.__mixEar;
  await context.resume();
  if (window.__mixHeard?.track !== track) {
    const analyser = context.createAnalyser();
    analyser.fftSize = 16384;
    analyser.smoothingTimeConstant = 0;
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    window.__mixHeard = { track, analyser };
  }
  const { analyser } = window.__mixHeard;
  await new Promise((resolve) => setTimeout(resolve, 500));
  const bins = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(bins);
  const width = context.sampleRate / analyser.fftSize;
  const loudest = (tone) =>
    Math.max(...bins.subarray(Math.floor((tone - 12) / width), Math.ceil((tone + 12) / width) + 1));
  return hertz.map((tone) => Math.round(loudest(tone)));
}

/** Runs in the page: what is decoded of the mix, and how many pictures come in all. */
async function received(room) {
  const reports = [];
  for (const connection of window.__probe.connections) {
    if (connection.connectionState !== 'closed') reports.push(...(await connection.getStats()).values());
  }
  const inbound = reports.filter(({ type }) => type === 'inbound-rtp');
  const flows = ({ bytesReceived }) => bytesReceived > 0;
  const video = inbound.filter(({ kind }) => kind === 'video');
  const mixed = video.find(({ trackIdentifier }) => trackIdentifier === room.mix?.video.mediaStreamTrack?.id);
  return {
    videos: video.filter(flows).length,
    sounds: inbound.filter(({ kind }) => kind === 'audio').filter(flows).length,
    frames: mixed?.framesDecoded ?? 0,
    width: mixed?.frameWidth ?? 0,
    height: mixed?.frameHeight ?? 0,
    codec: reports.find(({ id }) => id === mixed?.codecId)?.mimeType ?? null,
  };
}

export const mixReceived = (person) => person.room(received);

export const mixPlaces = (person) => person.room((r) => r.mix?.state?.places ?? []);

export const layoutIs = (person, layout) =>
  person.room((r, kind) => r.takeMix({ layout: kind }).then(() => kind), layout);

const far = (one, other) => Math.max(...one.map((value, i) => Math.abs(value - other[i])));

/**
 * Waits until a person's mixed picture shows exactly these people, each in their colour in the tile where the
 * layout says.
 */
export async function showsInMix(viewer, people, { timeout = 20_000, source = 'camera' } = {}) {
  const wanted = people.map(({ id }) => id).sort();
  await until(
    `${viewer.name}'s mix shows ${people.map(({ name }) => name)}`,
    async () => {
      const places = (await mixPlaces(viewer)).filter((place) => place.source === source);
      if (JSON.stringify(places.map(({ participant }) => participant).sort()) !== JSON.stringify(wanted)) {
        return { wait: `places of ${places.map(({ participant }) => participant)}` };
      }
      // The upper left quarter of each tile, where no shape passes.
      const points = places.map(({ left, top, width, height }) => [left + width * 0.2, top + height * 0.2]);
      const seen = await viewer.room(coloursAt, points);
      if (!seen) return { wait: 'no picture' };
      const wrong = places.flatMap(({ participant }, i) => {
        const person = people.find(({ id }) => id === participant);
        return far(seen[i], person.look.colour) < 45 ? [] : `${person.name}: rgb(${seen[i]})`;
      });
      return wrong.length === 0 || { wait: wrong };
    },
    { timeout, every: 300 },
  );
}

/** Waits until a person hears the others, and itself at least 30 dB below each of them. */
export async function hearsInMix(person, others, { timeout = 20_000 } = {}) {
  const tones = [person, ...others].map(({ look }) => look.tone);
  await until(
    `${person.name} hears ${others.map(({ name }) => name)} and not itself`,
    async () => {
      const levels = await person.room(tonesOf, tones);
      if (!levels) return { wait: 'no sound' };
      const [own, ...heard] = levels;
      const right = heard.every((level) => level > -60 && level - own >= 30);
      return right || { wait: `own ${own} dB, others ${heard}` };
    },
    { timeout, every: 300 },
  );
}

/** One PeerConnection, one picture and one sound. */
export async function isMixed(person, kind = 'mcu') {
  assert.equal(await connections(person), 1, `${person.name} has one PeerConnection`);
  const links = await person.room((r) => [...r.links.values()].map(({ kind, peer }) => ({ kind, peer })));
  assert.deepEqual(links, [{ kind, peer: null }]);
  const { videos, sounds } = await mixReceived(person);
  assert.deepEqual({ videos, sounds }, { videos: 1, sounds: 1 }, `${person.name} gets one picture and one sound`);
}
