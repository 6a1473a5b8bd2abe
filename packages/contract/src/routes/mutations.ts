/** How the routes that change something are put together. */
import type { z } from 'zod';
import type { ApprovalResult, LicenseResult, MutationResult } from '../answers.ts';
import type { BodyOf, CommandType, CreatingCommand, SingletonCommand, SubjectOfCommand } from '../bodies.ts';
import type { IdParams, MutationHeaders, MutationQuery, Nothing } from '../inputs.ts';
import type { ProblemCode } from '../problems.ts';
import {
  authProblems,
  bodyProblems,
  commonProblems,
  jsonMediaType,
  type Operation,
  type Route,
  type Tag,
} from '../route.ts';
import { results } from '../schemas/answers.ts';
import { bodies } from '../schemas/bodies.ts';
import { mutationHeaders, mutationQuery, nothing } from '../schemas/inputs.ts';
import { plurals, subjectParams } from './reads.ts';

/** What `T` answers. */
export type ResultOf<T extends CommandType> =
  SubjectOfCommand<T> extends 'license'
    ? LicenseResult
    : SubjectOfCommand<T> extends 'approval'
      ? ApprovalResult
      : MutationResult<SubjectOfCommand<T>>;

export interface Mutation<T extends CommandType> extends Operation {
  params: T extends CreatingCommand | SingletonCommand ? Nothing : IdParams;
  query: MutationQuery;
  headers: MutationHeaders;
  body: BodyOf[T];
  answer: ResultOf<T>;
}

/** Bodies that carry what documents say may be as large as a document may become; others are a few lines. */
const DOCUMENT_BODY_BYTES_MAX = 262_144;
const SMALL_BODY_BYTES_MAX = 16_384;

const mutationProblems: readonly ProblemCode[] = [
  ...commonProblems,
  ...authProblems,
  'approval_required',
  'state_forbids',
  ...bodyProblems,
  'idempotency_key_invalid',
  'idempotency_key_reused',
  'not_committed',
  'outcome_unknown',
  'publication_stalled',
  'standby',
  'signer_unavailable',
  'signer_refused',
  'clock_differs',
  'log_behind',
  'signer_behind',
  'integrity',
  'input_invalid',
  'namespace_locked',
  'limit_exceeded',
];

/** Commands about a subject may find none, or another revision of it, or one that says so already. */
const targetedProblems: readonly ProblemCode[] = [
  'subject_unknown',
  'revision_conflict',
  'state_forbids',
  'no_change',
];

export interface MutationOptions {
  summary: string;
  /** What follows the id in the path. */
  verb?: string;
  method?: 'POST' | 'PATCH';
  /** True for bodies that carry what a document says. */
  large?: boolean;
  /** Refusals of its own. */
  problems?: readonly ProblemCode[];
}

const creating: ReadonlySet<CommandType> = new Set<CreatingCommand>([
  'product.create',
  'plan.create',
  'customer.create',
  'license.issue',
  'principal.create',
  'credential.create',
  'approval.request',
]);

export function mutation<T extends CommandType>(command: T, options: MutationOptions): Route<Mutation<T>> {
  const { summary, verb, method = 'POST', large = false, problems = [] } = options;
  const creates = creating.has(command);
  const subject = command.slice(0, command.indexOf('.')) as SubjectOfCommand<CommandType>;
  const hasNoId = creates || subject === 'brake' || subject === 'policy';
  const params: z.ZodType<IdParams | Nothing> = hasNoId ? nothing : subjectParams[subject];
  return {
    name: command,
    method,
    path: `/v1/${pathOf(subject, creates)}${verb === undefined ? '' : `/${verb}`}`,
    zones: ['admin'],
    auth: 'admin',
    tag: tagOf(subject),
    summary,
    params: params as z.ZodType<Mutation<T>['params']>,
    query: mutationQuery,
    headers: mutationHeaders,
    body: bodies[command],
    bodyLimit: large ? DOCUMENT_BODY_BYTES_MAX : SMALL_BODY_BYTES_MAX,
    answers: answersOf(results[subject] as unknown as z.ZodType<ResultOf<T>>, creates),
    problems: [...new Set([...mutationProblems, ...(creates ? [] : targetedProblems), ...problems])],
    mutation: true,
    command,
  };
}

function tagOf(subject: SubjectOfCommand<CommandType>): Tag {
  if (subject === 'brake') return 'trust';
  return subject === 'policy' ? 'policy' : plurals[subject];
}

function pathOf(subject: SubjectOfCommand<CommandType>, creates: boolean): string {
  if (subject === 'brake' || subject === 'policy') return subject;
  return `${plurals[subject]}${creates ? '' : '/:id'}`;
}

function answersOf<T>(schema: z.ZodType<T>, creates: boolean): Route<Operation & { answer: T }>['answers'] {
  const done = 'The change is durable, and published where the request waited for that';
  const answer = (description: string) => ({ description, mediaType: jsonMediaType, schema });
  return {
    200: answer(
      creates ? 'A dry run: nothing was changed' : `${done}; or a dry run, and nothing was changed`,
    ),
    ...(creates ? { 201: answer(done) } : {}),
    202: answer('The change is durable; publishing took longer than the request wanted to wait'),
  };
}
