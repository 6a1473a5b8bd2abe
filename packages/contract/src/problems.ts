/**
 * The closed registry of problem codes. A code never changes its meaning; callers may depend on it. Every
 * problem is answered as RFC 9457 says, with the type `urn:tallystick:problem:<code>`.
 */
import type { Problem } from './answers.ts';
import { refusalProblems } from './problems/refusals.ts';
import { serviceProblems } from './problems/service.ts';

export interface ProblemMeaning {
  /** HTTP status. */
  status: number;
  /** The same for every occurrence. */
  title: string;
  /** What the caller should do. */
  remedy: string;
  /** True when the same request, with the same `Idempotency-Key`, may succeed later without being changed. */
  retryable: boolean;
}

/** Refusals of the license model: the request was understood, and nothing was changed. */
export type RefusalProblemCode = keyof typeof refusalProblems;
/** Problems of requests and of the service. */
export type ServiceProblemCode = keyof typeof serviceProblems;
export type ProblemCode = RefusalProblemCode | ServiceProblemCode;

function refusalMeanings(): Record<RefusalProblemCode, ProblemMeaning> {
  const meanings = Object.entries(refusalProblems).map(([code, meaning]) => [
    code,
    { ...meaning, retryable: false },
  ]);
  return Object.fromEntries(meanings) as Record<RefusalProblemCode, ProblemMeaning>;
}

export const problems: Readonly<Record<ProblemCode, ProblemMeaning>> = {
  ...serviceProblems,
  ...refusalMeanings(),
};
export const problemCodes: readonly ProblemCode[] = Object.keys(problems) as ProblemCode[];
export const refusalCodes: readonly RefusalProblemCode[] = Object.keys(
  refusalProblems,
) as RefusalProblemCode[];

export const problemMediaType = 'application/problem+json';
export const problemTypePrefix = 'urn:tallystick:problem:';

export function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(problems, code);
}

/** What is particular about one occurrence. `detail` is the remedy when it is left out. */
export interface Occurrence {
  requestId: string;
  detail?: string;
  path?: string;
  details?: Record<string, string | number>;
}

/** The body of the answer to a request that failed. */
export function problemOf(code: ProblemCode, occurrence: Occurrence): Problem {
  const { status, title, remedy } = problems[code];
  const { requestId, detail = remedy, path, details } = occurrence;
  return {
    type: `${problemTypePrefix}${code}`,
    title,
    status,
    code,
    detail,
    ...(path === undefined ? {} : { path }),
    ...(details === undefined ? {} : { details }),
    requestId,
  };
}

/** Notes go with answers that succeeded. */
export const notes = {
  dry_run: 'Nothing was changed. A real run checks again, and may be refused then.',
  wait_timeout:
    'The change is durable and cannot be lost, but was not published in time. The promise says by when it will be.',
  replayed:
    'This is the answer of an earlier request with the same Idempotency-Key. Nothing was changed again.',
  needs_approval: 'A real run is stored and waits for the approval of others.',
  approved_by_nobody:
    'The policy asks for the approval of others, and there is nobody yet whom it could ask: this system has one person, or one administrator. See tally status.',
} as const;

export type NoteCode = keyof typeof notes;
export const noteCodes: readonly NoteCode[] = Object.keys(notes) as NoteCode[];
