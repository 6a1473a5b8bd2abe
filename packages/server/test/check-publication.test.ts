import { Directory, defaultPolicyDocument } from '@tallystick/gate';
import { PolicyEngine } from '@tallystick/gate/policy';
import type { ApprovalRule, Command, PolicyContent, PolicyDocument } from '@tallystick/license';
import { describe, expect, test } from 'vitest';
import { checkPublication as check } from '../src/ledger-thread/gate/check-publication.ts';
import { Gatekeeper } from '../src/ledger-thread/gate/gatekeeper.ts';

const publish = (edit: (content: PolicyContent) => void = () => {}): Command => {
  const content = defaultPolicyDocument();
  edit(content);
  return { type: 'policy.publish', ...content };
};
const person = { kind: 'person' } as const;
const engine = new PolicyEngine(defaultPolicyDocument());
const checkPublication = (
  caller: Parameters<typeof check>[0],
  command: Command,
  {
    why = 'TICKET-1',
    shadowProblem = null,
    shadowedUnder = null,
  }: { why?: string | null; shadowProblem?: string | null; shadowedUnder?: string | null } = {},
): void => {
  const rules = { engine, content: defaultPolicyDocument() };
  check(caller, command, { why, rules, shadowProblem, shadowedUnder });
};
const asked = (command: Command): Command => ({ type: 'approval.request', command: { ...command } });

describe('a policy that is about to be put in force', () => {
  test('is let through where it can be evaluated and replaced', () => {
    expect(() => checkPublication(person, publish())).not.toThrow();
  });

  const misspelled = publish(({ policies }) => {
    policies.push({ id: 'new', lines: ['forbid(principal, action, resource)', 'when { context.resaon };'] });
  });

  test.each([
    ['itself', misspelled],
    ['by a request for approval', asked(misspelled)],
  ])('is refused %s where it cannot be evaluated, with policy and line', (_how, command) => {
    expect(() => checkPublication(person, command)).toThrow(
      expect.objectContaining({
        code: 'input_invalid',
        path: '$.policies',
        detail: expect.stringMatching(/^policy new, line 2: .*resaon/),
      }),
    );
  });

  test('is refused where nobody could replace it', () => {
    const last = publish((content) => {
      content.policies = content.policies.filter(({ id }) => id !== 'administrator-administers');
    });
    expect(() => checkPublication(person, last)).toThrow(expect.objectContaining({ code: 'input_invalid' }));
  });

  const limits = { termDays: 9, seats: null, perHour: null };
  const loosening = { ...limits, termDays: null, loosened: 0 };
  const rule: ApprovalRule = {
    actions: ['license.issue'],
    above: null,
    approvers: [{ role: 'issuer', count: 1 }],
    within: 'P1D',
  };

  test.each<[string, Partial<ApprovalRule>, RegExp]>([
    ['a command that there is not', { actions: ['license.issue', 'license.isue'] }, /names license\.isue/],
    ['what is no command', { actions: ['trust.get'] }, /names trust\.get/],
    ['amounts of a trust root', { actions: ['trust.publish'], above: loosening }, /limits trust\.publish/],
    ['revisions, and nothing of them', { actions: ['namespace.revise'], above: limits }, /never holds up/],
    [
      'revisions by the hour',
      { actions: ['namespace.revise'], above: { ...loosening, perHour: 3 } },
      /counts namespace\.revise by the hour/,
    ],
    ['a request for approval', { actions: ['approval.request'] }, /names approval\.request/],
    ['nothing', { actions: [] }, /names no command/],
    ['nobody who approves', { approvers: [] }, /nobody who approves/],
    ['a role that there is not', { approvers: [{ role: 'isuer', count: 1 }] }, /role isuer may approve/],
    ['a role that may not approve', { approvers: [{ role: 'viewer', count: 1 }] }, /role viewer may approve/],
  ])('is refused where a rule for approvals names %s, and so binds nobody', (_what, edit, message) => {
    const command = publish(({ approvals }) => void approvals.push({ ...rule, ...edit }));
    expect(() => checkPublication(person, command)).toThrow(
      expect.objectContaining({ code: 'input_invalid', detail: expect.stringMatching(message) }),
    );
  });

  test.each<[string, Partial<ApprovalRule>]>([
    ['what a revision loosens', { actions: ['namespace.revise'], above: loosening }],
    ['everything that is signed elsewhere', { actions: ['namespace.revise', 'trust.publish'] }],
  ])('is taken where a rule for approvals is for %s', (_what, edit) => {
    const command = publish(({ approvals }) => void approvals.push({ ...rule, ...edit }));
    expect(() => checkPublication(person, command)).not.toThrow();
  });

  test('is refused where it wants records of what is no route on disk first', () => {
    const command = publish(({ durable }) => void durable.push('license.gte'));
    expect(() => checkPublication(person, command)).toThrow(
      expect.objectContaining({ code: 'input_invalid', path: '$.durable' }),
    );
  });

  const shadowProblem = 'Nobody has looked.';
  const stricter = (edit: object = {}): Command => {
    const command = publish(({ policies }) => {
      policies.push({
        id: 'new',
        lines: ['forbid(principal, action == Action::"license.renew", resource);'],
      });
    });
    return { ...command, ...edit };
  };

  test.each([
    ['itself', stricter()],
    ['by a request for approval', asked(stricter())],
  ])(
    'is refused %s where it decides otherwise and nobody has looked, and not once somebody did',
    (_how, command) => {
      expect(() => checkPublication(person, command, { shadowProblem })).toThrow(
        expect.objectContaining({ code: 'shadow_needed', detail: shadowProblem }),
      );
      expect(() => checkPublication(person, command)).not.toThrow();
    },
  );

  test('is refused where what was looked at is held against a policy that is not in force any more', () => {
    const inForce = `${engine.policy} ${engine.schema}`;
    expect(() => checkPublication(person, stricter(), { shadowedUnder: inForce })).not.toThrow();
    expect(() => checkPublication(person, stricter(), { shadowedUnder: 'another' })).toThrow(
      expect.objectContaining({ code: 'shadow_needed', detail: expect.stringContaining('in force since') }),
    );
  });

  test.each(['PT12H', 'PT1M'])(
    'is refused where proof of presence is good for another time (%s), of which no shadow knows',
    (stepUp) => {
      const edit = (content: PolicyContent): void => {
        content.sessions = { ...content.sessions, stepUp };
      };
      expect(() => checkPublication(person, publish(edit))).toThrow(
        expect.objectContaining({ code: 'shadow_needed', detail: expect.stringContaining('stepUp') }),
      );
      const despite = { ...publish(edit), despiteShadow: true } as Command;
      expect(() => checkPublication(person, despite)).not.toThrow();
    },
  );

  test('needs nobody to look where only its settings differ, since no verdict can flip', () => {
    const command = publish(({ durable }) => void durable.pop());
    expect(() => checkPublication(person, command, { shadowProblem })).not.toThrow();
  });

  test('is put in force despite what a shadow says where somebody says why, and not without', () => {
    const command = stricter({ despiteShadow: true });
    expect(() => checkPublication(person, command, { shadowProblem })).not.toThrow();
    expect(() => checkPublication(person, command, { shadowProblem, why: null })).toThrow(
      expect.objectContaining({ code: 'reason_required' }),
    );
  });

  test('is refused from the token of tally init, which it would lock out', () => {
    expect(() => checkPublication({ kind: 'bootstrap' }, publish())).toThrow(
      expect.objectContaining({ code: 'forbidden' }),
    );
  });

  test('is the only command that is looked at', () => {
    expect(() => checkPublication(person, { type: 'customer.create' })).not.toThrow();
    expect(() => checkPublication(person, asked({ type: 'customer.create' }))).not.toThrow();
  });
});

test('a policy that is older than this version is told of at the start, with what nobody may do', () => {
  const { schema, ...content } = defaultPolicyDocument();
  const told: string[] = [];
  const directory = new Directory();
  const gatekeeper = new Gatekeeper({
    directory,
    governing: () => ({ lock: 'open', epoch: 0 }),
    now: () => '2026-11-26T12:00:00.000Z',
    onAlarm: (detail) => {
      told.push(detail);
    },
  });
  const at = (rev: number, lines: string[]): PolicyDocument => {
    return { v: 1, type: 'policy', ns: 'acme', id: 'policies', rev, crit: [], ...content, schema: lines };
  };
  gatekeeper.announceUnknown();
  directory.apply(at(0, schema));
  gatekeeper.announceUnknown();
  expect(told).toEqual([]);
  directory.apply(
    at(
      1,
      schema.filter((line) => !line.startsWith('action "log.tile"')),
    ),
  );
  gatekeeper.announceUnknown();
  expect(told).toEqual([
    expect.stringMatching(/revision 1, is older than log\.tile, which nobody may do: see tally/),
  ]);
});
