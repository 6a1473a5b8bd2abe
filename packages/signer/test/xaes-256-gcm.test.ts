import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { open, seal, sealWithNonce } from '../src/keystore/xaes-256-gcm.ts';

const nonceLength = 24;
const nonce = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWX');
const plaintext = Buffer.from('XAES-256-GCM');

/** The vectors of c2sp.org/XAES-256-GCM: one for each value of the most significant bit of L. */
const vectors = [
  { key: 1, data: '', ciphertext: 'ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271' },
  {
    key: 3,
    data: 'c2sp.org/XAES-256-GCM',
    ciphertext: '986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d',
  },
];

describe('XAES-256-GCM', () => {
  it.each(vectors)(
    'gives the published ciphertext under a key of bytes $key',
    ({ key, data, ciphertext }) => {
      const keyBytes = Buffer.alloc(32, key);
      const sealed = sealWithNonce(keyBytes, nonce, plaintext, Buffer.from(data));
      expect(Buffer.from(sealed.subarray(nonceLength)).toString('hex')).toBe(ciphertext);
      expect(Buffer.from(open(keyBytes, sealed, Buffer.from(data)))).toEqual(plaintext);
    },
  );

  it('meets the accumulated hash over 10,000 random inputs', () => {
    const perInput = 32 + nonceLength + 2 * 256;
    const stream = createHash('shake128', { outputLength: 10_000 * perInput }).digest();
    expect(stream.subarray(0, 16).toString('hex')).toBe('7f9c2ba4e88f827d616045507605853e');
    const accumulated = createHash('shake128', { outputLength: 32 });
    let at = 0;
    const take = (length: number): Buffer => {
      at += length;
      return stream.subarray(at - length, at);
    };
    for (let count = 0; count < 10_000; count++) {
      const [key, drawnNonce] = [take(32), take(nonceLength)];
      const text = take(take(1)[0]!);
      const data = take(take(1)[0]!);
      const sealed = sealWithNonce(key, drawnNonce, text, data);
      accumulated.update(sealed.subarray(nonceLength));
      if (count % 100 === 0) expect(Buffer.from(open(key, sealed, data)).equals(text)).toBe(true);
    }
    const published = 'e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939';
    expect(accumulated.digest('hex')).toBe(published);
  });

  it('opens nothing of which one bit was changed, wherever it is', () => {
    const key = Buffer.alloc(32, 7);
    const sealed = seal(key, Buffer.from('four words of secret'), Buffer.from('header'));
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const altered = Buffer.from(sealed);
      altered[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => open(key, altered, Buffer.from('header')), `bit ${bit}`).toThrow();
    }
  });

  it('opens nothing that was cut short or lengthened', () => {
    const key = Buffer.alloc(32, 7);
    const sealed = Buffer.from(seal(key, Buffer.from('secret'), Buffer.alloc(0)));
    for (let length = 0; length < sealed.length; length++) {
      expect(() => open(key, sealed.subarray(0, length), Buffer.alloc(0)), `${length} bytes`).toThrow();
      expect(() => open(key, sealed.subarray(sealed.length - length), Buffer.alloc(0))).toThrow();
    }
    expect(() => open(key, Buffer.concat([sealed, Buffer.alloc(1)]), Buffer.alloc(0))).toThrow();
  });

  it('returns what was sealed for the same key and additional data, and for no others', () => {
    const bytes = (lengthMax: number) => fc.uint8Array({ maxLength: lengthMax });
    const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(key, key, bytes(300), bytes(40), bytes(40), (right, wrong, text, data, otherData) => {
        const sealed = seal(right, text, data);
        expect(Buffer.from(open(right, sealed, data)).equals(text)).toBe(true);
        if (!Buffer.from(right).equals(wrong)) expect(() => open(wrong, sealed, data)).toThrow();
        if (!Buffer.from(data).equals(otherData)) expect(() => open(right, sealed, otherData)).toThrow();
      }),
      { numRuns: 100 },
    );
  });

  it('draws another nonce each time', () => {
    const key = Buffer.alloc(32, 9);
    const drawn = Array.from({ length: 100 }, () => seal(key, Buffer.alloc(1), Buffer.alloc(0)));
    const nonces = new Set(
      drawn.map((sealed) => Buffer.from(sealed.subarray(0, nonceLength)).toString('hex')),
    );
    expect(nonces.size).toBe(100);
  });

  it('takes no key or nonce of another length', () => {
    const nothing = Buffer.alloc(0);
    expect(() => sealWithNonce(Buffer.alloc(31), nonce, nothing, nothing)).toThrow(/length/);
    expect(() => sealWithNonce(Buffer.alloc(33), nonce, nothing, nothing)).toThrow(/length/);
    expect(() => sealWithNonce(Buffer.alloc(32), nonce.subarray(1), nothing, nothing)).toThrow(/length/);
  });
});
