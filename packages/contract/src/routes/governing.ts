/** Routes of what governs a namespace: its own document, which the authority signs elsewhere, and its brake. */
import type { MutationResult } from '../answers.ts';
import type { NamespaceRevisionBody } from '../bodies.ts';
import type { MutationQuery, Nothing } from '../inputs.ts';
import {
  authProblems,
  bodyProblems,
  commonProblems,
  jsonMediaType,
  type Operation,
  type Route,
} from '../route.ts';
import { results } from '../schemas/answers.ts';
import { namespaceRevision } from '../schemas/bodies.ts';
import { mutationQuery, noHeaders, nothing } from '../schemas/inputs.ts';
import { type Mutation, mutation } from './mutations.ts';

/** What the authority signed goes into the log as it is; sending it twice changes nothing more. */
export interface ReviseNamespace extends Operation {
  params: Nothing;
  query: MutationQuery;
  headers: Nothing;
  body: NamespaceRevisionBody;
  answer: MutationResult<'namespace'>;
}

export interface GoverningRoutes {
  'namespace.revise': Route<ReviseNamespace>;
  'brake.tighten': Route<Mutation<'brake.tighten'>>;
}

const BODY_BYTES_MAX = 1_048_576;
const answer = (description: string) => ({
  description,
  mediaType: jsonMediaType,
  schema: results.namespace,
});

export const governingRoutes: GoverningRoutes = {
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
    headers: noHeaders,
    body: namespaceRevision,
    bodyLimit: BODY_BYTES_MAX,
    answers: {
      200: answer('The revision is durable, or was before; or a dry run, and nothing was changed'),
      202: answer('The revision is durable; publishing took longer than the request wanted to wait'),
    },
    problems: [
      ...commonProblems,
      ...authProblems,
      ...bodyProblems,
      'namespace_refused',
      'not_committed',
      'outcome_unknown',
      'publication_stalled',
      'signer_unavailable',
      'signer_refused',
      'log_behind',
      'integrity',
    ],
    mutation: false,
    command: null,
  },
  'brake.tighten': mutation('brake.tighten', {
    summary: 'Lock the namespace further, raise its smallest epoch, or end the range of keys',
    verb: 'tighten',
    problems: ['may_only_tighten', 'in_use'],
  }),
};
