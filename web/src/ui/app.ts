import { Call, type TransformPort } from '../call/call.ts';
import { defaultCodec, parseCodec, type VideoCodec } from '../call/codecs.ts';
import { formatLink, type Link, parseAddress } from '../call/link.ts';
import { Peer } from '../call/peer.ts';
import type { Notice } from '../call/state.ts';
import { Core } from '../core/core.ts';
import { LocalMedia } from '../devices/local.ts';
import { realClock } from '../lib/clock.ts';
import { codeOf } from '../lib/errors.ts';
import { isLoopback } from '../lib/hosts.ts';
import { openSettings, type Settings } from '../lib/settings.ts';
import { type Readable, Store } from '../lib/store.ts';
import { Signalling } from '../signalling/signalling.ts';
import CoreWorker from '../workers/core.worker.ts?worker';
import TransformWorker from '../workers/transform.worker.ts?worker';
import { missingSupport } from './support.ts';
import { nameless } from './texts.ts';

/** What is on screen. */
export type View =
  | { name: 'home' }
  /** There is a call once the link was checked. */
  | { name: 'prejoin'; link: Link; founder: boolean; call: Call | null }
  | { name: 'call'; call: Call; link: Link }
  | { name: 'ended'; link: Link }
  | { name: 'error'; code: string; link: Link | null };

/** The page: which view is shown, and what goes from one to the next. */
export class App {
  readonly settings: Store<Settings>;
  readonly local: LocalMedia;
  readonly #view: Store<View> = new Store<View>({ name: 'home' });
  /** The newest thing to be said to a screen reader. */
  readonly #spoken = new Store('');
  readonly #toast = new Store('');
  #engine: { core: Core; transform: Worker } | undefined;
  #codecOfPage: VideoCodec | null = null;
  #cancelToast: (() => void) | undefined;
  #stopFollowing: (() => void) | undefined;

  constructor() {
    this.settings = openSettings(storage());
    const { micId, cameraId } = this.settings.get();
    this.local = new LocalMedia({ micId, cameraId });
  }

  get view(): Readable<View> {
    return this.#view;
  }

  get spoken(): Readable<string> {
    return this.#spoken;
  }

  get toast(): Readable<string> {
    return this.#toast;
  }

  /** Shows what the address says. */
  boot(): void {
    const query = new URLSearchParams(location.search);
    this.#codecOfPage = parseCodec(query.get('codec'));
    // Not from anybody's link: it would stay, and the server sees a query.
    const name = isLoopback(location.hostname) ? query.get('name') : null;
    if (name) this.settings.update((settings) => ({ ...settings, name: name.slice(0, 64) }));
    addEventListener('popstate', () => this.#route());
    addEventListener('hashchange', () => this.#route());
    addEventListener('pagehide', () => this.#callNow()?.leave());
    addEventListener('online', () => this.#callNow()?.poke());
    for (const type of ['pointerdown', 'keydown'] as const) addEventListener(type, () => this.local.resume());
    this.#route();
  }

  /** Makes a new call and goes to its pre-join page. */
  async start(): Promise<void> {
    try {
      const { secret, call } = await this.#core().call('newCall');
      const link = { call, secret };
      history.pushState(null, '', addressOf(link));
      this.#showPrejoin(link, true);
      this.#prepare(link, true);
    } catch (error) {
      this.#view.set({ name: 'error', code: codeOf(error), link: null });
    }
  }

  /** Joins the call of the pre-join page. */
  join(): void {
    const view = this.#view.get();
    if (view.name !== 'prejoin' || !view.call) return;
    const { call, link } = view;
    this.#view.set({ name: 'call', call, link });
    call.join(this.settings.get().name);
  }

  /** Joins again what was left, or failed. */
  rejoin(): void {
    const view = this.#view.get();
    if ((view.name === 'ended' || view.name === 'error') && view.link) {
      const { link } = view;
      this.#showPrejoin(link, false);
      this.#prepare(link, false);
    }
  }

  goHome(): void {
    history.pushState(null, '', '/');
    this.#route();
  }

  /** Copies the invitation and says so. */
  async copyLink(link: Link): Promise<void> {
    const text = location.origin + formatLink(link);
    try {
      await navigator.clipboard.writeText(text);
      this.say('Link copied. Whoever has it can join, so send it over a channel you trust.');
    } catch {
      this.say('The link could not be copied. Copy it from the address bar.');
    }
  }

  /** Shows a short message and reads it out. */
  say(text: string): void {
    this.#toast.set(text);
    this.#cancelToast?.();
    this.#cancelToast = realClock.after(5000, () => this.#toast.set(''));
  }

  /** The codec to send with: the address decides before the settings. */
  get codec(): VideoCodec {
    return this.#codecOfPage ?? this.settings.get().codec ?? defaultCodec;
  }

  /** Chooses a codec; null lets the page decide. */
  async chooseCodec(codec: VideoCodec | null): Promise<void> {
    this.#codecOfPage = null;
    this.settings.update((settings) => ({ ...settings, codec }));
    const changed = await this.#callNow()?.setCodec(this.codec);
    if (changed === false) this.say('The codec changes with your next call.');
  }

  // ---- routes

  #route(): void {
    this.#callNow()?.leave();
    const missing = missingSupport(globalThis);
    const address = parseAddress(location.pathname, location.hash);
    if (missing) this.#view.set({ name: 'error', code: missing, link: null });
    else if (address.view === 'damaged') this.#view.set({ name: 'error', code: 'link_damaged', link: null });
    else if (address.view === 'home') {
      this.local.stop();
      this.#view.set({ name: 'home' });
      void this.#core()
        .call('load')
        .catch(() => undefined); // warm by the time it is needed
    } else void this.#openLink(address.link);
  }

  /** The id of a call commits to its secret, so a damaged link is found out before anything is sent. */
  async #openLink(link: Link): Promise<void> {
    this.#showPrejoin(link, false);
    const before = this.#view.get();
    try {
      const { call } = await this.#core().call('callFromSecret', link.secret);
      if (this.#view.get() !== before) return;
      if (call === link.call) this.#prepare(link, false);
      else this.#view.set({ name: 'error', code: 'link_damaged', link: null });
    } catch (error) {
      this.#view.set({ name: 'error', code: codeOf(error), link: null });
    }
  }

  #showPrejoin(link: Link, founder: boolean): void {
    this.#view.set({ name: 'prejoin', link, founder, call: null });
    void this.local.start();
  }

  // ---- the call

  #callNow(): Call | undefined {
    const view = this.#view.get();
    return (view.name === 'call' || view.name === 'prejoin' ? view.call : null) ?? undefined;
  }

  /** The workers live as long as the page; calls come and go. */
  #start(): { core: Core; transform: Worker } {
    if (!this.#engine) {
      const core = new Core(new CoreWorker({ name: 'sotto-core' }));
      const transform = new TransformWorker({ name: 'sotto-transform' });
      const keys = new MessageChannel();
      void core.call('connect', keys.port1).catch(() => undefined);
      transform.postMessage({ type: 'keys', port: keys.port2 }, [keys.port2]);
      this.#engine = { core, transform };
    }
    return this.#engine;
  }

  #core(): Core {
    return this.#start().core;
  }

  /** Makes the call of a pre-join page and connects it, so that joining is quick. */
  #prepare(link: Link, founder: boolean): void {
    const { core, transform } = this.#start();
    const call = new Call({
      link,
      founder,
      codec: this.codec,
      core,
      transform: transform as TransformPort,
      clock: realClock,
      makePeer: (options) => new Peer({ ...options, transformWorker: transform }),
      makeSignalling: (handlers) =>
        new Signalling({
          ...handlers,
          origin: location.origin.replace(/^http/, 'ws'),
          host: location.host,
          open: (url, subprotocol) => new WebSocket(url, subprotocol),
          clock: realClock,
          random: Math.random,
          deviceKey: () => core.call('newDevice'),
          signLogin: (challenge, host) => core.call('signLogin', challenge, host),
        }),
      selfLevel: () => this.local.level,
      onNotice: (notice) => this.#speak(notice),
    });
    this.#view.set({ name: 'prejoin', link, founder, call });
    this.#follow(call, link);
    call.prepare();
  }

  /** Publishes what the person has on, and ends the view when the call ends. */
  #follow(call: Call, link: Link): void {
    this.#stopFollowing?.();
    const stopMedia = this.#publishLocal(call);
    let reconnecting = false;
    const stopState = call.state.subscribe((state) => {
      if (state.reconnecting !== reconnecting) {
        reconnecting = state.reconnecting;
        if (state.phase === 'in')
          this.#spoken.set(reconnecting ? 'Connection lost. Reconnecting.' : 'Connected again.');
      }
      const { totals } = state.security;
      document.documentElement.dataset.decrypted = String(totals.decrypted);
      document.documentElement.dataset.decryptFailures = String(totals.failed);
      if (state.phase !== 'left' && state.phase !== 'failed') return;
      queueMicrotask(() => this.#stopFollowing?.());
      this.local.stop();
      if (this.#callNow() !== call) return; // the person has gone elsewhere already
      if (state.phase === 'left') this.#view.set({ name: 'ended', link });
      else this.#view.set({ name: 'error', code: state.error ?? 'unexpected', link });
    });
    this.#stopFollowing = () => {
      stopMedia();
      stopState();
      this.#stopFollowing = undefined;
    };
  }

  #publishLocal(call: Call): () => void {
    const sent = new Map<string, string>();
    // Only what changed is published: each costs a message to the server.
    const publish = (
      source: 'mic' | 'camera' | 'screen' | 'screen_audio',
      track: MediaStreamTrack | null,
      state: 'off' | 'live' | 'muted',
    ) => {
      const key = `${track?.id}/${state}`;
      if (sent.get(source) === key || (!sent.has(source) && state === 'off')) return;
      sent.set(source, key);
      void call.publish(source, track, state);
    };
    return this.local.state.subscribe(({ mic, camera, screen }) => {
      publish('mic', mic.track, mic.track ? (mic.on ? 'live' : 'muted') : 'off');
      publish('camera', camera.track, camera.track && camera.on ? 'live' : 'off');
      publish('screen', screen?.video ?? null, screen ? 'live' : 'off');
      publish('screen_audio', screen?.audio ?? null, screen?.audio ? 'live' : 'off');
    });
  }

  #speak(notice: Notice): void {
    this.#spoken.set(`${notice.name || nameless} ${notice.type === 'joined' ? 'joined' : 'left'}.`);
  }
}

/** The address of a call, with what the address bar has of a query. */
function addressOf(link: Link): string {
  const [path, secret] = formatLink(link).split('#');
  return `${path}${location.search}#${secret}`;
}

function storage(): Storage | null {
  try {
    return localStorage;
  } catch {
    return null;
  }
}
