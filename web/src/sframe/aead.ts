// The AEAD of each suite (RFC 9605 §4.5) by WebCrypto: bytes in, bytes out.
import { type Bytes, concat, equalConstantTime } from '../lib/bytes.ts';
import { SFrameError } from './errors.ts';
import type { FrameKey } from './kdf.ts';
import type { Suite } from './suite.ts';

/** Encrypts and appends the tag. */
export async function aeadSeal(
  suite: Suite,
  key: FrameKey,
  nonce: Bytes,
  aad: Bytes,
  plaintext: Bytes,
): Promise<Bytes> {
  if (suite.gcm) {
    const params = { name: 'AES-GCM', iv: nonce, additionalData: aad, tagLength: suite.tag * 8 };
    return new Uint8Array(await crypto.subtle.encrypt(params, key.enc, plaintext));
  }
  const ciphertext = await ctr(key, nonce, plaintext);
  return concat(ciphertext, await ctrHmacTag(suite, key, nonce, aad, ciphertext));
}

/** Verifies and decrypts. Throws SFrameError `auth` or `malformed`. */
export async function aeadOpen(
  suite: Suite,
  key: FrameKey,
  nonce: Bytes,
  aad: Bytes,
  sealed: Bytes,
): Promise<Bytes> {
  if (sealed.length < suite.tag) throw new SFrameError('malformed');
  if (suite.gcm) {
    const params = { name: 'AES-GCM', iv: nonce, additionalData: aad, tagLength: suite.tag * 8 };
    try {
      return new Uint8Array(await crypto.subtle.decrypt(params, key.enc, sealed));
    } catch {
      throw new SFrameError('auth');
    }
  }
  const ciphertext = sealed.subarray(0, sealed.length - suite.tag);
  const tag = sealed.subarray(sealed.length - suite.tag);
  const expected = await ctrHmacTag(suite, key, nonce, aad, ciphertext);
  if (!equalConstantTime(tag, expected)) throw new SFrameError('auth');
  return ctr(key, nonce, ciphertext);
}

/** AES-CTR from block 0 under nonce ‖ 0x00000000; the same both ways. */
async function ctr(key: FrameKey, nonce: Bytes, data: Bytes): Promise<Bytes> {
  const counter = new Uint8Array(16);
  counter.set(nonce);
  return new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-CTR', counter, length: 32 }, key.enc, data));
}

/** HMAC(len(aad) ‖ len(ct) ‖ Nt ‖ nonce ‖ aad ‖ ct), cut to the tag's length. */
async function ctrHmacTag(suite: Suite, key: FrameKey, nonce: Bytes, aad: Bytes, ct: Bytes): Promise<Bytes> {
  if (!key.auth) throw new SFrameError('bad_key');
  const lengths = new Uint8Array(24);
  const view = new DataView(lengths.buffer);
  view.setBigUint64(0, BigInt(aad.length));
  view.setBigUint64(8, BigInt(ct.length));
  view.setBigUint64(16, BigInt(suite.tag));
  const mac = await crypto.subtle.sign('HMAC', key.auth, concat(lengths, nonce, aad, ct));
  return new Uint8Array(mac).slice(0, suite.tag);
}
