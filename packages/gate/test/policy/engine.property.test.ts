import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { actionNames, actions } from '../../src/policy/actions.ts';
import { defaultPolicyDocument } from '../../src/policy/defaults/document.ts';
import { defaultRoles } from '../../src/policy/defaults/roles.ts';
import { PolicyEngine } from '../../src/policy/engine.ts';
import {
  canonicalInput,
  type DecisionInput,
  inputHash,
  inputZones,
  principalKinds,
} from '../../src/policy/input.ts';
import { Memo } from '../../src/policy/memo.ts';
import { provenInput } from '../../src/policy/policy-table.ts';

const document = defaultPolicyDocument();
const engine = new PolicyEngine(document);
/** What an administrator may publish in between: a rule gone, and a rule that is new. */
const others = [
  new PolicyEngine({
    ...document,
    policies: document.policies.filter(({ id }) => id !== 'people-give-a-reason'),
  }),
  new PolicyEngine({
    ...document,
    policies: [
      ...document.policies,
      { id: 'stop', lines: ['forbid(principal, action in Action::"entitle", resource);'] },
    ],
  }),
];

/** From few values each, so that inputs come again. */
const days = fc.constantFrom(null, -1, 1, 31, 32, 1830, 1831);
const inputs: fc.Arbitrary<DecisionInput> = fc
  .record({
    action: fc.oneof(
      {
        weight: 3,
        arbitrary: fc.constantFrom('license.renew', 'license.issue', 'principal.assign', 'credential.create'),
      },
      { weight: 1, arbitrary: fc.constantFrom(...actionNames) },
    ),
    roles: fc.subarray([...defaultRoles, 'bootstrap', 'mirror'], { maxLength: 2 }),
    kind: fc.constantFrom(...principalKinds),
    own: fc.boolean(),
    zone: fc.constantFrom(...inputZones, 'admin', 'admin', 'admin'),
    strength: fc.constantFrom(1, 2, 3),
    flags: fc.record({
      stepUp: fc.boolean(),
      signed: fc.boolean(),
      reason: fc.boolean(),
      approved: fc.boolean(),
    }),
    amounts: fc.record({ extendsDays: days, termDays: days, seats: days }),
    rolesChanged: fc.subarray(['administrator', 'mirror'], { maxLength: 1 }),
  })
  .map(({ action, roles, kind, own, zone, strength, flags, amounts, rolesChanged }) => {
    const input = provenInput(kind, roles, action);
    return {
      ...input,
      resource: { ...input.resource, own },
      context: { ...input.context, ...flags, ...amounts, zone, strength, rolesChanged },
    };
  });

describe('what an engine remembers', () => {
  test('is what it would decide anew, also after the policy was another one for a while', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(inputs, fc.nat({ max: 2 })), { minLength: 2, maxLength: 12 }),
        (asked) => {
          for (const [input, at] of [...asked, ...asked]) {
            const current = [engine, ...others][at] ?? engine;
            const remembered = current.decide(input);
            expect(remembered).toEqual(current.decideAnew(input));
            expect(remembered.policy).toBe(current.policy);
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  test('does not depend on the order of members, roles and networks', () => {
    const input = provenInput('person', ['issuer', 'viewer'], 'license.issue');
    const { principal, action, resource, context } = input;
    const turned: DecisionInput = {
      context: { ...context, networks: ['b', 'a'] },
      resource,
      action,
      principal: { roles: [...principal.roles].reverse(), kind: principal.kind, id: principal.id },
    };
    const canonical = canonicalInput({ ...input, context: { ...context, networks: ['a', 'b'] } });
    expect(canonicalInput(turned)).toBe(canonical);
    expect(engine.decide(turned).entities).toBe(inputHash(canonical));
  });

  test('holds for nothing in which any member is another', () => {
    const input = provenInput('person', ['issuer'], 'license.issue');
    const other = (value: unknown): unknown => {
      if (typeof value === 'boolean') return !value;
      if (typeof value === 'number') return value + 1;
      if (Array.isArray(value)) return ['other'];
      if (value !== null && typeof value === 'object')
        return { managed: true, encrypted: true, attested: true };
      return value === null ? 1 : 'other';
    };
    const changed = (['principal', 'resource', 'context'] as const).flatMap((part) =>
      Object.entries(input[part]).map(([name, value]) => ({
        ...input,
        [part]: { ...input[part], [name]: other(value) },
      })),
    );
    const keys = [input, { ...input, action: 'license.renew' }, ...changed].map((each) =>
      canonicalInput(each),
    );
    expect(keys.length).toBeGreaterThan(25);
    expect(new Set(keys).size).toBe(keys.length);
  });

  test('cannot be changed by who was told', () => {
    const input = provenInput('person', ['viewer'], 'license.issue');
    const decision = engine.decide(input);
    expect(() => Object.assign(decision, { allowed: true })).toThrow();
    expect(() => decision.reasons.push('x')).toThrow();
    expect(engine.decide(input).allowed).toBe(false);
  });

  test('is bounded, and loses what was not asked for longest', () => {
    const memo = new Memo<number>(2);
    memo.set('a', 1);
    memo.set('b', 2);
    memo.get('a');
    memo.set('c', 3);
    expect([memo.get('a'), memo.get('b'), memo.get('c')]).toEqual([1, undefined, 3]);
  });
});

describe('an input that is none', () => {
  const permitsAll = new PolicyEngine({
    schema: document.schema,
    policies: [{ id: 'all', lines: ['permit(principal, action, resource);'] }],
  });
  const valid = provenInput('person', ['issuer'], 'license.issue');

  test('is denied with an error, whatever it is, under a policy that permits everything', () => {
    expect(permitsAll.decide(valid).allowed).toBe(true);
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true }), (garbage) => {
        const decision = permitsAll.decide(garbage as DecisionInput);
        expect(decision.allowed).toBe(false);
        expect(decision.errors.length).toBeGreaterThan(0);
      }),
      { numRuns: 200 },
    );
  });

  test('is denied where any one member of a valid one is something else', () => {
    const wrong = fc.oneof(
      fc.constantFrom<unknown>(
        undefined,
        null,
        'true',
        1.5,
        -2,
        Number.NaN,
        '',
        {},
        [],
        ['b', 1],
        ['a', 'a'],
        2 ** 53,
      ),
      fc.constantFrom<unknown>(
        { __entity: { type: 'Role', id: 'administrator' } },
        { __extn: { fn: 'ip', arg: '::1' } },
      ),
      fc.constantFrom<unknown>('\ud800', 'a\u0000b', 'x'.repeat(257), new Map(), () => true),
    );
    const paths = (['principal', 'resource', 'context'] as const).flatMap((part) =>
      Object.keys(valid[part]).map((name) => [part, name] as const),
    );
    fc.assert(
      fc.property(fc.constantFrom(...paths), wrong, ([part, name], value) => {
        const input = { ...valid, [part]: { ...valid[part], [name]: value } };
        const decision = permitsAll.decide(input);
        const isFine = isPossible(name, value);
        expect([name, value, decision.allowed]).toEqual([name, value, isFine]);
        expect(decision.errors.length > 0).toBe(!isFine);
      }),
      { numRuns: 400 },
    );
  });

  /** The few of the values above that a member may well have. */
  function isPossible(name: string, value: unknown): boolean {
    const mayBeNull = ['product', 'state', 'purpose', 'extendsDays', 'termDays', 'seats'];
    const isList = ['roles', 'networks', 'rolesChanged'].includes(name);
    if (value === null) return mayBeNull.includes(name);
    if (value === 'true') return ['id', 'product', 'state', 'purpose'].includes(name);
    return isList && Array.isArray(value) && value.length === 0;
  }

  test('is denied where it asks for an action or a role that the schema does not have', () => {
    for (const action of ['license.isue', 'entitle', '__proto__', 'constructor', '', 'license.issue"'])
      expect(permitsAll.decide({ ...valid, action })).toMatchObject({ allowed: false, lacks: null });
    const stranger = permitsAll.decide(provenInput('person', ['emperor'], 'license.issue'));
    expect([stranger.allowed, stranger.errors.length]).toEqual([false, 1]);
  });

  test('is denied where the resource is of a type that the action is not about', () => {
    const input = { ...valid, resource: { ...valid.resource, type: 'Policy' as const } };
    expect(permitsAll.decide(input).errors.length).toBeGreaterThan(0);
    expect(actions['license.issue']?.resource).toBe('License');
  });

  test('that answers differently each time it is read is decided as it was read, and hashed so', () => {
    let reads = 0;
    const context = {
      ...valid.context,
      get reason() {
        reads += 1;
        return reads === 1;
      },
    };
    const decision = engine.decide({ ...valid, context });
    expect(decision.entities).toBe(inputHash(canonicalInput(valid)));
    expect(decision.allowed).toBe(true);
  });
});
