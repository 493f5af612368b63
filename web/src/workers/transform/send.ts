import { codecOfMime, type FrameType, frameType } from '../../media/codec.ts';
import type { Sealer } from '../../media/sealer.ts';
import type { MediaKind } from '../../protocol/messages.generated';
import type { SendReport } from '../messages.ts';
import type { Counters } from './counters.ts';
import type { EncodedFrame } from './frame.ts';

/** One encoder: seals its frames in order, and lets nothing out without a key. */
export class SendSlot {
  readonly ctx: number;
  readonly #kind: MediaKind;
  readonly #counters: Counters;
  readonly #emit: (frame: EncodedFrame) => void;
  readonly #makeKeyFrame: () => void;
  #sealer: Sealer | null;
  #tail: Promise<void> = Promise.resolve();
  /** Frames were held back: receivers need a key frame to begin with. */
  #starved = false;
  #sealed = 0;

  constructor(
    ctx: number,
    kind: MediaKind,
    sealer: Sealer | null,
    counters: Counters,
    emit: (frame: EncodedFrame) => void,
    makeKeyFrame: () => void,
  ) {
    this.ctx = ctx;
    this.#kind = kind;
    this.#sealer = sealer;
    this.#counters = counters;
    this.#emit = emit;
    this.#makeKeyFrame = makeKeyFrame;
  }

  /** From now on frames are sealed with this key; null: held back. */
  setSealer(sealer: Sealer | null): void {
    this.#sealer = sealer;
    if (sealer && this.#starved && this.#kind === 'video') this.#makeKeyFrame();
    this.#starved = false;
  }

  report(): SendReport | null {
    if (!this.#sealer) return null;
    return { ctx: this.ctx, generation: this.#sealer.kid % 256, sealed: this.#sealed };
  }

  /** Takes the encoder's next frame. Resolves when it was handed on or dropped. */
  push(frame: EncodedFrame): Promise<void> {
    this.#tail = this.#tail.then(() => this.#seal(frame));
    return this.#tail;
  }

  async #seal(frame: EncodedFrame): Promise<void> {
    const data = new Uint8Array(frame.data);
    if (data.length === 0) {
      this.#emit(frame);
      return;
    }
    const codec = codecOfMime(frame.getMetadata().mimeType);
    const type = this.#typeOf(frame);
    if (!this.#sealer || !codec || type === null) {
      this.#starved = true;
      this.#counters.add('unsealed');
      return;
    }
    try {
      const sealed = await this.#sealer.seal(codec, type, data);
      frame.data = sealed.buffer;
    } catch {
      this.#counters.add('unsealed'); // exhausted or closed: nothing goes out
      return;
    }
    this.#sealed++;
    this.#counters.add('sealed');
    this.#emit(frame);
  }

  #typeOf(frame: EncodedFrame): FrameType | null {
    if (this.#kind === 'audio') return frameType.audio;
    if (frame.type === 'key') return frameType.key;
    return frame.type === 'delta' ? frameType.delta : null;
  }
}
