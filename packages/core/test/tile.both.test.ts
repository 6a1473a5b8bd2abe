import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeEntryBundle,
  encodeEntryBundle,
  equalBytes,
  formatTilePath,
  parseTilePath,
} from '../src/index.ts';

const malformed: unknown = expect.objectContaining({ code: 'MALFORMED' });

describe('tile paths', () => {
  it.each([
    ['tile/0/000', { level: 0, index: 0, width: 256 }],
    ['tile/0/x001/x234/067', { level: 0, index: 1_234_067, width: 256 }],
    ['tile/63/255.p/255', { level: 63, index: 255, width: 255 }],
    ['tile/1/x001/000.p/1', { level: 1, index: 1000, width: 1 }],
    ['tile/entries/x273/112.p/112', { level: 'entries', index: 273_112, width: 112 }],
  ] as const)('%s', (path, tile) => {
    expect(parseTilePath(path)).toEqual(tile);
    expect(formatTilePath(tile)).toBe(path);
  });

  it('come back, whatever the tile', () => {
    const levels = fc.oneof(fc.integer({ min: 0, max: 63 }), fc.constant('entries' as const));
    fc.assert(
      fc.property(levels, fc.maxSafeNat(), fc.integer({ min: 1, max: 256 }), (level, index, width) => {
        const tile = { level, index, width };
        expect(parseTilePath(formatTilePath(tile))).toEqual(tile);
      }),
    );
  });

  it.each([
    '',
    'tile',
    '/tile/0/000',
    'tile/0/000/',
    'tile//000',
    'tile/0/../000',
    'tile/0/x..%2f/000',
    'tile/0/%2e%2e',
    'tile/0/x000/../000',
    'tile/0/0',
    'tile/0/00',
    'tile/0/0000',
    'tile/0/001/234',
    'tile/0/x001/x234',
    'tile/0/X001/234',
    'tile/0/x000/001',
    'tile/0/x000/x000/001',
    'tile/00/000',
    'tile/01/000',
    'tile/64/000',
    'tile/99/000',
    'tile/100/000',
    'tile/-1/000',
    'tile/0x1/000',
    'tile/data/000',
    'tile/Entries/000',
    'tile/0/000.p/0',
    'tile/0/000.p/00',
    'tile/0/000.p/01',
    'tile/0/000.p/256',
    'tile/0/000.p/999',
    'tile/0/000.p/1000',
    'tile/0/000.p/',
    'tile/0/000.p',
    'tile/0/000p/1',
    'tile/0/000.p/1/',
    'tile/0/000\n',
    'tile/0/\u0660\u0660\u0660',
    'tile/0/x999/x999/x999/x999/x999/x999/999',
  ])('refuse %j', (path) => {
    expect(() => parseTilePath(path)).toThrow(malformed);
  });
});

describe('entry bundles', () => {
  it('come back', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }), (entries) => {
        const found = decodeEntryBundle(encodeEntryBundle(entries), entries.length);
        expect(found.every((entry, at) => equalBytes(entry, entries[at] as Uint8Array))).toBe(true);
      }),
    );
  });

  it('hold entries of up to 65,535 bytes', () => {
    expect(decodeEntryBundle(encodeEntryBundle([new Uint8Array(65_535)]), 1)[0]?.length).toBe(65_535);
    expect(() => encodeEntryBundle([new Uint8Array(65_536)])).toThrow(RangeError);
  });

  it.each([
    ['more entries than expected', [0, 0, 0, 0], 1],
    ['fewer', [0, 0], 2],
    ['a length cut short', [0], 1],
    ['an entry cut short', [0, 2, 7], 1],
    ['bytes at the end', [0, 1, 7, 9], 1],
  ])('are refused with %s', (_, bytes, count) => {
    expect(() => decodeEntryBundle(Uint8Array.from(bytes), count)).toThrow(malformed);
  });
});
