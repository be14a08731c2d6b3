// A camera and a microphone of our own making, put in place of getUserMedia before any page script.

/** Colours that stay far apart after video coding; a person gets one of them. */
export const colours = {
  red: [200, 40, 40],
  green: [40, 160, 60],
  blue: [50, 70, 200],
  yellow: [210, 190, 40],
  violet: [150, 50, 170],
  cyan: [30, 180, 190],
  grey: [120, 120, 120],
};

/**
 * Runs in the page. The camera shows one colour, a moving disc and a counter of small squares,
 * so that no two frames are alike; the microphone plays one tone.
 * `fault` names the DOMException that getUserMedia rejects with, e.g. `NotFoundError`;
 * `faultOf` limits it to `audio` or `video`.
 * @param {{ colour: number[], tone: number, fps: number, width: number, height: number, fault?: string, faultOf?: string }} options
 */
export function installFakeMedia(options) {
  if (!navigator.mediaDevices || window.__fakeMedia) return;
  const [red, green, blue] = options.colour;

  function camera(width, height, label) {
    const canvas = document.createElement('canvas');
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext('2d', { alpha: false });
    let frame = 0;
    function draw() {
      frame++;
      context.fillStyle = `rgb(${red} ${green} ${blue})`;
      context.fillRect(0, 0, width, height);
      const angle = frame / 12;
      context.fillStyle = '#fff';
      context.beginPath();
      const radius = height / 9;
      context.arc(width / 2 + (Math.cos(angle) * width) / 4, height / 2 + (Math.sin(angle) * height) / 4, radius, 0, 7);
      context.fill();
      for (let bit = 0; bit < 12; bit++) {
        context.fillStyle = (frame >> bit) & 1 ? '#fff' : '#000';
        context.fillRect((bit * width) / 12, height - height / 20, width / 12, height / 20);
      }
      if (label) {
        context.fillStyle = '#fff';
        context.font = `${height / 8}px sans-serif`;
        context.fillText(label, width / 20, height / 5);
      }
    }
    draw();
    const track = canvas.captureStream(options.fps).getVideoTracks()[0];
    const timer = setInterval(() => {
      if (track.readyState === 'ended') clearInterval(timer);
      else draw();
    }, 1000 / options.fps);
    return track;
  }

  let audio;
  function microphone() {
    audio ??= new AudioContext({ sampleRate: 48000, latencyHint: 'playback' });
    void audio.resume();
    const oscillator = audio.createOscillator();
    oscillator.frequency.value = options.tone;
    const gain = audio.createGain();
    gain.gain.value = 0.3;
    const destination = audio.createMediaStreamDestination();
    oscillator.connect(gain).connect(destination);
    oscillator.start();
    return destination.stream.getAudioTracks()[0];
  }

  function refuse(kinds) {
    const { fault, faultOf } = window.__fakeMedia;
    if (fault && (!faultOf || kinds.includes(faultOf))) throw new DOMException(`made up: ${fault}`, fault);
  }

  window.__fakeMedia = { fault: options.fault, faultOf: options.faultOf, screens: 0 };
  navigator.mediaDevices.getUserMedia = async (constraints = {}) => {
    refuse(['audio', 'video'].filter((kind) => constraints[kind]));
    const tracks = [];
    if (constraints.audio) tracks.push(microphone());
    if (constraints.video) tracks.push(camera(options.width, options.height));
    return new MediaStream(tracks);
  };
  navigator.mediaDevices.getDisplayMedia = async () => {
    window.__fakeMedia.screens++;
    return new MediaStream([camera(1280, 720, 'screen')]);
  };
}
