/** What a route is: one operation of the HTTP surface, as data. */
import type { z } from 'zod';
import type { CommandType } from './bodies.ts';
import type { ProblemCode } from './problems.ts';

/** The listeners, so that zones of a network can be segmented: clients, administrators, operators. */
export const zones = ['public', 'admin', 'ops'] as const;
export type Zone = (typeof zones)[number];

/**
 * Who may call. A mirror token reads the log; the token of an administrator does, too. `login` is for who is not known
 * yet, and shows in the body who it is.
 */
export type RouteAuth = 'none' | 'login' | 'mirror' | 'admin';

export const tags = [
  'log',
  'trust',
  'bundles',
  'products',
  'plans',
  'customers',
  'licenses',
  'sessions',
  'principals',
  'credentials',
  'policy',
  'approvals',
  'service',
] as const;
export type Tag = (typeof tags)[number];

/** The types of an operation: what it takes, after reading, and what it answers. */
export interface Operation {
  params: unknown;
  query: unknown;
  headers: unknown;
  /** `null` for operations without a body. */
  body: unknown;
  answer: unknown;
}

/** An answer other than a problem. */
export interface RouteAnswer<T = unknown> {
  description: string;
  mediaType: string;
  /** null where the body is not JSON. */
  schema: z.ZodType<T> | null;
}

export interface Route<O extends Operation = Operation> {
  name: string;
  method: 'GET' | 'POST' | 'PATCH';
  /** Parameters as `:name`; a last `*` stands for the rest of the path, slashes included. */
  path: string;
  /** The listeners that serve it, with the same handler. */
  zones: readonly Zone[];
  auth: RouteAuth;
  tag: Tag;
  /** One line. */
  summary: string;
  params: z.ZodType<O['params']>;
  query: z.ZodType<O['query']>;
  headers: z.ZodType<O['headers']>;
  body: z.ZodType<O['body']> | null;
  /** Bytes; 0 for routes without a body. */
  bodyLimit: number;
  answers: Readonly<Record<number, RouteAnswer<O['answer']>>>;
  /** Everything that this route may answer when it does not succeed. */
  problems: readonly ProblemCode[];
  /** True for routes that ask for a command. */
  mutation: boolean;
  /** The command that a mutation asks for. */
  command: CommandType | null;
}

export const jsonMediaType = 'application/json';

/** What every listener may answer, whatever the route. */
export const commonProblems: readonly ProblemCode[] = [
  'malformed_request',
  'unknown_member',
  'not_found',
  'method_not_allowed',
  'rate_limited',
  'overloaded',
  'store_unavailable',
  'access_log_unavailable',
  'internal',
];

export const authProblems: readonly ProblemCode[] = [
  'unauthorized',
  'forbidden',
  'insufficient_user_authentication',
  'reason_required',
  'signature_required',
];
export const bodyProblems: readonly ProblemCode[] = ['body_too_large', 'unsupported_media_type'];

/** True when a request must have a body: some member of it is not optional. */
export function bodyIsRequired(route: Route): boolean {
  return route.body !== null && !route.body.safeParse({}).success;
}
