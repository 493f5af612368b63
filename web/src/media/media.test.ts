import { describe, expect, it } from 'vitest';
import type { Bytes } from '../lib/bytes.ts';
import { type Codec, codecOfMime, frameType, typeFits } from './codec.ts';
import { Opener, parseFrame } from './opener.ts';
import { type Sealer, SealerFactory } from './sealer.ts';
import { unwrap, wrap } from './wrapper.ts';

const base = (fill: number): Bytes => new Uint8Array(32).fill(fill);
const owner = { participant: 'ada', ctx: 1 };

async function makeSealer(kid = 0x10107, fill = 1): Promise<Sealer> {
  const sealer = await new SealerFactory().make(kid, base(fill));
  if (!sealer) throw new Error('no sealer');
  return sealer;
}

async function openWith(opener: Opener, codec: Codec, data: Bytes) {
  const parsed = parseFrame(codec, data);
  return parsed ? opener.open(parsed) : null;
}

describe('codec', () => {
  it('reads MIME types in any case', () => {
    expect(codecOfMime('video/VP8')).toBe('vp8');
    expect(codecOfMime('audio/opus')).toBe('opus');
    expect(codecOfMime('video/AV1')).toBe('av1');
    expect(codecOfMime('video/H264')).toBeNull();
    expect(codecOfMime(undefined)).toBeNull();
  });

  it('knows which types occur', () => {
    expect(typeFits(2, 'opus')).toBe(true);
    expect(typeFits(1, 'opus')).toBe(false);
    expect(typeFits(2, 'vp9')).toBe(false);
    expect(typeFits(3, 'vp8')).toBe(false);
  });
});

describe('wrapper', () => {
  it.each([1, 16, 127, 128, 300, 16_383, 16_384, 100_000])('AV1 around %i bytes comes off again', (n) => {
    const sealed = new Uint8Array(n).fill(7);
    for (const type of [frameType.key, frameType.delta] as const) {
      expect(unwrap('av1', wrap('av1', type, sealed))).toEqual({ sealed, claim: type });
    }
  });

  it.each([
    ['empty', ''],
    ['a temporal delimiter alone', '1200'],
    ['a length without end', `0a${'80'.repeat(9)}`],
    ['cut after the OBU header', '32'],
    ['two temporal delimiters', '120012000a0100'],
  ])('AV1 refuses: %s', (_, text) => {
    expect(unwrap('av1', Uint8Array.from(Buffer.from(text, 'hex')))).toBeNull();
  });

  it('survives any bytes', () => {
    let seed = 7;
    for (let i = 0; i < 3000; i++) {
      const data = Uint8Array.from({ length: i % 40 }, () => {
        seed = (seed * 1103515245 + 12345) % 2147483648;
        return seed >> 8;
      });
      for (const codec of ['opus', 'vp8', 'vp9', 'av1'] as const) parseFrame(codec, data);
    }
  });
});

describe('sealer and opener', () => {
  it('keeps empty frames empty and spends no counter on them', async () => {
    const sealer = await makeSealer();
    expect(await sealer.seal('opus', frameType.audio, new Uint8Array(0))).toHaveLength(0);
    const first = parseFrame('opus', await sealer.seal('opus', frameType.audio, new Uint8Array([1])));
    expect(first?.header.ctr).toBe(0n);
  });

  it('refuses a type that the codec does not have', async () => {
    const sealer = await makeSealer();
    await expect(sealer.seal('opus', frameType.key, new Uint8Array([1]))).rejects.toThrow(RangeError);
  });

  it('never makes two sealers for one key', async () => {
    const factory = new SealerFactory();
    const key = base(5);
    expect(await factory.make(1, key)).not.toBeNull();
    expect(key).toEqual(new Uint8Array(32)); // wiped
    expect(await factory.make(1, base(5))).toBeNull();
    expect(await factory.make(2, base(5))).not.toBeNull();
    expect(await factory.make(1, base(6))).not.toBeNull();
  });

  it('believes the KID about who sent a frame', async () => {
    const opener = new Opener();
    await opener.install(0x10107, owner, base(1));
    await opener.install(0x20107, { participant: 'ben', ctx: 1 }, base(2));
    const frame = await (await makeSealer(0x20107, 2)).seal('vp9', frameType.key, new Uint8Array([9]));
    expect(await openWith(opener, 'vp9', frame)).toMatchObject({ ok: true, owner: { participant: 'ben' } });
  });

  it('refuses a KID that is taken, and keeps the replay window on the same key again', async () => {
    const opener = new Opener();
    expect(await opener.install(0x10107, owner, base(1))).toBe(true);
    const frame = await (await makeSealer()).seal('vp8', frameType.key, new Uint8Array([9]));
    expect(await openWith(opener, 'vp8', frame)).toMatchObject({ ok: true });
    expect(await opener.install(0x10107, owner, base(1))).toBe(true);
    expect(await openWith(opener, 'vp8', frame)).toMatchObject({ ok: false, failure: 'replay' });
    expect(await opener.install(0x10107, { participant: 'mallory', ctx: 1 }, base(1))).toBe(false);
    expect(await opener.install(0x10107, owner, base(2))).toBe(false);
  });

  it('forgets removed keys', async () => {
    const opener = new Opener();
    await opener.install(0x10107, owner, base(1));
    const frame = await (await makeSealer()).seal('vp8', frameType.key, new Uint8Array([9]));
    opener.remove(0x10107);
    expect(await openWith(opener, 'vp8', frame)).toMatchObject({ ok: false, failure: 'unknown_kid' });
  });

  it('does not open with the wrong key', async () => {
    const opener = new Opener();
    await opener.install(0x10107, owner, base(99));
    const frame = await (await makeSealer()).seal('opus', frameType.audio, new Uint8Array([9, 9]));
    expect(await openWith(opener, 'opus', frame)).toEqual({ ok: false, failure: 'auth', owner });
  });
});
