import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  base64,
  decodeBase64,
  decodeHex,
  decodeUtf8,
  equalBytes,
  formatInstant,
  hex,
  parseDecimal,
  parseDuration,
  parseInstant,
  readU64be,
  u64be,
  utf8,
} from '../src/index.ts';

const malformed: unknown = expect.objectContaining({ code: 'MALFORMED' });
const day = 86_400_000;

describe('base64', () => {
  it('decodes to what it encoded, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(equalBytes(decodeBase64(base64(bytes)), bytes)).toBe(true);
      }),
    );
    const long = new Uint8Array(100_003).map((_, at) => at);
    expect(equalBytes(decodeBase64(base64(long), long.length), long)).toBe(true);
  });

  it.each([
    'A',
    'AA',
    'AA=',
    'AAA',
    'AB==',
    'AAB=',
    'AAAA=',
    'AA==AA==',
    'AAA-',
    'AAA_',
    ' AAAA',
    'AAAA\n',
    'AA AA',
    '=',
    '====',
    '\u0041\u0301AAA',
  ])('refuses %j', (text) => {
    expect(() => decodeBase64(text)).toThrow(malformed);
  });

  it('accepts a text exactly where encoding what it decodes to gives it back', () => {
    const alphabet = fc.constantFrom(...'ABab01+/=-_ \n'.split(''));
    fc.assert(
      fc.property(fc.array(alphabet, { maxLength: 9 }), (characters) => {
        const text = characters.join('');
        const isStrict =
          /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$/.test(text);
        let isAccepted = true;
        try {
          decodeBase64(text);
        } catch {
          isAccepted = false;
        }
        expect(isAccepted).toBe(isStrict);
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses another length than the one asked for', () => {
    expect(() => decodeBase64('AAAA', 2)).toThrow(malformed);
  });
});

describe('UTF-8', () => {
  it('keeps every byte, also a byte order mark', () => {
    expect(decodeUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x41))).toBe('\ufeffA');
    expect(utf8('\ufeffA')).toEqual(Uint8Array.of(0xef, 0xbb, 0xbf, 0x41));
  });

  it.each([
    [[0x80]],
    [[0xc0, 0x80]],
    [[0xe0, 0x80, 0x80]],
    [[0xed, 0xbf, 0xbf]],
    [[0xf4, 0x90, 0x80, 0x80]],
    [[0xf0, 0x9f, 0x98]],
  ])('refuses %j', (bytes) => {
    expect(() => decodeUtf8(Uint8Array.from(bytes))).toThrow(malformed);
  });
});

describe('decimals', () => {
  it.each([
    ['0', 0],
    ['1', 1],
    ['9007199254740991', 2 ** 53 - 1],
  ])('%s', (text, value) => {
    expect(parseDecimal(text)).toBe(value);
  });

  it.each([
    '',
    '00',
    '01',
    '-1',
    '+1',
    '1.0',
    '1e3',
    ' 1',
    '1 ',
    '1\n',
    '0x1',
    '\u0661',
    '9007199254740992',
    '9'.repeat(40),
  ])('refuse %j', (text) => {
    expect(() => parseDecimal(text)).toThrow(malformed);
  });
});

describe('eight-byte integers', () => {
  it('come back, up to 2^53 - 1', () => {
    fc.assert(fc.property(fc.maxSafeNat(), (value) => readU64be(u64be(value), 0) === value));
    expect(hex(u64be(2 ** 53 - 1))).toBe('001fffffffffffff');
  });

  it.each(['0020000000000000', 'ffffffffffffffff', '8000000000000000'])('refuse %s', (text) => {
    expect(() => readU64be(decodeHex(text), 0)).toThrow(malformed);
  });
});

describe('instants', () => {
  it('come back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799_999 }), (ms) => {
        expect(parseInstant(formatInstant(ms))).toBe(ms);
      }),
    );
  });

  it.each([
    '2026-02-29T00:00:00.000Z',
    '2026-13-01T00:00:00.000Z',
    '2026-01-01T24:00:00.000Z',
    '2026-01-01T00:60:00.000Z',
    '2026-12-31T23:59:60.000Z',
    '2026-01-01T00:00:00Z',
    '2026-01-01T00:00:00.0000Z',
    '2026-01-01T00:00:00.000+00:00',
    '2026-01-01t00:00:00.000z',
    '+002026-01-01T00:00:00.000Z',
    '2026-01-01',
    '2026-01-01T00:00:00.000Z\n',
    '',
  ])('refuse %j', (text) => {
    expect(() => parseInstant(text)).toThrow(malformed);
  });
});

describe('durations', () => {
  it.each([
    ['P0D', 0],
    ['P30D', 30 * day],
    ['PT12H', day / 2],
    ['PT5M', 300_000],
    ['PT1S', 1000],
    ['P999999D', 999_999 * day],
  ])('%s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([
    '',
    'P',
    'PT',
    'PD',
    'P1',
    'P01D',
    'PT00S',
    'PT01H',
    'P1M',
    'P1Y',
    'P1W',
    'P1DT1H',
    'P-1D',
    'P1.5D',
    'p1d',
    'PT1D',
    'P1H',
    'P1D ',
    'P1D\n',
    'P1000000D',
    'PT1H1M',
  ])('refuse %j', (text) => {
    expect(() => parseDuration(text)).toThrow(malformed);
  });
});
