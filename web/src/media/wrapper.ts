// The least that must surround a ciphertext for a codec's packetizer to be
// content: nothing for Opus and VP9, one byte for VP8, a fake OBU for AV1.
// docs/frames.md says why, with worked examples.
import { type Bytes, concat } from '../lib/bytes.ts';
import { type Codec, type FrameType, frameType } from './codec.ts';

// VP8: where the packetizer looks for the P bit of the payload header (RFC 6386 §9.1).
const vp8Key = 0x00;
const vp8Delta = 0x01;

// AV1: OBU headers, type<<3 | has_size (AV1 specification §5.3.2). A sequence
// header marks a key frame to packetizers and relays, a frame OBU anything else.
const obuHasSize = 0x02;
const obuKey = (1 << 3) | obuHasSize;
const obuDelta = (6 << 3) | obuHasSize;
const obuTemporalDelimiter = (2 << 3) | obuHasSize;

/** AV1 specification §4.10.5. */
const maxLeb128Bytes = 8;

const none = new Uint8Array(0);

/** Puts a ciphertext into its codec's wrapper. */
export function wrap(codec: Codec, type: FrameType, sealed: Bytes): Bytes {
  const isKey = type === frameType.key;
  switch (codec) {
    case 'vp8':
      return concat(metadata(codec, type), sealed);
    case 'av1':
      return concat(new Uint8Array([isKey ? obuKey : obuDelta, ...leb128(sealed.length)]), sealed);
    default:
      return sealed;
  }
}

/** What SFrame authenticates besides its header: the clear bytes that nothing on the way may rewrite. */
export function metadata(codec: Codec, type: FrameType | null): Bytes {
  if (codec !== 'vp8') return none;
  return new Uint8Array([type === frameType.key ? vp8Key : vp8Delta]);
}

/** A received frame without its wrapper. */
export interface Unwrapped {
  sealed: Bytes;
  /** The type that the wrapper claims; null where the codec has no wrapper. */
  claim: FrameType | null;
}

/** Takes the wrapper off. Null when it cannot be read. */
export function unwrap(codec: Codec, data: Bytes): Unwrapped | null {
  switch (codec) {
    case 'vp8':
      if (data[0] === vp8Key) return { sealed: data.subarray(1), claim: frameType.key };
      if (data[0] === vp8Delta) return { sealed: data.subarray(1), claim: frameType.delta };
      return null;
    case 'av1':
      return unwrapObu(data);
    default:
      return { sealed: data, claim: null };
  }
}

function unwrapObu(data: Bytes): Unwrapped | null {
  let obu = data;
  // A depacketizer may have put a temporal delimiter in front.
  if (obu[0] === obuTemporalDelimiter && obu[1] === 0) obu = obu.subarray(2);
  const length = leb128Length(obu, 1);
  if (length === 0) return null;
  const sealed = obu.subarray(1 + length);
  if (obu[0] === obuKey) return { sealed, claim: frameType.key };
  if (obu[0] === obuDelta) return { sealed, claim: frameType.delta };
  return null;
}

/** AV1's variable-length code: seven bits a byte, least significant first. */
function leb128(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return [...out, rest];
}

/**
 * How long the number at `at` is, 0 if there is none. Its value is not looked at:
 * packetizers may rewrite it, and the tag tells whether the bytes behind it are right.
 */
function leb128Length(data: Bytes, at: number): number {
  for (let i = 0; i < maxLeb128Bytes; i++) {
    const byte = data[at + i];
    if (byte === undefined) return 0;
    if ((byte & 0x80) === 0) return i + 1;
  }
  return 0;
}
