import type { Bytes } from '../lib/bytes.ts';
import { SFrameError } from './errors.ts';
import { openFrame } from './frame.ts';
import { type Header, parseHeader } from './header.ts';
import { deriveFrameKey, type FrameKey, importBaseKey } from './kdf.ts';
import { ReplayWindow } from './replay.ts';
import { type Suite, suiteOf } from './suite.ts';

/** Opens the frames of one KID. */
export class Receiver {
  readonly kid: bigint;
  readonly #suite: Suite;
  #key: FrameKey | undefined;
  readonly #window = new ReplayWindow();

  private constructor(suite: Suite, kid: bigint, key: FrameKey) {
    this.#suite = suite;
    this.kid = kid;
    this.#key = key;
  }

  /** Derives the key of `kid`. The caller wipes the base key. */
  static async create(suiteId: number, kid: bigint, baseKey: Bytes): Promise<Receiver> {
    const suite = suiteOf(suiteId);
    return new Receiver(suite, kid, await deriveFrameKey(suite, kid, await importBaseKey(baseKey)));
  }

  /**
   * Verifies header ‖ ciphertext ‖ tag and returns the plaintext. Throws
   * SFrameError `malformed`, `wrong_kid`, `auth`, `replay`, `too_large`, `closed`.
   */
  async open(metadata: Bytes, sealed: Bytes, header: Header = parseHeader(sealed)): Promise<Bytes> {
    if (!this.#key) throw new SFrameError('closed');
    if (header.kid !== this.kid) throw new SFrameError('wrong_kid');
    const plaintext = await openFrame(this.#suite, this.#key, header, metadata, sealed);
    // Only now: a counter that was not authenticated must not move the window.
    if (!this.#window.accept(header.ctr)) {
      plaintext.fill(0);
      throw new SFrameError('replay');
    }
    return plaintext;
  }

  /** Forgets the key; open then fails. */
  close(): void {
    this.#key?.salt.fill(0);
    this.#key = undefined;
  }
}
