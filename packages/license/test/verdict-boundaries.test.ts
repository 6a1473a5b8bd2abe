/** Every boundary in time and in number: one before it, on it, and one after it. */
import { describe, expect, test } from 'vitest';
import { type JudgeRequest, judge, type Proven } from '../src/verdict/index.ts';
import {
  AS_OF,
  at,
  brakeWith,
  DAY,
  HOUR,
  MINUTE,
  namespaceWith,
  provenWith,
  requestWith,
} from './verdict-fixtures.ts';

type Codes = readonly string[];
interface Boundary {
  name: string;
  proven: Proven;
  /** The request at `edge` and nearby. */
  ask?: (ms: number) => Partial<JudgeRequest>;
  edge: number;
  /** Codes one before, at, and one after the edge; blocking ones and warnings together. */
  codes: readonly [Codes, Codes, Codes];
}

const NONE: Codes = [];
const START = AS_OF - 100 * DAY;
const END = AS_OF + 100 * DAY;
const term = { from: at(START), until: at(END), grace: 'P7D' };
const noGrace = { ...term, grace: 'P0D' };
const tolerant = { maxAge: 'P1000D', grace: 'P10D', clock: 'tolerant' } as const;
const short = { maxAge: 'PT10H', grace: 'PT5H', clock: 'strict' } as const;
const quota = { limit: 100, per: 'P1M', over: 'block', until: null, via: 'plan' } as const;

const BOUNDARIES: Boundary[] = [
  {
    name: 'a term begins 5 minutes before `from` for clocks that differ',
    proven: provenWith({ term: { ...term, from: at(AS_OF + 50 * DAY), until: null } }),
    edge: AS_OF + 50 * DAY - 5 * MINUTE,
    codes: [['NOT_YET_VALID'], NONE, NONE],
  },
  {
    name: 'the end of a term is announced 14 days ahead',
    proven: provenWith({ term }),
    edge: END - 14 * DAY,
    codes: [NONE, ['EXPIRES_SOON'], ['EXPIRES_SOON']],
  },
  {
    name: 'until is exclusive, then payment grace',
    proven: provenWith({ term }),
    edge: END,
    codes: [['EXPIRES_SOON'], ['IN_PAYMENT_GRACE'], ['IN_PAYMENT_GRACE']],
  },
  {
    name: 'until is exclusive, without grace',
    proven: provenWith({ term: noGrace }),
    edge: END,
    codes: [['EXPIRES_SOON'], ['EXPIRED'], ['EXPIRED']],
  },
  {
    name: 'the end of payment grace is exclusive',
    proven: provenWith({ term }),
    edge: END + 7 * DAY,
    codes: [['IN_PAYMENT_GRACE'], ['EXPIRED'], ['EXPIRED']],
  },
  {
    name: 'the end of payment grace, for a build within the fallback',
    proven: provenWith({ term, updates: { until: null, fallback: at(AS_OF), maxMajor: null } }),
    ask: (now) => ({ now, release: { date: at(AS_OF) } }),
    edge: END + 7 * DAY,
    codes: [['IN_PAYMENT_GRACE'], ['ON_FALLBACK'], ['ON_FALLBACK']],
  },
  {
    name: 'the fallback covers a build dated exactly then',
    proven: provenWith({
      term: { ...noGrace, until: at(AS_OF) },
      updates: { until: null, fallback: at(START), maxMajor: null },
    }),
    ask: (date) => ({ release: { date: at(date) } }),
    edge: START,
    codes: [['ON_FALLBACK'], ['ON_FALLBACK'], ['EXPIRED']],
  },
  {
    name: 'updates cover a build dated exactly at their end',
    proven: provenWith({ updates: { until: at(START), fallback: null, maxMajor: null } }),
    ask: (date) => ({ release: { date: at(date) } }),
    edge: START,
    codes: [NONE, NONE, ['RELEASE_NOT_COVERED']],
  },
  {
    name: 'updates cover releases up to the greatest major version',
    proven: provenWith({ updates: { until: null, fallback: null, maxMajor: 3 } }),
    ask: (major) => ({ release: { date: at(AS_OF), major } }),
    edge: 3,
    codes: [NONE, NONE, ['RELEASE_NOT_COVERED']],
  },
  {
    name: 'an age of exactly 80 percent of the limit is not worth a warning',
    proven: provenWith({ offline: short }),
    edge: AS_OF + 8 * HOUR,
    codes: [NONE, NONE, ['STALE_SOON']],
  },
  {
    name: 'an age equal to its limit is fresh',
    proven: provenWith({ offline: short }),
    edge: AS_OF + 10 * HOUR,
    codes: [['STALE_SOON'], ['STALE_SOON'], ['IN_OFFLINE_GRACE']],
  },
  {
    name: 'an age equal to limit and grace still runs',
    proven: provenWith({ offline: short }),
    edge: AS_OF + 15 * HOUR,
    codes: [['IN_OFFLINE_GRACE'], ['IN_OFFLINE_GRACE'], ['STALE']],
  },
  {
    name: 'the signing key shortens the age but not the grace',
    proven: provenWith({ offline: short }, { keyOfflineMax: 'PT1H' }),
    edge: AS_OF + 6 * HOUR,
    codes: [['IN_OFFLINE_GRACE'], ['IN_OFFLINE_GRACE'], ['STALE']],
  },
  {
    name: 'the trust root shortens the age but not the grace',
    proven: provenWith({ offline: short }, { trustOfflineMax: 'PT2H' }),
    edge: AS_OF + 7 * HOUR,
    codes: [['IN_OFFLINE_GRACE'], ['IN_OFFLINE_GRACE'], ['STALE']],
  },
  {
    name: 'neither the key nor the trust root lengthens the age',
    proven: provenWith({ offline: short }, { keyOfflineMax: 'P99D', trustOfflineMax: 'P99D' }),
    edge: AS_OF + 15 * HOUR,
    codes: [['IN_OFFLINE_GRACE'], ['IN_OFFLINE_GRACE'], ['STALE']],
  },
  {
    name: 'an age limit of nothing is fresh at once only',
    proven: provenWith({ offline: { maxAge: 'PT0S', grace: 'PT0S', clock: 'strict' } }),
    edge: AS_OF,
    codes: [NONE, NONE, ['STALE']],
  },
  {
    name: 'a strict clock may be 5 minutes behind',
    proven: provenWith(),
    edge: AS_OF - 5 * MINUTE,
    codes: [['CLOCK_ROLLED_BACK'], NONE, NONE],
  },
  {
    name: 'a tolerant clock is warned about',
    proven: provenWith({ offline: tolerant }),
    edge: AS_OF - 5 * MINUTE,
    codes: [['CLOCK_ROLLED_BACK'], NONE, NONE],
  },
  {
    name: 'the floor holds the build time',
    proven: provenWith(),
    ask: (now) => ({ now, buildTime: AS_OF + DAY }),
    edge: AS_OF + DAY - 5 * MINUTE,
    codes: [['CLOCK_ROLLED_BACK'], NONE, NONE],
  },
  {
    name: 'the floor holds the latest remembered time',
    proven: provenWith(),
    ask: (now) => ({ now, remembered: [AS_OF - DAY, AS_OF + 2 * DAY, AS_OF + DAY] }),
    edge: AS_OF + 2 * DAY - 5 * MINUTE,
    codes: [['CLOCK_ROLLED_BACK'], NONE, NONE],
  },
  {
    name: 'the floor holds verified time plus monotonic runtime',
    proven: provenWith(),
    ask: (now) => ({ now, runtime: { verified: AS_OF, elapsed: 3 * DAY } }),
    edge: AS_OF + 3 * DAY - 5 * MINUTE,
    codes: [['CLOCK_ROLLED_BACK'], NONE, NONE],
  },
  {
    name: 'the expiry of the trust root is announced 30 days ahead',
    proven: provenWith({}, { trustExpires: at(AS_OF + 90 * DAY) }),
    edge: AS_OF + 60 * DAY,
    codes: [NONE, ['TRUST_EXPIRING'], ['TRUST_EXPIRING']],
  },
  {
    name: 'the expiry of the trust root voids nothing',
    proven: provenWith({}, { trustExpires: at(AS_OF + 90 * DAY) }),
    edge: AS_OF + 90 * DAY,
    codes: [['TRUST_EXPIRING'], ['TRUST_EXPIRING'], ['TRUST_EXPIRING']],
  },
  {
    name: 'the end of a single entitlement is exclusive',
    proven: provenWith({ entitlements: { pdf: { value: true, until: at(AS_OF + DAY), via: 'addon' } } }),
    ask: (now) => ({ now, need: [{ entitlement: 'pdf' }] }),
    edge: AS_OF + DAY,
    codes: [NONE, ['ENTITLEMENT_MISSING'], ['ENTITLEMENT_MISSING']],
  },
  {
    name: 'a quota can be used up',
    proven: provenWith({ entitlements: { tokens: quota } }),
    ask: (amount) => ({ need: [{ entitlement: 'tokens', amount }] }),
    edge: 100,
    codes: [NONE, NONE, ['LIMIT_REACHED']],
  },
  {
    name: 'an integer can be used up',
    proven: provenWith({ entitlements: { projects: { value: 5, until: null, via: 'plan' } } }),
    ask: (amount) => ({ need: [{ entitlement: 'projects', amount }] }),
    edge: 5,
    codes: [NONE, NONE, ['LIMIT_REACHED']],
  },
  ...[0, 1].map(
    (side): Boundary => ({
      name: `a license of the ${side === 0 ? 'namespace' : 'brake'}'s least epoch needs no revalidation`,
      proven: provenWith(
        { epoch: 2 },
        {
          namespace: namespaceWith({ minEpoch: side === 0 ? 2 : 0 }),
          brake: brakeWith({ minEpoch: side === 1 ? 2 : 0 }),
        },
      ),
      edge: 2,
      codes: [['REVALIDATION_REQUIRED'], NONE, NONE],
    }),
  ),
];

const ON_EPOCH = /least epoch/;

describe.each(BOUNDARIES)('$name', ({ name, proven, ask = (now) => ({ now }), edge, codes }) => {
  test.each([
    [-1, codes[0]],
    [0, codes[1]],
    [1, codes[2]],
  ])('%i', (offset, expected) => {
    const subject: Proven =
      ON_EPOCH.test(name) && proven.license !== null
        ? { ...proven, license: { ...proven.license, epoch: edge + offset } }
        : proven;
    const request = ON_EPOCH.test(name) ? requestWith() : requestWith(ask(edge + offset));
    const { findings, warnings } = judge(subject, request);
    expect([...findings, ...warnings].map(({ code }) => code)).toEqual(expected);
  });
});
