import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeBytes, encodeBytes, InvalidMessage, parseServerMessage } from './validate';

const goldenDir = new URL('../../../testdata/protocol/', import.meta.url);
const golden = (name: string): string => readFileSync(new URL(name, goldenDir), 'utf8');

describe('golden messages of the server', () => {
  const names = readdirSync(goldenDir).filter((n) => /\.(reply|event)\.json$/.test(n));
  it('exist', () => expect(names.length).toBeGreaterThan(15));
  it.each(names)('%s', (name) => {
    const text = golden(name);
    const got = parseServerMessage(text);
    const want = JSON.parse(text);
    if (got.kind === 'refusal') expect(got).toEqual({ kind: 'refusal', re: want.re, error: want.error });
    else if (got.kind === 'unknown') expect.unreachable();
    else expect(got.body).toEqual(want.body ?? {});
  });
});

type Joined = {
  seq: number;
  type: string;
  body: Record<string, unknown> & { participant: Record<string, unknown> };
};
const joined = (): Joined => JSON.parse(golden('participant.joined.event.json'));

describe('a hostile server', () => {
  const refused: [string, unknown][] = [
    ['binary', new ArrayBuffer(3)],
    ['nothing', ''],
    ['not JSON', '{'],
    ['a list', '[]'],
    ['null', 'null'],
    ['neither reply nor event', `{"type":"ping"}`],
    ['both', `{"type":"ping","re":1,"seq":1}`],
    ['a request', `{"type":"ping","id":1}`],
    ['re out of range', `{"type":"ping","re":9007199254740993}`],
    ['re not whole', `{"type":"ping","re":1.5}`],
    ['a reply we do not know', `{"type":"constructor","re":1}`],
    ['an error in an event', `{"seq":1,"error":{"code":"internal","message":"","retryable":true}}`],
    ['a code with markup', `{"re":1,"error":{"code":"<b>","message":"","retryable":true}}`],
    ['null for a body', `{"type":"hello","re":1,"body":null}`],
    ['a field missing', `{"type":"login","re":1,"body":{}}`],
    ['too deep', `{"seq":1,"type":"x","body":${'['.repeat(20)}${']'.repeat(20)}}`],
    ['too large', `"${'x'.repeat(1 << 20)}"`],
    [
      'an id too short',
      JSON.stringify({ ...joined(), body: { participant: { ...joined().body.participant, id: 'AAAA' } } }),
    ],
    [
      'an id with stray bits',
      JSON.stringify({
        ...joined(),
        body: { participant: { ...joined().body.participant, id: 'AAAAAAAAAAAAAAAAAAAAAB' } },
      }),
    ],
    [
      'a key too long',
      JSON.stringify({
        ...joined(),
        body: { participant: { ...joined().body.participant, device_key: 'A'.repeat(44) } },
      }),
    ],
    [
      'a source of another name',
      JSON.stringify({
        ...joined(),
        body: { participant: { ...joined().body.participant, sources: { face: 'live' } } },
      }),
    ],
    [
      '__proto__ as a source',
      `{"seq":1,"type":"participant.joined","body":{"participant":{"id":"AAAAAAAAAAAAAAAAAAAAAA","device_key":"${'A'.repeat(43)}","connected":true,"sources":{"__proto__":"live"}}}}`,
    ],
    [
      '257 bindings',
      JSON.stringify({
        seq: 1,
        type: 'media.bindings',
        body: { bindings: Array(257).fill({ mid: '1', participant: 'A'.repeat(22), source: 'mic' }) },
      }),
    ],
  ];
  it.each(refused)('%s', (_, data) => expect(() => parseServerMessage(data)).toThrow(InvalidMessage));

  it('cannot smuggle fields in', () => {
    const message = joined();
    message.body.extra = 1;
    message.body.participant.name = 'Mallory';
    expect(parseServerMessage(JSON.stringify(message))).toEqual({
      kind: 'event',
      seq: message.seq,
      type: message.type,
      body: joined().body,
    });
  });
  it('may be newer', () => {
    expect(parseServerMessage(`{"seq":9,"type":"moon.rises","body":{"x":[1]}}`)).toEqual({
      kind: 'unknown',
      seq: 9,
    });
    expect(
      parseServerMessage(`{"re":9,"error":{"code":"brand_new","message":"m","retryable":false}}`),
    ).toMatchObject({ error: { code: 'brand_new' } });
  });
});

describe('bytes', () => {
  it.each([0, 1, 2, 3, 31, 70_000])('%i round trip', (n) => {
    const bytes = Uint8Array.from({ length: n }, (_, i) => (i * 7) & 0xff);
    expect(decodeBytes(encodeBytes(bytes))).toEqual(bytes);
  });
  it.each(['A', 'AB', 'AAB', 'AA==', 'AA\n', 'a+b/', 'é'])('refuses %j', (s) =>
    expect(() => decodeBytes(s)).toThrow(InvalidMessage),
  );
});
