import { codecOfMime, frameType } from '../../media/codec.ts';
import { kindOfSource, sourceOfContext } from '../../media/context.ts';
import { type Opener, type Owner, type Parsed, parseFrame } from '../../media/opener.ts';
import type { MediaKind } from '../../protocol/messages.generated';
import type { SlotReport } from '../messages.ts';
import type { Counters } from './counters.ts';
import type { EncodedFrame } from './frame.ts';

/** How long a frame may wait for its key: longer, and it is too late to be played. */
export const maxWaitMs = 300;
/** How many frames may wait in one slot. */
export const maxWaiting = 64;
/** How often one slot may ask its sender for a key frame. */
export const keyFrameIntervalMs = 500;

/** What a slot needs of the world. */
export interface SlotWorld {
  now(): number;
  setTimer(run: () => void, ms: number): () => void;
  /** Hands an opened frame to the decoder. */
  emit(frame: EncodedFrame): void;
  requestKeyFrame(): void;
  /** Tells the page whose frames come now; resolves when it shows them as such. */
  announce(owner: Owner): Promise<void>;
  /** Frames were dropped because no key fits. */
  unknownKid(): void;
}

interface Waiting {
  frame: EncodedFrame;
  /** Null for a frame of zero bytes, which passes in its turn. */
  parsed: Parsed | null;
  at: number;
}

/**
 * One receive section: opens its frames in order. A frame of an unknown KID waits
 * a moment for its key, and those behind it wait too; what fails is dropped and
 * counted. There is no way through for a frame that was not authenticated.
 */
export class ReceiveSlot {
  readonly #id: string;
  readonly #kind: MediaKind;
  readonly #opener: Opener;
  readonly #counters: Counters;
  readonly #world: SlotWorld;
  readonly #queue: Waiting[] = [];
  #pumping = false;
  #closed = false;
  #cancelTimer: (() => void) | undefined;
  #owner: Owner | null = null;
  #lastKeyFrameRequest = Number.NEGATIVE_INFINITY;
  /** A video frame was dropped: what follows cannot be decoded before a key frame. */
  #broken = false;
  /** The decoder may hold pictures of whoever had the slot before. */
  #used = false;
  #decrypted = 0;
  #failed = 0;
  #unknown = 0;

  constructor(id: string, kind: MediaKind, opener: Opener, counters: Counters, world: SlotWorld) {
    this.#id = id;
    this.#kind = kind;
    this.#opener = opener;
    this.#counters = counters;
    this.#world = world;
  }

  report(): SlotReport {
    return {
      slot: this.#id,
      participant: this.#owner?.participant ?? null,
      ctx: this.#owner?.ctx ?? 0,
      decrypted: this.#decrypted,
      failed: this.#failed,
      unknown: this.#unknown,
    };
  }

  /** Takes the next frame of the section. */
  push(frame: EncodedFrame): void {
    if (this.#closed) return;
    const data = new Uint8Array(frame.data);
    let parsed: Parsed | null = null;
    if (data.length > 0) {
      const codec = codecOfMime(frame.getMetadata().mimeType);
      parsed = codec && parseFrame(codec, data);
      if (!parsed) {
        this.#fail();
        return;
      }
    }
    this.#queue.push({ frame, parsed, at: this.#world.now() });
    if (this.#queue.length > maxWaiting) this.#overflow();
    void this.#pump();
  }

  /** Whether the last frames that passed were of this owner. */
  belongsTo(owner: Owner): boolean {
    return this.#owner?.participant === owner.participant && this.#owner.ctx === owner.ctx;
  }

  /** The owner is seen in another slot now; coming back here, it is announced again. */
  disown(): void {
    this.#owner = null;
  }

  /** A key came or went: waiting frames get another chance. */
  keysChanged(): void {
    void this.#pump();
    if (this.#broken) this.#askForKeyFrame();
  }

  close(): void {
    this.#closed = true;
    this.#queue.length = 0;
    this.#cancelTimer?.();
  }

  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    this.#cancelTimer?.();
    try {
      for (let head = this.#queue[0]; head && !this.#closed; head = this.#queue[0]) {
        if (head.parsed && !this.#opener.has(head.parsed.header.kid)) {
          const left = head.at + maxWaitMs - this.#world.now();
          if (left > 0) {
            this.#cancelTimer = this.#world.setTimer(() => void this.#pump(), left);
            return;
          }
          this.#queue.shift();
          this.#dropUnknown();
          continue;
        }
        this.#queue.shift();
        if (head.parsed) await this.#open(head.frame, head.parsed);
        else this.#world.emit(head.frame);
      }
    } finally {
      this.#pumping = false;
    }
  }

  async #open(frame: EncodedFrame, parsed: Parsed): Promise<void> {
    const opened = await this.#opener.open(parsed);
    if (!opened.ok) {
      if (opened.failure === 'unknown_kid') this.#dropUnknown();
      else if (opened.failure === 'replay') this.#counters.add('replayed');
      else this.#fail();
      return;
    }
    const source = sourceOfContext(opened.owner.ctx);
    if (!source || kindOfSource(source) !== this.#kind) {
      this.#fail(); // a microphone's frame in a video section: the relay plays games
      return;
    }
    if (!this.belongsTo(opened.owner)) {
      // A delta on top of the former owner's picture would show that one under the new name.
      if (this.#kind === 'video' && this.#used && opened.type !== frameType.key) {
        this.#break();
        return;
      }
      this.#owner = opened.owner;
      await this.#world.announce(opened.owner);
      if (this.#closed) return;
    }
    this.#decrypted++;
    this.#counters.add('decrypted');
    frame.data = opened.data.buffer;
    this.#used = true;
    this.#world.emit(frame);
    if (opened.type === frameType.key) this.#broken = false;
    else if (this.#broken) this.#askForKeyFrame();
  }

  /** Too many wait: the oldest gives way. */
  #overflow(): void {
    const parsed = this.#queue.shift()?.parsed;
    if (!parsed) return;
    if (this.#opener.has(parsed.header.kid)) this.#break();
    else this.#dropUnknown();
  }

  #dropUnknown(): void {
    this.#unknown++;
    this.#counters.add('unknown');
    this.#world.unknownKid();
    this.#break();
  }

  #fail(): void {
    this.#failed++;
    this.#counters.add('failed');
    this.#break();
  }

  #break(): void {
    if (this.#kind !== 'video') return;
    this.#broken = true;
    this.#askForKeyFrame();
  }

  #askForKeyFrame(): void {
    const now = this.#world.now();
    if (now - this.#lastKeyFrameRequest < keyFrameIntervalMs) return;
    this.#lastKeyFrameRequest = now;
    this.#world.requestKeyFrame();
  }
}
