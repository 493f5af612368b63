import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Bytes } from '../../lib/bytes.ts';
import { frameType } from '../../media/codec.ts';
import { Opener, type Owner, parseFrame } from '../../media/opener.ts';
import { type Sealer, SealerFactory } from '../../media/sealer.ts';
import { FakeClock } from '../../testkit/clock.ts';
import { Counters } from './counters.ts';
import type { EncodedFrame } from './frame.ts';
import { maxWaiting, ReceiveSlot } from './receive.ts';
import { SendSlot } from './send.ts';

const key = (fill: number): Bytes => new Uint8Array(32).fill(fill);
const camera = 0x0101_0000_0100;
const mic = 0x0101_0000_0000;

/** An encoded frame as a browser hands it over. */
class Frame implements EncodedFrame {
  data: ArrayBuffer;
  readonly type: string;
  readonly #mime: string;

  constructor(data: Bytes, type = 'delta', mime = 'video/VP8') {
    this.data = data.slice().buffer;
    this.type = type;
    this.#mime = mime;
  }

  getMetadata() {
    return { mimeType: this.#mime };
  }

  get bytes(): Bytes {
    return new Uint8Array(this.data);
  }
}

async function sealer(kid: number, fill: number): Promise<Sealer> {
  const made = await new SealerFactory().make(kid, key(fill));
  if (!made) throw new Error('no sealer');
  return made;
}

// WebCrypto answers from another thread: what is under way there is counted.
let underWay = 0;
for (const name of ['decrypt', 'digest'] as const) {
  const real = crypto.subtle[name].bind(crypto.subtle) as (...args: unknown[]) => Promise<ArrayBuffer>;
  vi.spyOn(crypto.subtle, name).mockImplementation(async (...args: unknown[]) => {
    underWay++;
    return real(...args).finally(() => underWay--);
  });
}

/** Lets everything happen up to `ms` from now. */
async function cryptoSettled(clock: FakeClock, ms = 0): Promise<void> {
  const idle = async () => {
    do await new Promise((resolve) => setImmediate(resolve));
    while (underWay > 0);
  };
  await idle();
  await clock.advance(ms);
  await idle();
}

describe('a receive slot', () => {
  let clock: FakeClock;
  let opener: Opener;
  let counters: Counters;
  let out: Frame[];
  let owners: Owner[];
  let asked: number;
  let keyFrames: number;
  let hold: boolean;
  let show: () => void;
  let slot: ReceiveSlot;
  let ada: Sealer;

  beforeEach(async () => {
    clock = new FakeClock();
    opener = new Opener();
    counters = new Counters();
    out = [];
    owners = [];
    asked = 0;
    keyFrames = 0;
    hold = false;
    show = () => undefined;
    slot = new ReceiveSlot('1/video/0', 'video', opener, counters, {
      now: () => clock.now(),
      setTimer: (run, ms) => clock.after(ms, run),
      emit: (frame) => out.push(frame as Frame),
      requestKeyFrame: () => keyFrames++,
      announce: (owner) => {
        owners.push(owner);
        return hold ? new Promise((resolve) => (show = resolve)) : Promise.resolve();
      },
      unknownKid: () => asked++,
    });
    ada = await sealer(camera, 1);
  });

  const install = () => opener.install(camera, { participant: 'ada', ctx: 1 }, key(1));
  const sealed = async (n: number, type: 0 | 1 = 0) =>
    new Frame(await ada.seal('vp8', type, new Uint8Array([n, n])), type === 1 ? 'key' : 'delta');

  it('opens frames in order and says whose they are, once', async () => {
    await install();
    for (let n = 1; n <= 5; n++) slot.push(await sealed(n, n === 1 ? 1 : 0));
    await cryptoSettled(clock);
    expect(out.map((frame) => frame.bytes[0])).toEqual([1, 2, 3, 4, 5]);
    expect(owners).toEqual([{ participant: 'ada', ctx: 1 }]);
    expect(counters.totals).toMatchObject({ decrypted: 5, failed: 0 });
    expect(slot.report()).toMatchObject({ participant: 'ada', ctx: 1, decrypted: 5 });
  });

  it('passes frames of zero bytes, in their turn', async () => {
    await install();
    slot.push(await sealed(1, 1));
    slot.push(new Frame(new Uint8Array(0)));
    slot.push(await sealed(2));
    await cryptoSettled(clock);
    expect(out.map((frame) => frame.bytes.length)).toEqual([2, 0, 2]);
  });

  it('never lets through what is not sealed', async () => {
    await install();
    slot.push(new Frame(new Uint8Array([0x9d, 1, 2, 3, 4, 5, 6, 7]), 'key'));
    slot.push(new Frame(new Uint8Array(500).fill(0), 'key'));
    slot.push(new Frame(new Uint8Array([1, 2, 3]), 'key', 'video/H264'));
    await cryptoSettled(clock, 1000);
    expect(out).toHaveLength(0);
    expect(counters.totals.decrypted).toBe(0);
    expect(counters.totals.failed + counters.totals.unknown).toBe(3);
  });

  it('waits for a key that is on its way', async () => {
    for (let n = 1; n <= 3; n++) slot.push(await sealed(n, n === 1 ? 1 : 0));
    await cryptoSettled(clock, 200);
    expect(out).toHaveLength(0);
    await install();
    slot.keysChanged();
    await cryptoSettled(clock);
    expect(out.map((frame) => frame.bytes[0])).toEqual([1, 2, 3]);
    expect(asked).toBe(0);
  });

  it('drops after 300 ms, asks for the key, and for a key frame when it comes', async () => {
    slot.push(await sealed(1, 1));
    await cryptoSettled(clock, 299);
    expect(asked).toBe(0);
    await cryptoSettled(clock, 2);
    expect(asked).toBe(1);
    expect(counters.totals).toMatchObject({ unknown: 1, failed: 0 });
    const before = keyFrames;
    await clock.advance(600);
    await install();
    slot.keysChanged();
    expect(keyFrames).toBe(before + 1);
    slot.push(await sealed(2, 1));
    await cryptoSettled(clock);
    expect(out.map((frame) => frame.bytes[0])).toEqual([2]);
  });

  it('keeps no more than 64 frames waiting', async () => {
    for (let n = 0; n < maxWaiting + 10; n++) slot.push(await sealed(n & 0xff));
    expect(counters.totals.unknown).toBe(10);
    await install();
    slot.keysChanged();
    await cryptoSettled(clock);
    expect(out).toHaveLength(maxWaiting);
    expect(out[0]?.bytes[0]).toBe(10);
  });

  it('drops and counts what does not verify, and asks for a key frame, not too often', async () => {
    await install();
    const good = await sealed(1, 1);
    for (let n = 0; n < 20; n++) {
      const bad = (await sealed(2)).bytes;
      bad[bad.length - 1] = (bad[bad.length - 1] ?? 0) ^ 1;
      slot.push(new Frame(bad));
    }
    slot.push(good);
    await cryptoSettled(clock);
    expect(counters.totals.failed).toBe(20);
    expect(keyFrames).toBe(1);
    expect(out).toHaveLength(1);
  });

  it('counts repeats apart: they are not failures', async () => {
    await install();
    const frame = await sealed(1, 1);
    slot.push(new Frame(frame.bytes, 'key'));
    slot.push(new Frame(frame.bytes, 'key'));
    await cryptoSettled(clock);
    expect(out).toHaveLength(1);
    expect(counters.totals).toMatchObject({ failed: 0, replayed: 1 });
  });

  it('lets nothing of a new owner through before the page shows it as theirs', async () => {
    await install();
    slot.push(await sealed(1, 1));
    await cryptoSettled(clock);
    const benKid = 0x0202_0000_0100;
    await opener.install(benKid, { participant: 'ben', ctx: 1 }, key(2));
    const ben = await sealer(benKid, 2);
    hold = true;
    slot.push(new Frame(await ben.seal('vp8', frameType.key, new Uint8Array([77])), 'key'));
    await cryptoSettled(clock, 1000);
    expect(owners.at(-1)).toEqual({ participant: 'ben', ctx: 1 });
    expect(out.map((frame) => frame.bytes[0])).toEqual([1]);
    show();
    await cryptoSettled(clock);
    expect(out.map((frame) => frame.bytes[0])).toEqual([1, 77]);
  });

  it('lets a new owner in with a key frame, never on top of the former picture', async () => {
    await install();
    slot.push(await sealed(1, 1));
    await cryptoSettled(clock);
    const benKid = 0x0202_0000_0100;
    await opener.install(benKid, { participant: 'ben', ctx: 1 }, key(2));
    const ben = await sealer(benKid, 2);
    for (let n = 0; n < 3; n++)
      slot.push(new Frame(await ben.seal('vp8', frameType.delta, new Uint8Array([70 + n]))));
    slot.push(await sealed(2));
    await cryptoSettled(clock, 1000);
    expect(owners).toEqual([{ participant: 'ada', ctx: 1 }]);
    expect(out.map((frame) => frame.bytes[0])).toEqual([1, 2]);
    expect(keyFrames).toBeGreaterThan(0);
    slot.push(new Frame(await ben.seal('vp8', frameType.key, new Uint8Array([77])), 'key'));
    slot.push(new Frame(await ben.seal('vp8', frameType.delta, new Uint8Array([78]))));
    await cryptoSettled(clock);
    expect(owners.at(-1)).toEqual({ participant: 'ben', ctx: 1 });
    expect(out.map((frame) => frame.bytes[0])).toEqual([1, 2, 77, 78]);
  });

  it('announces an owner again who was elsewhere meanwhile, from a key frame on', async () => {
    await install();
    slot.push(await sealed(1, 1));
    await cryptoSettled(clock);
    expect(slot.belongsTo({ participant: 'ada', ctx: 1 })).toBe(true);
    slot.disown();
    slot.push(await sealed(2)); // a straggler
    await cryptoSettled(clock);
    expect(out).toHaveLength(1);
    slot.push(await sealed(3, 1));
    await cryptoSettled(clock);
    expect(owners).toHaveLength(2);
    expect(out.map((frame) => frame.bytes[0])).toEqual([1, 3]);
  });

  it('refuses a microphone in a video section', async () => {
    await opener.install(mic, { participant: 'ada', ctx: 0 }, key(3));
    const voice = await sealer(mic, 3);
    // Sealed as Opus, dressed up by the relay as VP9, which has no wrapper either.
    const frame = await voice.seal('opus', frameType.audio, new Uint8Array([1]));
    slot.push(new Frame(frame, 'key', 'video/VP9'));
    await cryptoSettled(clock);
    expect(out).toHaveLength(0);
    expect(counters.totals.failed).toBe(1);
  });

  it('refuses a camera frame of a KID whose context is another kind', async () => {
    await opener.install(camera, { participant: 'ada', ctx: 0 }, key(1));
    slot.push(await sealed(1, 1));
    await cryptoSettled(clock);
    expect(out).toHaveLength(0);
    expect(counters.totals.failed).toBe(1);
  });

  it('is silent once closed', async () => {
    slot.push(await sealed(1, 1));
    slot.close();
    await install();
    slot.keysChanged();
    slot.push(await sealed(2, 1));
    await cryptoSettled(clock, 1000);
    expect(out).toHaveLength(0);
    expect(clock.waiting).toBe(0);
  });
});

describe('a send slot', () => {
  let counters: Counters;
  let out: Frame[];
  let made: number;

  beforeEach(() => {
    counters = new Counters();
    out = [];
    made = 0;
  });

  const makeSlot = (kind: 'audio' | 'video', with_: Sealer | null) =>
    new SendSlot(
      kind === 'video' ? 1 : 0,
      kind,
      with_,
      counters,
      (frame) => out.push(frame as Frame),
      () => made++,
    );

  it('sends nothing without a key, and a key frame first when it comes', async () => {
    const slot = makeSlot('video', null);
    await slot.push(new Frame(new Uint8Array([1]), 'key'));
    await slot.push(new Frame(new Uint8Array([2])));
    expect(out).toHaveLength(0);
    expect(counters.totals).toMatchObject({ sealed: 0, unsealed: 2 });
    slot.setSealer(await sealer(camera, 1));
    expect(made).toBe(1);
    await slot.push(new Frame(new Uint8Array([3]), 'key'));
    expect(out).toHaveLength(1);
  });

  it('never sends a frame as it was', async () => {
    const slot = makeSlot('video', await sealer(camera, 1));
    const plain = new Uint8Array(200).fill(0xab);
    await slot.push(new Frame(plain, 'key'));
    const sent = out[0]?.bytes ?? new Uint8Array(0);
    expect(sent.length).toBe(plain.length + 1 + 1 + 7 + 16);
    expect(Buffer.from(sent).includes(Buffer.from(plain.subarray(0, 8)))).toBe(false);
  });

  it('holds back codecs and frame types that it does not know', async () => {
    const slot = makeSlot('video', await sealer(camera, 1));
    await slot.push(new Frame(new Uint8Array([1]), 'key', 'video/H264'));
    await slot.push(new Frame(new Uint8Array([1]), 'empty'));
    expect(out).toHaveLength(0);
    expect(counters.totals.unsealed).toBe(2);
  });

  it('passes silence of zero bytes without a key', async () => {
    const slot = makeSlot('audio', null);
    await slot.push(new Frame(new Uint8Array(0), '', 'audio/opus'));
    expect(out).toHaveLength(1);
    expect(out[0]?.bytes).toHaveLength(0);
  });

  it('stays in order and switches keys between frames', async () => {
    const slot = makeSlot('audio', await sealer(mic, 1));
    const first = slot.push(new Frame(new Uint8Array([1]), '', 'audio/opus'));
    const second = slot.push(new Frame(new Uint8Array([2]), '', 'audio/opus'));
    await first;
    await second;
    slot.setSealer(await sealer(mic + 1, 2));
    await slot.push(new Frame(new Uint8Array([3]), '', 'audio/opus'));
    expect(
      out.map((frame) => [
        parseFrame('opus', frame.bytes)?.header.kid,
        parseFrame('opus', frame.bytes)?.header.ctr,
      ]),
    ).toEqual([
      [BigInt(mic), 0n],
      [BigInt(mic), 1n],
      [BigInt(mic + 1), 0n],
    ]);
    expect(slot.report()).toEqual({ ctx: 0, generation: 1, sealed: 3 });
  });

  it('stops for good when its key is closed', async () => {
    const made = await sealer(mic, 1);
    const slot = makeSlot('audio', made);
    made.close();
    await slot.push(new Frame(new Uint8Array([1]), '', 'audio/opus'));
    expect(out).toHaveLength(0);
  });
});
