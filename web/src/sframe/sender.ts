import type { Bytes } from '../lib/bytes.ts';
import { SFrameError } from './errors.ts';
import { sealFrame } from './frame.ts';
import { deriveFrameKey, type FrameKey, importBaseKey } from './kdf.ts';
import { type Suite, suiteOf } from './suite.ts';

/**
 * How many frames one sender seals before it refuses and wants a new base key: at
 * 200 frames a second, eight months. It keeps AES-GCM far from its limits.
 */
export const maxFramesPerKey = 2n ** 32n;

/**
 * Seals frames under one KID and owns its counter. There must be one sender per
 * base key and KID, ever: a second one would begin again at counter 0 and repeat
 * every nonce (RFC 9605 §9.1). Simulcast layers of one encoder share one.
 */
export class Sender {
  readonly kid: bigint;
  readonly #suite: Suite;
  #key: FrameKey | undefined;
  #next: bigint;

  private constructor(suite: Suite, kid: bigint, key: FrameKey, first: bigint) {
    this.#suite = suite;
    this.kid = kid;
    this.#key = key;
    this.#next = first;
  }

  /** Derives the key of `kid`. The caller wipes the base key. `first` is for tests. */
  static async create(suiteId: number, kid: bigint, baseKey: Bytes, first = 0n): Promise<Sender> {
    const suite = suiteOf(suiteId);
    return new Sender(suite, kid, await deriveFrameKey(suite, kid, await importBaseKey(baseKey)), first);
  }

  /**
   * Returns header ‖ ciphertext ‖ tag under the next counter. Metadata is
   * authenticated and not sent. The counter is taken before anything is awaited,
   * so calls that overlap never share one.
   */
  async seal(metadata: Bytes, plaintext: Bytes): Promise<Bytes> {
    if (!this.#key) throw new SFrameError('closed');
    if (this.#next >= maxFramesPerKey) throw new SFrameError('exhausted');
    const ctr = this.#next++;
    return sealFrame(this.#suite, this.#key, this.kid, ctr, metadata, plaintext);
  }

  /** Forgets the key; seal then fails. */
  close(): void {
    this.#key?.salt.fill(0);
    this.#key = undefined;
  }
}
