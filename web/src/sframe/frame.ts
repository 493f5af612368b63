// Sealing and opening one frame (RFC 9605 §4.4.3 and §4.4.4).
import { type Bytes, concat } from '../lib/bytes.ts';
import { aeadOpen, aeadSeal } from './aead.ts';
import { SFrameError } from './errors.ts';
import { encodeHeader, type Header } from './header.ts';
import type { FrameKey } from './kdf.ts';
import type { Suite } from './suite.ts';

/** The largest plaintext of a frame. No encoder of a call comes near it. */
export const maxFrameBytes = 1 << 24;

/** nonce = salt XOR CTR. */
export function frameNonce(salt: Bytes, ctr: bigint): Bytes {
  const nonce = salt.slice();
  const view = new DataView(nonce.buffer, nonce.length - 8);
  view.setBigUint64(0, view.getBigUint64(0) ^ ctr);
  return nonce;
}

/** Returns header ‖ ciphertext ‖ tag. */
export async function sealFrame(
  suite: Suite,
  key: FrameKey,
  kid: bigint,
  ctr: bigint,
  metadata: Bytes,
  plaintext: Bytes,
): Promise<Bytes> {
  if (plaintext.length > maxFrameBytes) throw new SFrameError('too_large');
  const header = encodeHeader(kid, ctr);
  const sealed = await aeadSeal(suite, key, frameNonce(key.salt, ctr), concat(header, metadata), plaintext);
  return concat(header, sealed);
}

/** Verifies and decrypts a frame whose header is parsed already. */
export async function openFrame(
  suite: Suite,
  key: FrameKey,
  header: Header,
  metadata: Bytes,
  sealed: Bytes,
): Promise<Bytes> {
  const body = sealed.subarray(header.length);
  if (body.length - suite.tag > maxFrameBytes) throw new SFrameError('too_large');
  const aad = concat(sealed.subarray(0, header.length), metadata);
  return aeadOpen(suite, key, frameNonce(key.salt, header.ctr), aad, body);
}
