import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  apply,
  type BrakeDocument,
  type CustomerDocument,
  checkAfter,
  checkTransition,
  isRecordType,
  keyUsageOf,
  type LicenseDocument,
  ModelError,
  type NamespaceDocument,
  RECORD_TYPES,
  type RecordType,
  subjectTypeOf,
  type TallyDocument,
} from '../src/index.ts';
import { documents } from './arbitraries.ts';
import { HASH, soldWorld } from './world.ts';

const world = soldWorld();
const issued = world.license({
  type: 'license.issue',
  plan: 'pro',
  customer: 'contoso',
  licensee: 'Contoso GmbH',
});
const later = '2026-06-01T00:00:00.000Z';
const active = { ...issued, rev: 1 };
const suspended: LicenseDocument = {
  ...active,
  status: { state: 'suspended', reason: 'payment', message: null, since: later, successor: null },
};
const revoked: LicenseDocument = {
  ...active,
  status: { state: 'revoked', reason: 'refund', message: null, since: later, successor: null },
};
const superseded: LicenseDocument = {
  ...active,
  status: {
    state: 'revoked',
    reason: 'superseded',
    message: null,
    since: later,
    successor: `lic_${'0'.repeat(26)}`,
  },
};
const [product] = world.all('product');
const [plan] = world.all('plan');
const [customer] = world.all('customer');

describe('record types', () => {
  it('are signed by keys of the usage of their subject, namespaces by the authority', () => {
    for (const type of RECORD_TYPES) {
      const subject = type.split('.')[0];
      expect(subjectTypeOf(type)).toBe(subject);
      const isGate = ['principal', 'credential', 'policy', 'approval'].includes(subject ?? '');
      expect(keyUsageOf(type)).toBe(subject === 'namespace' ? 'authority' : isGate ? 'gate' : subject);
    }
  });

  it('are a closed list', () => {
    expect(isRecordType('license.revoked')).toBe(true);
    for (const type of ['license.started', 'license', 'toString', '']) expect(isRecordType(type)).toBe(false);
  });
});

describe('a document against the type of its record', () => {
  const states: [string, LicenseDocument][] = [
    ['active', active],
    ['suspended', suspended],
    ['revoked', revoked],
    ['superseded', superseded],
  ];
  const allowed: Record<string, string[]> = {
    'license.issued': ['active'],
    'license.amended': ['active', 'suspended', 'revoked', 'superseded'],
    'license.renewed': ['active', 'suspended'],
    'license.plan_changed': ['active', 'suspended'],
    'license.suspended': ['suspended'],
    'license.reinstated': ['active'],
    'license.revoked': ['revoked'],
    'license.superseded': ['superseded'],
    'license.transferred': ['active', 'suspended', 'revoked', 'superseded'],
    'license.rekeyed': ['active', 'suspended'],
    'license.reissued': ['active', 'suspended'],
  };
  const cases = Object.entries(allowed).flatMap(([type, fits]) =>
    states.map(([state, document]) => [type as RecordType, state, document, fits.includes(state)] as const),
  );

  it('has a row for every type of license record', () => {
    expect(Object.keys(allowed)).toEqual(RECORD_TYPES.filter((type) => type.startsWith('license.')));
  });

  test.each(cases)('%s with %s', (type, _, document, fits) => {
    const rev = type === 'license.issued' ? 0 : 1;
    expect(checkAfter(type, { ...document, rev }) === null).toBe(fits);
  });

  test.each<[RecordType, TallyDocument]>([
    ['license.issued', active],
    ['license.amended', issued],
    ['license.amended', plan!],
    ['product.created', { ...product!, state: 'retired' }],
    ['product.created', { ...product!, rev: 1 }],
    ['product.retired', { ...product!, rev: 1 }],
    ['plan.updated', { ...plan!, rev: 1, state: 'retired' }],
    ['customer.merged', { ...customer!, rev: 1 }],
    ['customer.merged', { ...customer!, rev: 1, state: 'merged' }],
    ['customer.merged', { ...customer!, rev: 1, state: 'merged', into: customer!.id }],
    ['customer.updated', { ...customer!, rev: 1, into: `cus_${'0'.repeat(26)}` }],
    ['customer.erased', { ...customer!, rev: 1, state: 'erased' }],
    ['license.suspended', { ...suspended, status: { ...suspended.status, reason: 'refund' } }],
    ['license.suspended', { ...suspended, status: { ...suspended.status, reason: null } }],
    ['license.revoked', { ...revoked, status: { ...revoked.status, reason: 'payment' } }],
    ['license.revoked', superseded],
    ['license.superseded', revoked],
    ['license.superseded', { ...superseded, status: { ...superseded.status, successor: null } }],
    ['license.superseded', { ...superseded, status: { ...superseded.status, successor: superseded.id } }],
    ['license.reinstated', { ...active, status: { ...active.status, reason: 'payment' } }],
    ['license.amended', { ...active, term: { ...active.term, until: active.term.from } }],
  ])('%s cannot carry this document', (type, document) => {
    expect(checkAfter(type, document)).not.toBeNull();
  });

  it('never throws for a well-formed document', () => {
    const any = fc.oneof(...(Object.values(documents) as fc.Arbitrary<TallyDocument>[]));
    fc.assert(
      fc.property(fc.constantFrom(...RECORD_TYPES), any, any, (type, before, after) => {
        const problem = checkTransition(type, before, after);
        expect(problem === null || problem.message.length > 0).toBe(true);
      }),
    );
  });
});

describe('a step from one license to the next', () => {
  const next = { ...revoked, rev: 2 };

  test.each<[string, RecordType, LicenseDocument, LicenseDocument]>([
    ['revoking', 'license.revoked', issued, revoked],
    ['suspending', 'license.suspended', issued, suspended],
    ['reinstating', 'license.reinstated', suspended, { ...active, rev: 2 }],
    ['a successor for a revoked license', 'license.superseded', revoked, { ...superseded, rev: 2 }],
    ['erasing the licensee of a revoked license', 'license.amended', revoked, { ...next, licensee: null }],
    [
      'moving a revoked license along with its customer',
      'license.transferred',
      revoked,
      {
        ...next,
        customer: `cus_${'0'.repeat(26)}`,
      },
    ],
    ['a commitment with a fresh salt', 'license.reissued', issued, { ...active, private: HASH, epoch: 3 }],
  ])('%s is legal', (_, type, before, after) => {
    expect(checkTransition(type, before, after)).toBeNull();
  });

  test.each<[string, RecordType, LicenseDocument, LicenseDocument]>([
    ['a skipped revision', 'license.revoked', issued, { ...revoked, rev: 2 }],
    ['a repeated revision', 'license.revoked', active, revoked],
    ['another subject', 'license.reissued', issued, { ...active, id: `lic_${'0'.repeat(26)}` }],
    ['another namespace', 'license.reissued', issued, { ...active, ns: 'other' }],
    ['reviving a revoked license', 'license.reinstated', revoked, { ...active, rev: 2 }],
    ['reviving a revoked license by amending', 'license.amended', revoked, { ...active, rev: 2 }],
    ['revoking twice', 'license.revoked', revoked, { ...next, status: { ...next.status, reason: 'fraud' } }],
    [
      'a second successor',
      'license.superseded',
      superseded,
      {
        ...superseded,
        rev: 2,
        status: { ...superseded.status, successor: `lic_${'1'.repeat(26)}` },
      },
    ],
    ['a richer revoked license', 'license.amended', revoked, { ...next, licensee: null, entitlements: {} }],
    ['a new name on a revoked license', 'license.amended', revoked, { ...next, licensee: 'Other' }],
    ['more than a renewal', 'license.renewed', issued, { ...active, licensee: 'Other' }],
    ['content in a reissue', 'license.reissued', issued, { ...active, entitlements: {} }],
    ['content while suspending', 'license.suspended', issued, { ...suspended, entitlements: {} }],
    [
      'another product',
      'license.plan_changed',
      issued,
      { ...active, product: { ...active.product, code: 'x' } },
    ],
    ['another customer by amending', 'license.amended', issued, { ...active, customer: null }],
    ['a falling epoch', 'license.reissued', { ...issued, epoch: 2 }, { ...active, epoch: 1 }],
    ['two generations at once', 'license.transferred', issued, { ...active, generation: 2 }],
    ['suspending twice', 'license.suspended', suspended, { ...suspended, rev: 2 }],
    ['reinstating an active license', 'license.reinstated', issued, active],
  ])('%s is illegal', (_, type, before, after) => {
    expect(checkTransition(type, before, after)).not.toBeNull();
    const change = {
      type,
      subject: { type: 'license' as const, id: after.id },
      rev: after.rev,
      document: after,
    };
    const current = { document: before, companion: null, rev: before.rev };
    expect(() => apply(current, { ...change, companion: null })).toThrow(ModelError);
  });

  it('needs a revision before it, except for the first', () => {
    expect(checkTransition('license.issued', null, issued)).toBeNull();
    expect(checkTransition('license.revoked', null, revoked)?.code).toBe('subject_unknown');
    expect(checkTransition('license.issued', issued, issued)?.code).toBe('revision_conflict');
  });
});

describe('apply', () => {
  const change = {
    type: 'product.created' as const,
    subject: { type: 'product' as const, id: product!.id },
    rev: 0,
    document: product!,
    companion: null,
  };

  it('gives the state after the change', () => {
    expect(apply(undefined, change)).toEqual({ document: product, companion: null, rev: 0 });
  });

  test.each([
    ['another id', { ...change, subject: { type: 'product' as const, id: `prd_${'0'.repeat(26)}` } }],
    ['another revision', { ...change, rev: 1 }],
    [
      'a companion where there is none',
      {
        ...change,
        companion: {
          key: null,
          order: null,
          price: null,
          currency: null,
          reseller: null,
          crm: {},
          notes: null,
        },
      },
    ],
  ])('refuses a change that says %s', (_, wrong) => {
    expect(() => apply(undefined, wrong)).toThrow(ModelError);
  });

  it('refuses anything after a retirement and after an erasure', () => {
    const retired = { ...product!, state: 'retired' as const, rev: 1 };
    expect(checkTransition('product.updated', retired, { ...product!, rev: 2 })).not.toBeNull();
    expect(checkTransition('product.retired', retired, { ...retired, rev: 2 })).not.toBeNull();
    const erased: CustomerDocument = {
      ...customer!,
      reference: null,
      name: null,
      email: null,
      country: null,
      parent: null,
      metadata: {},
      state: 'erased',
      rev: 1,
    };
    expect(checkTransition('customer.erased', customer!, erased)).toBeNull();
    expect(checkTransition('customer.erased', erased, { ...erased, rev: 2 })).not.toBeNull();
    expect(checkTransition('customer.updated', erased, { ...customer!, rev: 2 })).not.toBeNull();
  });
});

const keyId = (letter: string): string => `${letter.repeat(42)}A=`;

const namespace: NamespaceDocument = {
  v: 1,
  type: 'namespace',
  ns: 'acme',
  id: 'namespace',
  rev: 0,
  crit: [],
  name: 'Acme',
  mode: 'live',
  support: { name: null, email: null, url: null },
  epoch: 1,
  lock: 'read-only',
  minEpoch: 1,
  keys: [
    {
      id: keyId('k'),
      alg: 'ed25519',
      usages: ['license'],
      from: 10,
      until: 50,
      limits: { offlineMax: null, termMax: null, seatsMax: null, perMinute: null },
    },
  ],
};
const brake: BrakeDocument = {
  v: 1,
  type: 'brake',
  ns: 'acme',
  id: 'brake',
  rev: 0,
  crit: [],
  epoch: 1,
  lock: 'read-only',
  minEpoch: 1,
  until: [{ id: keyId('k'), index: 50 }],
};

describe('the brake and the namespace', () => {
  const key = namespace.keys[0]!;

  test.each<[string, Partial<BrakeDocument>]>([
    ['a tighter lock', { lock: 'frozen' }],
    ['a higher minimum', { minEpoch: 2 }],
    ['an earlier end of a key', { until: [{ id: keyId('k'), index: 40 }] }],
    ['one more key', { until: [...brake.until, { id: keyId('l'), index: 9 }] }],
    ['anything under a higher epoch', { epoch: 2, lock: 'open', minEpoch: 0, until: [] }],
    ['a destroyed key', { destroyed: [{ id: keyId('k'), index: 60 }] }],
  ])('the brake may take %s', (_, members) => {
    expect(checkTransition('brake.updated', brake, { ...brake, ...members, rev: 1 })).toBeNull();
  });

  test.each<[string, Partial<BrakeDocument>]>([
    ['a looser lock', { lock: 'heightened' }],
    ['a lower minimum', { minEpoch: 0 }],
    ['a later end of a key', { until: [{ id: keyId('k'), index: 51 }] }],
    ['one key less', { until: [] }],
  ])('the brake may not take %s', (_, members) => {
    expect(checkTransition('brake.updated', brake, { ...brake, ...members, rev: 1 })?.code).toBe(
      'may_only_tighten',
    );
  });

  test.each<[string, Partial<BrakeDocument>]>([
    ['fewer destroyed keys', { destroyed: [] }],
    ['fewer destroyed keys, even under a higher epoch', { epoch: 2, destroyed: [] }],
    ['another index of a destroyed key', { destroyed: [{ id: keyId('k'), index: 61 }] }],
  ])('the brake may not take %s', (_, members) => {
    const before = { ...brake, destroyed: [{ id: keyId('k'), index: 60 }] };
    expect(checkTransition('brake.updated', before, { ...before, ...members, rev: 1 })?.code).toBe(
      'state_forbids',
    );
  });

  it('the brake calls no key destroyed twice', () => {
    const destroyed = [60, 61].map((index) => ({ id: keyId('k'), index }));
    expect(checkTransition('brake.updated', brake, { ...brake, destroyed, rev: 1 })?.code).toBe('key_in_use');
  });

  it('the brake never goes back to a lower epoch', () => {
    expect(checkTransition('brake.updated', brake, { ...brake, epoch: 0, rev: 1 })).not.toBeNull();
  });

  test.each<[string, Partial<NamespaceDocument>]>([
    ['one more key', { keys: [key, { ...key, id: keyId('l') }] }],
    ['an earlier end of a key', { keys: [{ ...key, until: 20 }] }],
    ['a looser lock under a higher epoch', { epoch: 2, lock: 'open' }],
    ['another name', { name: 'Acme Inc' }],
  ])('the namespace may take %s', (_, members) => {
    expect(checkTransition('namespace.updated', namespace, { ...namespace, ...members, rev: 1 })).toBeNull();
  });

  test.each<[string, Partial<NamespaceDocument>]>([
    ['one key less', { keys: [] }],
    ['another start of a key', { keys: [{ ...key, from: 11 }] }],
    ['a later end of a key', { keys: [{ ...key, until: 51 }] }],
    ['an open end of a key', { keys: [{ ...key, until: null }] }],
    ['an open end of a key, even under a higher epoch', { epoch: 2, keys: [{ ...key, until: null }] }],
    ['a key twice', { keys: [key, key] }],
    ['a key that ends before it begins', { keys: [{ ...key, until: 9 }] }],
    ['a looser lock', { lock: 'open' }],
    ['a lower epoch', { epoch: 0 }],
    ['another mode', { mode: 'test' }],
  ])('the namespace may not take %s', (_, members) => {
    expect(
      checkTransition('namespace.updated', namespace, { ...namespace, ...members, rev: 1 }),
    ).not.toBeNull();
  });
});
