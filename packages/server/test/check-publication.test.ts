import { defaultPolicyDocument } from '@tallystick/gate';
import { PolicyEngine } from '@tallystick/gate/policy';
import type { Command, PolicyContent } from '@tallystick/license';
import { describe, expect, test } from 'vitest';
import { checkPublication as check } from '../src/ledger-thread/gate/check-publication.ts';

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
  { why = 'TICKET-1', shadowProblem = null }: { why?: string | null; shadowProblem?: string | null } = {},
): void => check(caller, command, { why, rules: { engine }, shadowProblem });
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

  const rule = {
    actions: ['license.issue'],
    above: null,
    approvers: [{ role: 'issuer', count: 1 }],
    within: 'P1D',
  };

  test.each<[string, Partial<typeof rule>, RegExp]>([
    ['a command that there is not', { actions: ['license.issue', 'license.isue'] }, /names license\.isue/],
    ['what is no command', { actions: ['trust.publish'] }, /names trust\.publish/],
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
