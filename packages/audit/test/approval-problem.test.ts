/** What a log says of approvals, held against the rules and roles of its time. */
import { Directory, defaultPolicyDocument, policyContentHash } from '@tallystick/gate';
import type { CauseDocument } from '@tallystick/ledger';
import { type ApprovalDocument, bindingOf, type PrincipalDocument } from '@tallystick/license';
import { expect, test } from 'vitest';
import { ApprovalCheck } from '../src/custody/verify/approval-check.ts';
import { DecisionCheck } from '../src/custody/verify/decision-check.ts';
import { Findings } from '../src/custody/verify/findings.ts';
import type { PlacedEntry } from '../src/custody/verify/placed-entries.ts';
import { ReportWorld } from '../src/custody/verify/report-world.ts';
import { approvalProblem } from '../src/decisions/approval-problem.ts';

const head = { v: 1 as const, ns: 'acme', rev: 0, crit: [] };
const at = '2026-11-26T08:00:00.000Z';
const policy = { ...head, type: 'policy' as const, id: 'policies', ...defaultPolicyDocument() };
const directory = new Directory();
directory.apply(policy);
for (const [id, role] of [
  ['prn_01jdada0000000000000000000', 'administrator'],
  ['prn_01jdbea0000000000000000000', 'administrator'],
  ['prn_01jdeve0000000000000000000', 'issuer'],
] as const) {
  const person = { kind: 'person', name: id, email: null, state: 'active', metadata: {} } as const;
  const roles = [{ role, products: null, until: null }];
  directory.apply({ ...head, ...person, type: 'principal', id, roles } satisfies PrincipalDocument);
}

const command = { type: 'principal.assign', principal: 'prn_01jdeve0000000000000000000', roles: [] };
const bound = { policy: policyContentHash(policy), epoch: 1 };
const given = {
  principal: 'prn_01jdbea0000000000000000000',
  credential: 'crd_01jdbea0000000000000000000',
  session: null,
  role: 'administrator',
  at,
};
const request: ApprovalDocument = {
  ...head,
  ...bound,
  type: 'approval',
  id: 'apr_01jdx000000000000000000000',
  state: 'approved',
  author: {
    principal: 'prn_01jdada0000000000000000000',
    credential: 'crd_01jdada0000000000000000000',
    session: null,
  },
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
const problem = (told: CauseDocument, ...documents: ApprovalDocument[]): string | null =>
  approvalProblem(
    told,
    { documents, licenses: new Map(), brake: null, namespace: null, epoch: 1 },
    directory,
    [],
    () => 1,
  );
const [ada, bea, eve] = ['ada', 'bea', 'eve'].map((name) => `prn_01jd${name}0000000000000000000`) as [
  string,
  string,
  string,
];
/** As if the server had carried it out. */
const execution = (by: object[] = [{ principal: bea, credential: given.credential, at }], now = at) => ({
  ...cause(ada, 'approval.execute', { approval: request.id, by }),
  at: now,
});
const executed: ApprovalDocument = { ...request, state: 'executed' };

test('what is as it has to be is no problem', () => {
  expect(problem(cause(ada, 'approval.request'), { ...request, state: 'pending', approvals: [] })).toBeNull();
  expect(problem(cause('prn_01jdbea0000000000000000000', 'approval.approve'), request)).toBeNull();
  expect(problem(execution(), executed)).toBeNull();
  const other = { ...request, id: 'apr_01jdy000000000000000000000', command: { type: command.type } };
  expect(problem(execution(), other, executed)).toBeNull();
});

const stale = bindingOf(command, { ...bound, epoch: 0 });
const ofEve = { ...given, principal: eve };
test.each<[string, CauseDocument, ApprovalDocument[], string]>([
  ['fewer approvals than it takes', execution([]), [{ ...executed, approvals: [] }], 'not as many'],
  [
    'an approval of somebody who has the role no more',
    execution([{ principal: eve, credential: given.credential, at }]),
    [{ ...executed, approvals: [ofEve] }],
    'not as many',
  ],
  [
    'the approvals of another epoch',
    execution(),
    [{ ...executed, epoch: 0, binding: stale }],
    'another epoch',
  ],
  ['a time that was over', execution(undefined, request.notAfter), [executed], 'waited until'],
  ['a request that goes on waiting, to be carried out again', execution(), [request], 'is approved after'],
  ['no request at all', execution(), [], 'says that it was carried out'],
])('a command carried out on %s is named', (_what, told, documents, expected) => {
  expect(problem(told, ...documents)).toContain(expected);
});

test.each([
  ['a withdrawal', cause(ada, 'approval.withdraw'), 'is approved after approval.withdraw'],
  ['a rejection', cause(eve, 'approval.reject'), 'is approved after approval.reject'],
  ['something else', cause(ada, 'license.suspend'), 'that it is not about'],
])('an approval given under the name of %s is named', (_what, told, expected) => {
  expect(problem(told, request)).toContain(expected);
});

test.each<[string, CauseDocument, Partial<ApprovalDocument>, string]>([
  [
    'an approval for a role that its giver did not have',
    cause('prn_01jdeve0000000000000000000', 'approval.approve'),
    { approvals: [{ ...given, principal: 'prn_01jdeve0000000000000000000' }] },
    'prn_01jdeve0000000000000000000 approved it as administrator, and was none',
  ],
  [
    'an approval in the name of somebody else',
    cause('prn_01jdeve0000000000000000000', 'approval.approve'),
    {},
    'prn_01jdeve0000000000000000000 approved it in the name of prn_01jdbea0000000000000000000',
  ],
  [
    'fewer approvers than the rules ask for',
    cause('prn_01jdada0000000000000000000', 'approval.request'),
    { state: 'pending', approvers: [] },
    'the policy asks for other approvers',
  ],
  [
    'another command than was approved',
    execution(),
    { state: 'executed', command: { ...command, principal: 'prn_01jdada0000000000000000000' } },
    'the request is bound to another command or policy',
  ],
  [
    'another policy than the one in force',
    cause('prn_01jdada0000000000000000000', 'approval.request'),
    { state: 'pending', policy: 'AAAA', binding: bindingOf(command, { policy: 'AAAA', epoch: 1 }) },
    'the request is bound to another command or policy',
  ],
  [
    'approvals that nobody gave',
    execution([]),
    { state: 'executed' },
    'others approved it than its cause says',
  ],
])('%s is named', (_what, told, edit, expected) => {
  expect(problem(told, { ...request, ...edit })).toBe(expected);
});

test('an approval for a role that its giver did not have is named in a report as well', async () => {
  const placed = (index: number, type: string, document: object, who: string): PlacedEntry =>
    ({
      index,
      entry: { record: { type } },
      document: { json: document },
      cause: { who: { id: who, credential: who.replace('prn', 'crd') } },
    }) as unknown as PlacedEntry;
  const check = async (principal: string): Promise<string[]> => {
    const credential = principal.replace('prn', 'crd');
    const approved = { ...request, approvals: [{ ...given, principal, credential }] };
    const asked = { ...request, state: 'pending', approvals: [] };
    const chains = new Map([
      ['policies', [placed(0, 'policy.created', policy, 'system')]],
      [
        'prn_01jdbea0000000000000000000',
        [
          placed(
            1,
            'principal.created',
            directory.principal('prn_01jdbea0000000000000000000') ?? {},
            'system',
          ),
        ],
      ],
      [
        'prn_01jdeve0000000000000000000',
        [
          placed(
            2,
            'principal.created',
            directory.principal('prn_01jdeve0000000000000000000') ?? {},
            'system',
          ),
        ],
      ],
      [
        'apr_01jdx000000000000000000000',
        [
          placed(3, 'approval.created', asked, 'prn_01jdada0000000000000000000'),
          placed(4, 'approval.approved', { ...approved, rev: 1 }, principal),
        ],
      ],
    ]);
    const findings = new Findings();
    const world = new ReportWorld(chains, [...chains.values()].flat());
    await new ApprovalCheck(world, new DecisionCheck(world, findings), findings).check(
      'apr_01jdx000000000000000000000',
      null,
    );
    return findings.all.map(({ message }) => message);
  };
  expect(await check('prn_01jdbea0000000000000000000')).toEqual([]);
  expect(await check('prn_01jdeve0000000000000000000')).toEqual([
    'prn_01jdeve0000000000000000000 approved it as administrator, and was none',
  ]);
});
