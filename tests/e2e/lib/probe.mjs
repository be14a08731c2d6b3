// What a page really receives, asked of the browser itself and not of our SDK where that is possible.

/**
 * Runs in the page before its scripts: keeps every RTCPeerConnection, and offers `window.__probe`.
 */
export function installProbe() {
  if (window.__probe) return;
  const connections = [];
  const Native = window.RTCPeerConnection;
  if (Native) {
    window.RTCPeerConnection = class extends Native {
      constructor(...args) {
        super(...args);
        connections.push(this);
      }
    };
  }

  /** The SDK's track of a participant. */
  function trackOf(participant, source) {
    const remote = window.madang?.room?.remoteParticipants.get(participant);
    return remote?.getTrack(source)?.mediaStreamTrack ?? null;
  }

  /** The browser's inbound-rtp report of a MediaStreamTrack. */
  async function inbound(mediaStreamTrack) {
    for (const connection of connections) {
      if (connection.connectionState === 'closed') continue;
      const receiver = connection.getReceivers().find(({ track }) => track === mediaStreamTrack);
      if (!receiver) continue;
      for (const report of (await receiver.getStats()).values()) {
        if (report.type === 'inbound-rtp') return report;
      }
    }
    return null;
  }

  /** Frames and size of what was decoded; null while there is nothing. */
  async function video(participant, source = 'camera') {
    const track = trackOf(participant, source);
    const report = track && (await inbound(track));
    if (!report) return null;
    return {
      at: performance.now(),
      frames: report.framesDecoded ?? 0,
      width: report.frameWidth,
      height: report.frameHeight,
    };
  }

  let asked = null;

  /**
   * Frames that this page's own camera has made, whatever became of them; null while nothing takes them. Whoever
   * watches it asks, and a browser takes long to tell all of its figures: one answer is good for half a second.
   */
  function camera() {
    if (!asked || performance.now() - asked.at > 500) asked = { at: performance.now(), answer: readCamera() };
    return asked.answer;
  }

  async function readCamera() {
    const track = window.madang?.room?.localParticipant.getTrack('camera')?.mediaStreamTrack;
    for (const connection of connections) {
      if (!track || connection.connectionState === 'closed') continue;
      const reports = [...(await connection.getStats()).values()];
      const source = reports.find(
        ({ type, trackIdentifier }) => type === 'media-source' && trackIdentifier === track.id,
      );
      if (source) return { at: performance.now(), frames: source.frames ?? 0 };
    }
    return null;
  }

  /** The colour in the middle of the upper left quarter of the picture on screen, where no shape passes. */
  function colour(participant, source = 'camera') {
    const tile = document.querySelector(
      `[data-testid="tile"][data-participant="${participant}"][data-source="${source}"]`,
    );
    const element = tile?.matches('video') ? tile : tile?.querySelector('video');
    if (!element || element.readyState < 2 || !element.videoWidth) return null;
    const canvas = document.createElement('canvas');
    canvas.width = 32;
    canvas.height = 18;
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(element, 0, 0, 32, 18);
    const { data } = context.getImageData(2, 2, 4, 3);
    const sum = [0, 0, 0];
    for (let i = 0; i < data.length; i += 4) for (let c = 0; c < 3; c++) sum[c] += data[i + c];
    return sum.map((value) => Math.round(value / (data.length / 4)));
  }

  const listeners = new Map();
  let context;
  let idle;
  /** Since when, by the context's own time, what an analyser holds is new. */
  let hearsSince = null;

  /**
   * Listening costs a browser more than a call does: it rests while nobody asks. Says whether it has listened for
   * long enough that nothing is left of what was heard before.
   */
  function listens() {
    context ??= new AudioContext();
    clearTimeout(idle);
    idle = setTimeout(() => {
      hearsSince = null;
      void context.suspend();
    }, 2000);
    if (context.state !== 'running') {
      hearsSince = null;
      void context.resume();
      return false;
    }
    hearsSince ??= context.currentTime;
    return context.currentTime - hearsSince > 0.3;
  }

  /** The loudest frequency in what a participant's microphone sends, and how far it stands out. */
  function sound(participant, source = 'microphone') {
    const track = trackOf(participant, source);
    if (!track) return null;
    const isFresh = listens();
    let analyser = listeners.get(track);
    if (!analyser) {
      analyser = context.createAnalyser();
      analyser.fftSize = 8192;
      analyser.smoothingTimeConstant = 0;
      context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
      listeners.set(track, analyser);
    }
    if (!isFresh) return null;
    const bins = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(bins);
    let loudest = 0;
    for (let i = 1; i < bins.length; i++) if (bins[i] > bins[loudest]) loudest = i;
    return {
      hertz: Math.round((loudest * context.sampleRate) / analyser.fftSize),
      decibels: Math.round(bins[loudest]),
    };
  }

  /** The chosen candidate pair of every connection that has one. */
  async function pairs() {
    const found = [];
    for (const connection of connections) {
      if (connection.connectionState !== 'connected') continue;
      const reports = await connection.getStats();
      for (const report of reports.values()) {
        // Chromium names the pair in its transport, Firefox marks the pair itself.
        const chosen =
          report.type === 'transport' ? reports.get(report.selectedCandidatePairId) : report.selected && report;
        if (!chosen) continue;
        const local = reports.get(chosen.localCandidateId);
        found.push({
          local: local?.candidateType,
          protocol: local?.protocol,
          relayProtocol: local?.relayProtocol,
          remote: reports.get(chosen.remoteCandidateId)?.candidateType,
          bytesSent: chosen.bytesSent,
          bytesReceived: chosen.bytesReceived,
        });
      }
    }
    return found;
  }

  window.__probe = { connections, video, camera, colour, sound, pairs };
}
