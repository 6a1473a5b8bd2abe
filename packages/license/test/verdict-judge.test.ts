import { describe, expect, test } from 'vitest';
import type { LicenseDocument } from '../src/documents.ts';
import {
  clockFloor,
  effectiveLock,
  effectiveMinEpoch,
  judge,
  type Need,
  type Proven,
  readClock,
} from '../src/verdict/index.ts';
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

function codesOf(proven: Proven, change: Parameters<typeof requestWith>[0] = {}): string[] {
  return judge(proven, requestWith(change)).findings.map(({ code }) => code);
}

const revoked: LicenseDocument['status'] = {
  state: 'revoked',
  reason: 'refund',
  message: null,
  since: at(AS_OF),
  successor: null,
};

describe('a license in order', () => {
  test('is valid and says everything once', () => {
    expect(judge(provenWith(), requestWith())).toEqual({
      valid: true,
      code: 'VALID',
      findings: [],
      warnings: [],
      asOf: AS_OF,
      changesAt: AS_OF + 800 * DAY + 1,
      remedy: null,
      contact: { name: 'Acme support', email: 'help@acme.example', url: null },
    });
  });

  test('is found by product id as well as by code', () => {
    expect(codesOf(provenWith(), { products: ['other', 'prod_1'] })).toEqual([]);
  });

  test.each([[[]], [['Studio']], [['other']]])('is refused for products %j', (products) => {
    expect(codesOf(provenWith(), { products })).toEqual(['PRODUCT_MISMATCH']);
  });

  test('for another product is not judged any further', () => {
    const verdict = judge(provenWith({ status: revoked }), requestWith({ products: ['other'], now: 0 }));
    expect(verdict).toMatchObject({ code: 'PRODUCT_MISMATCH', warnings: [], changesAt: null });
    expect(verdict.findings).toHaveLength(1);
  });
});

describe('everything is collected', () => {
  test('and bad standing outranks time', () => {
    const proven = provenWith(
      {
        status: revoked,
        term: { from: null, until: at(AS_OF - DAY), grace: 'P0D' },
        seats: { model: 'user', max: 1, over: 0 },
        offline: { maxAge: 'PT1H', grace: 'PT1H', clock: 'strict' },
      },
      { namespace: namespaceWith({ minEpoch: 1, lock: 'sealed' }), trustExpires: at(AS_OF - DAY) },
    );
    const verdict = judge(
      proven,
      requestWith({ now: AS_OF, buildTime: AS_OF + DAY, need: [{ entitlement: 'b' }, { entitlement: 'a' }] }),
    );
    expect(verdict.findings.map(({ code }) => code)).toEqual([
      'REVOKED',
      'REVALIDATION_REQUIRED',
      'CLOCK_ROLLED_BACK',
      'STALE',
      'NOT_STARTED',
      'EXPIRED',
      'NOT_ACTIVATED',
      'ENTITLEMENT_MISSING',
      'ENTITLEMENT_MISSING',
    ]);
    expect(verdict.findings.slice(-2).map(({ path }) => path)).toEqual(['entitlements.b', 'entitlements.a']);
    expect(verdict.warnings.map(({ code }) => code)).toEqual(['NAMESPACE_LOCKED', 'TRUST_EXPIRING']);
    expect(verdict.remedy).toBe('contact the vendor');
  });

  test('a license never issued is said with what the namespace says, whatever the clock', () => {
    const proven = provenWith({}, { license: null, namespace: namespaceWith({ lock: 'read-only' }) });
    const verdict = judge(proven, requestWith({ products: [], now: 0 }));
    expect(verdict.findings.map(({ code }) => code)).toEqual(['NEVER_ISSUED']);
    expect(verdict.warnings.map(({ code }) => code)).toEqual(['NAMESPACE_LOCKED']);
  });

  test('a revoked license points to the one that replaces it', () => {
    const status = { ...revoked, reason: 'superseded', successor: 'lic_2' } as const;
    const verdict = judge(provenWith({ status }), requestWith());
    expect(verdict.remedy).toBe('fetch the license that replaces this one');
    expect(verdict.findings[0]?.details).toMatchObject({ successor: 'lic_2', reason: 'superseded' });
  });

  test('a state that this judge does not know is no good standing', () => {
    const status = { ...revoked, state: 'paused' } as unknown as LicenseDocument['status'];
    expect(codesOf(provenWith({ status }))).toEqual(['REVOKED']);
  });
});

describe('the clock', () => {
  const tolerant = { maxAge: 'P30D', grace: 'P10D', clock: 'tolerant' } as const;
  const term = { from: at(AS_OF - DAY), until: at(AS_OF + 20 * DAY), grace: 'P0D' };

  test('far ahead and then corrected does not brick a license', () => {
    expect(clockFloor(readClock(AS_OF + 5000 * DAY, AS_OF, { remembered: [AS_OF] }))).toBe(AS_OF);
    const proven = provenWith({ term });
    expect(codesOf(proven, { now: AS_OF + 5000 * DAY })).toContain('EXPIRED');
    expect(codesOf(proven, { now: AS_OF + DAY, remembered: [AS_OF] })).toEqual([]);
  });

  test('behind runs a tolerant license at the floor', () => {
    const proven = provenWith({ term, offline: tolerant });
    const verdict = judge(proven, requestWith({ now: 0, remembered: [AS_OF + 19 * DAY] }));
    expect(verdict.valid).toBe(true);
    expect(verdict.warnings.map(({ code, blocks }) => [code, blocks])).toEqual([
      ['CLOCK_ROLLED_BACK', false],
      ['EXPIRES_SOON', false],
    ]);
    expect(verdict.remedy).toBe('correct the clock');
    expect(codesOf(proven, { now: 0, remembered: [AS_OF + 20 * DAY] })).toEqual(['EXPIRED']);
  });

  test('set back while the process runs does not lengthen a term', () => {
    const runtime = { verified: AS_OF, elapsed: 20 * DAY };
    expect(codesOf(provenWith({ term, offline: tolerant }), { now: AS_OF, runtime })).toEqual(['EXPIRED']);
  });

  test('a monotonic clock that runs backwards lowers nothing', () => {
    const runtime = { verified: AS_OF + DAY, elapsed: -DAY };
    expect(codesOf(provenWith(), { now: AS_OF, runtime })).toEqual(['CLOCK_ROLLED_BACK']);
  });

  test('behind within tolerance is judged at the floor', () => {
    const proven = provenWith({ term: { ...term, until: at(AS_OF + DAY) } });
    expect(codesOf(proven, { now: AS_OF + DAY - MINUTE, remembered: [AS_OF + DAY] })).toEqual(['EXPIRED']);
  });

  test.each([
    { now: Number.NaN },
    { now: Number.POSITIVE_INFINITY },
    { buildTime: Number.NaN },
    { remembered: [Number.NaN] },
    { runtime: { verified: Number.NaN, elapsed: 0 } },
    { runtime: { verified: AS_OF, elapsed: Number.NaN } },
  ])('that is no number is an error of the caller: %j', (change) => {
    expect(() => judge(provenWith(), requestWith(change))).toThrow(TypeError);
  });
});

describe('locks and epochs', () => {
  const strictBrake = { lock: 'sealed', minEpoch: 9 } as const;
  test.each([
    [
      'a brake of the same epoch tightens',
      namespaceWith({ lock: 'heightened' }),
      brakeWith(strictBrake),
      'sealed',
      9,
    ],
    ['a brake never loosens', namespaceWith({ lock: 'frozen', minEpoch: 4 }), brakeWith(), 'frozen', 4],
    ['a brake of a past epoch is ignored', namespaceWith({ epoch: 2 }), brakeWith(strictBrake), 'open', 0],
    [
      'a brake of a later epoch is not waved through',
      namespaceWith(),
      brakeWith({ ...strictBrake, epoch: 2 }),
      'sealed',
      9,
    ],
  ] as const)('%s', (_name, namespace, brake, lock, minEpoch) => {
    expect(effectiveLock({ namespace, brake })).toBe(lock);
    expect(effectiveMinEpoch({ namespace, brake })).toBe(minEpoch);
  });

  test.each([
    ['open', []],
    ['heightened', []],
    ['read-only', ['NAMESPACE_LOCKED']],
    ['frozen', ['NAMESPACE_LOCKED']],
    ['sealed', ['NAMESPACE_LOCKED']],
  ] as const)('a namespace that is %s', (lock, expected) => {
    const verdict = judge(provenWith({}, { brake: brakeWith({ lock }) }), requestWith());
    expect(verdict.valid).toBe(true);
    expect(verdict.warnings.map(({ code }) => code)).toEqual(expected);
  });
});

describe('releases', () => {
  const ended = { from: at(AS_OF - 100 * DAY), until: at(AS_OF - DAY), grace: 'P0D' };
  test('a fallback grants nothing to a caller that does not say its build', () => {
    const updates = { until: null, fallback: at(AS_OF), maxMajor: null };
    expect(codesOf(provenWith({ term: ended, updates }))).toEqual(['EXPIRED']);
  });

  test('a fallback does not lift the greatest major version', () => {
    const updates = { until: null, fallback: at(AS_OF), maxMajor: 2 };
    const release = { date: at(AS_OF - 50 * DAY), major: 3 };
    expect(codesOf(provenWith({ term: ended, updates }), { release })).toEqual(['RELEASE_NOT_COVERED']);
  });

  test('both reasons are said', () => {
    const updates = { until: at(AS_OF - DAY), fallback: null, maxMajor: 2 };
    const verdict = judge(provenWith({ updates }), requestWith({ release: { date: at(AS_OF), major: 3 } }));
    expect(verdict.findings.map(({ path }) => path)).toEqual(['updates.until', 'updates.maxMajor']);
  });
});

describe('needs', () => {
  const entitlements: LicenseDocument['entitlements'] = {
    on: { value: true, until: null, via: 'plan' },
    off: { value: false, until: null, via: 'plan' },
    tier: { value: 'gold', until: null, via: 'plan' },
    projects: { value: 5, until: null, via: 'plan' },
    none: { value: 0, until: null, via: 'plan' },
    hard: { limit: 100, per: 'P1M', over: 'block', until: null, via: 'plan' },
    soft: { limit: 100, per: null, over: 'allow', until: null, via: 'plan' },
    empty: { limit: 0, per: null, over: 'block', until: null, via: 'plan' },
  };
  const MISSING = ['ENTITLEMENT_MISSING'];
  const REACHED = ['LIMIT_REACHED'];
  test.each<[Need, string[]]>([
    [{ entitlement: 'on' }, []],
    [{ entitlement: 'on', value: true }, []],
    [{ entitlement: 'on', value: false }, MISSING],
    [{ entitlement: 'on', amount: 1 }, MISSING],
    [{ entitlement: 'off' }, MISSING],
    [{ entitlement: 'off', value: false }, []],
    [{ entitlement: 'tier' }, []],
    [{ entitlement: 'tier', value: 'gold' }, []],
    [{ entitlement: 'tier', value: 'silver' }, MISSING],
    [{ entitlement: 'tier', amount: 1 }, MISSING],
    [{ entitlement: 'projects' }, []],
    [{ entitlement: 'projects', value: 5 }, []],
    [{ entitlement: 'projects', value: 4 }, MISSING],
    [{ entitlement: 'projects', value: '5' }, MISSING],
    [{ entitlement: 'none' }, REACHED],
    [{ entitlement: 'none', amount: 0 }, []],
    [{ entitlement: 'hard', amount: 101 }, REACHED],
    [{ entitlement: 'hard', amount: Number.POSITIVE_INFINITY }, REACHED],
    [{ entitlement: 'hard', value: 100 }, MISSING],
    [{ entitlement: 'soft', amount: 101 }, []],
    [{ entitlement: 'empty' }, REACHED],
    [{ entitlement: 'nope' }, MISSING],
    [{ entitlement: 'constructor' }, MISSING],
    [{ entitlement: '__proto__' }, MISSING],
  ])('%j', (need, expected) => {
    expect(codesOf(provenWith({ entitlements }), { need: [need] })).toEqual(expected);
  });

  test('a soft limit that is passed is a warning', () => {
    const need = [{ entitlement: 'soft', amount: 101 }];
    const verdict = judge(provenWith({ entitlements }), requestWith({ need }));
    expect(verdict.warnings).toMatchObject([
      { code: 'LIMIT_REACHED', blocks: false, class: 14, severity: 'banner' },
    ]);
    expect(verdict.remedy).toBe('buy the missing entitlement');
  });

  test.each([-1, Number.NaN])('an amount of %d is an error of the caller', (amount) => {
    const need = [{ entitlement: 'hard', amount }];
    expect(() => judge(provenWith({ entitlements }), requestWith({ need }))).toThrow(TypeError);
  });
});

describe('changesAt', () => {
  test('counts the process on when the wall clock is behind the running floor', () => {
    const proven = provenWith({ term: { from: at(AS_OF - DAY), until: at(AS_OF + HOUR), grace: 'P0D' } });
    const runtime = { verified: AS_OF, elapsed: 30 * MINUTE };
    const verdict = judge(proven, requestWith({ now: AS_OF + 28 * MINUTE, runtime }));
    expect(verdict.changesAt).toBe(AS_OF + 58 * MINUTE);
  });

  test('is when a clock that is behind has caught up', () => {
    const verdict = judge(provenWith(), requestWith({ now: AS_OF, remembered: [AS_OF + HOUR] }));
    expect(verdict.changesAt).toBe(AS_OF + 55 * MINUTE);
  });

  test('is never where nothing more can happen', () => {
    const proven = provenWith({}, { trustExpires: at(AS_OF) });
    expect(judge(proven, requestWith({ now: AS_OF + 5000 * DAY })).changesAt).toBeNull();
  });

  test('passes over an instant that changes nothing', () => {
    const until = at(AS_OF + DAY);
    const entitlements = { pdf: { value: true, until, via: 'plan' } };
    expect(judge(provenWith({ entitlements }), requestWith()).changesAt).toBe(AS_OF + 800 * DAY + 1);
  });
});
