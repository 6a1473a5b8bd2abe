/** Reads requests against the table of routes, and says what is wrong with them in the terms of problems. */
import type { z } from 'zod';
import type { ServiceProblemCode } from './problems.ts';
import type { Route } from './route.ts';
import { type RequestOf, type RouteName, routes } from './routes.ts';

/** A request as a server has it: text for parameters, query and headers, parsed JSON for the body. */
export interface RawRequest {
  params: unknown;
  query: unknown;
  /** Names in lower case. */
  headers: unknown;
  /** `undefined` for none. */
  body: unknown;
}

/** Why a request cannot be read. */
export interface ReadProblem {
  code: Extract<ServiceProblemCode, 'malformed_request' | 'unknown_member' | 'idempotency_key_invalid'>;
  path: string;
  detail: string;
}

export type ReadResult<T> = { ok: true; value: T } | { ok: false; problem: ReadProblem };

/** Reads all parts of a request; the problem of the first part that fails is returned. Throws nothing. */
export function readRequest<N extends RouteName>(name: N, raw: RawRequest): ReadResult<RequestOf<N>> {
  const route = routes[name] as unknown as Route;
  const params = readPart(route.params, raw.params, 'params');
  if (!params.ok) return params;
  const query = readPart(route.query, raw.query, 'query');
  if (!query.ok) return query;
  const headers = readPart(route.headers, raw.headers, 'headers');
  if (!headers.ok) return headers;
  const body = route.body === null ? ({ ok: true, value: null } as const) : readBody(route.body, raw.body);
  if (!body.ok) return body;
  const value = { params: params.value, query: query.value, headers: headers.value, body: body.value };
  return { ok: true, value };
}

/** A body may be left out where all its members may be. */
function readBody<T>(schema: z.ZodType<T>, body: unknown): ReadResult<T> {
  const value = body === undefined ? {} : body;
  const result = readPart(schema, value, '$');
  // The schema library drops members of this name from maps without a word.
  return result.ok && hasPrototypeMember(value) ? prototypeMember : result;
}

const prototypeMember: ReadResult<never> = {
  ok: false,
  problem: {
    code: 'unknown_member',
    path: '$',
    detail: '$: no member may be named __proto__. Leave it out.',
  },
};

/** Call it with what a schema accepted, which is therefore not deep. */
function hasPrototypeMember(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.hasOwn(value, '__proto__') || Object.values(value).some(hasPrototypeMember);
}

type Part = '$' | 'params' | 'query' | 'headers';

function readPart<T>(schema: z.ZodType<T>, value: unknown, part: Part): ReadResult<T> {
  const result = schema.safeParse(value);
  if (result.success) return { ok: true, value: result.data };
  return { ok: false, problem: problemOfIssue(result.error.issues[0], part, value) };
}

type Issue = z.core.$ZodIssue;

function problemOfIssue(issue: Issue | undefined, part: Part, value: unknown): ReadProblem {
  if (issue === undefined) return { code: 'malformed_request', path: part, detail: `${part}: is invalid.` };
  const { steps, reason, isUnknown } = explain(issue);
  const path = part + steps.map(step).join('');
  const isKey = path === 'headers.idempotency-key';
  const code = isKey ? 'idempotency_key_invalid' : isUnknown ? 'unknown_member' : 'malformed_request';
  const isMissing = !isUnknown && valueAt(value, steps) === undefined;
  return { code, path, detail: `${path}: ${isMissing ? 'is missing' : reason}. Correct it and try again.` };
}

function valueAt(value: unknown, steps: readonly PropertyKey[]): unknown {
  let at = value;
  for (const name of steps) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Record<PropertyKey, unknown>)[name];
  }
  return at;
}

interface Explanation {
  steps: readonly PropertyKey[];
  reason: string;
  isUnknown: boolean;
}

function explain(issue: Issue): Explanation {
  if (issue.code === 'unrecognized_keys') {
    const [name = ''] = issue.keys;
    return { steps: [...issue.path, name], reason: 'is not a known member', isUnknown: true };
  }
  if (issue.code === 'invalid_union') return explainUnion(issue);
  if (issue.code === 'invalid_key') {
    const [first] = issue.issues;
    return { steps: issue.path, reason: `the name ${first?.message ?? 'is invalid'}`, isUnknown: false };
  }
  return { steps: issue.path, reason: issue.message, isUnknown: false };
}

/** The branch that fits best is the one with the least to complain about. */
function explainUnion(issue: Extract<Issue, { code: 'invalid_union' }>): Explanation {
  const best = issue.errors.reduce<Issue[]>(
    (least, branch) => (least.length === 0 || weight(branch) < weight(least) ? branch : least),
    [],
  );
  const [first] = best;
  const isAboutInside = first !== undefined && (first.path.length > 0 || first.code === 'unrecognized_keys');
  if (!isAboutInside) return { steps: issue.path, reason: issue.message, isUnknown: false };
  const inner = explain(first);
  return { ...inner, steps: [...issue.path, ...inner.steps] };
}

/** Members that do not exist weigh as much as there are of them. */
function weight(issues: readonly Issue[]): number {
  return issues.reduce((sum, issue) => sum + (issue.code === 'unrecognized_keys' ? issue.keys.length : 1), 0);
}

/** Names come from outside: quoted when they are unusual, and cut when they are long. */
function step(name: PropertyKey): string {
  if (typeof name === 'number') return `[${name}]`;
  const text = String(name);
  if (/^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(text)) return `.${text}`;
  return `[${JSON.stringify(text.slice(0, 64))}]`;
}
