import { describe, expect, it } from 'vitest';
import { concat } from '../lib/bytes.ts';
import { encodeHeader, parseHeader } from './header.ts';
import { Receiver } from './receiver.ts';
import { ReplayWindow, replayWindow } from './replay.ts';
import { maxFramesPerKey, Sender } from './sender.ts';
import { callSuite } from './suite.ts';

const base = () => Uint8Array.from({ length: 32 }, (_, i) => i);
const text = (s: string) => new TextEncoder().encode(s);
const none = new Uint8Array(0);

async function pair(suite = callSuite) {
  const kid = 0x1234_5678_0107n;
  return {
    sender: await Sender.create(suite, kid, base()),
    receiver: await Receiver.create(suite, kid, base()),
  };
}

describe('header', () => {
  it.each([
    ['empty', ''],
    ['KID of 8 bytes cut short', 'f0aabb'],
    ['CTR cut short', '0f0102'],
    ['KID 5 written in a byte', '8005'],
    ['CTR with a leading zero', '090012'],
  ])('refuses: %s', (_, hex) => {
    expect(() => parseHeader(Uint8Array.from(Buffer.from(hex, 'hex')))).toThrow('malformed');
  });

  it('refuses numbers beyond 64 bits', () => {
    expect(() => encodeHeader(1n << 64n, 0n)).toThrow(RangeError);
    expect(() => encodeHeader(0n, -1n)).toThrow(RangeError);
  });
});

describe('sender and receiver', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('suite %i round trips, empty frames too', async (suite) => {
    const { sender, receiver } = await pair(suite);
    for (const frame of ['', 'x', 'a longer frame '.repeat(1000)]) {
      const sealed = await sender.seal(text('meta'), text(frame));
      expect(await receiver.open(text('meta'), sealed)).toEqual(text(frame));
    }
  });

  it('counts from 0 and never repeats, even when calls overlap', async () => {
    const { sender } = await pair();
    const sealed = await Promise.all(Array.from({ length: 50 }, () => sender.seal(none, text('same'))));
    expect(sealed.map((frame) => parseHeader(frame).ctr)).toEqual(
      Array.from({ length: 50 }, (_, i) => BigInt(i)),
    );
  });

  it('refuses a frame with any bit changed, and other metadata', async () => {
    const { sender, receiver } = await pair();
    const sealed = await sender.seal(text('m'), text('frame'));
    for (let i = 0; i < sealed.length * 8; i++) {
      const bad = sealed.slice();
      bad[i >> 3] = (bad[i >> 3] ?? 0) ^ (1 << (i & 7));
      await expect(receiver.open(text('m'), bad)).rejects.toThrow(/sframe: (auth|malformed|wrong_kid)/);
    }
    await expect(receiver.open(text('n'), sealed)).rejects.toThrow('auth');
    await expect(receiver.open(text('m'), sealed.slice(0, -1))).rejects.toThrow('auth');
    await expect(receiver.open(text('m'), sealed.slice(0, 9))).rejects.toThrow('malformed');
    // None of it moved the window: the true frame still opens.
    expect(await receiver.open(text('m'), sealed)).toEqual(text('frame'));
  });

  it('refuses a repeated frame', async () => {
    const { sender, receiver } = await pair();
    const sealed = await sender.seal(none, text('once'));
    await receiver.open(none, sealed);
    await expect(receiver.open(none, sealed)).rejects.toThrow('replay');
  });

  it('stops at the limit of frames', async () => {
    const sender = await Sender.create(callSuite, 1n, base(), maxFramesPerKey - 1n);
    await sender.seal(none, none);
    await expect(sender.seal(none, none)).rejects.toThrow('exhausted');
  });

  it('refuses short keys, unknown suites and use after close', async () => {
    await expect(Sender.create(callSuite, 1n, new Uint8Array(15))).rejects.toThrow('bad_key');
    await expect(Receiver.create(9, 1n, base())).rejects.toThrow('bad_key');
    const { sender, receiver } = await pair();
    const sealed = await sender.seal(none, none);
    sender.close();
    receiver.close();
    await expect(sender.seal(none, none)).rejects.toThrow('closed');
    await expect(receiver.open(none, sealed)).rejects.toThrow('closed');
  });

  it('keeps two KIDs of one base key apart', async () => {
    const a = await Sender.create(callSuite, 1n, base());
    const b = await Receiver.create(callSuite, 2n, base());
    const sealed = await a.seal(none, text('x'));
    await expect(b.open(none, sealed)).rejects.toThrow('wrong_kid');
    await expect(b.open(none, concat(encodeHeader(2n, 0n), sealed.slice(1)))).rejects.toThrow('auth');
  });
});

describe('replay window', () => {
  it('accepts late frames inside the window, once', () => {
    const window = new ReplayWindow();
    expect(window.accept(5000n)).toBe(true);
    const oldest = 5000n - BigInt(replayWindow) + 1n;
    expect(window.accept(oldest)).toBe(true);
    expect(window.accept(oldest)).toBe(false);
    expect(window.accept(oldest - 1n)).toBe(false);
    expect(window.accept(4999n)).toBe(true);
    expect(window.accept(5000n)).toBe(false);
  });

  it('agrees with a set that remembers everything', () => {
    const window = new ReplayWindow();
    const seen = new Set<number>();
    let top = -1;
    let seed = 1;
    const random = (n: number) => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return seed % n;
    };
    for (let i = 0; i < 20_000; i++) {
      const jump = random(50) === 0 ? random(4000) : random(20);
      const ctr = Math.max(0, top + jump - random(40) - (random(30) === 0 ? 1100 : 0));
      const want = !seen.has(ctr) && (ctr > top || top - ctr < replayWindow);
      expect(window.accept(BigInt(ctr))).toBe(want);
      if (want) seen.add(ctr);
      top = want ? Math.max(top, ctr) : top;
    }
  });
});
