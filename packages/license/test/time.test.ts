import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  addDuration,
  compareDurations,
  compareInstants,
  durationToSeconds,
  instantToMs,
  isCalendarDuration,
  isDuration,
  isInstant,
  ModelError,
  msToInstant,
} from '../src/index.ts';

describe('instants', () => {
  test.each([
    '2026-11-23T10:15:30.123Z',
    '2000-01-01T00:00:00.000Z',
    '9999-12-31T23:59:59.999Z',
    '2024-02-29T00:00:00.000Z',
    '2000-02-29T00:00:00.000Z',
  ])('%s is an instant', (text) => {
    expect(isInstant(text)).toBe(true);
    expect(msToInstant(instantToMs(text))).toBe(text);
  });

  test.each([
    '1999-12-31T23:59:59.999Z',
    '2026-02-29T00:00:00.000Z',
    '2100-02-29T00:00:00.000Z',
    '2026-04-31T00:00:00.000Z',
    '2026-00-10T00:00:00.000Z',
    '2026-13-10T00:00:00.000Z',
    '2026-01-00T00:00:00.000Z',
    '2026-01-32T00:00:00.000Z',
    '2026-01-01T24:00:00.000Z',
    '2026-01-01T10:60:00.000Z',
    '2026-12-31T23:59:60.000Z',
    '2026-01-01T00:00:00Z',
    '2026-01-01T00:00:00.00Z',
    '2026-01-01T00:00:00.000+00:00',
    '2026-01-01t00:00:00.000z',
    ' 2026-01-01T00:00:00.000Z',
    '2026-01-01T00:00:00.000Z\n',
    '+02026-01-01T00:00:00.000Z',
    '٢٠٢٦-01-01T00:00:00.000Z',
    '',
  ])('%j is not an instant', (text) => {
    expect(isInstant(text)).toBe(false);
    expect(() => instantToMs(text)).toThrow(ModelError);
  });

  it('compares as the numbers do', () => {
    const instant = fc.integer({ min: 946_684_800_000, max: 253_402_300_799_999 });
    fc.assert(
      fc.property(instant, instant, (a, b) => {
        expect(Math.sign(compareInstants(msToInstant(a), msToInstant(b)))).toBe(Math.sign(a - b));
      }),
    );
  });

  test.each([946_684_799_999, 253_402_300_800_000, 1.5, Number.NaN])('%d milliseconds are refused', (ms) => {
    expect(() => msToInstant(ms)).toThrow(ModelError);
  });
});

describe('durations', () => {
  test.each([
    ['P30D', 2_592_000],
    ['P0D', 0],
    ['PT12H', 43_200],
    ['PT5M', 300],
    ['PT9S', 9],
    ['P36600D', 3_162_240_000],
    ['PT3162240000S', 3_162_240_000],
  ])('%s is %d seconds', (text, seconds) => {
    expect(isDuration(text)).toBe(true);
    expect(durationToSeconds(text)).toBe(seconds);
  });

  test.each([
    'P1W',
    'P1M',
    'P1Y',
    'P01D',
    'P-1D',
    'P1.5D',
    'P1DT1H',
    'PT1D',
    'P1H',
    'P',
    'PT',
    '',
    '1D',
    'p1d',
    'P36601D',
    'PT3162240001S',
    'P9999999999D',
    'P1D ',
  ])('%j is not a fixed duration', (text) => {
    expect(isDuration(text)).toBe(false);
    expect(() => durationToSeconds(text)).toThrow(ModelError);
  });

  test.each(['P1M', 'P1200M', 'P1Y', 'P100Y', 'P7D', 'PT1M'])('%s is a calendar duration', (text) => {
    expect(isCalendarDuration(text)).toBe(true);
  });

  test.each(['P1201M', 'P101Y', 'P1W', 'P1Y1M', 'PT1Y', ''])('%j is not a calendar duration', (text) => {
    expect(isCalendarDuration(text)).toBe(false);
  });

  it('compares by length', () => {
    expect(compareDurations('P1D', 'PT24H')).toBe(0);
    expect(compareDurations('PT59S', 'PT1M')).toBeLessThan(0);
    expect(compareDurations('P2D', 'PT47H')).toBeGreaterThan(0);
  });
});

describe('addDuration', () => {
  test.each([
    ['2026-01-31T10:00:00.000Z', 'P1M', '2026-02-28T10:00:00.000Z'],
    ['2024-01-31T10:00:00.000Z', 'P1M', '2024-02-29T10:00:00.000Z'],
    ['2026-01-30T10:00:00.000Z', 'P1M', '2026-02-28T10:00:00.000Z'],
    ['2026-01-28T10:00:00.000Z', 'P1M', '2026-02-28T10:00:00.000Z'],
    ['2026-03-31T23:59:59.999Z', 'P1M', '2026-04-30T23:59:59.999Z'],
    ['2026-12-15T00:00:00.000Z', 'P1M', '2027-01-15T00:00:00.000Z'],
    ['2026-11-30T00:00:00.000Z', 'P3M', '2027-02-28T00:00:00.000Z'],
    ['2024-02-29T00:00:00.000Z', 'P1Y', '2025-02-28T00:00:00.000Z'],
    ['2024-02-29T00:00:00.000Z', 'P4Y', '2028-02-29T00:00:00.000Z'],
    ['2096-02-29T00:00:00.000Z', 'P4Y', '2100-02-28T00:00:00.000Z'],
    ['2026-05-05T05:05:05.005Z', 'P100Y', '2126-05-05T05:05:05.005Z'],
    ['2026-05-05T05:05:05.005Z', 'P0M', '2026-05-05T05:05:05.005Z'],
    ['2026-02-28T00:00:00.000Z', 'P1D', '2026-03-01T00:00:00.000Z'],
    ['2026-03-29T00:30:00.000Z', 'PT24H', '2026-03-30T00:30:00.000Z'],
    ['2026-12-31T23:59:59.999Z', 'PT1S', '2027-01-01T00:00:00.999Z'],
    ['2026-12-31T23:59:00.000Z', 'PT1M', '2027-01-01T00:00:00.000Z'],
  ])('%s + %s = %s', (from, length, expected) => {
    expect(addDuration(from, length)).toBe(expected);
  });

  it('refuses to leave the range of instants', () => {
    expect(() => addDuration('9999-12-31T00:00:00.000Z', 'P1D')).toThrow(ModelError);
    expect(() => addDuration('9999-01-01T00:00:00.000Z', 'P1Y')).toThrow(ModelError);
  });

  it('never skips a month and never goes back', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 946_684_800_000, max: 4_102_444_800_000 }),
        fc.integer({ min: 0, max: 1200 }),
        (ms, months) => {
          const before = new Date(ms);
          const after = new Date(addDuration(msToInstant(ms), `P${months}M`));
          const monthsBetween =
            (after.getUTCFullYear() - before.getUTCFullYear()) * 12 +
            after.getUTCMonth() -
            before.getUTCMonth();
          expect(monthsBetween).toBe(months);
          expect(after.getUTCDate()).toBeLessThanOrEqual(before.getUTCDate());
          expect(after.getTime() % 86_400_000).toBe(ms % 86_400_000);
        },
      ),
    );
  });
});
