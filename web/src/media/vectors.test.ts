// The frames of docs/frames.md as the Go side makes them: the page must produce
// the same bytes and refuse the same ones.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Bytes } from '../lib/bytes.ts';
import { Sender } from '../sframe/sender.ts';
import { callSuite } from '../sframe/suite.ts';
import { type Codec, frameType } from './codec.ts';
import { type Opened, Opener, parseFrame } from './opener.ts';
import { Sealer } from './sealer.ts';

interface FrameVector {
  name: string;
  codec: Codec;
  type: keyof typeof frameType;
  base_key: string;
  kid: number;
  ctr: number;
  frame: string;
  sealed: string;
  /** What arrives, where packetizers change the wrapper on the way. */
  received?: string;
}
interface Refusal {
  name: string;
  codec: Codec;
  base_key: string;
  kid: number;
  received: string;
  error: string;
}
interface Vectors {
  sframe_cipher_suite: number;
  frames: FrameVector[];
  refusals: Refusal[];
}

const file = path.resolve(import.meta.dirname, '../../../testdata/media/vectors.json');
const vectors: Vectors = JSON.parse(readFileSync(file, 'utf8'));
const hex = (text: string): Bytes => Uint8Array.from(Buffer.from(text, 'hex'));
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const owner = { participant: 'ada', ctx: 1 };

async function open(
  vector: { codec: Codec; kid: number; base_key: string },
  received: Bytes,
): Promise<Opened> {
  const opener = new Opener();
  await opener.install(vector.kid, owner, hex(vector.base_key));
  const parsed = parseFrame(vector.codec, received);
  if (!parsed) return { ok: false, failure: 'malformed', owner: null };
  return opener.open(parsed);
}

describe('frames made by Go', () => {
  it('are of the suite of calls', () => expect(vectors.sframe_cipher_suite).toBe(callSuite));

  it.each(vectors.frames)('$name: the same bytes', async (v) => {
    const sealer = new Sealer(await Sender.create(callSuite, BigInt(v.kid), hex(v.base_key), BigInt(v.ctr)));
    expect(toHex(await sealer.seal(v.codec, frameType[v.type], hex(v.frame)))).toBe(v.sealed);
  });

  it.each(vectors.frames)('$name: opens', async (v) => {
    const opened = await open(v, hex(v.received ?? v.sealed));
    expect(opened).toEqual({ ok: true, owner, type: frameType[v.type], data: hex(v.frame) });
  });

  it.each(vectors.refusals)('refused: $name', async (v) => {
    expect(await open(v, hex(v.received))).toMatchObject({ ok: false, failure: v.error });
  });
});
