import { type Bytes, concat } from '../lib/bytes.ts';
import { Sender } from '../sframe/sender.ts';
import { callSuite } from '../sframe/suite.ts';
import { type Codec, type FrameType, typeFits } from './codec.ts';
import { metadata, wrap } from './wrapper.ts';

/** Seals the frames of one encoder: one KID, one counter. A change of codec keeps it. */
export class Sealer {
  readonly #sender: Sender;

  constructor(sender: Sender) {
    this.#sender = sender;
  }

  get kid(): number {
    return Number(this.#sender.kid);
  }

  /**
   * Returns wrapper ‖ SFrame(type ‖ frame). An empty frame stays empty and spends
   * no counter. Throws SFrameError, or RangeError if the type does not occur with the codec.
   */
  async seal(codec: Codec, type: FrameType, frame: Bytes): Promise<Bytes> {
    if (!typeFits(type, codec)) throw new RangeError('frame type does not fit the codec');
    if (frame.length === 0) return frame;
    const plaintext = concat(new Uint8Array([type]), frame);
    return wrap(codec, type, await this.#sender.seal(metadata(codec, type), plaintext));
  }

  close(): void {
    this.#sender.close();
  }
}

/**
 * Makes the sealers of one participant and remembers, for as long as the worker
 * lives, which base keys had one: a key event that comes twice cannot start a
 * counter over.
 */
export class SealerFactory {
  readonly #used = new Set<string>();

  /** Returns null if this KID under this base key had its sealer already. Wipes the base key. */
  async make(kid: number, baseKey: Bytes): Promise<Sealer | null> {
    const id = `${kid}:${await fingerprint(baseKey)}`;
    if (this.#used.has(id)) {
      baseKey.fill(0);
      return null;
    }
    this.#used.add(id);
    try {
      return new Sealer(await Sender.create(callSuite, BigInt(kid), baseKey));
    } finally {
      baseKey.fill(0);
    }
  }
}

/** A hash that tells base keys apart without keeping them. */
export async function fingerprint(baseKey: Bytes): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', baseKey));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
