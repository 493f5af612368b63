import { describe, expect, it } from 'vitest';
import { concat, equalConstantTime, fromBase64Url, toBase64Url } from './bytes.ts';

describe('base64url', () => {
  it('round trips every length', () => {
    for (let n = 0; n < 70; n++) {
      const bytes = Uint8Array.from({ length: n }, (_, i) => (i * 37 + n) & 0xff);
      const text = toBase64Url(bytes);
      expect(text).toBe(Buffer.from(bytes).toString('base64url'));
      expect(fromBase64Url(text)).toEqual(bytes);
    }
  });

  it.each(['A', 'AA==', 'AB', 'AAB', 'A A', 'AA+A', 'AA/A', 'AA\n', 'é123', 'AAAAA'])(
    'refuses %j',
    (text) => {
      expect(fromBase64Url(text)).toBeNull();
    },
  );
});

describe('bytes', () => {
  it('joins', () => {
    expect(concat(new Uint8Array([1]), new Uint8Array(0), new Uint8Array([2, 3]))).toEqual(
      new Uint8Array([1, 2, 3]),
    );
  });

  it('compares content and length', () => {
    expect(equalConstantTime(new Uint8Array([1, 2]), new Uint8Array([1, 2]))).toBe(true);
    expect(equalConstantTime(new Uint8Array([1, 2]), new Uint8Array([1, 3]))).toBe(false);
    expect(equalConstantTime(new Uint8Array([1, 2]), new Uint8Array([1, 2, 0]))).toBe(false);
  });
});
