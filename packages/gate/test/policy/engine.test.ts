/** Each way in which bare Cedar fails open, shown first, and the engine beside it. */
import { isAuthorized, policySetTextToParts, type StaticPolicySet } from '@cedar-policy/cedar-wasm/nodejs';
import { type PolicyContent, parseCommand } from '@tallystick/license';
import { describe, expect, test } from 'vitest';
import { checkCandidate } from '../../src/policy/check-candidate.ts';
import { defaultPolicyDocument } from '../../src/policy/defaults/document.ts';
import { checkPolicySet, PolicyEngine } from '../../src/policy/engine.ts';
import type { DecisionInput } from '../../src/policy/input.ts';
import { PolicyError, type PolicySource, policySetHash, schemaHash } from '../../src/policy/policy-source.ts';
import { provenInput } from '../../src/policy/policy-table.ts';

const { schema } = defaultPolicyDocument();
const engineOf = (policies: Record<string, string>, lines: readonly string[] = schema): PolicyEngine =>
  new PolicyEngine({
    schema: lines,
    policies: Object.entries(policies).map(([id, text]) => ({ id, lines: text.split('\n') })),
  });
const errorOf = (source: () => unknown): PolicyError => {
  try {
    source();
  } catch (error) {
    if (error instanceof PolicyError) return error;
    throw error;
  }
  throw new Error('it was accepted');
};
const permitAll = 'permit(principal, action, resource);';
const issue = provenInput('person', ['issuer'], 'license.issue');

/** Asks Cedar as a program would that does not know better: no schema, and entities as they come. */
function bareCedar(staticPolicies: StaticPolicySet, context: Record<string, boolean> = {}) {
  const answer = isAuthorized({
    principal: { type: 'Caller', id: 'prn_person' },
    action: { type: 'Action', id: 'license.issue' },
    resource: { type: 'License', id: 'this' },
    context,
    policies: { staticPolicies },
    entities: [],
  });
  if (answer.type === 'failure') throw new Error('Cedar refused');
  return answer.response;
}

describe('where bare Cedar fails open', () => {
  test('a forbid on a group of actions never matches without a schema; here the schema is always there', () => {
    const policies = { all: permitAll, stop: 'forbid(principal, action in Action::"entitle", resource);' };
    expect(bareCedar(policies).decision).toBe('allow');
    expect(engineOf(policies).decide(issue)).toMatchObject({ allowed: false, reasons: ['stop'], errors: [] });
  });

  test('a forbid that reads an entity which is missing is skipped; here no entity that it may read is', () => {
    const stop = 'forbid(principal, action, resource) when { !resource.own };';
    const bare = bareCedar({ all: permitAll, stop });
    expect([bare.decision, bare.diagnostics.errors.length]).toEqual(['allow', 1]);
    expect(engineOf({ all: permitAll, stop }).decide(issue)).toMatchObject({
      allowed: false,
      reasons: ['stop'],
    });
  });

  test('a forbid that reads an entity by its name is skipped as well; here the error is a denial', () => {
    const stop = 'forbid(principal, action, resource) when { Caller::"prn_other".kind == Kind::"person" };';
    expect(bareCedar({ all: permitAll, stop }).decision).toBe('allow');
    const decision = engineOf({ all: permitAll, stop }).decide(issue);
    expect(decision).toMatchObject({ allowed: false, lacks: null });
    expect(decision.errors).toEqual([expect.stringContaining('prn_other')]);
  });

  test('a forbid whose arithmetic overflows is skipped; here the error is a denial', () => {
    const overflow = '9223372036854775807 + ';
    expect(
      bareCedar({ all: permitAll, stop: `forbid(principal, action, resource) when { ${overflow} 1 > 0 };` })
        .decision,
    ).toBe('allow');
    const engine = engineOf({
      all: permitAll,
      stop: `forbid(principal, action, resource) when { ${overflow} context.strength > 0 };`,
    });
    const { allowed, errors } = engine.decide(issue);
    expect([allowed, errors.length]).toEqual([false, 1]);
  });

  test('a forbid on a misspelled attribute is skipped; here the policy set is refused, with its line', () => {
    const stop = 'forbid(principal, action, resource)\nwhen {\n  "Grüße" != "ä" && !context.resaon\n};';
    expect(bareCedar({ all: permitAll, stop }, { reason: false }).decision).toBe('allow');
    expect(errorOf(() => engineOf({ all: permitAll, stop }))).toMatchObject({
      policy: 'stop',
      line: 3,
      message: expect.stringContaining('resaon'),
    });
  });

  test('an optional attribute that is not there is an error; here a policy has to ask with has', () => {
    const stop = 'forbid(principal, action, resource) when { resource.state == "revoked" };';
    expect(bareCedar({ all: permitAll, stop }).decision).toBe('allow');
    expect(errorOf(() => engineOf({ all: permitAll, stop })).message).toContain('optional');
  });

  test('@id is not the id of a policy; here the id is the one of the document', () => {
    const parts = policySetTextToParts(`@id("mine")\n${permitAll}`);
    const staticPolicies = parts.type === 'success' ? parts.policies.join('\n') : '';
    expect(bareCedar(staticPolicies).diagnostics.reason).toEqual(['policy0']);
    expect(engineOf({ ours: `@id("mine")\n${permitAll}` }).decide(issue).reasons).toEqual(['ours']);
  });
});

describe('a policy set', () => {
  test('that comes with the software is as good as any, though no start checks it', () => {
    const own = defaultPolicyDocument();
    expect(checkPolicySet(own)).toEqual(new PolicyEngine(own).roles);
  });

  const when = (condition: string) => `permit(principal, action, resource) when { ${condition} };`;
  test.each<[string, Record<string, string>]>([
    [
      'an action that does not exist',
      { a: 'permit(principal, action == Action::"license.isue", resource);' },
    ],
    ['a role that does not exist', { a: 'permit(principal in Role::"isuer", action, resource);' }],
    ['a kind that does not exist', { a: when('principal.kind == Kind::"humam"') }],
    ['a lock that does not exist', { a: when('context.lock == Lock::"locked"') }],
    [
      'a resource that the action is never about',
      { a: 'permit(principal, action == Action::"license.get", resource is Plan);' },
    ],
    ['a condition that never holds', { a: when('1 == 2') }],
    ['text that mixes scripts', { a: when('context.networks.contains("\u043Effice")') }],
    ['a slot', { a: 'permit(principal == ?principal, action, resource);' }],
    ['two policies in one', { a: permitAll + permitAll }],
    ['nothing in it', { a: '' }],
    ['text that turns around', { a: `// \u202E\n${permitAll}` }],
    ['a hidden character', { a: `${permitAll}\u0000` }],
    ['a floating number', { a: when('context.strength > 1.5') }],
    ['an id that is none', { __proto: permitAll }],
    ['types that do not fit', { a: when('context.strength == "2"') }],
  ])('with %s is refused', (_what, policies) => {
    expect(errorOf(() => engineOf(policies))).toBeInstanceOf(PolicyError);
  });

  test('with two policies of one id is refused', () => {
    const policy = { id: 'twice', lines: [permitAll] };
    expect(errorOf(() => new PolicyEngine({ schema, policies: [policy, policy] })).policy).toBe('twice');
  });

  test.each<[string, string[]]>([
    ['is not one', ['entity']],
    ['is empty', []],
    ['has no roles', ['entity Role;']],
  ])('under a schema that %s is refused', (_what, lines) => {
    expect(errorOf(() => engineOf({ all: permitAll }, lines)).policy).toBe(null);
  });

  test('has a name that changes with every byte of it, and not with the order of policies', () => {
    const source = defaultPolicyDocument();
    const hash = policySetHash(source);
    expect(policySetHash({ ...source, policies: [...source.policies].reverse() })).toBe(hash);
    const changed: PolicySource[] = [
      { ...source, policies: source.policies.slice(1) },
      {
        ...source,
        policies: source.policies.map(({ id, lines }, at) => ({ id: at === 0 ? `${id}x` : id, lines })),
      },
      { ...source, policies: source.policies.map(({ id, lines }) => ({ id, lines: [...lines, ''] })) },
    ];
    expect(new Set([hash, ...changed.map(policySetHash)]).size).toBe(4);
    expect(schemaHash({ ...source, schema: [...source.schema, ''] })).not.toBe(schemaHash(source));
  });

  test('does not stand in for another one that was parsed in the same thread', () => {
    const open = engineOf({ one: permitAll });
    const shut = engineOf({ one: 'forbid(principal, action, resource);' });
    const named = engineOf({ two: permitAll });
    expect([open, shut, named].map((engine) => engine.decideAnew(issue).reasons)).toEqual([
      ['one'],
      ['one'],
      ['two'],
    ]);
    expect([open, shut].map((engine) => engine.decide(issue).allowed)).toEqual([true, false]);
  });
});

describe('a candidate for publication', () => {
  const change = (edit: (document: PolicyContent) => void): PolicyContent => {
    const document = defaultPolicyDocument();
    edit(document);
    return document;
  };

  test('that comes with Tallystick is fit to be published', () => {
    const document = defaultPolicyDocument();
    expect(parseCommand({ type: 'policy.publish', ...document })).toEqual({
      type: 'policy.publish',
      ...document,
    });
    expect(checkCandidate(document).roles).toContain('administrator');
  });

  test('under which nobody could publish another one is refused', () => {
    const locked = change((document) => {
      document.policies = document.policies.filter(({ id }) => id !== 'administrator-administers');
    });
    expect(errorOf(() => checkCandidate(locked)).message).toContain('no role could publish another policy');
  });

  test('may demand a device, a network and office hours of who publishes, but not what never is', () => {
    const withRule = (condition: string): PolicyContent =>
      change((document) => {
        const lines = [
          `forbid(principal, action == Action::"policy.publish", resource) unless { ${condition} };`,
        ];
        document.policies.push({ id: 'only-there', lines });
      });
    const there = 'context.networks.contains("office") && context.device.attested && context.hour == 9';
    expect(checkCandidate(withRule(there)).roles).toContain('administrator');
    expect(errorOf(() => checkCandidate(withRule('context.hour > 23'))).message).toContain(
      'no role could publish',
    );
  });

  test('whose schema lacks an action that the server asks about is refused, with its name', () => {
    const lacking = change((document) => {
      document.schema = document.schema.filter((line) => !line.startsWith('action "plan.get"'));
    });
    expect(errorOf(() => checkCandidate(lacking)).message).toContain('plan.get');
  });

  test('whose schema lacks something that the server says of each request is refused', () => {
    const { policies } = defaultPolicyDocument();
    const lacking: PolicySource = {
      schema: schema.filter((line) => !line.includes('"epoch"')),
      policies,
    };
    expect(errorOf(() => checkCandidate({ ...lacking, approvals: [] })).message).toContain('epoch');
  });
});

describe('what device, network, time and purpose can decide', () => {
  const narrowed = engineOf({
    all: permitAll,
    device:
      'forbid(principal, action in Action::"change", resource)\nunless { context.device.managed && context.device.encrypted };',
    network:
      'forbid(principal, action in Action::"govern", resource) unless { context.networks.contains("office") };',
    hours:
      'forbid(principal, action in Action::"entitle", resource)\nwhen { context.weekday > 5 || context.hour < 8 || context.hour >= 18 };',
    purpose:
      'forbid(principal, action in Action::"evidence", resource)\nunless { context has purpose && context.purpose == "audit" };',
    lock: 'forbid(principal, action in Action::"entitle", resource) when { context.lock == Lock::"heightened" && !context.approved };',
    product:
      'forbid(principal, action in Action::"entitle", resource)\nwhen { resource has product && resource.product == "flagship" };',
  });
  const device = { managed: true, encrypted: true, attested: false };
  const verdict = (
    action: string,
    context: Partial<DecisionInput['context']>,
    resource: Partial<DecisionInput['resource']> = {},
  ) => {
    const input = provenInput('person', ['issuer'], action);
    return narrowed.decide({
      ...input,
      resource: { ...input.resource, ...resource },
      context: { ...input.context, device, ...context },
    });
  };

  test.each<[string, string, Partial<DecisionInput['context']>, string[]]>([
    ['a managed device with an encrypted disk', 'license.issue', {}, ['all']],
    ['an unknown device', 'license.issue', { device: { ...device, managed: false } }, ['device']],
    ['a disk in the clear', 'license.issue', { device: { ...device, encrypted: false } }, ['device']],
    ['the office', 'namespace.revise', { networks: ['office', 'vpn'] }, ['all']],
    ['elsewhere', 'namespace.revise', { networks: ['vpn'] }, ['network']],
    ['a Saturday', 'license.issue', { weekday: 6 }, ['hours']],
    ['seven in the morning', 'license.issue', { hour: 7 }, ['hours']],
    ['an audit', 'access.list', { purpose: 'audit' }, ['all']],
    ['another purpose', 'access.list', { purpose: 'curiosity' }, ['purpose']],
    ['no purpose', 'access.list', {}, ['purpose']],
    ['a heightened lock', 'license.issue', { lock: 'heightened' }, ['lock']],
    ['a heightened lock with an approval', 'license.issue', { lock: 'heightened', approved: true }, ['all']],
  ])('%s', (_what, action, context, reasons) => {
    expect(verdict(action, context)).toMatchObject({ allowed: reasons[0] === 'all', reasons, errors: [] });
  });

  test('the product', () => {
    expect(verdict('license.issue', {}, { product: 'flagship' }).reasons).toEqual(['product']);
    expect(verdict('license.issue', {}, { product: 'other' }).allowed).toBe(true);
  });

  test('a lock that the schema does not have is an alarm, and not a lock that no rule is about', () => {
    expect(verdict('license.issue', { lock: 'molten' })).toMatchObject({ allowed: false, lacks: null });
    expect(verdict('license.issue', { lock: 'molten' }).errors).not.toEqual([]);
  });
});
