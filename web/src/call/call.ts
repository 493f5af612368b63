import type { Core } from '../core/core.ts';
import type { Clock } from '../lib/clock.ts';
import { codeOf, SottoError } from '../lib/errors.ts';
import { reuse, reuseList } from '../lib/reuse.ts';
import { Serial } from '../lib/serial.ts';
import { type Readable, Store } from '../lib/store.ts';
import { contextOfSource, sourceOfContext } from '../media/context.ts';
import type {
  Binding,
  CallJoinReply,
  MediaOfferRequest,
  ParticipantID,
  Source,
  SourceState,
  Want,
} from '../protocol/messages.generated';
import { decodeBytes, encodeBytes } from '../protocol/validate';
import { lost, type ServerEvent, type Signalling, type SignallingOptions } from '../signalling/signalling.ts';
import type { CoreOutput, FromTransform, ToTransform } from '../workers/messages.ts';
import type { VideoCodec } from './codecs.ts';
import { Health, type SourceFacts, sourceState, tileState } from './health.ts';
import type { Link } from './link.ts';
import { Outbox } from './outbox.ts';
import type { Peer, PeerOptions, Slot } from './peer.ts';
import { People, type Person, stateOf } from './people.ts';
import { Speakers } from './speakers.ts';
import {
  type CallState,
  initialState,
  type Notice,
  type PersonView,
  type Sound,
  type TileView,
} from './state.ts';
import { makeWants, sameWants, type VisibleTile } from './wants.ts';

/** The part of the transform worker that the call talks to. */
export interface TransformPort {
  postMessage(message: ToTransform, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<FromTransform>) => void) | null;
}

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

/** Receive sections of each kind, unless the server allows fewer. */
const wantedSlots = 16;
/** The server is given so long to be reached the first time. */
const firstContactMs = 15_000;
const speakerIntervalMs = 150;
/** After a change of layout things move for a moment. */
const wantsDelayMs = 80;
/** A media connection that is only interrupted often mends itself. */
const mendsItselfMs = 2500;
/** After an ICE restart it is up again within this time, or joining anew is the way. */
const restartPatienceMs = 8000;
/** When a slot changes hands, the decoder may hold pictures of the former owner for so long. */
const handoverMs = 200;
const maxEnterAttempts = 8;
/** Challenges are good for 60 s; some of it is spent on the way. */
const challengeMs = 45_000;

interface Ownership {
  participant: ParticipantID;
  source: Source;
  /** From when on the slot's picture may be shown. */
  from: number;
}

/** What was made ready before the person wanted in. */
interface Warm {
  peer: Peer;
  offering: Promise<MediaOfferRequest>;
  challenge: Promise<string>;
  /** From then on the challenge may have expired. */
  until: number;
}

interface LocalSource {
  track: MediaStreamTrack | null;
  state: SourceState;
}

/**
 * One call from joining to leaving, over as many connections, sessions and peers
 * as it takes. Knows nothing of how it is drawn.
 */
export class Call {
  readonly #options: CallOptions;
  readonly #signalling: Signalling;
  readonly #state = new Store<CallState>(initialState);
  readonly #serial = new Serial();
  readonly #outbox = new Outbox();
  readonly #health = new Health();
  readonly #speakers = new Speakers();
  readonly #local = new Map<Source, LocalSource>();
  /** Who the frames of each slot are proven to be from. */
  readonly #owners = new Map<string, Ownership>();
  /** Slots whose decoder has had pictures of somebody. */
  readonly #usedSlots = new Set<string>();
  #people = new People();
  /** Who came after us and has not been announced: that waits for their name. */
  readonly #newcomers = new Set<ParticipantID>();
  #bindings: readonly Binding[] = [];
  #visible: readonly VisibleTile[] = [];
  #wants: readonly Want[] = [];
  #peer: Peer | undefined;
  /** Counts our entries into the call; work of an earlier one is void. */
  #generation = 0;
  #warm: Warm | undefined;
  #wanted = false;
  #entered = false;
  #everEntered = false;
  #attempts = 0;
  #founder: boolean;
  #name = '';
  #flushing = false;
  #restartFor = 0;
  #cancelWants: (() => void) | undefined;
  #cancelMend: (() => void) | undefined;
  #cancelSpeakers: (() => void) | undefined;
  #cancelFirstContact: (() => void) | undefined;

  constructor(options: CallOptions) {
    this.#options = options;
    this.#founder = options.founder;
    this.#signalling = options.makeSignalling({
      onSession: (resumed) => this.#onSession(resumed),
      onEvent: (event) => this.#onEvent(event),
      onFatal: (error) => this.#fail(error.code),
    });
    this.#signalling.status.subscribe(() => this.#showConnection());
    options.core.onOutput = (output) => this.#digest(output);
    options.transform.onmessage = (event) => this.#onTransform(event.data);
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
    this.#wanted = true;
    this.#expectContact();
    this.#planSpeakers();
    if (this.#signalling.status.get() === 'online') void this.#enter(false);
    else this.#signalling.poke();
  }

  /** Gives up if the server cannot be reached; one that is only slow is waited for. */
  #expectContact(): void {
    this.#cancelFirstContact = this.#options.clock.after(firstContactMs, () => {
      if (this.#everEntered) return;
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
    if (this.#peer?.state === 'failed' || this.#peer?.state === 'disconnected') void this.#restartIce();
  }

  /** Sends a track as a source, or stops sending, and says so. */
  async publish(source: Source, track: MediaStreamTrack | null, state: SourceState): Promise<void> {
    this.#local.set(source, { track, state });
    await this.#peer?.setTrack(source, state === 'live' ? track : null).catch(() => undefined);
    await this.#announceSource(source);
  }

  /** Which tiles are on screen; what is not is not asked for. */
  setVisible(tiles: readonly VisibleTile[]): void {
    this.#visible = tiles;
    this.#planWants();
  }

  /** Changes what others call us. */
  setName(name: string): void {
    this.#name = name;
    void this.#serial.run(async () => this.#digest(await this.#options.core.call('setName', name)));
  }

  /** Changes the codec; false: only from the next call on. */
  async setCodec(codec: VideoCodec): Promise<boolean> {
    this.#options.codec = codec;
    const changed = await Promise.all([
      this.#peer?.setCodec('camera', codec),
      this.#peer?.setCodec('screen', codec),
    ]);
    return changed.every(Boolean);
  }

  // ---- entering

  get #over(): boolean {
    const { phase } = this.#state.get();
    return phase === 'left' || phase === 'failed';
  }

  #onSession(resumed: boolean): void {
    if (this.#over) return;
    if (!this.#wanted) this.#warmUp();
    else if (resumed && this.#entered) void this.#refresh();
    else void this.#enter(resumed);
  }

  /** Does what can be done before the person wants in. */
  #warmUp(): void {
    const challenge = this.#challenge();
    const { peer, offering } = this.#warm ?? this.#makeOffer(++this.#generation);
    this.#warm = { peer, offering, challenge, until: this.#options.clock.now() + challengeMs };
    challenge.catch((error: unknown) => {
      if (this.#wanted || this.#over) return;
      const passing = codeOf(error) === lost || (error instanceof SottoError && error.retryable);
      if (!passing) this.#fail(codeOf(error));
    });
  }

  #makeOffer(generation: number): Pick<Warm, 'peer' | 'offering'> {
    const peer = this.#replacePeer(generation);
    const offering = peer.offer();
    offering.catch(() => undefined); // who awaits it hears of it
    return { peer, offering };
  }

  /** Joins the call and connects the media. `leaveFirst`: an earlier attempt may have got half way. */
  async #enter(leaveFirst: boolean): Promise<void> {
    const generation = ++this.#generation;
    const current = () => generation === this.#generation && !this.#over;
    this.#entered = false;
    this.#showConnection();
    try {
      if (leaveFirst) await this.#signalling.request('call.leave', {}).catch(rethrowLost);
      const warm = this.#warm;
      this.#warm = undefined;
      const fresh = warm && this.#options.clock.now() < warm.until;
      const admitted = this.#admit(fresh ? warm.challenge : this.#challenge());
      admitted.catch(() => undefined); // awaited below, unless making the offer fails first
      const { peer, offering } = warm ?? this.#makeOffer(generation);
      const { participant, participants } = await admitted;
      if (!current()) return;
      // The server works on the offer while the core works on the keys.
      const answering = offering.then((offer) => this.#signalling.request('media.offer', offer));
      answering.catch(() => undefined);
      await this.#serial.run(async () => {
        if (!current()) return;
        this.#people = new People();
        this.#newcomers.clear();
        for (const one of participants) this.#people.put(one);
        this.#outbox.clear();
        const ids = participants.map((one) => one.id);
        const { secret } = this.#options.link;
        const output = await this.#options.core.call('open', secret, participant, this.#name, ids);
        if (!current()) return;
        this.#state.update((state) => ({ ...state, self: participant }));
        this.#digest(output);
      });
      const answer = await answering;
      if (!current()) return;
      const accepting = peer.accept(answer.sdp);
      this.#entered = true;
      this.#everEntered = true;
      this.#attempts = 0;
      this.#cancelFirstContact?.();
      this.#state.update((state) => ({ ...state, phase: 'in' }));
      this.#showConnection();
      this.#show();
      void this.#refresh(); // while the browser still digests the answer
      await accepting;
    } catch (error) {
      if (current()) this.#enterFailed(error);
    }
  }

  /** Gets what is to be signed for joining; for that, a call of ours is registered first. */
  async #challenge(): Promise<string> {
    const { call } = this.#options.link;
    if (this.#founder) await this.#create();
    try {
      return (await this.#signalling.request('call.challenge', { call })).challenge;
    } catch (error) {
      // We were in it, so it did exist: the server has lost it. Whoever has the secret may register it again.
      if (codeOf(error) !== 'no_such_call' || !this.#everEntered) throw error;
      await this.#create();
      return (await this.#signalling.request('call.challenge', { call })).challenge;
    }
  }

  async #admit(challenge: Promise<string>): Promise<CallJoinReply> {
    const { link, core } = this.#options;
    const signature = await core.call('signAdmission', link.secret, decodeBytes(await challenge));
    return this.#signalling.request('call.join', { call: link.call, signature: encodeBytes(signature) });
  }

  async #create(): Promise<void> {
    const { call, admissionKey } = await this.#options.core.call('callFromSecret', this.#options.link.secret);
    await this.#signalling.request('call.create', { call, admission_key: encodeBytes(admissionKey) });
    this.#founder = false;
  }

  #enterFailed(error: unknown): void {
    const code = codeOf(error);
    if (code === lost) return; // the next session brings the next attempt
    const retryable = error instanceof SottoError && error.retryable;
    const again = (retryable || this.#everEntered) && code !== 'call_full';
    if (!again || ++this.#attempts >= maxEnterAttempts) {
      this.#fail(code);
      return;
    }
    const wait = (error instanceof SottoError && error.retryAfterMs) || 500 * this.#attempts;
    const generation = this.#generation;
    this.#options.clock.after(wait, () => {
      if (generation === this.#generation && !this.#over) void this.#enter(true);
    });
  }

  #replacePeer(generation: number): Peer {
    this.#peer?.close();
    this.#cancelMend?.();
    this.#owners.clear();
    this.#usedSlots.clear();
    this.#bindings = [];
    this.#wants = [];
    this.#restartFor = 0;
    const limits = this.#signalling.hello?.limits;
    const peer: Peer = this.#options.makePeer({
      generation,
      audioSlots: Math.min(wantedSlots, limits?.audio_slots ?? wantedSlots),
      videoSlots: Math.min(wantedSlots, limits?.video_slots ?? wantedSlots),
      codec: this.#options.codec,
      onState: (state) => {
        if (peer === this.#peer) this.#onPeerState(state);
      },
    });
    this.#peer = peer;
    for (const [source, { track, state }] of this.#local) {
      if (state === 'live' && track) void peer.setTrack(source, track).catch(() => undefined);
    }
    return peer;
  }

  /** Tells the server everything it may not know: after joining, and after resuming. */
  async #refresh(): Promise<void> {
    this.#wants = [];
    this.#flush();
    for (const source of this.#local.keys()) void this.#announceSource(source);
    await this.#sendWants();
    if (this.#peer?.state === 'failed') void this.#restartIce();
  }

  async #announceSource(source: Source): Promise<void> {
    const local = this.#local.get(source);
    if (!this.#entered || !local) return;
    // Whatever goes wrong here is put right by the next refresh.
    await this.#signalling.request('source.update', { source, state: local.state }).catch(() => undefined);
  }

  // ---- events

  #onEvent(event: ServerEvent): void {
    const generation = this.#generation;
    const handled = this.#serial.run(async () => {
      if (generation === this.#generation && !this.#over) await this.#handle(event);
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
        this.#planWants();
        break;
      case 'participant.updated':
        this.#people.put(event.body.participant);
        this.#planWants();
        break;
      case 'participant.left': {
        const person = this.#people.remove(event.body.participant);
        this.#digest(await core.call('left', event.body.participant));
        if (person) this.#options.onNotice({ type: 'left', name: person.name });
        this.#planWants();
        break;
      }
      case 'call.message':
        this.#digest(await core.call('message', event.body.from, decodeBytes(event.body.payload)));
        break;
      case 'media.bindings':
        this.#setBindings(event.body.bindings);
        break;
      case 'media.failed':
        void this.#enter(true);
        break;
      case 'server.shutdown':
        break;
    }
    this.#show();
  }

  /** Does what the core wants done. */
  #digest(output: CoreOutput): void {
    this.#outbox.add(output.messages.map(({ to, payload }) => ({ to, payload: encodeBytes(payload) })));
    this.#flush();
    if (!output.roster) return;
    for (const person of this.#people.setRoster(output.roster)) {
      if (this.#newcomers.delete(person.id)) this.#options.onNotice({ type: 'joined', name: person.name });
    }
    this.#show();
  }

  #flush(): void {
    if (this.#flushing || this.#outbox.empty) return;
    this.#flushing = true;
    const generation = this.#generation;
    const send = async () => {
      while (!this.#outbox.empty) {
        const batch = this.#outbox.take();
        try {
          await this.#signalling.request('call.send', { messages: batch });
        } catch (error) {
          if (codeOf(error) === lost && generation === this.#generation) this.#outbox.restore(batch);
          return;
        }
      }
    };
    void send().finally(() => {
      this.#flushing = false;
    });
  }

  // ---- what we want to receive

  #planWants(): void {
    this.#cancelWants?.();
    this.#cancelWants = this.#options.clock.after(wantsDelayMs, () => void this.#sendWants());
  }

  async #sendWants(): Promise<void> {
    const wants = makeWants(this.#people.list, this.#visible);
    if (!this.#entered || sameWants(wants, this.#wants)) return;
    this.#wants = wants;
    const generation = this.#generation;
    try {
      const { bindings } = await this.#signalling.request('media.subscribe', { wants });
      if (generation === this.#generation) this.#setBindings(bindings);
    } catch {
      this.#wants = []; // the next change or refresh tries again
    }
  }

  /** What the server says is where. It decides whom to ask for a key, and nothing that is shown as a person. */
  #setBindings(bindings: readonly Binding[]): void {
    this.#bindings = bindings;
    const slots: [string, ParticipantID][] = [];
    for (const binding of bindings) {
      const slot = this.#peer?.slotOfMid(binding.mid);
      if (slot) slots.push([slot.id, binding.participant]);
    }
    this.#options.transform.postMessage({ type: 'hints', slots });
    this.#show();
  }

  // ---- the media connection

  #onPeerState(state: RTCPeerConnectionState): void {
    this.#cancelMend?.();
    if (state === 'connected') this.#restartFor = 0;
    if (state === 'failed') void this.#restartIce();
    if (state === 'disconnected') {
      this.#cancelMend = this.#options.clock.after(mendsItselfMs, () => void this.#restartIce());
    }
    this.#showConnection();
  }

  async #restartIce(): Promise<void> {
    const peer = this.#peer;
    if (!peer || !this.#entered || this.#over || this.#signalling.status.get() !== 'online') return;
    if (++this.#restartFor > 2) {
      void this.#enter(true);
      return;
    }
    try {
      const sdp = await peer.restartOffer();
      const answer = await this.#signalling.request('media.restart', { sdp });
      if (peer !== this.#peer) return;
      await peer.accept(answer.sdp);
      this.#cancelMend?.();
      this.#cancelMend = this.#options.clock.after(restartPatienceMs, () => {
        if (peer === this.#peer && peer.state !== 'connected') void this.#restartIce();
      });
    } catch (error) {
      if (peer === this.#peer && codeOf(error) !== lost) void this.#enter(true);
    }
  }

  // ---- frames

  #onTransform(message: FromTransform): void {
    switch (message.type) {
      case 'owner':
        this.#setOwner(message.slot, message.participant, message.ctx);
        break;
      case 'make-key-frame': {
        const source = sourceOfContext(message.ctx);
        if (source) void this.#peer?.makeKeyFrame(source);
        break;
      }
      case 'report': {
        this.#health.update(message.slots, this.#options.clock.now());
        const sending =
          message.sending.find((one) => one.ctx === contextOfSource('mic')) ?? message.sending[0];
        this.#showSecurity(sending?.generation ?? null, message.totals);
        this.#show();
        break;
      }
    }
  }

  #setOwner(slotId: string, participant: ParticipantID, ctx: number): void {
    const source = sourceOfContext(ctx);
    const slot = this.#peer?.slots.find((one) => one.id === slotId);
    if (slot && source) {
      const wait = this.#usedSlots.has(slotId) && slot.kind === 'video' ? handoverMs : 0;
      this.#usedSlots.add(slotId);
      // A source is in one place: the place it was in before is nobody's now.
      for (const [id, owner] of this.#owners) {
        if (owner.participant === participant && owner.source === source) this.#owners.delete(id);
      }
      this.#owners.set(slotId, { participant, source, from: this.#options.clock.now() + wait });
      this.#show();
      if (wait > 0) this.#options.clock.after(wait, () => this.#show());
    }
    // Only after what was just shown is on the page.
    this.#options.clock.after(0, () => this.#options.transform.postMessage({ type: 'shown', slot: slotId }));
  }

  // ---- showing

  #showConnection(): void {
    const { phase } = this.#state.get();
    const online = this.#signalling.status.get() === 'online';
    const media = this.#peer?.state;
    const broken = media === 'failed' || media === 'disconnected';
    const reconnecting = phase === 'in' && (!online || !this.#entered || broken);
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
    if (this.#over || (this.#everEntered && !this.#entered)) return;
    this.#state.update((state) => {
      const old = new Map(state.people.map((person) => [person.id, person]));
      const people = this.#people.list.map((person) => this.#view(person, old.get(person.id)));
      const sounds = this.#sounds(state.sounds);
      return reuse(state, {
        ...state,
        people: reuseList(state.people, people),
        sounds: reuseList(state.sounds, sounds),
      });
    });
  }

  #view(person: Person, old: PersonView | undefined): PersonView {
    const mic = this.#facts(person, 'mic');
    const camera = this.#facts(person, 'camera');
    const screen = this.#facts(person, 'screen');
    const cameraView: TileView = { state: tileState(camera, mic), track: this.#trackOf(person, 'camera') };
    const screenView: TileView = { state: sourceState(screen), track: this.#trackOf(person, 'screen') };
    return reuse(old, {
      id: person.id,
      name: person.name,
      hasKey: person.hasKey,
      connected: person.connected,
      micLive: mic.live,
      cameraLive: camera.live,
      camera: reuse(old?.camera, cameraView),
      screen: screen.live ? reuse(old?.screen ?? undefined, screenView) : null,
    });
  }

  #facts(person: Person, source: Source): SourceFacts {
    const now = this.#options.clock.now();
    const live = stateOf(person, source) === 'live';
    const proven = this.#slotOwnedBy(person.id, source);
    // Frames that fail prove nothing about their sender: for them the server's word has to do.
    const binding = this.#bindings.find((one) => one.participant === person.id && one.source === source);
    const claimed = binding && this.#peer?.slotOfMid(binding.mid);
    const bad = (claimed ?? proven)?.id ?? '';
    return {
      hasKey: person.hasKey,
      live,
      failing: this.#health.failing(bad, now),
      keyless: this.#health.keyless(bad, now),
      flowing: proven !== undefined && this.#health.flowing(proven.id, source, now),
    };
  }

  #slotOwnedBy(participant: ParticipantID, source: Source): Slot | undefined {
    const now = this.#options.clock.now();
    for (const [id, owner] of this.#owners) {
      if (owner.participant === participant && owner.source === source && owner.from <= now) {
        return this.#peer?.slots.find((slot) => slot.id === id);
      }
    }
    return undefined;
  }

  #trackOf(person: Person, source: Source): MediaStreamTrack | null {
    return this.#slotOwnedBy(person.id, source)?.receiver.track ?? null;
  }

  #sounds(old: readonly Sound[]): Sound[] {
    const sounds: Sound[] = [];
    for (const [id, owner] of this.#owners) {
      const slot = this.#peer?.slots.find((one) => one.id === id);
      if (slot?.kind !== 'audio' || !this.#people.get(owner.participant)) continue;
      const sound = { slot: id, participant: owner.participant, track: slot.receiver.track };
      sounds.push(
        reuse(
          old.find((one) => one.slot === id),
          sound,
        ),
      );
    }
    return sounds;
  }

  #planSpeakers(): void {
    this.#cancelSpeakers = this.#options.clock.after(speakerIntervalMs, () => {
      if (this.#over) return;
      const levels = new Map<string, number>();
      const mic = this.#local.get('mic');
      if (mic?.state === 'live') levels.set('self', this.#options.selfLevel());
      for (const [id, owner] of this.#owners) {
        if (owner.source !== 'mic') continue;
        const slot = this.#peer?.slots.find((one) => one.id === id);
        const level = slot?.receiver.getSynchronizationSources()[0]?.audioLevel;
        if (level !== undefined) levels.set(owner.participant, level);
      }
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
    if (this.#over) return;
    this.#generation++;
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
    this.#peer?.close();
    this.#peer = undefined;
    for (const cancel of [
      this.#cancelWants,
      this.#cancelMend,
      this.#cancelSpeakers,
      this.#cancelFirstContact,
    ])
      cancel?.();
    void this.#options.core.call('close').catch(() => undefined);
  }
}

function rethrowLost(error: unknown): void {
  if (codeOf(error) === lost) throw error;
}
