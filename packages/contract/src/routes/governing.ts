/** Routes of what governs a namespace: its own document, which the authority signs elsewhere, and its brake. */
import type { MutationResult, RecoveryDraft, RecoveryResult, TrustPublished } from '../answers.ts';
import type { NamespaceRevisionBody, TrustPublishBody } from '../bodies.ts';
import type { DryRunQuery, MutationQuery, Nothing, ReasonHeaders } from '../inputs.ts';
import type { ProblemCode } from '../problems.ts';
import {
  authProblems,
  bodyProblems,
  commonProblems,
  jsonMediaType,
  type Operation,
  type Route,
} from '../route.ts';
import { results, trustPublished } from '../schemas/answers.ts';
import { namespaceRevision, trustPublish } from '../schemas/bodies.ts';
import { dryRunQuery, mutationQuery, noHeaders, nothing, reasonHeaders } from '../schemas/inputs.ts';
import { recoveryDraft, recoveryResult } from '../schemas/trust.ts';
import { type Mutation, mutation } from './mutations.ts';

/** What the authority signed goes into the log as it is; sending it twice changes nothing more. */
export interface ReviseNamespace extends Operation {
  params: Nothing;
  query: MutationQuery;
  headers: ReasonHeaders;
  body: NamespaceRevisionBody;
  answer: MutationResult<'namespace'>;
}

export interface PublishTrust extends Operation {
  params: Nothing;
  query: DryRunQuery;
  headers: ReasonHeaders;
  body: TrustPublishBody;
  answer: TrustPublished;
}

/** Nobody is known: what the authority signed is what counts. */
export interface Recover extends Operation {
  params: Nothing;
  query: DryRunQuery;
  headers: Nothing;
  body: NamespaceRevisionBody;
  answer: RecoveryResult;
}

export interface DescribeRecovery extends Operation {
  params: Nothing;
  query: Nothing;
  headers: Nothing;
  body: null;
  answer: RecoveryDraft;
}

export interface GoverningRoutes {
  'recovery.describe': Route<DescribeRecovery>;
  'recovery.submit': Route<Recover>;
  'trust.publish': Route<PublishTrust>;
  'namespace.revise': Route<ReviseNamespace>;
  'brake.tighten': Route<Mutation<'brake.tighten'>>;
}

const BODY_BYTES_MAX = 1_048_576;
const answer = (description: string) => ({
  description,
  mediaType: jsonMediaType,
  schema: results.namespace,
});

const committing: readonly ProblemCode[] = [
  ...commonProblems,
  ...authProblems,
  ...bodyProblems,
  'not_committed',
  'outcome_unknown',
  'publication_stalled',
  'standby',
  'clock_differs',
  'log_behind',
  'signer_behind',
  'integrity',
];

/** What meets what was signed elsewhere. */
const submitting: readonly ProblemCode[] = [
  ...committing,
  'approval_required',
  'limit_exceeded',
  'namespace_refused',
  'signer_unavailable',
  'signer_refused',
];

/** What a statement meets that is in order, and cannot be carried out. */
const decided: readonly ProblemCode[] = [
  'input_invalid',
  'namespace_locked',
  'state_forbids',
  'principal_unknown',
  'credential_taken',
  'idempotency_key_reused',
];

export const governingRoutes: GoverningRoutes = {
  'trust.publish': {
    name: 'trust.publish',
    method: 'POST',
    path: '/v1/trust/roots',
    zones: ['admin'],
    auth: 'admin',
    tag: 'trust',
    summary: 'Log new versions of the trust root, so that they govern from there on',
    params: nothing,
    query: dryRunQuery,
    headers: reasonHeaders,
    body: trustPublish,
    bodyLimit: BODY_BYTES_MAX,
    answers: {
      200: {
        description:
          'The versions are in the log, from now on or from before; or a dry run, and nothing was changed',
        mediaType: jsonMediaType,
        schema: trustPublished,
      },
    },
    problems: [...submitting, 'trust_refused'],
    mutation: false,
    command: null,
  },
  'namespace.revise': {
    name: 'namespace.revise',
    method: 'POST',
    path: '/v1/namespace/revisions',
    zones: ['admin'],
    auth: 'admin',
    tag: 'trust',
    summary: 'Log a revision of the namespace that its authority has signed',
    params: nothing,
    query: mutationQuery,
    headers: reasonHeaders,
    body: namespaceRevision,
    bodyLimit: BODY_BYTES_MAX,
    answers: {
      200: answer('The revision is durable, or was before; or a dry run, and nothing was changed'),
      202: answer('The revision is durable; publishing took longer than the request wanted to wait'),
    },
    problems: submitting,
    mutation: false,
    command: null,
  },
  'recovery.describe': {
    name: 'recovery.describe',
    method: 'GET',
    path: '/v1/recovery',
    zones: ['admin'],
    auth: 'login',
    tag: 'trust',
    summary: 'Say which revision of the namespace a statement of the authority has to follow',
    params: nothing,
    query: nothing,
    headers: noHeaders,
    body: null,
    bodyLimit: 0,
    answers: {
      200: { description: 'The newest revision', mediaType: jsonMediaType, schema: recoveryDraft },
    },
    problems: [...commonProblems, 'unauthorized', 'integrity'],
    mutation: false,
    command: null,
  },
  'recovery.submit': {
    name: 'recovery.submit',
    method: 'POST',
    path: '/v1/recovery',
    zones: ['admin'],
    auth: 'login',
    tag: 'trust',
    summary: 'Let somebody in as administrator whom the authority of the namespace has signed for',
    params: nothing,
    query: dryRunQuery,
    headers: noHeaders,
    body: namespaceRevision,
    bodyLimit: BODY_BYTES_MAX,
    answers: {
      200: {
        description: 'The statement is durable and carried out, or was before; or a dry run',
        mediaType: jsonMediaType,
        schema: recoveryResult,
      },
    },
    problems: [
      ...committing.filter((code) => code === 'unauthorized' || !authProblems.includes(code)),
      ...decided,
      'namespace_refused',
      'signer_unavailable',
      'signer_refused',
    ],
    mutation: false,
    command: null,
  },
  'brake.tighten': mutation('brake.tighten', {
    summary: 'Lock the namespace further, raise its smallest epoch, end keys, or say that they are destroyed',
    verb: 'tighten',
    problems: ['may_only_tighten', 'in_use'],
  }),
};
