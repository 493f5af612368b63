// Key derivation of RFC 9605 §4.4.2 by WebCrypto. Its HKDF extracts and expands
// in one call, so sframe_secret never exists outside the browser's key store,
// and a GCM key never exists as bytes at all.
import { SFrameError } from './errors.ts';
import { nonceBytes, type Suite } from './suite.ts';

/** The shortest base key accepted, in bytes. Those of a Sotto call have 32. */
export const minBaseKeyBytes = 16;

const keyLabel = 'SFrame 1.0 Secret key ';
const saltLabel = 'SFrame 1.0 Secret salt ';

/** label ‖ KID as 8 bytes ‖ suite as 2 bytes. */
export function info(label: string, kid: bigint, suite: Suite): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(label);
  const out = new Uint8Array(text.length + 10);
  out.set(text);
  const view = new DataView(out.buffer);
  view.setBigUint64(text.length, kid);
  view.setUint16(text.length + 8, suite.id);
  return out;
}

/** The info input of sframe_key. */
export const keyInfo = (kid: bigint, suite: Suite): Uint8Array<ArrayBuffer> => info(keyLabel, kid, suite);
/** The info input of sframe_salt. */
export const saltInfo = (kid: bigint, suite: Suite): Uint8Array<ArrayBuffer> => info(saltLabel, kid, suite);

/** The HKDF parameters of both derivations: no salt, as the RFC says. */
export function hkdf(suite: Suite, label: Uint8Array<ArrayBuffer>): HkdfParams {
  return { name: 'HKDF', hash: suite.hash, salt: new Uint8Array(0), info: label };
}

/** Puts a base key into the key store, from where it cannot be read back. */
export async function importBaseKey(baseKey: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  if (baseKey.length < minBaseKeyBytes) throw new SFrameError('bad_key');
  return crypto.subtle.importKey('raw', baseKey, 'HKDF', false, ['deriveKey', 'deriveBits']);
}

/** What one KID seals and opens with. All keys are non-extractable. */
export interface FrameKey {
  readonly salt: Uint8Array<ArrayBuffer>;
  readonly enc: CryptoKey;
  /** Only in the CTR-HMAC suites. */
  readonly auth?: CryptoKey;
}

/** Derives key and salt of one KID. */
export async function deriveFrameKey(suite: Suite, kid: bigint, base: CryptoKey): Promise<FrameKey> {
  const salt = new Uint8Array(
    await crypto.subtle.deriveBits(hkdf(suite, saltInfo(kid, suite)), base, nonceBytes * 8),
  );
  if (suite.gcm) {
    const type = { name: 'AES-GCM', length: suite.encKey * 8 };
    const params = hkdf(suite, keyInfo(kid, suite));
    const enc = await crypto.subtle.deriveKey(params, base, type, false, ['encrypt', 'decrypt']);
    return { salt, enc };
  }
  const key = new Uint8Array(
    await crypto.subtle.deriveBits(hkdf(suite, keyInfo(kid, suite)), base, suite.key * 8),
  );
  const frameKey = { salt, ...(await importCtrHmac(suite, key)) };
  key.fill(0);
  return frameKey;
}

/** Splits sframe_key into its AES-CTR and HMAC halves (RFC 9605 §4.5.1). */
export async function importCtrHmac(
  suite: Suite,
  key: Uint8Array<ArrayBuffer>,
): Promise<{ enc: CryptoKey; auth: CryptoKey }> {
  const enc = await crypto.subtle.importKey('raw', key.slice(0, suite.encKey), 'AES-CTR', false, [
    'encrypt',
    'decrypt',
  ]);
  const hmac = { name: 'HMAC', hash: suite.hash };
  const auth = await crypto.subtle.importKey('raw', key.slice(suite.encKey), hmac, false, ['sign']);
  return { enc, auth };
}
