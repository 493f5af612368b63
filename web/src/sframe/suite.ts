// The cipher suites of RFC 9605 §4.5, table 1, and 6 to 8 as registered later.
// Sotto seals frames with suite 5 only; the others are here so that the whole
// of the RFC is held to its test vectors.
import { SFrameError } from './errors.ts';

/** A suite's constants. Lengths in bytes, except where a name says bits. */
export interface Suite {
  readonly id: number;
  readonly name: string;
  readonly hash: 'SHA-256' | 'SHA-512';
  /** Nka: the AES key. */
  readonly encKey: number;
  /** Nk: all of sframe_key; what follows the AES key is the HMAC key. */
  readonly key: number;
  /** Nt: the authentication tag. */
  readonly tag: number;
  readonly gcm: boolean;
}

/** Nn: the nonce, the same in every suite. */
export const nonceBytes = 12;

/** The suite of every frame of a Sotto call: AES-256-GCM with whole 16-byte tags. */
export const callSuite = 0x0005;

function ctrHmac(id: number, bits: 128 | 256, tagBits: number): Suite {
  const hash = bits === 128 ? 'SHA-256' : 'SHA-512';
  const encKey = bits / 8;
  const name = `AES_${bits}_CTR_HMAC_${hash.replace('-', '')}_${tagBits}`;
  return { id, name, hash, encKey, key: encKey * 3, tag: tagBits / 8, gcm: false };
}

const suites: ReadonlyMap<number, Suite> = new Map(
  [
    ctrHmac(0x0001, 128, 80),
    ctrHmac(0x0002, 128, 64),
    ctrHmac(0x0003, 128, 32),
    {
      id: 0x0004,
      name: 'AES_128_GCM_SHA256_128',
      hash: 'SHA-256',
      encKey: 16,
      key: 16,
      tag: 16,
      gcm: true,
    } as const,
    {
      id: 0x0005,
      name: 'AES_256_GCM_SHA512_128',
      hash: 'SHA-512',
      encKey: 32,
      key: 32,
      tag: 16,
      gcm: true,
    } as const,
    ctrHmac(0x0006, 256, 80),
    ctrHmac(0x0007, 256, 64),
    ctrHmac(0x0008, 256, 32),
  ].map((suite) => [suite.id, suite]),
);

/** Looks a suite up by its registered number. Throws SFrameError `bad_key`. */
export function suiteOf(id: number): Suite {
  const suite = suites.get(id);
  if (!suite) throw new SFrameError('bad_key');
  return suite;
}
