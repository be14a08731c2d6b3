// Our SDK in Node.js, on the WebRTC of @roamhq/wrtc: publishes a colour and a tone, and prints what it
// receives as lines of JSON. Arguments: the server's WebSocket or page address, a room, a look as JSON.
import { createRequire } from 'node:module';
import WebSocket from 'ws';

const require = createRequire(import.meta.url);
const wrtc = require('@roamhq/wrtc');
const { RTCAudioSink, RTCAudioSource, RTCVideoSink, RTCVideoSource } = wrtc.nonstandard;
const { RTCPeerConnection, RTCSessionDescription, RTCIceCandidate, RTCRtpReceiver, RTCRtpSender } = wrtc;
Object.assign(globalThis, { RTCPeerConnection, RTCSessionDescription, RTCIceCandidate, RTCRtpReceiver, RTCRtpSender });
Object.assign(globalThis, { MediaStream: wrtc.MediaStream, MediaStreamTrack: wrtc.MediaStreamTrack, WebSocket });
const { Room } = await import('../../../web/sdk/src/index.js');

const [url, roomName, look] = process.argv.slice(2);
const { name, colour, tone } = JSON.parse(look);
const size = { width: 320, height: 180 };
const say = (event, more = {}) => process.stdout.write(`${JSON.stringify({ event, ...more })}\n`);

/** A picture of one colour, in I420 (ITU-R BT.601, studio range). */
function picture([r, g, b]) {
  const luma = size.width * size.height;
  const data = new Uint8ClampedArray(luma * 1.5);
  data.fill(16 + 0.257 * r + 0.504 * g + 0.098 * b, 0, luma);
  data.fill(128 - 0.148 * r - 0.291 * g + 0.439 * b, luma, luma * 1.25);
  data.fill(128 + 0.439 * r - 0.368 * g - 0.071 * b, luma * 1.25);
  return data;
}

/** Back from I420: the picture's middle. */
function middle({ width, height, data }) {
  const luma = width * height;
  const chroma = (height >> 2) * (width >> 1) + (width >> 2);
  const y = 1.164 * (data[(height >> 1) * width + (width >> 1)] - 16);
  const [u, v] = [luma, luma * 1.25].map((plane) => data[plane + chroma] - 128);
  return [y + 1.596 * v, y - 0.391 * u - 0.813 * v, y + 2.018 * u].map(Math.round);
}

/** How much of a piece of sound is the tone: 0 to 1 (Goertzel). */
function share({ samples, sampleRate, channelCount }, hertz) {
  const mono = Array.from({ length: samples.length / channelCount }, (_, i) => samples[i * channelCount]);
  const power = mono.reduce((sum, sample) => sum + sample * sample, 0);
  if (power === 0) return 0;
  const sum = [0, 0];
  mono.forEach((sample, i) => {
    const phase = (2 * Math.PI * hertz * i) / sampleRate;
    sum[0] += sample * Math.cos(phase);
    sum[1] += sample * Math.sin(phase);
  });
  return (2 * (sum[0] ** 2 + sum[1] ** 2)) / (power * mono.length);
}

const video = new RTCVideoSource();
const audio = new RTCAudioSource();
const frame = { ...size, data: picture(colour) };
setInterval(() => video.onFrame(frame), 40);
let at = 0;
setInterval(() => {
  const samples = Int16Array.from({ length: 480 }, () => 12_000 * Math.sin((2 * Math.PI * tone * at++) / 48_000));
  audio.onData({ samples, sampleRate: 48_000, bitsPerSample: 16, channelCount: 1, numberOfFrames: 480 });
}, 10);

const room = new Room({ room: roomName, name, topology: 'sfu', storage: null });
room.on('trackSubscribed', (track, participant) => {
  if (track.kind === 'video') {
    let frames = 0;
    new RTCVideoSink(track.mediaStreamTrack).onframe = ({ frame: got }) => {
      if (++frames % 10 === 0) say('video', { from: participant.id, frames, height: got.height, colour: middle(got) });
    };
  } else {
    let heard = [];
    new RTCAudioSink(track.mediaStreamTrack).ondata = (data) => {
      heard.push(...data.samples);
      if (heard.length < 9600 * data.channelCount) return;
      const shares = [440, 740].map((hertz) => share({ ...data, samples: heard }, hertz));
      heard = [];
      say('audio', { from: participant.id, shares });
    };
  }
});
room.on('dataReceived', (bytes, from, topic) =>
  say('data', { from: from?.id, topic, text: String(Buffer.from(bytes)) }),
);
await room.connect(url);
await room.localParticipant.publishTrack(video.createTrack(), { source: 'camera' });
await room.localParticipant.publishTrack(audio.createTrack(), { source: 'microphone' });
say('in', { id: room.localParticipant.id });
process.stdin.on('data', async () => {
  await room.localParticipant.publishData(Buffer.from('from Node'), { topic: 'greeting' });
});
process.stdin.on('end', async () => {
  await room.disconnect();
  process.exit(0);
});
