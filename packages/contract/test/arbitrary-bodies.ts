/**
 * Bodies that are mostly well-formed: each member is usually right, sometimes at the edge of its bounds and
 * sometimes just beyond it, so that two readers who disagree about a bound are caught.
 */

import type { CommandType } from '@tallystick/contract';
import fc from 'fast-check';

/** Values near which a rule changes its mind, and values that break it outright. */
interface Samples {
  good: readonly unknown[];
  bad: readonly unknown[];
}

const long = (length: number): string => 'x'.repeat(length);
const astral = (length: number): string => '\u{1f600}'.repeat(length);
const many = (count: number, value: unknown): Record<string, unknown> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, value]));

const text: Samples = {
  good: ['a', 'Übung', long(200), astral(200), ' ', '"\\'],
  bad: ['', long(201), astral(201), 'a\nb', '\u0085', 'U\u0308bung', '\ud800', 5, null, {}],
};
const code: Samples = {
  good: ['a', 'pro-2.x_y', `a${long(63)}`],
  bad: ['', 'A', '1a', 'a b', `a${long(64)}`, 'a\n', 7],
};
const instant: Samples = {
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
const duration: Samples = {
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
const calendar: Samples = {
  good: [...duration.good, 'P1M', 'P1Y', 'P100Y', 'P1200M'],
  bad: ['P101Y', 'P1201M', 'P36601D', 'P1W', 'PT1Y', 'P1Y1M', ''],
};
const natural: Samples = { good: [0, 1, 2 ** 53 - 1], bad: [-1, -0, 1.5, 2 ** 53, '1', Number.NaN] };
const flag: Samples = { good: [true, false], bad: [0, 'true'] };
const key: Samples = {
  good: ['AAAA-BBBB', long(8), long(200)],
  bad: [long(7), long(201), 'AAAA BBBB', 'ÄÄÄÄÄÄÄÄ'],
};
const metadata: Samples = {
  good: [{}, { a: '' }, { [`A${long(39)}`]: long(500) }, { 'a_b.c:d-e': astral(500) }, many(50, 'v')],
  bad: [{ [`A${long(40)}`]: 'x' }, { a: long(501) }, { '1a': 'x' }, { a: 1 }, { a: null }, many(51, 'v'), []],
};
const licenseId: Samples = { good: ['lic_01jd0000000000000000000000'], bad: ['', 5] };

/** A member that may be null. */
const maybe = (samples: Samples): Samples => ({
  good: [...samples.good, null],
  bad: samples.bad.filter((each) => each !== null),
});
const choice = (...good: string[]): Samples => ({
  good,
  bad: ['', 'other!', good[0]!.toUpperCase(), 1, null],
});
const amount = (min: number, max: number): Samples => ({
  good: [min, max],
  bad: [min - 1, max + 1, min + 0.5, `${min}`],
});

/** Usually right. */
function oneOf({ good, bad }: Samples): fc.Arbitrary<unknown> {
  return fc.oneof(
    { arbitrary: fc.constantFrom(...good), weight: 40 },
    { arbitrary: fc.constantFrom(...bad), weight: 1 },
  );
}

type Members = Record<string, Samples | fc.Arbitrary<unknown>>;

function isSamples(member: Samples | fc.Arbitrary<unknown>): member is Samples {
  return 'good' in member;
}

/** An object of these members, of which the named ones are nearly always there; now and then one too many. */
function objectOf(members: Members, required: readonly string[] = []): fc.Arbitrary<unknown> {
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

function mapOf(value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.oneof(
    {
      arbitrary: fc.dictionary(oneOf(code).map(String), value, { maxKeys: 3, noNullPrototype: true }),
      weight: 40,
    },
    { arbitrary: fc.constantFrom(many(200, { value: true }), many(201, { value: true })), weight: 1 },
  );
}

const anyOf = (...arbitraries: fc.Arbitrary<unknown>[]): fc.Arbitrary<unknown> => fc.oneof(...arbitraries);
const orNull = (arbitrary: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.option(arbitrary, { nil: null, freq: 5 });
const listOf = (arbitrary: fc.Arbitrary<unknown>, lengthMax: number): fc.Arbitrary<unknown> =>
  fc.oneof(
    { arbitrary: fc.array(arbitrary, { maxLength: 2 }), weight: 40 },
    { arbitrary: arbitrary.map((value) => Array.from({ length: lengthMax }, () => value)), weight: 2 },
    { arbitrary: arbitrary.map((value) => Array.from({ length: lengthMax + 1 }, () => value)), weight: 1 },
  );

const value: Samples = { good: [true, 0, -5, '', 'x', long(200)], bad: [1.5, null, long(201), -0, [], {}] };
const quota: Members = { limit: natural, per: maybe(calendar), over: choice('block', 'allow') };
const quotaNames = ['limit', 'per', 'over'];
const until = maybe(instant);
const both: Samples = {
  good: [{ value: 1 }],
  bad: [
    { value: 1, limit: 1 },
    { value: 1, limit: 1, per: null, over: 'block' },
  ],
};
const grant = anyOf(objectOf({ value }, ['value']), objectOf(quota, quotaNames), oneOf(both));
const grantInput = anyOf(
  objectOf({ value, until }, ['value']),
  objectOf({ ...quota, until }, quotaNames),
  oneOf(both),
);

const choices: Samples = {
  good: [['a'], ['a', 'b'], Array.from({ length: 100 }, (_, index) => `c${index}`), null],
  bad: [[], ['a', 'a'], [''], Array.from({ length: 101 }, (_, index) => `c${index}`), 'a'],
};
const catalog = mapOf(
  objectOf(
    {
      type: choice('boolean', 'integer', 'string', 'quota'),
      name: maybe(text),
      unit: maybe(text),
      enum: choices,
    },
    ['type'],
  ),
);

const offline = objectOf({ maxAge: duration, grace: duration, clock: choice('strict', 'tolerant') });
const purpose = choice('production', 'trial', 'development', 'internal', 'education');
const seatModel = choice('none', 'device', 'user', 'concurrent');
const bindings: Samples = {
  good: [[], ['components', 'key', 'label'], ['key']],
  bad: [['key', 'key', 'key', 'key'], ['other'], 'key'],
};
/** Both readers refuse what `rehost` lacks; only this package refuses what it has too much of. */
const rehost: Samples = {
  good: [null, { count: 1, per: 'P30D' }],
  bad: [{ count: 1 }, { count: -1, per: 'P1D' }, {}],
};

const planTerms: Members = {
  purpose,
  term: objectOf({ length: maybe(calendar), grace: duration, basis: choice('issue', 'first_activation') }),
  updates: objectOf({ length: maybe(calendar), fallback: flag, maxMajor: maybe(natural) }),
  seats: objectOf({
    model: seatModel,
    max: maybe(natural),
    over: natural,
    bind: bindings,
    need: maybe(amount(1, 8)),
    lease: maybe(duration),
    borrowMax: maybe(duration),
    rehost,
  }),
  entitlements: mapOf(grant),
  offline,
  trial: orNull(objectOf({ oncePer: choice('device', 'customer') }, ['oncePer'])),
  metadata,
};
const customer: Members = {
  reference: maybe(text),
  name: maybe(text),
  email: maybe({
    good: ['a@b', 'it@contoso.example'],
    bad: ['a', 'a@', '@b', 'a b@c', 'a@b@c', `a@${long(199)}`],
  }),
  country: maybe({ good: ['DE'], bad: ['de', 'DEU', ''] }),
  parent: maybe(text),
  metadata,
};
const addons = listOf(objectOf({ plan: text, quantity: amount(1, 1_000_000), until }, ['plan']), 20);
const term = objectOf({ from: instant, until, length: maybe(calendar) });
const content: Members = {
  licensee: maybe(text),
  updates: objectOf({ until, maxMajor: maybe(natural) }),
  seats: objectOf({ model: seatModel, max: maybe(natural), over: natural }),
  offline,
  metadata,
  companion: objectOf({
    order: maybe(text),
    price: maybe(natural),
    currency: maybe({ good: ['EUR'], bad: ['eur', 'EURO'] }),
    reseller: maybe(text),
    crm: metadata,
    notes: maybe(text),
  }),
};
const expectedRev = natural;
const targeted = objectOf({ expectedRev });
const message = maybe(text);

export const arbitraryBodies: Readonly<Record<CommandType, fc.Arbitrary<unknown>>> = {
  'product.create': objectOf({ code, name: text, entitlements: catalog, metadata }, ['code', 'name']),
  'product.update': objectOf({ name: text, entitlements: catalog, metadata, expectedRev }),
  'product.retire': targeted,
  'plan.create': objectOf({ product: text, code, name: text, kind: choice('base', 'addon'), ...planTerms }, [
    'product',
    'code',
    'name',
  ]),
  'plan.update': objectOf({ name: text, ...planTerms, expectedRev }),
  'plan.retire': targeted,
  'customer.create': objectOf(customer),
  'customer.update': objectOf({ ...customer, expectedRev }),
  'customer.merge': objectOf({ into: text, expectedRev }, ['into']),
  'customer.erase': targeted,
  'license.issue': objectOf(
    {
      plan: text,
      addons,
      customer: maybe(text),
      term,
      entitlements: mapOf(grantInput),
      ...content,
      key,
      replaces: licenseId,
    },
    ['plan'],
  ),
  'license.amend': objectOf({
    purpose,
    term: objectOf({ from: instant, until, grace: duration }),
    entitlements: mapOf(orNull(grantInput)),
    ...content,
    expectedRev,
  }),
  'license.renew': objectOf({
    until: instant,
    length: calendar,
    updates: objectOf({ until: instant, length: calendar }),
    expectedRev,
  }),
  'license.change_plan': objectOf({ plan: text, addons, term, expectedRev }),
  'license.suspend': objectOf(
    { reason: choice('payment', 'dispute', 'abuse', 'security', 'requested', 'other'), message, expectedRev },
    ['reason'],
  ),
  'license.reinstate': targeted,
  'license.revoke': objectOf(
    { reason: choice('refund', 'fraud', 'ended', 'mistake'), message, expectedRev },
    ['reason'],
  ),
  'license.replace': objectOf({ by: licenseId, expectedRev }),
  'license.transfer': objectOf({ customer: text, licensee: maybe(text), resetSeats: flag, expectedRev }, [
    'customer',
  ]),
  'license.rekey': objectOf({ key, expectedRev }),
  'license.reissue': targeted,
  'brake.tighten': objectOf({
    lock: choice('open', 'heightened', 'read-only', 'frozen', 'sealed'),
    minEpoch: natural,
    until: fc.array(objectOf({ key: text, index: natural }, ['key']), { maxLength: 3 }),
    destroyed: fc.array(oneOf(text), { maxLength: 3 }),
    mayStopIssuing: flag,
    expectedRev,
  }),
};
