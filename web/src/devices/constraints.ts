// What is asked of camera and microphone.

/** Speech: the browser's own echo cancellation and noise suppression, one channel. */
export function micConstraints(deviceId: string): MediaTrackConstraints {
  return {
    echoCancellation: true,
    noiseSuppression: true,
    autoGainControl: true,
    channelCount: { ideal: 1 },
    ...(deviceId ? { deviceId: { ideal: deviceId } } : {}),
  };
}

/** Encoding is the costliest thing this page does: small machines capture less. */
export function cameraConstraints(deviceId: string, cores: number): MediaTrackConstraints {
  const [width, height] = cores > 4 ? [1280, 720] : [640, 360];
  return {
    width: { ideal: width },
    height: { ideal: height },
    frameRate: { ideal: cores > 2 ? 30 : 20, max: 30 },
    ...(deviceId ? { deviceId: { ideal: deviceId } } : { facingMode: { ideal: 'user' } }),
  };
}

/** Text has to be sharp, not smooth. */
export const screenConstraints: DisplayMediaStreamOptions = {
  video: { frameRate: { ideal: 15, max: 15 }, width: { max: 1920 }, height: { max: 1080 } },
  audio: true,
};

/** Why a device is not there. */
export type DeviceProblem = 'denied' | 'missing' | 'busy';

/** Reads what getUserMedia throws. */
export function problemOf(error: unknown): DeviceProblem {
  const name = error instanceof Error || error instanceof DOMException ? error.name : '';
  if (name === 'NotAllowedError' || name === 'SecurityError') return 'denied';
  if (name === 'NotFoundError' || name === 'OverconstrainedError' || name === 'TypeError') return 'missing';
  return 'busy';
}
