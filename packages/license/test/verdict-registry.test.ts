import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  type FailureCode,
  type FindingCode,
  failure,
  type JudgeRequest,
  judge,
  type Proven,
  precedence,
  SEVERITIES,
  severityOf,
  VERDICT_CODES,
  type VerdictCode,
} from '../src/verdict/index.ts';
import { AS_OF, at, DAY, namespaceWith, provenWith, requestWith } from './verdict-fixtures.ts';

/** The codes of the license model by class, written down a second time. */
const MODEL = [
  [1, ['MALFORMED', 'TOO_NEW']],
  [
    2,
    [
      'TRUST_INVALID',
      'TRUST_OUTDATED',
      'LOG_SIGNATURE_INVALID',
      'QUORUM_UNMET',
      'NOT_LOGGED',
      'NOT_CURRENT',
      'ALTERED',
      'KEY_NOT_VALID',
    ],
  ],
  [3, ['ROLLED_BACK', 'FORKED', 'SUPERSEDED']],
  [4, ['NAMESPACE_MISMATCH', 'PRODUCT_MISMATCH']],
  [5, ['NEVER_ISSUED']],
  [6, ['REVOKED', 'SUSPENDED']],
  [7, ['REVALIDATION_REQUIRED']],
  [8, ['CLOCK_ROLLED_BACK']],
  [9, ['STALE']],
  [10, ['NOT_STARTED', 'NOT_YET_VALID', 'EXPIRED']],
  [11, ['RELEASE_NOT_COVERED']],
  [12, ['NOT_ACTIVATED', 'ACTIVATION_ENDED', 'DEVICE_MISMATCH']],
  [13, ['LEASE_REQUIRED', 'SEATS_EXHAUSTED']],
  [14, ['ENTITLEMENT_MISSING', 'LIMIT_REACHED']],
  [
    15,
    [
      'VALID',
      'EXPIRES_SOON',
      'IN_PAYMENT_GRACE',
      'STALE_SOON',
      'IN_OFFLINE_GRACE',
      'ON_FALLBACK',
      'OVER_SEATS',
      'LEASE_ENDING',
      'NAMESPACE_LOCKED',
      'TRUST_EXPIRING',
    ],
  ],
] as const;
const ORDERED = MODEL.flatMap(([number, codes]) => codes.map((code) => ({ number, code })));

type Scenario = 'integrity' | 'no input yet' | { proven?: Proven; request?: Partial<JudgeRequest> };
const ended = { from: at(AS_OF - 100 * DAY), until: at(AS_OF - DAY), grace: 'P0D' };
const status = { reason: null, message: null, since: at(AS_OF), successor: null };

/** How each code comes about. A code missing here does not compile, and one that is not produced fails. */
const PRODUCED: Record<FindingCode, Scenario> = {
  MALFORMED: 'integrity',
  TOO_NEW: 'integrity',
  TRUST_INVALID: 'integrity',
  TRUST_OUTDATED: 'integrity',
  LOG_SIGNATURE_INVALID: 'integrity',
  QUORUM_UNMET: 'integrity',
  NOT_LOGGED: 'integrity',
  NOT_CURRENT: 'integrity',
  ALTERED: 'integrity',
  KEY_NOT_VALID: 'integrity',
  ROLLED_BACK: 'integrity',
  FORKED: 'integrity',
  SUPERSEDED: 'integrity',
  NAMESPACE_MISMATCH: 'integrity',
  PRODUCT_MISMATCH: { request: { products: ['other'] } },
  NEVER_ISSUED: { proven: provenWith({}, { license: null }) },
  REVOKED: { proven: provenWith({ status: { ...status, state: 'revoked' } }) },
  SUSPENDED: { proven: provenWith({ status: { ...status, state: 'suspended' } }) },
  REVALIDATION_REQUIRED: { proven: provenWith({}, { namespace: namespaceWith({ minEpoch: 1 }) }) },
  CLOCK_ROLLED_BACK: { request: { now: AS_OF - DAY } },
  STALE: { request: { now: AS_OF + 1100 * DAY } },
  NOT_STARTED: { proven: provenWith({ term: { from: null, until: null, grace: 'P0D' } }) },
  NOT_YET_VALID: { proven: provenWith({ term: { from: at(AS_OF + DAY), until: null, grace: 'P0D' } }) },
  EXPIRED: { proven: provenWith({ term: ended }) },
  RELEASE_NOT_COVERED: {
    proven: provenWith({ updates: { until: null, fallback: null, maxMajor: 3 } }),
    request: { release: { date: at(AS_OF), major: 4 } },
  },
  NOT_ACTIVATED: { proven: provenWith({ seats: { model: 'device', max: 1, over: 0 } }) },
  ACTIVATION_ENDED: 'no input yet',
  DEVICE_MISMATCH: 'no input yet',
  LEASE_REQUIRED: { proven: provenWith({ seats: { model: 'concurrent', max: 1, over: 0 } }) },
  SEATS_EXHAUSTED: 'no input yet',
  ENTITLEMENT_MISSING: { request: { need: [{ entitlement: 'pdf' }] } },
  LIMIT_REACHED: {
    proven: provenWith({ entitlements: { projects: { value: 3, until: null, via: 'plan' } } }),
    request: { need: [{ entitlement: 'projects', amount: 4 }] },
  },
  EXPIRES_SOON: { proven: provenWith({ term: { ...ended, until: at(AS_OF + DAY) } }) },
  IN_PAYMENT_GRACE: { proven: provenWith({ term: { ...ended, grace: 'P7D' } }) },
  STALE_SOON: { request: { now: AS_OF + 900 * DAY } },
  IN_OFFLINE_GRACE: { request: { now: AS_OF + 1005 * DAY } },
  ON_FALLBACK: {
    proven: provenWith({ term: ended, updates: { until: null, fallback: at(AS_OF), maxMajor: null } }),
    request: { release: { date: at(AS_OF) } },
  },
  OVER_SEATS: 'no input yet',
  LEASE_ENDING: 'no input yet',
  NAMESPACE_LOCKED: { proven: provenWith({}, { namespace: namespaceWith({ lock: 'frozen' }) }) },
  TRUST_EXPIRING: { proven: provenWith({}, { trustExpires: at(AS_OF + DAY) }) },
};

describe('the registry of verdict codes', () => {
  test('types, table and model hold the same codes in the same order', () => {
    expectTypeOf<(typeof ORDERED)[number]['code']>().toEqualTypeOf<VerdictCode>();
    expect(Object.keys(VERDICT_CODES)).toEqual(ORDERED.map(({ code }) => code));
    expect(Object.keys(PRODUCED)).toEqual(ORDERED.map(({ code }) => code).filter((code) => code !== 'VALID'));
  });

  test.each(ORDERED)('$code is of class $number, in its place of precedence', ({ number, code }) => {
    const entry = VERDICT_CODES[code];
    expect(entry.class).toBe(number);
    expect(entry.blocks).toBe(number < 15);
    expect(precedence(code)).toBe(ORDERED.findIndex((other) => other.code === code));
    expect(entry.message).toMatch(/^[A-Z][^.]+\.$/);
    if (code === 'VALID') expect(entry.severity).toBeNull();
    else expect(SEVERITIES).toContain(entry.severity);
    if (entry.blocks) expect(entry.remedy).not.toBeNull();
    else expect(entry.asWarning).toBeNull();
  });

  test('no two codes say the same sentence', () => {
    const sentences = Object.values(VERDICT_CODES).map(({ message }) => message);
    expect(new Set(sentences).size).toBe(sentences.length);
  });

  const scenarios = Object.entries(PRODUCED) as [FindingCode, Scenario][];
  test.each(scenarios.filter(([, scenario]) => typeof scenario === 'object'))(
    '%s is judged',
    (code, scenario) => {
      if (typeof scenario === 'string') throw new TypeError('filtered above');
      const verdict = judge(scenario.proven ?? provenWith(), requestWith(scenario.request));
      const blocks = VERDICT_CODES[code].blocks;
      expect(verdict.code).toBe(blocks ? code : 'VALID');
      expect(verdict.valid).toBe(!blocks);
      const found = blocks ? verdict.findings[0] : verdict.warnings.find((one) => one.code === code);
      expect(found).toMatchObject({ code, class: VERDICT_CODES[code].class, blocks });
    },
  );

  test.each(scenarios.filter(([, scenario]) => scenario === 'integrity'))('%s is a failure', (code) => {
    const verdict = failure(code as FailureCode, { line: 3 });
    expect(verdict).toEqual({
      valid: false,
      code,
      findings: [
        {
          code,
          class: VERDICT_CODES[code].class,
          blocks: true,
          message: VERDICT_CODES[code].message,
          severity: 'stop',
          remedy: VERDICT_CODES[code].remedy,
          details: { line: 3 },
        },
      ],
      warnings: [],
      asOf: null,
      changesAt: null,
      remedy: VERDICT_CODES[code].remedy,
      contact: null,
    });
  });

  test('a failure keeps what was proven before it', () => {
    const { support } = namespaceWith();
    const verdict = failure('SUPERSEDED', {}, { asOf: AS_OF, contact: support, path: 'subjects' });
    expect(verdict).toMatchObject({ asOf: AS_OF, contact: support, findings: [{ path: 'subjects' }] });
  });
});

describe('the ladder', () => {
  test('stands on the highest rung that anything asks for', () => {
    expect(severityOf(judge(provenWith(), requestWith()))).toBeNull();
    expect(severityOf(judge(provenWith({ term: { ...ended, until: at(AS_OF + DAY) } }), requestWith()))).toBe(
      'notify',
    );
    const both = provenWith({ term: { ...ended, grace: 'P7D' } }, { trustExpires: at(AS_OF + DAY) });
    expect(severityOf(judge(both, requestWith()))).toBe('banner');
    expect(severityOf(judge(both, requestWith({ need: [{ entitlement: 'pdf' }] })))).toBe('degrade');
    expect(severityOf(failure('ALTERED'))).toBe('stop');
  });
});
