import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesKey, type HeadChange, RecentHeads, sha256, u64be } from '../src/index.ts';

/** Few first bytes, so that many keys begin at the same slot, and many are set more than once. */
const changes = fc.array(
  fc.record({
    key: fc
      .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 40 }))
      .map(([start, end]) => Uint8Array.from({ length: 32 }, (_, at) => (at < 4 ? start : end))),
    leaf: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    index: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    rev: fc.nat({ max: 2 ** 32 - 1 }),
  }),
  { maxLength: 200 },
);

describe('RecentHeads', () => {
  it('knows of each subject what was set last, in the order in which they came', () => {
    fc.assert(
      fc.property(changes, fc.uint8Array({ minLength: 32, maxLength: 32 }), (made, stranger) => {
        const heads = new RecentHeads();
        const model = new Map<string, HeadChange>();
        for (const change of made) {
          heads.set(change);
          model.set(bytesKey(change.key), change);
        }
        expect([...heads.changes()]).toEqual([...model.values()]);
        for (const change of model.values()) {
          expect(heads.change(change.key)).toEqual(change);
          expect(heads.head(change.key)).toEqual({ index: change.index, rev: change.rev });
        }
        expect(heads.head(stranger)).toEqual(model.get(bytesKey(stranger)));
      }),
    );
  });

  it('keeps everything while it grows', () => {
    const heads = new RecentHeads();
    const change = (index: number): HeadChange => ({
      key: new Uint8Array(sha256(u64be(index))),
      leaf: new Uint8Array(sha256(u64be(index + 1))),
      index,
      rev: index % 7,
    });
    for (let index = 0; index < 10_000; index++) heads.set(change(index));
    for (let index = 0; index < 10_000; index += 97)
      expect(heads.change(change(index).key)).toEqual(change(index));
    expect(heads.head(change(10_000).key)).toBeUndefined();
  });
});
