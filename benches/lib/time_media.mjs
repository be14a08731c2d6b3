// A camera that shows the time and a microphone that beeps on every second, and how late a page sees and hears them.

/**
 * Runs in the page before its scripts, in place of getUserMedia: the picture is the time in milliseconds as 24
 * squares, black or white, in three rows (below them is where names stand); the sound is a beep of 80 ms at each whole second.
 * @param {{ width: number, height: number, fps: number, silent?: boolean }} options
 */
export function installTimeMedia(options) {
  const { width, height, fps, silent } = options;
  function camera() {
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const context = canvas.getContext('2d', { alpha: false });
    const draw = () => {
      const time = Date.now() & 0xffffff;
      for (let bit = 0; bit < 24; bit++) {
        context.fillStyle = (time >> bit) & 1 ? '#fff' : '#000';
        context.fillRect(((bit % 8) * width) / 8, (Math.floor(bit / 8) * height) / 4, width / 8, height / 4);
      }
    };
    draw();
    setInterval(draw, 1000 / fps);
    return canvas.captureStream(fps).getVideoTracks()[0];
  }
  function microphone() {
    const context = new AudioContext({ sampleRate: 48000, latencyHint: 'interactive' });
    void context.resume();
    const oscillator = new OscillatorNode(context, { frequency: 1000 });
    const gain = new GainNode(context, { gain: 0 });
    const destination = context.createMediaStreamDestination();
    oscillator.connect(gain).connect(destination);
    oscillator.start();
    let last = 0;
    const schedule = () => {
      const next = Math.ceil((Date.now() + 100) / 1000) * 1000;
      if (next === last || silent) return;
      last = next;
      const at = context.currentTime + (next - Date.now()) / 1000;
      gain.gain.setValueAtTime(0.5, at);
      gain.gain.setValueAtTime(0, at + 0.08);
    };
    setInterval(schedule, 200);
    return destination.stream.getAudioTracks()[0];
  }
  navigator.mediaDevices.getUserMedia = async ({ audio, video } = {}) => {
    const tracks = [];
    if (audio) tracks.push(microphone());
    if (video) tracks.push(camera());
    return new MediaStream(tracks);
  };
}

/**
 * Runs in the page: watches somebody's picture for a while.
 * @param {any} room
 * @param {{ participant: string, mixed: boolean, ms: number }} options
 * @returns {Promise<{ picture: number[], sound: number[] }>} delays in ms
 */
export async function measureDelays(room, { participant, mixed, ms }) {
  const video = mixed
    ? document.querySelector('[data-testid="mix-video"]')
    : document.querySelector(`[data-testid="tile"][data-participant="${participant}"] video`);
  const canvas = Object.assign(document.createElement('canvas'), { width: 80, height: 40 });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const delays = { picture: [], sound: [] };
  const look = () => {
    const now = Date.now() & 0xffffff;
    const place = mixed
      ? room.mix?.state?.places.find((each) => each.participant === participant)
      : { left: 0, top: 0, width: 1, height: 1 };
    // Who has just been moved is seen the next time.
    if (!place || !video.videoWidth) return;
    const [x, y] = [place.left * video.videoWidth, place.top * video.videoHeight];
    const size = [place.width * video.videoWidth, place.height * video.videoHeight];
    context.drawImage(video, x, y, ...size, 0, 0, 80, 40);
    const { data } = context.getImageData(0, 0, 80, 40);
    let time = 0;
    for (let bit = 0; bit < 24; bit++) {
      const pixel = 4 * ((Math.floor(bit / 8) * 10 + 5) * 80 + (bit % 8) * 10 + 5);
      // Neither black nor white: two pictures in one, on the way from one to the other.
      if (data[pixel] > 70 && data[pixel] < 185) return;
      if (data[pixel] >= 185) time |= 1 << bit;
    }
    const delay = (now - time) & 0xffffff;
    if (delay < 5000) delays.picture.push(delay);
  };
  let going = true;
  const each = () => {
    if (going) video.requestVideoFrameCallback(each);
    look();
  };
  video.requestVideoFrameCallback(each);

  const track = mixed ? room.mix.audio : room.remoteParticipants.get(participant).getTrack('microphone');
  const ear = new AudioContext({ sampleRate: 48000, latencyHint: 'interactive' });
  await ear.resume();
  const source = `registerProcessor('onset', class extends AudioWorkletProcessor {
    quiet = 0;
    process([input]) {
      const loud = input[0]?.some((sample) => Math.abs(sample) > 0.02);
      if (loud && this.quiet > 0.2) this.port.postMessage(currentTime);
      this.quiet = loud ? 0 : this.quiet + 128 / sampleRate;
      return true;
    }
  });`;
  await ear.audioWorklet.addModule(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })));
  const onset = new AudioWorkletNode(ear, 'onset');
  // Whatever else is heard has other tones than the beep.
  const beep = () => new BiquadFilterNode(ear, { type: 'bandpass', frequency: 1000, Q: 4 });
  new MediaStreamAudioSourceNode(ear, { mediaStream: new MediaStream([track.mediaStreamTrack]) })
    .connect(beep())
    .connect(beep())
    .connect(onset);
  onset.connect(ear.destination);
  onset.port.onmessage = ({ data: at }) => {
    const heard = Date.now() - (ear.currentTime - at) * 1000;
    delays.sound.push(Math.round(heard % 1000));
  };
  await new Promise((resolve) => setTimeout(resolve, ms));
  going = false;
  await ear.close();
  return delays;
}
