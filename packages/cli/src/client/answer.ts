/** Reads a reply as the contract says it must look. Nothing that does not is passed on. */
import {
  isProblemCode,
  type Problem,
  problemMediaType,
  problems,
  type Route,
  type RouteName,
  routes,
} from '@tallystick/contract';
import { problemError, unreachable } from '../errors.ts';
import type { Answer } from './client.ts';
import { type Attempt, retryAfterMs } from './retry.ts';
import type { Reply } from './transport.ts';

export function readAnswer<N extends RouteName>(
  name: N,
  reply: Reply,
): { ok: true; answer: Answer<N> } | Attempt {
  const route = routes[name] as unknown as Route;
  const expected = Object.hasOwn(route.answers, reply.status) ? route.answers[reply.status] : undefined;
  if (expected === undefined) return readProblem(reply);
  const { status, text } = reply;
  if (expected.schema === null) return { ok: true, answer: { status, value: text, text } };
  const result = expected.schema.safeParse(parseJson(text));
  if (result.success) return { ok: true, answer: { status, value: result.data, text } };
  return notOurs(reply, `its answer does not have the form of ${name}`);
}

function readProblem(reply: Reply): Attempt {
  const value = reply.mediaType === problemMediaType ? parseJson(reply.text) : null;
  if (!isProblem(value)) return notOurs(reply, `it answered with status ${reply.status}`);
  const { code } = value;
  return {
    ok: false,
    kind: isProblemCode(code) && problems[code].retryable ? { problem: code } : 'final',
    error: problemError(value, isProblemCode(code) ? problems[code].remedy : null),
    retryAfterMs: retryAfterMs(reply.retryAfter),
  };
}

/** Proxies answer 502, 503 and 504 for a server that is away, which is worth another try. */
function notOurs(reply: Reply, why: string): Attempt {
  return {
    ok: false,
    kind: [502, 503, 504].includes(reply.status) ? 'network' : 'final',
    error: unreachable(
      `What answers there is no Tallystick server of this version: ${why}.`,
      'Check the address, and whether a proxy stands in between.',
    ),
    retryAfterMs: retryAfterMs(reply.retryAfter),
  };
}

/** Codes of later versions are let through: they have a title and a detail all the same. */
function isProblem(value: unknown): value is Problem {
  if (typeof value !== 'object' || value === null) return false;
  const { code, title, detail, requestId } = value as Partial<Record<keyof Problem, unknown>>;
  return [code, title, detail, requestId].every((member) => typeof member === 'string');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Anything but JSON is answered by the checks that follow, as a value that fits nothing.
    return undefined;
  }
}
