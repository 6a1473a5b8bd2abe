/**
 * Members that are mostly well-formed: each is usually right, sometimes at the edge of its bounds and
 * sometimes just beyond it, so that two readers who disagree about a bound are caught.
 */
import fc from 'fast-check';

/** Values near which a rule changes its mind, and values that break it outright. */
export interface Samples {
  good: readonly unknown[];
  bad: readonly unknown[];
}

export const long = (length: number): string => 'x'.repeat(length);
const astral = (length: number): string => '\u{1f600}'.repeat(length);
export const many = (count: number, value: unknown): Record<string, unknown> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, value]));

export const text: Samples = {
  good: ['a', 'Übung', long(200), astral(200), ' ', '"\\'],
  bad: ['', long(201), astral(201), 'a\nb', '\u0085', 'U\u0308bung', '\ud800', 5, null, {}],
};
export const code: Samples = {
  good: ['a', 'pro-2.x_y', `a${long(63)}`],
  bad: ['', 'A', '1a', 'a b', `a${long(64)}`, 'a\n', 7],
};
export const instant: Samples = {
  good: [
    '2026-11-23T10:15:30.123Z',
    '2000-01-01T00:00:00.000Z',
    '9999-12-31T23:59:59.999Z',
    '2028-02-29T00:00:00.000Z',
  ],
  bad: [
    '1999-12-31T23:59:59.999Z',
    '2026-02-29T00:00:00.000Z',
    '2026-11-23T24:00:00.000Z',
    '2026-11-23T10:15:30Z',
    '2026-11-23T10:15:60.000Z',
    '2026-11-23',
    '+12026-11-23T10:15:30.123Z',
    1,
  ],
};
export const duration: Samples = {
  good: ['P0D', 'P30D', 'PT12H', 'PT5M', 'PT9S', 'P36600D', 'PT878400H', 'PT3162240000S'],
  bad: [
    'P36601D',
    'PT878401H',
    'PT3162240001S',
    'P01D',
    'P1M',
    'P1Y',
    'PT',
    'P1DT1H',
    '-P1D',
    'P1.5D',
    'p1d',
    3,
  ],
};
export const calendar: Samples = {
  good: [...duration.good, 'P1M', 'P1Y', 'P100Y', 'P1200M'],
  bad: ['P101Y', 'P1201M', 'P36601D', 'P1W', 'PT1Y', 'P1Y1M', ''],
};
export const natural: Samples = { good: [0, 1, 2 ** 53 - 1], bad: [-1, -0, 1.5, 2 ** 53, '1', Number.NaN] };
export const flag: Samples = { good: [true, false], bad: [0, 'true'] };
export const key: Samples = {
  good: ['AAAA-BBBB', long(8), long(200)],
  bad: [long(7), long(201), 'AAAA BBBB', 'ÄÄÄÄÄÄÄÄ'],
};
export const metadata: Samples = {
  good: [{}, { a: '' }, { [`A${long(39)}`]: long(500) }, { 'a_b.c:d-e': astral(500) }, many(50, 'v')],
  bad: [{ [`A${long(40)}`]: 'x' }, { a: long(501) }, { '1a': 'x' }, { a: 1 }, { a: null }, many(51, 'v'), []],
};

/** A member that may be null. */
export const maybe: (samples: Samples) => Samples = (samples: Samples): Samples => ({
  good: [...samples.good, null],
  bad: samples.bad.filter((each) => each !== null),
});
export const choice = (...good: string[]): Samples => ({
  good,
  bad: ['', 'other!', good[0]!.toUpperCase(), 1, null],
});
export const amount = (min: number, max: number): Samples => ({
  good: [min, max],
  bad: [min - 1, max + 1, min + 0.5, `${min}`],
});

/** Usually right. */
export function oneOf({ good, bad }: Samples): fc.Arbitrary<unknown> {
  return fc.oneof(
    { arbitrary: fc.constantFrom(...good), weight: 40 },
    { arbitrary: fc.constantFrom(...bad), weight: 1 },
  );
}

export type Members = Record<string, Samples | fc.Arbitrary<unknown>>;

function isSamples(member: Samples | fc.Arbitrary<unknown>): member is Samples {
  return 'good' in member;
}

/** An object of these members, of which the named ones are nearly always there; now and then one too many. */
export function objectOf(members: Members, required: readonly string[] = []): fc.Arbitrary<unknown> {
  const arbitraries = Object.entries(members).map(([name, member]) => {
    const value = isSamples(member) ? oneOf(member) : member;
    return [name, value] as const;
  });
  const whole = fc.record(Object.fromEntries(arbitraries), { requiredKeys: [...required] });
  const extended = whole.map((value) => ({ ...value, surplus: 1 }));
  const lacking = whole.map((value) => Object.fromEntries(Object.entries(value).slice(1)));
  return fc.oneof(
    { arbitrary: whole, weight: 60 },
    { arbitrary: extended, weight: 1 },
    { arbitrary: lacking, weight: 1 },
    { arbitrary: fc.constantFrom<unknown>(null, [], 'x', 1), weight: 1 },
  );
}

export function mapOf(value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.oneof(
    {
      arbitrary: fc.dictionary(oneOf(code).map(String), value, { maxKeys: 3, noNullPrototype: true }),
      weight: 40,
    },
    { arbitrary: fc.constantFrom(many(200, { value: true }), many(201, { value: true })), weight: 1 },
  );
}

export const anyOf = (...arbitraries: fc.Arbitrary<unknown>[]): fc.Arbitrary<unknown> =>
  fc.oneof(...arbitraries);
export const orNull = (arbitrary: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.option(arbitrary, { nil: null, freq: 5 });
export const listOf = (arbitrary: fc.Arbitrary<unknown>, lengthMax: number): fc.Arbitrary<unknown> =>
  fc.oneof(
    { arbitrary: fc.array(arbitrary, { maxLength: 2 }), weight: 40 },
    { arbitrary: arbitrary.map((value) => Array.from({ length: lengthMax }, () => value)), weight: 2 },
    { arbitrary: arbitrary.map((value) => Array.from({ length: lengthMax + 1 }, () => value)), weight: 1 },
  );
export const email: Samples = {
  good: ['a@b', 'it@contoso.example'],
  bad: ['a', 'a@', '@b', 'a b@c', 'a@b@c', `a@${long(199)}`],
};
