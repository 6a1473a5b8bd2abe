import {
  type ApprovalRule,
  type BrakeDocument,
  type Change,
  type Command,
  decide,
  type NamespaceDocument,
  type PrincipalDocument,
} from '@tallystick/license';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  actsAlone,
  applicableRules,
  type Effect,
  HourlyCounts,
  noEffect,
  type Proposed,
  policyContentHash,
} from '../../src/index.ts';
import { defaultPolicyDocument } from '../../src/policy/defaults/document.ts';

const ada = 'prn_00000000000000000000000001';
const grace = 'prn_00000000000000000000000002';
const eve = 'prn_00000000000000000000000003';

function principal(id: string, more: Partial<PrincipalDocument> = {}): PrincipalDocument {
  return {
    v: 1,
    type: 'principal',
    ns: 'acme',
    id,
    rev: 0,
    crit: [],
    kind: 'person',
    name: id,
    email: null,
    state: 'active',
    roles: [],
    metadata: {},
    ...more,
  };
}

const administrator = [{ role: 'administrator', products: null, until: null }];

function rule(above: ApprovalRule['above'], ...actions: string[]): ApprovalRule {
  return { actions, above, approvers: [{ role: 'issuer', count: 1 }], within: 'P1D' };
}

/** What falls under a rule, by why. */
function because(
  above: ApprovalRule['above'],
  effect: Partial<Effect>,
  count = 1,
  command: Command = { type: 'license.renew', license: 'x' },
): string[] {
  const proposed = {
    command,
    changes: [],
    effect: { ...noEffect, ...effect },
    author: ada,
    brake: null,
    namespace: null,
    principal: () => undefined,
  };
  return applicableRules([rule(above, command.type)], proposed, () => count).map((each) => each.because);
}

const limits = { termDays: 10, seats: 5, perHour: 3 };

describe('a rule', () => {
  test.each<[string, Partial<Effect>, number, string[]]>([
    ['a term as long as it may be', { termDays: 10 }, 1, []],
    ['a longer term', { termDays: 11 }, 1, ['what']],
    ['a term without end', { termDays: -1 }, 1, ['what']],
    ['an extension', { extendsDays: 11 }, 1, ['what']],
    ['an extension without end', { extendsDays: -1 }, 1, ['what']],
    ['as many seats as there may be', { seats: 5 }, 1, []],
    ['more seats', { seats: 6 }, 1, ['what']],
    ['unlimited seats', { seats: -1 }, 1, ['what']],
    ['no term and no seats', {}, 3, []],
    ['one command too many', {}, 4, ['how_many']],
  ])('with limits takes in %s as it should', (_, effect, count, expected) => {
    expect(because(limits, effect, count)).toEqual(expected);
  });

  it('without limits takes in everything that it names, and nothing else', () => {
    expect(because(null, {})).toEqual(['what']);
    const other: Command = { type: 'license.suspend', license: 'x', reason: 'abuse' };
    const proposed = {
      command: other,
      changes: [],
      effect: noEffect,
      author: ada,
      brake: null,
      namespace: null,
      principal: () => undefined,
    };
    expect(applicableRules([rule(null, 'license.renew')], proposed, () => 99)).toEqual([]);
  });

  it('for keys takes in a brake that ends one, or ends it earlier, and not one that locks', () => {
    const key = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
    const applies = (until: { id: string; index: number }[], before: typeof until): boolean => {
      const document = { type: 'brake', id: 'brake', lock: 'frozen', until };
      const brake = { until: before } as BrakeDocument;
      const changes = [{ type: 'brake.updated', document }] as unknown as Change[];
      const command: Command = { type: 'brake.tighten' };
      const proposed = {
        command,
        changes,
        effect: noEffect,
        author: ada,
        brake,
        namespace: null,
        principal: () => undefined,
      };
      const above = { termDays: null, seats: null, perHour: null, keys: 0 };
      return applicableRules([rule(above, command.type)], proposed, () => 1).length === 1;
    };
    expect(applies([], [])).toBe(false);
    expect(applies([{ id: key, index: 9 }], [])).toBe(true);
    expect(applies([{ id: key, index: 9 }], [{ id: key, index: 9 }])).toBe(false);
    expect(applies([{ id: key, index: 8 }], [{ id: key, index: 9 }])).toBe(true);
  });

  it('for what is loosened takes in a revision that does, also where a trust root brings it along', () => {
    const head = { type: 'namespace', epoch: 1, minEpoch: 0, keys: [] };
    const namespace = { ...head, lock: 'frozen' } as unknown as NamespaceDocument;
    const brake = { epoch: 1, lock: 'open', minEpoch: 0, until: [] } as unknown as BrakeDocument;
    const above = { termDays: null, seats: null, perHour: null, loosened: 0 };
    const applies = (command: Proposed['command'], document: object, known = true): boolean => {
      const changes = [{ type: 'namespace.updated', document }] as unknown as Change[];
      const before = known ? { brake, namespace } : { brake: null, namespace: null };
      const proposed = {
        command,
        changes,
        effect: noEffect,
        author: ada,
        principal: () => undefined,
        ...before,
      };
      return applicableRules([rule(above, 'namespace.revise')], proposed, () => 1).length === 1;
    };
    const unlocked = { ...head, epoch: 2, lock: 'open' };
    expect(applies({ type: 'namespace.revise' }, unlocked)).toBe(true);
    expect(applies({ type: 'namespace.revise' }, { ...namespace, lock: 'sealed' })).toBe(false);
    expect(applies({ type: 'trust.publish', namespace: {} }, unlocked)).toBe(true);
    expect(applies({ type: 'trust.publish' }, unlocked)).toBe(false);
    // What is not known to tighten may loosen.
    expect(applies({ type: 'namespace.revise' }, { ...namespace, lock: 'sealed' }, false)).toBe(true);
  });

  it('about access leaves alone what gives nobody anything', () => {
    const people = [principal(ada), principal(grace, { roles: administrator })];
    const applies = (command: Command, changes: Change[]) =>
      applicableRules(
        [rule(null, command.type)],
        {
          command,
          changes,
          effect: noEffect,
          author: ada,
          brake: null,
          namespace: null,
          principal: (id) => people.find((each) => each.id === id),
        },
        () => 1,
      ).length === 1;
    const made = (command: Command) => {
      const decision = decide(
        {
          subject: (type, id) => {
            const document = people.find((each) => each.id === id);
            return type === 'principal' && document !== undefined
              ? ({ document, companion: null, rev: 0 } as never)
              : undefined;
          },
          idByCode: () => undefined,
          idByReference: () => undefined,
          idByLicenseKey: () => undefined,
          licensesOfCustomer: () => [],
          plansOfProduct: () => [],
          idByCredential: () => undefined,
          principals: () => people.map(({ id }) => id),
          approvals: () => [],
        },
        command,
        {
          ns: 'acme',
          now: '2026-03-01T12:00:00.000Z',
          newId: (prefix) => `${prefix}_00000000000000000000000009`,
          newLicenseKey: () => '',
          lock: 'open',
          epoch: 0,
          index: 0,
          signedBrake: null,
          gate: null,
        },
      );
      if (!decision.ok) throw new Error(decision.refusal.message);
      return applies(command, decision.changes);
    };
    const person = { type: 'principal.create', kind: 'person', name: 'New' } as const;
    expect(made(person)).toBe(false);
    expect(made({ ...person, roles: [{ role: 'issuer' }] })).toBe(true);
    const key = { type: 'credential.create', kind: 'passkey', name: 'Key', lookup: 'x' } as const;
    expect(made({ ...key, principal: ada })).toBe(false);
    expect(made({ ...key, principal: grace })).toBe(true);
  });
});

describe('an author', () => {
  const both = [principal(ada, { roles: administrator }), principal(grace, { roles: administrator })];

  test.each<[string, PrincipalDocument[], string, boolean]>([
    ['who is the only person', [principal(ada), principal(eve, { kind: 'service' })], ada, true],
    [
      'who is the only administrator',
      [principal(ada, { roles: administrator }), principal(grace)],
      ada,
      true,
    ],
    ['beside another administrator', both, ada, false],
    ['who disabled every other administrator', [both[0]!, { ...both[1]!, state: 'disabled' }], ada, false],
    [
      'who disabled every other person',
      [principal(ada), principal(grace, { state: 'disabled' })],
      ada,
      false,
    ],
    [
      'who is not the administrator',
      [principal(ada, { roles: administrator }), principal(grace)],
      grace,
      false,
    ],
    ['who is a service among people', [...both, principal(eve, { kind: 'service' })], eve, false],
    [
      'beside somebody who was administrator for an hour',
      [
        principal(ada, { roles: administrator }),
        principal(grace, { roles: [{ ...administrator[0]!, until: '2026-03-01T12:00:00.000Z' }] }),
      ],
      ada,
      true,
    ],
    [
      'beside an administrator of one product',
      [
        principal(ada, { roles: administrator }),
        principal(grace, { roles: [{ role: 'administrator', products: ['prd_1'], until: null }] }),
      ],
      ada,
      true,
    ],
  ])('%s is bound, or not', (_, principals, author, isAlone) => {
    expect(actsAlone(author, principals, '2026-03-01T12:00:00.000Z')).toBe(isAlone);
  });
});

describe('counts of an hour', () => {
  const hour = 3_600_000;

  it('are those of a principal and an action, and end after an hour', () => {
    const counts = new HourlyCounts();
    const requests = [{}, {}, {}, {}];
    counts.add(ada, 'a', 0, requests[0]!);
    counts.add(ada, 'a', 0, requests[0]!);
    counts.add(ada, 'b', 1, requests[1]!);
    counts.add(grace, 'a', 2, requests[2]!);
    expect(counts.count(ada, ['a', 'b'], 10, null)).toBe(2);
    expect(counts.count(ada, ['a'], 10, requests[0]!)).toBe(0);
    expect(counts.count(ada, ['a', 'b'], hour, null)).toBe(1);
    counts.remove(ada, requests[1]!);
    expect(counts.count(ada, ['a', 'b'], hour, null)).toBe(0);
    expect(counts.count(grace, ['a'], hour, null)).toBe(1);
  });

  it('never fall short of what was asked for within the hour', () => {
    const steps = fc.array(fc.record({ after: fc.nat(hour), isBack: fc.boolean() }), { maxLength: 30 });
    fc.assert(
      fc.property(steps, (asked) => {
        const counts = new HourlyCounts();
        const model: number[] = [];
        let at = 0;
        for (const { after, isBack } of asked) {
          at += after;
          const request = {};
          counts.add(ada, 'a', at, request);
          if (isBack) counts.remove(ada, request);
          else model.push(at);
          const now = at;
          expect(counts.count(ada, ['a'], now, null)).toBe(model.filter((each) => each > now - hour).length);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('begin anew once others have approved, and are too high while nothing is known', () => {
    const counts = new HourlyCounts();
    counts.add(ada, 'a', 0, {});
    counts.add(ada, 'b', 0, {});
    const before = counts.asked(ada);
    counts.add(ada, 'a', 0, {});
    counts.clear(ada, ['a'], before);
    // What came behind it counts.
    expect(counts.count(ada, ['a'], 1, null)).toBe(1);
    counts.clear(ada, ['a'], counts.asked(ada));
    expect([counts.count(ada, ['a'], 1, null), counts.count(ada, ['b'], 1, null)]).toEqual([0, 1]);
    counts.forget(1);
    expect(counts.count(grace, ['a'], hour, null)).toBe(Number.POSITIVE_INFINITY);
    counts.clear(ada, ['a'], counts.asked(ada));
    expect(counts.count(ada, ['a'], hour, null)).toBe(0);
    expect(counts.count(ada, ['a', 'b'], hour, null)).toBe(Number.POSITIVE_INFINITY);
    expect(counts.count(grace, ['a'], hour + 1, null)).toBe(0);
  });
});

it('approvals are for everything that a policy says, its rules for approvals as well', () => {
  const content = defaultPolicyDocument();
  const hashes = [
    content,
    { ...content, approvals: content.approvals.slice(1) },
    { ...content, durable: [] },
    { ...content, sessions: { ...content.sessions, idle: 'PT1H' } },
    { ...content, policies: content.policies.slice(1) },
    { ...content, schema: content.schema.slice(1) },
  ].map(policyContentHash);
  expect(new Set(hashes).size).toBe(hashes.length);
});
