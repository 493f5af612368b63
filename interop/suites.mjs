// The cipher suites both sides speak, by their code points.
import { Aes256Gcm } from '@hpke/core';
import { XWing } from '@hpke/hybridkem-x-wing';
import { shake256 } from '@noble/hashes/sha3.js';
import { getCiphersuiteFromName, getCiphersuiteImpl } from 'ts-mls';

void Aes256Gcm; // ts-mls loads it lazily; importing it here fails early when it is missing

const text = (value) => new TextEncoder().encode(value);

/** X-Wing with the key derivation of draft-ietf-hpke-pq, which Go's crypto/hpke
 * implements: DeriveKeyPair is one SHAKE256 LabeledDerive. The library's own
 * derivation differs, and TreeKEM derives every node key by it. */
class DraftXWing extends XWing {
  async deriveKeyPair(ikm) {
    const size = 32;
    const label = text('DeriveKeyPair');
    const input = Buffer.concat([
      new Uint8Array(ikm),
      text('HPKE-v1'),
      text('KEM'),
      Uint8Array.of(0x64, 0x7a),
      Uint8Array.of(0, label.length),
      label,
      Uint8Array.of(0, size),
    ]);
    return this.generateKeyPairDerand(shake256(new Uint8Array(input), { dkLen: size }));
  }
}

async function hybrid() {
  const base = await getCiphersuiteImpl({
    name: String(0xf002),
    hash: 'SHA-384',
    signature: 'Ed25519',
    hpke: { kem: 'X-Wing', aead: 'AES256GCM', kdf: 'HKDF-SHA384' },
  });
  const kem = new DraftXWing();
  const deriveKeyPair = async (ikm) => {
    await kem._setup();
    const { privateKey, publicKey } = await kem.deriveKeyPair(ikm.slice().buffer);
    return { privateKey, publicKey };
  };
  return { ...base, hpke: { ...base.hpke, deriveKeyPair } };
}

const names = {
  1: 'MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519',
  2: 'MLS_128_DHKEMP256_AES128GCM_SHA256_P256',
  3: 'MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519',
};

/** The implementation and the name by which capabilities list it. */
export async function suite(code) {
  if (code === 0xf002) return { impl: await hybrid(), name: String(code) };
  const name = names[code];
  if (!name) throw new Error(`no such suite here: ${code}`);
  return { impl: await getCiphersuiteImpl(getCiphersuiteFromName(name)), name };
}
