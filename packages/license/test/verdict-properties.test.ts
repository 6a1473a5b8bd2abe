import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LicenseDocument, LockLevel } from '../src/documents.ts';
import { type JudgeRequest, judge, type Proven, precedence, type Verdict } from '../src/verdict/index.ts';
import { AS_OF, at, brakeWith, DAY, HOUR, MINUTE, namespaceWith, provenWith } from './verdict-fixtures.ts';

/** Offsets that meet one another often, so that boundaries coincide, with some noise of a few milliseconds. */
const offset: fc.Arbitrary<number> = fc
  .tuple(
    fc.constantFrom(
      -40 * DAY,
      -14 * DAY,
      -DAY,
      -HOUR,
      -5 * MINUTE,
      0,
      MINUTE,
      5 * MINUTE,
      HOUR,
      DAY,
      14 * DAY,
      40 * DAY,
    ),
    fc.constantFrom(-DAY, -1, 0, 0, 0, 1, 7, HOUR),
  )
  .map(([coarse, fine]) => coarse + fine);
const ms: fc.Arbitrary<number> = offset.map((value) => AS_OF + value);
const instant: fc.Arbitrary<string> = ms.map(at);
const instantOrNone: fc.Arbitrary<string | null> = fc.option(instant, { freq: 2 });
/** One value nine times out of ten, so that one thing gone wrong does not hide all others. */
function mostly<T>(usual: T, ...others: T[]): fc.Arbitrary<T> {
  return fc.oneof(
    { weight: 9, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  );
}

const duration: fc.Arbitrary<string> = fc.constantFrom(
  'PT0S',
  'PT1S',
  'PT5M',
  'PT1H',
  'P1D',
  'P14D',
  'P40D',
  'P400D',
);
const lock: fc.Arbitrary<LockLevel> = fc.constantFrom('open', 'heightened', 'read-only', 'frozen', 'sealed');
const epoch: fc.Arbitrary<number> = fc.integer({ min: 0, max: 2 });

const license: fc.Arbitrary<Partial<LicenseDocument>> = fc.record({
  status: fc.record({
    state: mostly<LicenseDocument['status']['state']>('active', 'suspended', 'revoked'),
    reason: fc.constant(null),
    message: fc.constant(null),
    since: instant,
    successor: fc.constantFrom(null, 'lic_2'),
  }),
  term: fc.record({ from: fc.option(instant, { freq: 9 }), until: instantOrNone, grace: duration }),
  updates: fc.record({ until: instantOrNone, fallback: instantOrNone, maxMajor: fc.constantFrom(null, 3) }),
  entitlements: fc.record({
    pdf: fc.record({ value: fc.boolean(), until: instantOrNone, via: fc.constant('plan') }),
    tokens: fc.record({
      limit: fc.integer({ min: 0, max: 3 }),
      per: fc.constant(null),
      over: fc.constantFrom('block', 'allow'),
      until: instantOrNone,
      via: fc.constant('plan'),
    }),
  }),
  offline: fc.record({ maxAge: duration, grace: duration, clock: fc.constantFrom('strict', 'tolerant') }),
  epoch,
});

const proven: fc.Arbitrary<Proven> = fc
  .record({
    license,
    issued: mostly(true, false),
    namespace: fc.record({ epoch: fc.constantFrom(0, 1), lock, minEpoch: mostly(0, 1) }),
    brake: fc.record({ epoch: fc.constantFrom(0, 1), lock, minEpoch: mostly(0, 1) }),
    keyOfflineMax: fc.option(duration),
    trustOfflineMax: duration,
    trustExpires: fc.oneof(instant, fc.constant(at(AS_OF + 500 * DAY))),
  })
  .map(({ license: change, issued, namespace, brake, ...rest }) => {
    const base = provenWith(change, {
      namespace: namespaceWith(namespace),
      brake: brakeWith(brake),
      ...rest,
    });
    return issued ? base : { ...base, license: null };
  });

const request: fc.Arbitrary<JudgeRequest> = fc.record(
  {
    products: mostly(['studio'], ['prod_1'], ['other']),
    now: ms,
    buildTime: ms,
    remembered: fc.array(ms, { maxLength: 2 }),
    runtime: fc.record({ verified: ms, elapsed: offset }),
    release: fc.record({ date: instant, major: fc.integer({ min: 1, max: 4 }) }),
    need: fc.subarray(
      [{ entitlement: 'pdf' }, { entitlement: 'tokens', amount: 2 }, { entitlement: 'nope' }],
      {
        maxLength: 2,
      },
    ),
  },
  { requiredKeys: ['products', 'now'] },
);

/** The same request after some time in which nothing new was learned. */
function later(asked: JudgeRequest, by: number): JudgeRequest {
  const { runtime } = asked;
  const moved = { ...asked, now: asked.now + by };
  if (runtime === undefined) return moved;
  return { ...moved, runtime: { verified: runtime.verified, elapsed: Math.max(0, runtime.elapsed) + by } };
}

/** All that a verdict says, except when it ends. */
function said(verdict: Verdict): Verdict {
  return { ...verdict, changesAt: null };
}

const RUNS = { numRuns: 3000 };

describe('a verdict', () => {
  test('has the code of its first finding by precedence and is valid when none blocks', () => {
    fc.assert(
      fc.property(proven, request, (subject, asked) => {
        const verdict = judge(subject, asked);
        const places = verdict.findings.map(({ code }) => precedence(code));
        expect(places).toEqual(places.toSorted((a, b) => a - b));
        expect(verdict.code).toBe(verdict.findings[0]?.code ?? 'VALID');
        expect(verdict.valid).toBe(![...verdict.findings, ...verdict.warnings].some(({ blocks }) => blocks));
        expect(verdict.findings.every(({ blocks }) => blocks)).toBe(true);
        expect(verdict.valid).toBe(verdict.code === 'VALID');
      }),
      RUNS,
    );
  });

  test('loses no class of findings by remembering a later time, except that a license has begun', () => {
    fc.assert(
      fc.property(proven, request, ms, (subject, asked, remembered) => {
        const before = judge(subject, asked);
        const after = judge(subject, { ...asked, remembered: [...(asked.remembered ?? []), remembered] });
        const kept = before.findings.filter(({ code }) => code !== 'NOT_YET_VALID').map((one) => one.class);
        const found = new Set(after.findings.map((one) => one.class));
        // Within a class one code may follow another: a limit that is reached becomes an entitlement that ended.
        expect(kept.filter((number) => !found.has(number))).toEqual([]);
      }),
      RUNS,
    );
  });

  test('never turns from invalid to valid by a later time once the license has begun', () => {
    fc.assert(
      fc.property(proven, request, ms, (subject, asked, remembered) => {
        const before = judge(subject, asked);
        fc.pre(!before.valid && !before.findings.some(({ code }) => code === 'NOT_YET_VALID'));
        expect(
          judge(subject, { ...asked, remembered: [...(asked.remembered ?? []), remembered] }).valid,
        ).toBe(false);
      }),
      RUNS,
    );
  });

  test('stays the same until changesAt and differs then', () => {
    fc.assert(
      fc.property(proven, request, fc.double({ min: 0, max: 1, noNaN: true }), (subject, asked, share) => {
        const verdict = judge(subject, asked);
        const change = verdict.changesAt;
        if (change === null) {
          expect(said(judge(subject, later(asked, Math.floor(share * 5000 * DAY))))).toEqual(said(verdict));
          return;
        }
        const delay = change - asked.now;
        expect(delay).toBeGreaterThan(0);
        expect(said(judge(subject, later(asked, delay - 1)))).toEqual(said(verdict));
        expect(said(judge(subject, later(asked, Math.floor(share * (delay - 1)))))).toEqual(said(verdict));
        expect(said(judge(subject, later(asked, delay)))).not.toEqual(said(verdict));
      }),
      RUNS,
    );
  });
});
