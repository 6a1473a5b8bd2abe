import { isPerpetual } from '@tallystick/core';
import { expect, it } from 'vitest';

const at = '2026-03-01T12:00:00.000Z';
const license = (until: string | null, grace = 'P0D', fallback: string | null = null) => ({
  term: { from: at, until, grace },
  updates: { until: null, fallback, maxMajor: null },
});

it.each([
  ['without an end', license(null), true],
  ['of a year', license('2027-03-01T12:00:00.000Z'), false],
  ['of twenty years', license('2046-03-01T12:00:00.000Z'), false],
  ['of 7,305 days and a second', license('2046-03-01T12:00:01.000Z'), true],
  ['that ends when nobody lives any more', license('9999-12-31T23:59:59.999Z'), true],
  ['whose grace goes on for a century', license('2027-03-01T12:00:00.000Z', 'P36500D'), true],
  ['that falls back to something', license('2027-03-01T12:00:00.000Z', 'P0D', at), true],
  ['of no shape that is known', { term: 'a year' }, true],
  ['whose end is no instant', license('soon'), true],
  ['whose grace is no duration', license('2027-03-01T12:00:00.000Z', 'a while'), true],
])('a license %s', (_what, document, expected) => {
  expect(isPerpetual(document, at)).toBe(expected);
});
