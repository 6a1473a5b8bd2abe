/** Routes of who may use a system, by which rules, and what waits for the approval of others. */
import type { ApprovalItem, CredentialItem, HistoryItem, Item, Page, PolicyInForce } from '../answers.ts';
import type { ApprovalQuery, CredentialQuery, Nothing, PageQuery, PrincipalQuery } from '../inputs.ts';
import type { ProblemCode } from '../problems.ts';
import { bodyProblems, type Operation, type Route } from '../route.ts';
import { histories, items, pageOf, policyInForce } from '../schemas/answers.ts';
import { approvalQuery, credentialQuery, pageQuery, principalQuery } from '../schemas/inputs.ts';
import { policyShadow, shadowAnswer } from '../schemas/shadow.ts';
import type { PolicyShadowBody, ShadowAnswer } from '../shadow-answers.ts';
import { catalogRoutes } from './catalog.ts';
import { governingRoutes } from './governing.ts';
import { licenseRoutes } from './licenses.ts';
import { type Mutation, mutation } from './mutations.ts';
import { type Read, read, type SubjectReads, subjectReads } from './reads.ts';

type PrincipalReads = SubjectReads<'principal', Item<'principal'>, PrincipalQuery>;
type CredentialReads = SubjectReads<'credential', CredentialItem, CredentialQuery>;
type ApprovalReads = SubjectReads<'approval', ApprovalItem, ApprovalQuery>;

/** It changes nothing; what a policy set says does not fit into an address. */
export interface ShadowPolicy extends Operation {
  params: Nothing;
  query: Nothing;
  headers: Nothing;
  body: PolicyShadowBody;
  answer: ShadowAnswer;
}

export interface AccessRoutes {
  'principal.create': Route<Mutation<'principal.create'>>;
  'principal.list': PrincipalReads['list'];
  'principal.get': PrincipalReads['get'];
  'principal.history': PrincipalReads['history'];
  'principal.update': Route<Mutation<'principal.update'>>;
  'principal.assign': Route<Mutation<'principal.assign'>>;
  'principal.grant': Route<Mutation<'principal.grant'>>;
  'principal.disable': Route<Mutation<'principal.disable'>>;
  'principal.enable': Route<Mutation<'principal.enable'>>;
  'credential.create': Route<Mutation<'credential.create'>>;
  'credential.list': CredentialReads['list'];
  'credential.get': CredentialReads['get'];
  'credential.history': CredentialReads['history'];
  'credential.expire': Route<Mutation<'credential.expire'>>;
  'credential.revoke': Route<Mutation<'credential.revoke'>>;
  'policy.get': Route<Read<PolicyInForce>>;
  'policy.history': Route<Read<Page<HistoryItem<'policy'>>, Nothing, PageQuery>>;
  'policy.shadow': Route<ShadowPolicy>;
  'policy.publish': Route<Mutation<'policy.publish'>>;
  'policy.drop_access': Route<Mutation<'policy.drop_access'>>;
  'approval.request': Route<Mutation<'approval.request'>>;
  'approval.list': ApprovalReads['list'];
  'approval.get': ApprovalReads['get'];
  'approval.history': ApprovalReads['history'];
  'approval.approve': Route<Mutation<'approval.approve'>>;
  'approval.reject': Route<Mutation<'approval.reject'>>;
  'approval.withdraw': Route<Mutation<'approval.withdraw'>>;
  'approval.execute': Route<Mutation<'approval.execute'>>;
}

const principals: PrincipalReads = subjectReads('principal', items.principal, principalQuery);
const credentials: CredentialReads = subjectReads('credential', items.credential, credentialQuery);
const approvals: ApprovalReads = subjectReads('approval', items.approval, approvalQuery);

const principalRoutes = {
  'principal.create': mutation('principal.create', {
    summary: 'Create a principal: a person, a service or a partner',
    large: true,
  }),
  'principal.list': principals.list,
  'principal.get': principals.get,
  'principal.history': principals.history,
  'principal.update': mutation('principal.update', {
    summary: 'Change the name, e-mail address or metadata of a principal',
    method: 'PATCH',
    large: true,
  }),
  'principal.assign': mutation('principal.assign', {
    summary: 'Replace the roles of a principal',
    verb: 'assign',
    problems: ['last_administrator'],
  }),
  'principal.grant': mutation('principal.grant', {
    summary: 'Give a principal one more role for a time, at most a day',
    verb: 'grant',
  }),
  'principal.disable': mutation('principal.disable', {
    summary: 'Disable a principal: nothing that it has lets it in any more',
    verb: 'disable',
    problems: ['last_administrator'],
  }),
  'principal.enable': mutation('principal.enable', {
    summary: 'Enable a principal again',
    verb: 'enable',
  }),
} as const;

const credentialRoutes = {
  'credential.create': mutation('credential.create', {
    summary: 'Create a credential of a principal',
    large: true,
    problems: [
      'principal_unknown',
      'credential_taken',
      'state_forbids',
      'subject_unknown',
      'may_only_tighten',
    ],
  }),
  'credential.list': credentials.list,
  'credential.get': credentials.get,
  'credential.history': credentials.history,
  'credential.expire': mutation('credential.expire', {
    summary: 'Set the end of a credential, which only comes nearer',
    verb: 'expire',
    problems: ['may_only_tighten'],
  }),
  'credential.revoke': mutation('credential.revoke', {
    summary: 'Revoke a credential; this is final',
    verb: 'revoke',
  }),
} as const;

const SHADOW_BODY_BYTES_MAX = 262_144;

const policyRoutes = {
  'policy.get': read<Read<PolicyInForce>>({
    name: 'policy.get',
    path: '/v1/policy',
    tag: 'policy',
    summary: 'Get the policy set that is in force, and its hashes',
    schema: policyInForce,
    description: 'The newest one of the log, or the one that comes with the software',
    problems: ['integrity'],
  }),
  'policy.history': read<Read<Page<HistoryItem<'policy'>>, Nothing, PageQuery>>({
    name: 'policy.history',
    path: '/v1/policy/history',
    tag: 'policy',
    summary: 'List the revisions of the policy set, newest first',
    query: pageQuery,
    schema: pageOf(histories.policy),
    description: 'One page of revisions, with who made them and why',
    problems: ['integrity'],
  }),
  'policy.shadow': {
    ...read<ShadowPolicy>({
      name: 'policy.shadow',
      path: '/v1/policy/shadow',
      tag: 'policy',
      summary: 'Decide again what was decided, under another policy set, and tell which verdicts flip',
      schema: shadowAnswer,
      description: 'The report, or how far it is: then ask again in the same words',
      problems: [...bodyProblems, 'input_invalid'],
    }),
    method: 'POST',
    body: policyShadow,
    bodyLimit: SHADOW_BODY_BYTES_MAX,
  },
  'policy.publish': mutation('policy.publish', {
    summary: 'Put a policy set in force',
    large: true,
    problems: ['shadow_needed'],
  }),
  'policy.drop_access': mutation('policy.drop_access', {
    summary: 'Drop records of access logs from before a time, on purpose and for good',
    verb: 'drop-access',
  }),
} as const;

/** Whatever any other command may be refused for. */
const waitingProblems: readonly ProblemCode[] = [
  catalogRoutes,
  licenseRoutes,
  governingRoutes,
  principalRoutes,
  credentialRoutes,
  policyRoutes,
].flatMap((group) =>
  (Object.values(group) as Route[])
    .filter(({ mutation: changes }) => changes)
    .flatMap((route) => route.problems),
);

const approvalRoutes = {
  'approval.request': mutation('approval.request', {
    summary: 'Ask others to approve a command, which then waits for them',
    large: true,
    problems: [...waitingProblems.filter((code) => code !== 'revision_conflict'), 'approval_not_needed'],
  }),
  'approval.list': approvals.list,
  'approval.get': approvals.get,
  'approval.history': approvals.history,
  'approval.approve': mutation('approval.approve', {
    summary: 'Approve a command of somebody else, which is carried out once enough have',
    verb: 'approve',
    problems: ['approval_void', 'own_request', 'not_an_approver'],
  }),
  'approval.reject': mutation('approval.reject', {
    summary: 'Reject a command of somebody else; this is final',
    verb: 'reject',
    problems: ['own_request', 'not_an_approver'],
  }),
  'approval.withdraw': mutation('approval.withdraw', {
    summary: 'Withdraw a request of your own; this is final',
    verb: 'withdraw',
  }),
  'approval.execute': mutation('approval.execute', {
    summary: 'Carry out a command that was approved, where that failed before',
    verb: 'execute',
    problems: [...waitingProblems, 'approval_void', 'not_approved'],
  }),
} as const;

export const accessRoutes: AccessRoutes = {
  ...principalRoutes,
  ...credentialRoutes,
  ...policyRoutes,
  ...approvalRoutes,
};
