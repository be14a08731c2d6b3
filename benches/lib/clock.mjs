/**
 * Runs in the page before its scripts: notes when each step of a join happened, in ms after the click.
 * The picture counts that comes first from elsewhere: of a video whose stream is a receiver's.
 */
export function installClock() {
  const marks = (window.__marks = {});
  const mark = (name, at = performance.now()) => (marks[name] ??= at);
  // What happened before the click (a connection made in advance, say) does not count.
  addEventListener(
    'click',
    (event) => {
      if ('click' in marks) return;
      for (const name of Object.keys(marks)) delete marks[name];
      mark('click', event.timeStamp);
    },
    true,
  );

  const remote = new WeakSet();
  const Native = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Native {
    constructor(...args) {
      super(...args);
      this.addEventListener('track', ({ track }) => remote.add(track));
      this.addEventListener('icecandidate', ({ candidate }) => candidate && mark('gathered'));
      this.addEventListener('signalingstatechange', () => this.signalingState === 'stable' && mark('answered'));
      this.addEventListener(
        'iceconnectionstatechange',
        () => this.iceConnectionState === 'connected' && mark('checked'),
      );
      this.addEventListener('connectionstatechange', () => this.connectionState === 'connected' && mark('secured'));
    }
  };

  function watch(video) {
    if (video.__watched) return;
    video.__watched = true;
    video.requestVideoFrameCallback(function seen(now, { receiveTime, presentationTime }) {
      const track = video.srcObject?.getVideoTracks?.()[0];
      if (!track || !remote.has(track)) {
        video.requestVideoFrameCallback(seen);
        return;
      }
      // receiveTime is when the frame's last packet came.
      if (receiveTime) mark('keyframe', receiveTime);
      mark('shown', Math.max(now, presentationTime));
    });
  }
  const native = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, 'srcObject');
  Object.defineProperty(HTMLMediaElement.prototype, 'srcObject', {
    ...native,
    set(stream) {
      native.set.call(this, stream);
      if (this instanceof HTMLVideoElement && stream) watch(this);
    },
  });
}
