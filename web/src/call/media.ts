// The media of a call on its way through the page: what we send, what we ask for,
// whose frames arrive where, and the peer that carries all of it.
import type { Clock } from '../lib/clock.ts';
import { sourceOfContext } from '../media/context.ts';
import type { Binding, ParticipantID, Source, SourceState } from '../protocol/messages.generated';
import type { Signalling } from '../signalling/signalling.ts';
import type { FromTransform, ToTransform } from '../workers/messages.ts';
import type { VideoCodec } from './codecs.ts';
import { Health } from './health.ts';
import { Mending } from './mending.ts';
import { Owners } from './owners.ts';
import type { Peer, PeerOptions } from './peer.ts';
import type { People } from './people.ts';
import { Publications } from './publications.ts';
import { levelsOf } from './speakers.ts';
import type { Standing } from './standing.ts';
import { Subscriptions } from './subscriptions.ts';
import type { Sight } from './views.ts';

/** The part of the transform worker that the call talks to. */
export interface TransformPort {
  postMessage(message: ToTransform, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<FromTransform>) => void) | null;
}

/** What the transform worker has counted. */
export type Report = Extract<FromTransform, { type: 'report' }>;

/** What the media is made with. */
export interface MediaOptions {
  signalling: Signalling;
  standing: Standing;
  clock: Clock;
  codec: VideoCodec;
  transform: TransformPort;
  makePeer(options: Omit<PeerOptions, 'transformWorker'>): Peer;
  /** The others in the call. */
  people(): People;
  /** What is to be shown has changed. */
  onChange(): void;
  /** The media connection has another state. */
  onConnection(): void;
  /** The connection is beyond mending: join anew. */
  onHopeless(): void;
  onReport(report: Report): void;
}

/** Receive sections of each kind, unless the server allows fewer. */
const wantedSlots = 16;

/** All media of one call, over as many peers as it takes. */
export class Media {
  readonly publications: Publications;
  readonly subscriptions: Subscriptions;
  readonly mending: Mending;
  readonly #options: MediaOptions;
  readonly #health = new Health();
  readonly #owners = new Owners();
  #codec: VideoCodec;
  #peer: Peer | undefined;

  constructor(options: MediaOptions) {
    this.#options = options;
    this.#codec = options.codec;
    const { signalling, standing, clock, onHopeless } = options;
    this.publications = new Publications(signalling, standing);
    this.subscriptions = new Subscriptions({
      signalling,
      standing,
      clock,
      people: () => options.people().list,
      onBindings: (bindings) => this.#onBindings(bindings),
    });
    this.mending = new Mending({ signalling, standing, clock, peer: () => this.#peer, onHopeless });
    options.transform.onmessage = (event) => this.#onTransform(event.data);
  }

  /** The state of the peer that counts now. */
  get state(): RTCPeerConnectionState | undefined {
    return this.#peer?.state;
  }

  /** Makes a new peer in place of the one before, and has it send what is live. */
  replacePeer(generation: number): Peer {
    this.#peer?.close();
    this.mending.reset();
    this.#owners.clear();
    this.subscriptions.clear();
    const limits = this.#options.signalling.hello?.limits;
    const peer: Peer = this.#options.makePeer({
      generation,
      audioSlots: Math.min(wantedSlots, limits?.audio_slots ?? wantedSlots),
      videoSlots: Math.min(wantedSlots, limits?.video_slots ?? wantedSlots),
      codec: this.#codec,
      onState: (state) => {
        if (peer !== this.#peer) return;
        this.mending.follow(state);
        this.#options.onConnection();
      },
    });
    this.#peer = peer;
    this.publications.attach(peer);
    return peer;
  }

  /** Sends a track as a source, or stops sending, and says so. */
  async publish(source: Source, track: MediaStreamTrack | null, state: SourceState): Promise<void> {
    await this.publications.put(source, track, state, this.#peer);
  }

  /** Changes the codec; false: only from the next peer on. */
  async setCodec(codec: VideoCodec): Promise<boolean> {
    this.#codec = codec;
    const changed = await Promise.all([
      this.#peer?.setCodec('camera', codec),
      this.#peer?.setCodec('screen', codec),
    ]);
    return changed.every(Boolean);
  }

  /** Tells the server everything it may not know of our media: after joining, and after resuming. */
  async refresh(): Promise<void> {
    this.publications.announceAll();
    await this.subscriptions.refresh();
    if (this.#peer?.state === 'failed') void this.mending.restart();
  }

  /** What there is to be seen and heard now. */
  sight(): Sight {
    return {
      people: this.#options.people(),
      owners: this.#owners,
      health: this.#health,
      now: this.#options.clock.now(),
      claimedSlot: (participant, source) => {
        const mid = this.subscriptions.claimedMid(participant, source);
        return mid === undefined ? undefined : this.#peer?.slotOfMid(mid);
      },
    };
  }

  /** How loud everybody is; `selfLevel` is asked only while our microphone is live. */
  levels(selfLevel: () => number): Map<string, number> {
    return levelsOf(this.#owners.list, this.publications.live('mic') ? selfLevel() : null);
  }

  /** Ends all of it. */
  close(): void {
    this.#peer?.close();
    this.#peer = undefined;
    this.subscriptions.stop();
    this.mending.stop();
  }

  /** What the server says is where. It decides whom to ask for a key, and nothing that is shown as a person. */
  #onBindings(bindings: readonly Binding[]): void {
    const slots: [string, ParticipantID][] = [];
    for (const binding of bindings) {
      const slot = this.#peer?.slotOfMid(binding.mid);
      if (slot) slots.push([slot.id, binding.participant]);
    }
    this.#options.transform.postMessage({ type: 'hints', slots });
    this.#options.onChange();
  }

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
      case 'report':
        this.#health.update(message.slots, this.#options.clock.now());
        this.#options.onReport(message);
        break;
    }
  }

  #setOwner(slotId: string, participant: ParticipantID, ctx: number): void {
    const { clock, transform, onChange } = this.#options;
    const source = sourceOfContext(ctx);
    const slot = this.#peer?.slots.find((one) => one.id === slotId);
    if (slot && source) {
      const wait = this.#owners.put(slot, participant, source, clock.now());
      onChange();
      if (wait > 0) clock.after(wait, onChange);
    }
    // Only after what was just shown is on the page.
    clock.after(0, () => transform.postMessage({ type: 'shown', slot: slotId }));
  }
}
