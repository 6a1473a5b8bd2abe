import { setTimeout as after } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Projections } from '../src/projections/projections.ts';
import { RequestKeys } from '../src/sequence/request-keys.ts';

const numbered = (count: number): { key: string; index: number }[] =>
  Array.from({ length: count }, (_, index) => ({ key: `7b0e-${index}`, index }));

function projectionsOf(keys: { key: string; index: number }[]): Projections {
  const projections = new Projections(':memory:');
  projections.apply([], keys, keys.length);
  return projections;
}

/** A key that the filter has by chance is looked up, and this many at most are. */
const chanceMax = 0.02;

describe('the filter of idempotency keys', () => {
  it('never calls a key new that was used', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ minLength: 1, unit: 'grapheme' }), { maxLength: 50 }),
        (keys) => {
          using projections = projectionsOf(keys.map((key, index) => ({ key, index })).slice(0, 25));
          const known = new RequestKeys(projections);
          for (const key of keys.slice(25)) known.add(key);
          expect(keys.every((key) => known.mayHold(key))).toBe(true);
        },
      ),
      { numRuns: 20 },
    );
  });

  it('calls new keys new', () => {
    using projections = projectionsOf(numbered(1500));
    const known = new RequestKeys(projections);
    const others = Array.from({ length: 10_000 }, (_, nth) => `9c1f-${nth}`);
    expect(others.filter((key) => known.mayHold(key)).length).toBeLessThan(others.length * chanceMax);
  });

  it('calls no key new before it has read all that were used', async () => {
    const used = numbered(5000);
    using projections = projectionsOf(used);
    const known = new RequestKeys(projections);
    expect(known.mayHold('new')).toBe(true);
    while (known.mayHold('new')) await after(5);
    expect(used.every(({ key }) => known.mayHold(key))).toBe(true);
  });

  it('calls no key new where they cannot be read to their end', async () => {
    const projections = projectionsOf(numbered(5000));
    const known = new RequestKeys(projections);
    projections[Symbol.dispose]();
    await after(50);
    expect(known.mayHold('new')).toBe(true);
  });
});
