import type { PolicyPublish } from '../src/index.ts';
import { actAs, apiKey, approved, person, RULES, waiting } from './gate-situations.ts';
import type { RefusalCase } from './refusal-cases.ts';
import { issue } from './refusal-situations.ts';
import { unknownId, type World } from './world.ts';

const until = '2026-09-01T00:00:00.000Z';
const POLICY: PolicyPublish = {
  type: 'policy.publish',
  schema: [],
  policies: [{ id: 'all', lines: ['permit(principal, action, resource);'] }],
  approvals: [...RULES],
  durable: [],
  sessions: { idle: 'PT30M', max: 'PT12H', stepUp: 'PT5M' },
};

const create = (principal: string, lookup: string) =>
  ({ type: 'credential.create', principal, kind: 'api_key', name: 'Key', lookup }) as const;

function disabled(world: World): string {
  const principal = person(world, 'Eve', 'issuer');
  world.do({ type: 'principal.disable', principal });
  return principal;
}

function revoked(world: World): string {
  const credential = apiKey(world, person(world, 'Ada'));
  world.do({ type: 'credential.revoke', credential });
  return credential;
}

const principals: readonly RefusalCase[] = [
  {
    code: 'input_invalid',
    when: 'a role is for a product that there is not',
    command: () => ({
      type: 'principal.create',
      kind: 'person',
      name: 'Ada',
      roles: [{ role: 'issuer', products: ['nothing'] }],
    }),
    path: '$.roles[0].products[0]',
  },
  {
    code: 'subject_unknown',
    when: 'there is no such principal',
    command: () => ({ type: 'principal.enable', principal: unknownId('prn') }),
    path: '$.principal',
  },
  {
    code: 'state_forbids',
    when: 'a disabled principal is given roles',
    command: (world) => ({ type: 'principal.assign', principal: disabled(world), roles: [] }),
    path: '$.principal',
  },
  {
    code: 'limit_exceeded',
    when: 'a grant lasts longer than a day',
    command: (world) => ({
      type: 'principal.grant',
      principal: person(world, 'Ada'),
      role: 'issuer',
      length: 'PT25H',
    }),
    path: '$.length',
  },
  {
    code: 'no_change',
    when: 'an active principal is enabled',
    command: (world) => ({ type: 'principal.enable', principal: person(world, 'Ada') }),
  },
  {
    code: 'last_administrator',
    when: 'the only administrator is disabled',
    command: (world) => ({ type: 'principal.disable', principal: person(world, 'Ada', 'administrator') }),
    path: '$.principal',
  },
  {
    code: 'last_administrator',
    when: 'the other administrator is one for an hour only',
    command: (world) => {
      const principal = person(world, 'Ada', 'administrator');
      const other = person(world, 'Grace');
      world.do({ type: 'principal.grant', principal: other, role: 'administrator', length: 'PT1H' });
      return { type: 'principal.assign', principal, roles: [] };
    },
    path: '$.principal',
  },
];

const credentials: readonly RefusalCase[] = [
  {
    code: 'principal_unknown',
    when: 'a credential is for nobody',
    command: () => create(unknownId('prn'), 'hmac'),
    path: '$.principal',
  },
  {
    code: 'state_forbids',
    when: 'a credential is for somebody disabled',
    command: (world) => create(disabled(world), 'hmac'),
    path: '$.principal',
  },
  {
    code: 'credential_taken',
    when: 'somebody else is found by it',
    command: (world) => {
      apiKey(world, person(world, 'Ada'));
      return create(person(world, 'Grace'), 'hmac');
    },
    path: '$.lookup',
  },
  {
    code: 'input_invalid',
    when: 'a credential takes the place of somebody else’s',
    command: (world) => ({
      ...create(person(world, 'Grace'), 'other'),
      replaces: apiKey(world, person(world, 'Ada')),
    }),
    path: '$.replaces',
  },
  {
    code: 'state_forbids',
    when: 'a credential is revoked twice',
    command: (world) => ({ type: 'credential.revoke', credential: revoked(world) }),
    path: '$.credential',
  },
  {
    code: 'may_only_tighten',
    when: 'the end of a credential is put off',
    command: (world) => {
      const credential = apiKey(world, person(world, 'Ada'));
      world.do({ type: 'credential.expire', credential, notAfter: until });
      return { type: 'credential.expire', credential, notAfter: '2026-09-01T00:00:00.001Z' };
    },
    path: '$.notAfter',
  },
];

const policies: readonly RefusalCase[] = [
  {
    code: 'no_change',
    when: 'the same policy is published again',
    before: (world) => world.do(POLICY),
    command: () => POLICY,
  },
  {
    code: 'revision_conflict',
    when: 'a first policy is published over another',
    before: (world) => world.do(POLICY),
    command: () => ({ ...POLICY, durable: ['license.get'], expectedRev: 7 }),
    path: '$.expectedRev',
  },
  {
    code: 'input_invalid',
    when: 'two policies have one id',
    command: () => ({ ...POLICY, policies: [...POLICY.policies, ...POLICY.policies] }),
    path: '$.policies',
  },
];

const approvals: readonly RefusalCase[] = [
  {
    code: 'state_forbids',
    when: 'nobody who is known asks for approval',
    command: () => ({ type: 'approval.request', command: { type: 'license.reissue', license: 'x' } }),
  },
  {
    code: 'approval_not_needed',
    when: 'no rule speaks of the command',
    before: (world) => actAs(world, person(world, 'Ada')),
    command: (world) => ({
      type: 'approval.request',
      command: { type: 'license.suspend', license: issue(world), reason: 'abuse' },
    }),
    path: '$.command.type',
  },
  {
    code: 'input_invalid',
    when: 'approval is asked for an approval',
    command: (world) => ({
      type: 'approval.request',
      command: { type: 'approval.approve', approval: waiting(world).approval },
    }),
    path: '$.command',
  },
  {
    code: 'already_revoked',
    when: 'what is to be approved would be refused',
    command: (world) => {
      const { license } = approved(world);
      world.do({ type: 'license.revoke', license, reason: 'refund' });
      return { type: 'approval.request', command: { type: 'license.revoke', license, reason: 'fraud' } };
    },
  },
  {
    code: 'own_request',
    when: 'somebody approves their own request',
    command: (world) => {
      const { approval, ada } = waiting(world);
      actAs(world, ada, { actor: { principal: ada, credential: 'crd_other', session: 'ses_other' } });
      return { type: 'approval.approve', approval };
    },
  },
  {
    code: 'own_request',
    when: 'somebody rejects their own request',
    command: (world) => {
      const { approval, ada } = waiting(world);
      actAs(world, ada);
      return { type: 'approval.reject', approval };
    },
  },
  {
    code: 'not_an_approver',
    when: 'the role of who approves is another one',
    command: (world) => {
      const { approval } = waiting(world);
      actAs(world, person(world, 'Eve', 'viewer'));
      return { type: 'approval.approve', approval };
    },
    path: '$.approval',
  },
  {
    code: 'not_an_approver',
    when: 'the role of who approves has ended',
    command: (world) => {
      const { approval } = waiting(world);
      const eve = person(world, 'Eve');
      world.do({ type: 'principal.grant', principal: eve, role: 'issuer', length: 'PT1H' });
      actAs(world, eve);
      world.now = '2026-03-01T13:00:00.000Z';
      return { type: 'approval.approve', approval };
    },
  },
  {
    code: 'no_change',
    when: 'somebody approves twice',
    command: (world) => ({ type: 'approval.approve', approval: approved(world).approval }),
  },
  {
    code: 'not_approved',
    when: 'nobody has approved',
    command: (world) => ({ type: 'approval.execute', approval: waiting(world).approval }),
    path: '$.approval',
  },
  {
    code: 'approval_void',
    when: 'the policy is another one by now',
    command: (world) => {
      const { approval, grace } = approved(world);
      actAs(world, grace, { policy: `B${'A'.repeat(42)}=` });
      return { type: 'approval.execute', approval };
    },
    path: '$.approval',
  },
  {
    code: 'approval_void',
    when: 'the epoch is another one by now',
    command: (world) => {
      const { approval } = waiting(world);
      world.epoch = 1;
      return { type: 'approval.approve', approval };
    },
    path: '$.approval',
  },
  {
    code: 'state_forbids',
    when: 'a request is carried out twice',
    command: (world) => {
      const { approval } = approved(world);
      world.do({ type: 'approval.execute', approval });
      return { type: 'approval.execute', approval };
    },
    path: '$.approval',
  },
  {
    code: 'state_forbids',
    when: 'an approved request is carried out at the end of its time',
    command: (world) => {
      const { approval } = approved(world);
      world.now = '2026-03-02T12:00:00.000Z';
      return { type: 'approval.execute', approval };
    },
    path: '$.approval',
  },
  {
    code: 'state_forbids',
    when: 'a withdrawn request is approved',
    command: (world) => {
      const { approval } = waiting(world);
      world.do({ type: 'approval.withdraw', approval });
      return { type: 'approval.approve', approval };
    },
    path: '$.approval',
  },
];

const signed: readonly RefusalCase[] = [
  {
    code: 'limit_exceeded',
    when: 'what was signed elsewhere is too large to wait',
    command: (world) => {
      actAs(world, person(world, 'Ada', 'issuer'));
      const envelopes = ['A'.repeat(120_000), 'B'.repeat(120_000)];
      return { type: 'approval.request', command: { type: 'trust.publish', envelopes } };
    },
    path: '$.command',
  },
  {
    code: 'input_invalid',
    when: 'what was signed elsewhere has a member that nobody knows',
    command: (world) => {
      actAs(world, person(world, 'Ada', 'issuer'));
      return { type: 'approval.request', command: { type: 'trust.publish', envelopes: ['A'], more: 1 } };
    },
    path: '$.more',
  },
];

const locked: readonly RefusalCase[] = [
  {
    code: 'namespace_locked',
    when: 'what is to wait is not possible while it is read-only',
    command: (world) => {
      const license = issue(world);
      actAs(world, person(world, 'Ada', 'issuer'));
      world.lock = 'read-only';
      return { type: 'approval.request', command: { type: 'license.reissue', license } };
    },
  },
  {
    code: 'namespace_locked',
    when: 'what was approved is not possible since it is read-only',
    command: (world) => {
      const license = issue(world);
      const [ada, grace] = [person(world, 'Ada', 'issuer'), person(world, 'Grace', 'issuer')];
      actAs(world, ada);
      const command = { type: 'license.reissue', license };
      const approval = world.make({ type: 'approval.request', command });
      actAs(world, grace);
      world.do({ type: 'approval.approve', approval });
      world.lock = 'read-only';
      return { type: 'approval.execute', approval };
    },
  },
  {
    code: 'namespace_locked',
    when: 'a request is approved while it is frozen',
    command: (world) => {
      const { approval } = waiting(world);
      world.lock = 'frozen';
      return { type: 'approval.approve', approval };
    },
  },
];

/** Refusals about who may use a system. */
export const GATE_REFUSAL_CASES: readonly RefusalCase[] = [
  ...principals,
  ...credentials,
  ...policies,
  ...approvals,
  ...signed,
  ...locked,
];
