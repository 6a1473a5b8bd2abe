import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type ActionGroup, actionNames, actions } from '../../src/policy/actions.ts';
import { defaultPolicyDocument } from '../../src/policy/defaults/document.ts';
import { defaultRoles } from '../../src/policy/defaults/roles.ts';
import { PolicyEngine } from '../../src/policy/engine.ts';
import type { PrincipalKind } from '../../src/policy/input.ts';
import { failuresOf, outcomeOf, provenInput, readTable } from '../../src/policy/policy-table.ts';

const engine = new PolicyEngine(defaultPolicyDocument());
const load = (name: string, kind: PrincipalKind = 'person') =>
  readTable(readFileSync(new URL(`tables/${name}.csv`, import.meta.url), 'utf8'), kind);
const failures = (cases: ReturnType<typeof readTable>) =>
  failuresOf(engine, cases).map(({ line, input, decision, ...wanted }) => ({
    line,
    roles: input.principal.roles.join(' '),
    action: input.action,
    ...wanted,
    got: outcomeOf(decision),
    because: [...decision.reasons, ...decision.errors],
  }));

describe('the default policies', () => {
  test.each(['person', 'service'] as const)(
    'decide every role × action of a %s as its table says',
    (kind) => {
      const cases = load(kind, kind);
      expect(failures(cases)).toEqual([]);
      const cells = cases.map(({ input }) => `${input.principal.roles.join()} ${input.action}`).sort();
      const wanted = defaultRoles.flatMap((role) => actionNames.map((action) => `${role} ${action}`)).sort();
      expect(cells).toEqual(wanted);
    },
  );

  test('decide the cases of each rule as their table says', () => {
    expect(failures(load('cases'))).toEqual([]);
  });

  test('let each rule decide in some case, so that none is dead', () => {
    const cases = [...load('person'), ...load('service', 'service'), ...load('cases')];
    const decisive = new Set(cases.flatMap(({ input }) => engine.decide(input).reasons));
    const { policies } = defaultPolicyDocument();
    expect(policies.map(({ id }) => id).filter((id) => !decisive.has(id))).toEqual([]);
  });

  test('give a partner that signs nothing that they do not give a service', () => {
    for (const role of defaultRoles) {
      for (const action of actionNames) {
        const partner = engine.decide(provenInput('partner', [role], action));
        if (partner.allowed) expect(engine.decide(provenInput('service', [role], action)).allowed).toBe(true);
      }
    }
  });

  const allowedTo = (kind: PrincipalKind, role: string): string[] =>
    actionNames.filter((action) => engine.decide(provenInput(kind, [role], action)).allowed);
  const isIn = (group: ActionGroup) => (action: string) => actions[action]?.groups.includes(group) ?? false;

  test('let an auditor, a viewer and a mirror change nothing', () => {
    expect(allowedTo('person', 'auditor').filter(isIn('change'))).toEqual([]);
    expect(allowedTo('person', 'viewer').filter(isIn('change'))).toEqual([]);
    expect(allowedTo('mirror', 'mirror').filter((action) => !isIn('mirror')(action))).toEqual([]);
  });

  test('let an incident responder only tighten, and an administrator give no license', () => {
    const responds = allowedTo('service', 'incident-responder').filter(isIn('change'));
    expect(responds.length).toBeGreaterThan(0);
    expect(responds.filter((action) => !isIn('tighten')(action))).toEqual([]);
    expect(allowedTo('person', 'administrator').filter(isIn('entitle'))).toEqual([]);
  });
});

describe('a decision table', () => {
  const head = 'roles,kind,action,given,expect';
  test.each([
    ['', 'the table is empty'],
    ['nonsense,1', 'line 1'],
    [`${head}\nissuer,person,license.isue,,allow`, 'line 2 of the table: license.isue is no action'],
    [`${head}\nissuer,human,license.issue,,allow`, 'human is none of person'],
    [`${head}\nissuer,person,license.issue,,maybe`, 'maybe is none of allow'],
    [`${head}\nissuer,person,license.issue,context.resaon=false,allow`, 'an input has no context.resaon'],
    [`${head}\nissuer,person,license.issue,context.__proto__=1,allow`, 'is no <member>=<value>'],
    [`${head}\nissuer,person,license.issue,allow`, 'five cells'],
    ['action,viewer,issuer\nlicense.get,allow', '2 roles, 1 cells'],
  ])('that cannot be read is refused with its line: %j', (text, message) => {
    expect(() => readTable(text)).toThrow(message);
  });

  test('that expects something else fails with what was decided', () => {
    const [failure] = failuresOf(
      engine,
      readTable(`# a comment\n${head}\n\nviewer,person,license.issue,,allow`),
    );
    expect(failure).toMatchObject({ line: 4, expect: 'allow', decision: { allowed: false, lacks: null } });
  });
});
