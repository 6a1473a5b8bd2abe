/** What a log says of approvals, held against the rules and roles of its time. */
import { Directory, defaultPolicyDocument, policyContentHash } from '@tallystick/gate';
import type { CauseDocument } from '@tallystick/ledger';
import { type ApprovalDocument, bindingOf, type PrincipalDocument } from '@tallystick/license';
import { expect, test } from 'vitest';
import { approvalProblem } from '../src/decisions/approval-problem.ts';

const head = { v: 1 as const, ns: 'acme', rev: 0, crit: [] };
const at = '2026-11-26T08:00:00.000Z';
const policy = { ...head, type: 'policy' as const, id: 'policies', ...defaultPolicyDocument() };
const directory = new Directory();
directory.apply(policy);
for (const [id, role] of [
  ['prn_ada', 'administrator'],
  ['prn_bea', 'administrator'],
  ['prn_ina', 'issuer'],
] as const) {
  const person = { kind: 'person', name: id, email: null, state: 'active', metadata: {} } as const;
  const roles = [{ role, products: null, until: null }];
  directory.apply({ ...head, ...person, type: 'principal', id, roles } satisfies PrincipalDocument);
}

const command = { type: 'principal.assign', principal: 'prn_ina', roles: [] };
const bound = { policy: policyContentHash(policy), epoch: 1 };
const given = { principal: 'prn_bea', credential: 'crd_bea', session: null, role: 'administrator', at };
const request: ApprovalDocument = {
  ...head,
  ...bound,
  type: 'approval',
  id: 'apr_x',
  state: 'approved',
  author: { principal: 'prn_ada', credential: 'crd_ada', session: null },
  command,
  why: null,
  binding: bindingOf(command, bound),
  approvers: [{ role: 'administrator', count: 1 }],
  notAfter: '2026-11-27T08:00:00.000Z',
  approvals: [given],
  rejected: null,
};

const cause = (id: string, type: string, approvals: object | null = null): CauseDocument =>
  ({ v: 2, command: type, who: { kind: 'person', id }, approvals, at }) as unknown as CauseDocument;
const problem = (told: CauseDocument, document: ApprovalDocument): string | null =>
  approvalProblem(told, { documents: [document], licenses: new Map() }, directory, []);

test('what is as it has to be is no problem', () => {
  expect(problem(cause('prn_ada', 'approval.request'), { ...request, approvals: [] })).toBeNull();
  expect(problem(cause('prn_bea', 'approval.approve'), request)).toBeNull();
  const { principal, credential } = given;
  const by = [{ principal, credential, at }];
  expect(problem(cause('prn_ada', 'approval.execute', { approval: 'apr_x', by }), request)).toBeNull();
});

test.each<[string, CauseDocument, Partial<ApprovalDocument>, string]>([
  [
    'an approval for a role that its giver did not have',
    cause('prn_ina', 'approval.approve'),
    { approvals: [{ ...given, principal: 'prn_ina' }] },
    'prn_ina approved it as administrator, and was none',
  ],
  [
    'an approval in the name of somebody else',
    cause('prn_ina', 'approval.approve'),
    {},
    'prn_ina approved it in the name of prn_bea',
  ],
  [
    'fewer approvers than the rules ask for',
    cause('prn_ada', 'approval.request'),
    { approvers: [] },
    'the policy asks for other approvers',
  ],
  [
    'another command than was approved',
    cause('prn_ada', 'approval.execute'),
    { command: { ...command, principal: 'prn_ada' } },
    'the request is bound to another command or policy',
  ],
  [
    'another policy than the one in force',
    cause('prn_ada', 'approval.request'),
    { policy: 'AAAA', binding: bindingOf(command, { policy: 'AAAA', epoch: 1 }) },
    'the request is bound to another command or policy',
  ],
  [
    'approvals that nobody gave',
    cause('prn_ada', 'approval.execute', { approval: 'apr_x', by: [] }),
    {},
    'others approved it than its cause says',
  ],
])('%s is named', (_what, told, edit, expected) => {
  expect(problem(told, { ...request, ...edit })).toBe(expected);
});
