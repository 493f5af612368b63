// Functions that run inside the page. Each must stand alone: it is sent to the
// browser as text.

/** Before the page loads: remember every peer connection and WebSocket, so
 * that a test can read statistics and cut wires without a hook in the product. */
export function observe() {
  const Peer = window.RTCPeerConnection;
  window.__pcs = [];
  window.RTCPeerConnection = class extends Peer {
    constructor(...args) {
      super(...args);
      window.__pcs.push(this);
    }
  };
  const Socket = window.WebSocket;
  window.__sockets = [];
  window.__refuseSockets = false;
  window.WebSocket = class extends Socket {
    constructor(...args) {
      // A refused network: the connection goes to a port where nothing listens.
      if (window.__refuseSockets) args[0] = 'wss://localhost:9/';
      super(...args);
      window.__sockets.push(this);
    }
  };
  // The two moments between which a late joiner waits, by the page's own clock:
  // the click on join, and the first decoded frame of somebody else.
  addEventListener(
    'click',
    (event) => {
      if (event.target.closest?.('[data-action="join"]')) window.__joinedAt = performance.now();
    },
    true,
  );
  const watch = () => {
    const shown = [...document.querySelectorAll('[data-tile][data-self="false"] video')].some(
      (video) => video.videoWidth > 0 && video.currentTime > 0,
    );
    if (shown) window.__firstFrameAt = performance.now();
    else requestAnimationFrame(watch);
  };
  requestAnimationFrame(watch);
  window.__violations = [];
  document.addEventListener('securitypolicyviolation', (event) => {
    window.__violations.push(`${event.violatedDirective} ${event.blockedURI}`);
  });
  window.__errors = [];
  window.addEventListener('error', (event) => window.__errors.push(String(event.message)));
  window.addEventListener('unhandledrejection', (event) => window.__errors.push(String(event.reason)));
}

/** Before the page loads: as if a firewall let no UDP through. The browser hears
 * of no UDP candidate of the server's, so that only ICE-TCP is left. */
export function noUdp() {
  const set = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = function (description) {
    const sdp = description.sdp.replace(/^a=candidate:\S+ \d+ udp .*\r\n/gim, '');
    return set.call(this, { type: description.type, sdp });
  };
}

/** The tiles as a person sees them. */
export function tiles() {
  return [...document.querySelectorAll('[data-tile]')].map((tile) => {
    const video = tile.querySelector('video');
    return {
      participant: tile.dataset.participant,
      source: tile.dataset.source,
      state: tile.dataset.state,
      self: tile.dataset.self === 'true',
      text: tile.innerText,
      width: video?.videoWidth ?? 0,
      height: video?.videoHeight ?? 0,
      frames: video?.getVideoPlaybackQuality?.().totalVideoFrames ?? 0,
      time: video?.currentTime ?? 0,
    };
  });
}

/** What the browser's own statistics say of the newest peer connection; null
 * if there is none just now. */
export async function rtp() {
  const pc = window.__pcs.filter((one) => one.connectionState !== 'closed').at(-1);
  if (!pc) return null;
  // Firefox never settles getStats() of a connection that is closed meanwhile.
  const late = new Promise((resolve) => setTimeout(resolve, 1000, null));
  const report = await Promise.race([pc.getStats(), late]);
  if (!report) return null;
  const all = [...report.values()];
  const codec = (id) => all.find((one) => one.id === id)?.mimeType ?? '';
  const pick = (one) => ({
    kind: one.kind,
    mid: one.mid,
    ssrc: one.ssrc,
    codec: codec(one.codecId),
    packets: one.packetsReceived ?? one.packetsSent ?? 0,
    lost: one.packetsLost ?? 0,
    framesDecoded: one.framesDecoded ?? 0,
    framesEncoded: one.framesEncoded ?? 0,
    keyFramesDecoded: one.keyFramesDecoded ?? 0,
    width: one.frameWidth ?? 0,
    height: one.frameHeight ?? 0,
    energy: one.totalAudioEnergy ?? 0,
    pliSent: one.pliCount ?? 0,
    freezes: one.freezeCount ?? 0,
  });
  return {
    state: pc.connectionState,
    pcs: window.__pcs.length,
    inbound: all.filter((one) => one.type === 'inbound-rtp').map(pick),
    outbound: all.filter((one) => one.type === 'outbound-rtp').map(pick),
    pair: all
      .filter((one) => one.type === 'candidate-pair' && one.nominated)
      .map((one) => {
        const remote = report.get(one.remoteCandidateId);
        return { protocol: remote?.protocol, port: remote?.port, state: one.state };
      }),
  };
}

/** Decrypt counters that the page keeps on its root element. */
export function counters() {
  const data = document.documentElement.dataset;
  return { decrypted: Number(data.decrypted ?? 0), failures: Number(data.decryptFailures ?? 0) };
}

/** Mean brightness and colour spread of a tile's picture: black, grey noise and
 * a real picture can be told apart. */
export function picture(participant) {
  const video = document.querySelector(`[data-tile][data-participant="${participant}"] video`);
  if (!video?.videoWidth) return null;
  const canvas = document.createElement('canvas');
  canvas.width = 64;
  canvas.height = 36;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(video, 0, 0, 64, 36);
  const data = context.getImageData(0, 0, 64, 36).data;
  let sum = 0;
  let min = 255;
  let max = 0;
  for (let i = 0; i < data.length; i += 4) {
    const light = (data[i] * 299 + data[i + 1] * 587 + data[i + 2] * 114) / 1000;
    sum += light;
    min = Math.min(min, light);
    max = Math.max(max, light);
  }
  return { mean: sum / (data.length / 4), min, max };
}

/** Loudness of a participant's sound as the page plays it, by the browser's
 * decoder: the sum of squares of a second of samples, 0 for silence. */
export async function loudness(milliseconds) {
  const elements = [...document.querySelectorAll('audio[data-participant]')];
  const context = new AudioContext();
  await context.resume();
  const analysers = elements
    .filter((one) => one.srcObject)
    .map((one) => {
      const analyser = context.createAnalyser();
      analyser.fftSize = 2048;
      context.createMediaStreamSource(one.srcObject).connect(analyser);
      return { participant: one.dataset.participant, analyser, peak: 0, energy: 0 };
    });
  const samples = new Float32Array(2048);
  const end = performance.now() + milliseconds;
  while (performance.now() < end) {
    for (const one of analysers) {
      one.analyser.getFloatTimeDomainData(samples);
      for (const value of samples) {
        one.peak = Math.max(one.peak, Math.abs(value));
        one.energy += value * value;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await context.close();
  return analysers.map(({ participant, peak, energy }) => ({ participant, peak, energy }));
}
