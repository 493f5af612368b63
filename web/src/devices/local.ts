import { type Readable, Store } from '../lib/store.ts';
import {
  cameraConstraints,
  type DeviceProblem,
  micConstraints,
  problemOf,
  screenConstraints,
} from './constraints.ts';
import { LevelMeter } from './level.ts';

/** A microphone or camera as the page shows it. */
export interface DeviceState {
  /** Whether the person wants it on. */
  on: boolean;
  /** Being opened. */
  starting: boolean;
  track: MediaStreamTrack | null;
  problem: DeviceProblem | null;
  deviceId: string;
}

/** A device to choose. */
export interface DeviceChoice {
  id: string;
  label: string;
}

/** Everything of one's own that can be sent. */
export interface LocalState {
  mic: DeviceState;
  camera: DeviceState;
  screen: { video: MediaStreamTrack; audio: MediaStreamTrack | null } | null;
  mics: readonly DeviceChoice[];
  cameras: readonly DeviceChoice[];
  speakers: readonly DeviceChoice[];
}

/** What somebody chose earlier. */
export interface DevicePreferences {
  micId: string;
  cameraId: string;
}

/**
 * The person's own microphone, camera and screen. A camera that is off is
 * released, so that its light goes out; a muted microphone stays open, so that
 * unmuting is instant, and its samples go nowhere.
 */
export class LocalMedia {
  readonly #state: Store<LocalState>;
  readonly #meter = new LevelMeter();

  constructor(preferences: DevicePreferences) {
    const off = { on: true, starting: false, track: null, problem: null };
    this.#state = new Store<LocalState>({
      mic: { ...off, deviceId: preferences.micId },
      camera: { ...off, deviceId: preferences.cameraId },
      screen: null,
      mics: [],
      cameras: [],
      speakers: [],
    });
    navigator.mediaDevices?.addEventListener?.('devicechange', () => void this.#listDevices());
  }

  get state(): Readable<LocalState> {
    return this.#state;
  }

  /** One's own loudness, 0 to 1; 0 when muted. */
  get level(): number {
    return this.#state.get().mic.on ? this.#meter.level : 0;
  }

  /** Sound may be measured from now on: the person has touched the page. */
  resume(): void {
    this.#meter.resume();
  }

  /** Opens what is wanted and not open: both with one question, or each alone if that fails. */
  async start(): Promise<void> {
    const { mic, camera } = this.#state.get();
    const wantMic = mic.on && !mic.track;
    const wantCamera = camera.on && !camera.track;
    if (wantMic && wantCamera && (await this.#openBoth())) return;
    await Promise.all([wantMic ? this.#openMic() : undefined, wantCamera ? this.#openCamera() : undefined]);
  }

  /** Turns the microphone on or off. */
  async setMic(on: boolean): Promise<void> {
    this.#set('mic', { on });
    const { track } = this.#state.get().mic;
    if (track) track.enabled = on;
    else if (on) await this.#openMic();
  }

  /** Turns the camera on or off. */
  async setCamera(on: boolean): Promise<void> {
    this.#set('camera', { on });
    const { track } = this.#state.get().camera;
    if (!on && track) {
      track.stop();
      this.#set('camera', { track: null });
    } else if (on && !track) {
      await this.#openCamera();
    }
  }

  /** Changes the microphone. */
  async chooseMic(deviceId: string): Promise<void> {
    this.#set('mic', { deviceId });
    await this.#openMic();
  }

  /** Changes the camera. */
  async chooseCamera(deviceId: string): Promise<void> {
    this.#set('camera', { deviceId });
    if (this.#state.get().camera.on) await this.#openCamera();
  }

  /** Asks for a screen to share; false if the person thought better of it. */
  async startScreen(): Promise<boolean> {
    try {
      const stream = await navigator.mediaDevices.getDisplayMedia(screenConstraints);
      const video = stream.getVideoTracks()[0];
      if (!video) return false;
      video.contentHint = 'detail';
      video.onended = () => this.stopScreen();
      this.#state.update((state) => ({
        ...state,
        screen: { video, audio: stream.getAudioTracks()[0] ?? null },
      }));
      return true;
    } catch {
      return false;
    }
  }

  stopScreen(): void {
    const { screen } = this.#state.get();
    screen?.video.stop();
    screen?.audio?.stop();
    this.#state.update((state) => ({ ...state, screen: null }));
  }

  /** Releases everything. */
  stop(): void {
    this.stopScreen();
    this.#meter.listen(null);
    for (const name of ['mic', 'camera'] as const) {
      this.#state.get()[name].track?.stop();
      this.#set(name, { track: null, starting: false });
    }
  }

  async #openBoth(): Promise<boolean> {
    const { mic, camera } = this.#state.get();
    this.#set('mic', { starting: true });
    this.#set('camera', { starting: true });
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        audio: micConstraints(mic.deviceId),
        video: cameraConstraints(camera.deviceId, navigator.hardwareConcurrency),
      });
      this.#take('mic', stream.getAudioTracks()[0]);
      this.#take('camera', stream.getVideoTracks()[0]);
      await this.#listDevices();
      return true;
    } catch {
      return false;
    } finally {
      this.#set('mic', { starting: false });
      this.#set('camera', { starting: false });
    }
  }

  async #openMic(): Promise<void> {
    const constraints = { audio: micConstraints(this.#state.get().mic.deviceId) };
    await this.#open('mic', constraints, (stream) => stream.getAudioTracks()[0]);
  }

  async #openCamera(): Promise<void> {
    const { deviceId } = this.#state.get().camera;
    const constraints = { video: cameraConstraints(deviceId, navigator.hardwareConcurrency) };
    await this.#open('camera', constraints, (stream) => stream.getVideoTracks()[0]);
  }

  async #open(
    name: 'mic' | 'camera',
    constraints: MediaStreamConstraints,
    pick: (stream: MediaStream) => MediaStreamTrack | undefined,
  ): Promise<void> {
    this.#set(name, { starting: true });
    try {
      // Absent where the page is not served securely.
      if (!navigator.mediaDevices) throw new DOMException('no media devices', 'NotFoundError');
      this.#take(name, pick(await navigator.mediaDevices.getUserMedia(constraints)));
      await this.#listDevices();
    } catch (error) {
      this.#set(name, { problem: problemOf(error), on: false });
    } finally {
      this.#set(name, { starting: false });
    }
  }

  #take(name: 'mic' | 'camera', track: MediaStreamTrack | undefined): void {
    const device = this.#state.get()[name];
    device.track?.stop();
    if (!track) {
      this.#set(name, { track: null, problem: 'missing', on: false });
      return;
    }
    if (name === 'camera' && !device.on) {
      track.stop(); // turned off while it was being opened
      return;
    }
    track.enabled = device.on;
    track.onended = () => {
      // Unplugged, or permission was taken away.
      if (this.#state.get()[name].track === track)
        this.#set(name, { track: null, problem: 'missing', on: false });
    };
    this.#set(name, { track, problem: null });
    if (name === 'mic') this.#meter.listen(track);
  }

  #set(name: 'mic' | 'camera', change: Partial<DeviceState>): void {
    this.#state.update((state) => ({ ...state, [name]: { ...state[name], ...change } }));
  }

  async #listDevices(): Promise<void> {
    const all = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    const choices = (kind: MediaDeviceKind, noun: string): DeviceChoice[] =>
      all
        .filter((device) => device.kind === kind && device.deviceId)
        .map((device, i) => ({ id: device.deviceId, label: device.label || `${noun} ${i + 1}` }));
    this.#state.update((state) => ({
      ...state,
      mics: choices('audioinput', 'Microphone'),
      cameras: choices('videoinput', 'Camera'),
      speakers: choices('audiooutput', 'Speaker'),
    }));
  }
}
