// RFC 9605 appendix C, and the same for suites 6 to 8. The vectors live outside
// this repository; without them these tests are skipped, and say so.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Bytes } from '../lib/bytes.ts';
import { aeadOpen, aeadSeal } from './aead.ts';
import { frameNonce, openFrame, sealFrame } from './frame.ts';
import { encodeHeader, parseHeader } from './header.ts';
import { deriveFrameKey, hkdf, importBaseKey, importCtrHmac, keyInfo, saltInfo } from './kdf.ts';
import { Receiver } from './receiver.ts';
import { Sender } from './sender.ts';
import { suiteOf } from './suite.ts';

const folder = path.resolve(import.meta.dirname, '../../../../shared/vectors/sframe');
const present = existsSync(folder);
// biome-ignore lint/suspicious/noConsole: a skipped test should say why
if (!present) console.warn(`SFrame vectors are absent (${folder}): their tests are skipped`);

interface AeadVector {
  cipher_suite: number;
  key: string;
  enc_key: string;
  auth_key: string;
  nonce: string;
  aad: string;
  pt: string;
  ct: string;
}
interface FrameVector {
  cipher_suite: number;
  kid: number;
  ctr: number;
  base_key: string;
  sframe_key_label: string;
  sframe_salt_label: string;
  sframe_key: string;
  sframe_salt: string;
  metadata: string;
  nonce: string;
  aad: string;
  pt: string;
  ct: string;
}
interface Vectors {
  header: { kid: string; ctr: string; encoded: string }[];
  aes_ctr_hmac: AeadVector[];
  aes_256_ctr_hmac: AeadVector[];
  sframe: FrameVector[];
  sframe_aes_256_ctr_hmac: FrameVector[];
}

/** Header numbers go beyond 2^53, so they are read as text. */
function load(name: string): Partial<Vectors> {
  if (!present) return {};
  const text = readFileSync(path.join(folder, name), 'utf8');
  return JSON.parse(text.replace(/("(?:kid|ctr)": )(\d{16,})/g, '$1"$2"'));
}

const hex = (text: string): Bytes => Uint8Array.from(Buffer.from(text, 'hex'));
const toHex = (bytes: ArrayBuffer | Uint8Array): string => Buffer.from(bytes as Uint8Array).toString('hex');

const main = load('test-vectors.json');
const extra = load('test-vectors-aes256.json');

describe.skipIf(!present)('RFC 9605 vectors', () => {
  const headers = main.header ?? [];

  it('has all of them', () => {
    expect(headers).toHaveLength(289);
    expect(main.sframe).toHaveLength(5);
    expect(main.aes_ctr_hmac).toHaveLength(3);
    expect(main.aes_256_ctr_hmac).toHaveLength(3);
    expect(extra.sframe_aes_256_ctr_hmac).toHaveLength(3);
  });

  it('encodes and parses every header', () => {
    for (const { kid, ctr, encoded } of headers) {
      expect(toHex(encodeHeader(BigInt(kid), BigInt(ctr)))).toBe(encoded);
      expect(parseHeader(hex(encoded))).toEqual({
        kid: BigInt(kid),
        ctr: BigInt(ctr),
        length: encoded.length / 2,
      });
    }
  });

  it.each([...(main.aes_ctr_hmac ?? []), ...(main.aes_256_ctr_hmac ?? [])])(
    'AES-CTR-HMAC, suite $cipher_suite',
    async (v) => {
      const suite = suiteOf(v.cipher_suite);
      expect(v.key).toBe(v.enc_key + v.auth_key);
      expect(v.enc_key.length / 2).toBe(suite.encKey);
      const key = { salt: hex(v.nonce), ...(await importCtrHmac(suite, hex(v.key))) };
      expect(toHex(await aeadSeal(suite, key, hex(v.nonce), hex(v.aad), hex(v.pt)))).toBe(v.ct);
      expect(toHex(await aeadOpen(suite, key, hex(v.nonce), hex(v.aad), hex(v.ct)))).toBe(v.pt);
    },
  );

  it.each([...(main.sframe ?? []), ...(extra.sframe_aes_256_ctr_hmac ?? [])])(
    'SFrame, suite $cipher_suite',
    async (v) => {
      const suite = suiteOf(v.cipher_suite);
      const kid = BigInt(v.kid);
      const ctr = BigInt(v.ctr);
      expect(toHex(keyInfo(kid, suite))).toBe(v.sframe_key_label);
      expect(toHex(saltInfo(kid, suite))).toBe(v.sframe_salt_label);

      const base = await importBaseKey(hex(v.base_key));
      const bits = await crypto.subtle.deriveBits(hkdf(suite, keyInfo(kid, suite)), base, suite.key * 8);
      expect(toHex(bits)).toBe(v.sframe_key);
      const key = await deriveFrameKey(suite, kid, base);
      expect(toHex(key.salt)).toBe(v.sframe_salt);
      expect(toHex(frameNonce(key.salt, ctr))).toBe(v.nonce);
      expect(key.enc.extractable).toBe(false);

      const metadata = hex(v.metadata);
      expect(toHex(await sealFrame(suite, key, kid, ctr, metadata, hex(v.pt)))).toBe(v.ct);
      expect(toHex(await openFrame(suite, key, parseHeader(hex(v.ct)), metadata, hex(v.ct)))).toBe(v.pt);

      const sender = await Sender.create(v.cipher_suite, kid, hex(v.base_key), ctr);
      expect(toHex(await sender.seal(metadata, hex(v.pt)))).toBe(v.ct);
      const receiver = await Receiver.create(v.cipher_suite, kid, hex(v.base_key));
      expect(toHex(await receiver.open(metadata, hex(v.ct)))).toBe(v.pt);
    },
  );
});
