import type { Core } from '../core/core.ts';
import type { Clock } from '../lib/clock.ts';
import { codeOf } from '../lib/errors.ts';
import { reuse, reuseList } from '../lib/reuse.ts';
import { Serial } from '../lib/serial.ts';
import { type Readable, Store } from '../lib/store.ts';
import { contextOfSource } from '../media/context.ts';
import type { CallJoinReply, ParticipantID, Source, SourceState } from '../protocol/messages.generated';
import { decodeBytes, encodeBytes } from '../protocol/validate';
import type { ServerEvent, Signalling, SignallingOptions } from '../signalling/signalling.ts';
import type { CoreOutput } from '../workers/messages.ts';
import { Admission } from './admission.ts';
import type { VideoCodec } from './codecs.ts';
import { Entrance } from './entrance.ts';
import type { Link } from './link.ts';
import { Mail } from './mail.ts';
import { Media, type Report, type TransformPort } from './media.ts';
import type { Peer, PeerOptions } from './peer.ts';
import { People } from './people.ts';
import { Speakers } from './speakers.ts';
import { Standing } from './standing.ts';
import { type CallState, initialState, type Notice } from './state.ts';
import { viewPeople, viewSounds } from './views.ts';
import type { VisibleTile } from './wants.ts';

export type { TransformPort } from './media.ts';

/** Everything a call needs; in tests all of it is made up. */
export interface CallOptions {
  link: Link;
  /** We made the call: register it before joining. */
  founder: boolean;
  codec: VideoCodec;
  core: Core;
  transform: TransformPort;
  clock: Clock;
  makePeer(options: Omit<PeerOptions, 'transformWorker'>): Peer;
  makeSignalling(options: Pick<SignallingOptions, 'onSession' | 'onEvent' | 'onFatal'>): Signalling;
  /** Our own loudness, 0 to 1. */
  selfLevel(): number;
  onNotice(notice: Notice): void;
}

/** The server is given so long to be reached the first time. */
const firstContactMs = 15_000;
const speakerIntervalMs = 150;

/**
 * One call from joining to leaving, over as many connections, sessions and peers
 * as it takes. Knows nothing of how it is drawn.
 */
export class Call {
  readonly #options: CallOptions;
  readonly #signalling: Signalling;
  readonly #state = new Store<CallState>(initialState);
  readonly #standing = new Standing();
  readonly #mail: Mail;
  readonly #media: Media;
  readonly #entrance: Entrance;
  readonly #serial = new Serial();
  readonly #speakers = new Speakers();
  #people = new People();
  /** Who came after us and has not been announced: that waits for their name. */
  readonly #newcomers = new Set<ParticipantID>();
  #name = '';
  #cancelSpeakers: (() => void) | undefined;
  #cancelFirstContact: (() => void) | undefined;

  constructor(options: CallOptions) {
    this.#options = options;
    this.#signalling = options.makeSignalling({
      onSession: (resumed) => this.#onSession(resumed),
      onEvent: (event) => this.#onEvent(event),
      onFatal: (error) => this.#fail(error.code),
    });
    const { link, founder, core, clock, codec, transform } = options;
    const signalling = this.#signalling;
    const standing = this.#standing;
    this.#mail = new Mail(signalling, standing);
    this.#media = new Media({
      signalling,
      standing,
      clock,
      codec,
      transform,
      makePeer: (peerOptions) => options.makePeer(peerOptions),
      people: () => this.#people,
      onChange: () => this.#show(),
      onConnection: () => this.#showConnection(),
      onHopeless: () => void this.#entrance.enter(true),
      onReport: (report) => this.#onReport(report),
    });
    this.#entrance = new Entrance({
      signalling,
      standing,
      clock,
      admission: new Admission({ link, founder, core, signalling, standing }),
      replacePeer: (generation) => this.#media.replacePeer(generation),
      onOutside: () => this.#showConnection(),
      onAdmitted: (reply, current) => this.#serial.run(() => this.#open(reply, current)),
      onInside: () => this.#onInside(),
      onFail: (code) => this.#fail(code),
    });
    signalling.status.subscribe(() => this.#showConnection());
    core.onOutput = (output) => this.#digest(output);
  }

  get state(): Readable<CallState> {
    return this.#state;
  }

  get name(): string {
    return this.#name;
  }

  /**
   * Connects and makes everything ready while the person still looks into the
   * mirror. Nobody in the call notices; a call that does not exist is found out.
   */
  prepare(): void {
    this.#signalling.start();
  }

  /** Joins, under a name; what becomes of it is in the state. Call prepare first. */
  join(name: string): void {
    this.#name = name;
    this.#entrance.want();
    this.#expectContact();
    this.#planSpeakers();
    if (this.#signalling.status.get() === 'online') void this.#entrance.enter(false);
    else this.#signalling.poke();
  }

  /** Gives up if the server cannot be reached; one that is only slow is waited for. */
  #expectContact(): void {
    this.#cancelFirstContact = this.#options.clock.after(firstContactMs, () => {
      if (this.#standing.everEntered) return;
      if (this.#signalling.status.get() === 'online') this.#expectContact();
      else this.#fail('unreachable');
    });
  }

  /** Leaves for good. */
  leave(): void {
    this.#end({ phase: 'left', error: null });
  }

  /** The network is back: do not wait any longer. */
  poke(): void {
    this.#signalling.poke();
    const { state } = this.#media;
    if (state === 'failed' || state === 'disconnected') void this.#media.mending.restart();
  }

  /** Sends a track as a source, or stops sending, and says so. */
  async publish(source: Source, track: MediaStreamTrack | null, state: SourceState): Promise<void> {
    await this.#media.publish(source, track, state);
  }

  /** Which tiles are on screen; what is not is not asked for. */
  setVisible(tiles: readonly VisibleTile[]): void {
    this.#media.subscriptions.setVisible(tiles);
  }

  /** Changes what others call us. */
  setName(name: string): void {
    this.#name = name;
    void this.#serial.run(async () => this.#digest(await this.#options.core.call('setName', name)));
  }

  /** Changes the codec; false: only from the next call on. */
  async setCodec(codec: VideoCodec): Promise<boolean> {
    return this.#media.setCodec(codec);
  }

  // ---- entering

  #onSession(resumed: boolean): void {
    if (this.#standing.over) return;
    if (!this.#entrance.wanted) this.#entrance.warmUp();
    else if (resumed && this.#standing.entered) this.#refresh();
    else void this.#entrance.enter(resumed);
  }

  /** Makes keys with who is there. */
  async #open({ participant, participants }: CallJoinReply, current: () => boolean): Promise<void> {
    if (!current()) return;
    this.#people = new People();
    this.#newcomers.clear();
    for (const one of participants) this.#people.put(one);
    this.#mail.clear();
    const ids = participants.map((one) => one.id);
    const { core, link } = this.#options;
    const output = await core.call('open', link.secret, participant, this.#name, ids);
    if (!current()) return;
    this.#state.update((state) => ({ ...state, self: participant }));
    this.#digest(output);
  }

  #onInside(): void {
    this.#cancelFirstContact?.();
    this.#state.update((state) => ({ ...state, phase: 'in' }));
    this.#showConnection();
    this.#show();
    this.#refresh();
  }

  /** Tells the server everything it may not know: after joining, and after resuming. */
  #refresh(): void {
    this.#mail.flush();
    void this.#media.refresh();
  }

  // ---- events

  #onEvent(event: ServerEvent): void {
    const { generation } = this.#standing;
    const handled = this.#serial.run(async () => {
      if (this.#standing.current(generation)) await this.#handle(event);
    });
    handled.catch((error: unknown) => {
      if (codeOf(error) !== 'core_failed') throw error;
      // Without the core, who leaves keeps the key that is in use: better no call.
      this.#fail('core_failed');
    });
  }

  async #handle(event: ServerEvent): Promise<void> {
    const { core } = this.#options;
    switch (event.type) {
      case 'participant.joined':
        if (this.#people.put(event.body.participant)) {
          this.#newcomers.add(event.body.participant.id);
          this.#digest(await core.call('joined', event.body.participant.id));
        }
        this.#media.subscriptions.plan();
        break;
      case 'participant.updated':
        this.#people.put(event.body.participant);
        this.#media.subscriptions.plan();
        break;
      case 'participant.left': {
        const person = this.#people.remove(event.body.participant);
        this.#digest(await core.call('left', event.body.participant));
        if (person) this.#options.onNotice({ type: 'left', name: person.name });
        this.#media.subscriptions.plan();
        break;
      }
      case 'call.message':
        this.#digest(await core.call('message', event.body.from, decodeBytes(event.body.payload)));
        break;
      case 'media.bindings':
        this.#media.subscriptions.setBindings(event.body.bindings);
        break;
      case 'media.failed':
        void this.#entrance.enter(true);
        break;
      case 'server.shutdown':
        break;
    }
    this.#show();
  }

  /** Does what the core wants done. */
  #digest(output: CoreOutput): void {
    this.#mail.send(output.messages.map(({ to, payload }) => ({ to, payload: encodeBytes(payload) })));
    if (!output.roster) return;
    for (const person of this.#people.setRoster(output.roster)) {
      if (this.#newcomers.delete(person.id)) this.#options.onNotice({ type: 'joined', name: person.name });
    }
    this.#show();
  }

  #onReport({ sending, totals }: Report): void {
    const first = sending.find((one) => one.ctx === contextOfSource('mic')) ?? sending[0];
    this.#showSecurity(first?.generation ?? null, totals);
    this.#show();
  }

  // ---- showing

  #showConnection(): void {
    const { phase } = this.#state.get();
    const online = this.#signalling.status.get() === 'online';
    const { state: media } = this.#media;
    const broken = media === 'failed' || media === 'disconnected';
    const reconnecting = phase === 'in' && (!online || !this.#standing.entered || broken);
    this.#state.update((state) => reuse(state, { ...state, reconnecting }));
  }

  #showSecurity(generation: number | null, totals: CallState['security']['totals']): void {
    this.#state.update((state) => {
      const keySince = generation === state.security.generation ? state.security.keySince : Date.now();
      return { ...state, security: { generation, keySince, totals: reuse(state.security.totals, totals) } };
    });
  }

  #show(): void {
    // While joining anew the last picture stays, under the banner.
    if (this.#standing.over || (this.#standing.everEntered && !this.#standing.entered)) return;
    this.#state.update((state) => {
      const sight = this.#media.sight();
      const people = viewPeople(sight, state.people);
      const sounds = viewSounds(sight, state.sounds);
      return reuse(state, {
        ...state,
        people: reuseList(state.people, people),
        sounds: reuseList(state.sounds, sounds),
      });
    });
  }

  #planSpeakers(): void {
    this.#cancelSpeakers = this.#options.clock.after(speakerIntervalMs, () => {
      if (this.#standing.over) return;
      const levels = this.#media.levels(() => this.#options.selfLevel());
      if (this.#speakers.sample(levels, this.#options.clock.now())) {
        this.#state.update((state) => ({ ...state, speaker: this.#speakers.active }));
      }
      this.#planSpeakers();
    });
  }

  // ---- the end

  #fail(code: string): void {
    this.#end({ phase: 'failed', error: code });
  }

  #end(how: Pick<CallState, 'phase' | 'error'>): void {
    if (this.#standing.over) return;
    this.#standing.end();
    this.#state.update((state) => ({
      ...state,
      ...how,
      reconnecting: false,
      people: [],
      sounds: [],
      speaker: null,
    }));
    this.#signalling.sendAndForget('call.leave', {});
    this.#signalling.close();
    this.#media.close();
    this.#cancelSpeakers?.();
    this.#cancelFirstContact?.();
    void this.#options.core.call('close').catch(() => undefined);
  }
}
