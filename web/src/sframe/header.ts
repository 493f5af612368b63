// The SFrame header (RFC 9605 §4.3):
//
//    0 1 2 3 4 5 6 7
//   +-+-----+-+-----+------------+------------+
//   |X|  K  |Y|  C  |   KID...   |   CTR...   |
//   +-+-----+-+-----+------------+------------+
//
// X (Y) tells whether K (C) is the number itself, 0 to 7, or the length in
// bytes, less one, of a big-endian number that follows. KID and CTR go up to
// 2^64-1, so they are bigint here.
import { SFrameError } from './errors.ts';

/** The longest header: the config byte and two 64-bit numbers. */
export const maxHeaderBytes = 17;

/** Which key, which frame under it, and how many bytes the header takes. */
export interface Header {
  kid: bigint;
  ctr: bigint;
  length: number;
}

const maxInline = 7n;
const maxUint64 = (1n << 64n) - 1n;

/** How many bytes v needs after the config byte: 0 when it fits into its nibble. */
function extraBytes(v: bigint): number {
  if (v <= maxInline) return 0;
  let n = 0;
  for (let rest = v; rest > 0n; rest >>= 8n) n++;
  return n;
}

/** Encodes a header in its one minimal form. */
export function encodeHeader(kid: bigint, ctr: bigint): Uint8Array<ArrayBuffer> {
  if (kid < 0n || kid > maxUint64 || ctr < 0n || ctr > maxUint64) throw new RangeError('not a 64-bit number');
  const k = extraBytes(kid);
  const c = extraBytes(ctr);
  const out = new Uint8Array(1 + k + c);
  out[0] = (nibble(kid, k) << 4) | nibble(ctr, c);
  writeNumber(out, 1, k, kid);
  writeNumber(out, 1 + k, c, ctr);
  return out;
}

function nibble(v: bigint, extra: number): number {
  return extra === 0 ? Number(v) : 0x8 | (extra - 1);
}

function writeNumber(out: Uint8Array, at: number, length: number, v: bigint): void {
  let rest = v;
  for (let i = at + length - 1; i >= at; i--) {
    out[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
}

/**
 * Reads the header at the start of a ciphertext. A number that is not encoded in
 * the fewest bytes is refused: one (KID, CTR) has one spelling.
 * Throws SFrameError `malformed`.
 */
export function parseHeader(bytes: Uint8Array): Header {
  const config = bytes[0];
  if (config === undefined) throw new SFrameError('malformed');
  const kid = parseNumber(config >> 4, bytes, 1);
  const ctr = parseNumber(config & 0x0f, bytes, 1 + kid.length);
  return { kid: kid.value, ctr: ctr.value, length: 1 + kid.length + ctr.length };
}

function parseNumber(nibble: number, bytes: Uint8Array, at: number): { value: bigint; length: number } {
  if ((nibble & 0x8) === 0) return { value: BigInt(nibble), length: 0 };
  const length = (nibble & 0x7) + 1;
  if (bytes.length < at + length) throw new SFrameError('malformed');
  let value = 0n;
  for (let i = at; i < at + length; i++) value = (value << 8n) | BigInt(bytes[i] ?? 0);
  if (extraBytes(value) !== length) throw new SFrameError('malformed');
  return { value, length };
}
