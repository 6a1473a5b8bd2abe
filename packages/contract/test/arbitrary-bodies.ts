/** Bodies that are mostly well-formed; see `arbitrary-members.ts`. */

import type { CommandType } from '@tallystick/contract';
import fc from 'fast-check';
import { arbitraryGateBodies } from './arbitrary-gate-bodies.ts';
import {
  amount,
  anyOf,
  calendar,
  choice,
  code,
  duration,
  email,
  flag,
  instant,
  key,
  listOf,
  long,
  type Members,
  mapOf,
  maybe,
  metadata,
  natural,
  objectOf,
  oneOf,
  orNull,
  type Samples,
  text,
} from './arbitrary-members.ts';

const licenseId: Samples = { good: ['lic_01jd0000000000000000000000'], bad: ['', 5] };
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
  email: maybe(email),
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
  ...arbitraryGateBodies,
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
