/** When another try is worth it, and how long to wait before it. */
import type { ProblemCode } from '@tallystick/contract';
import type { CliError } from '../errors.ts';

export interface RetryPolicy {
  /** Tries in all, the first included. */
  triesMax: number;
  /** Milliseconds of waiting in all. */
  waitMsMax: number;
}

/** For a person who waits at a terminal. */
export const briefRetries: RetryPolicy = { triesMax: 4, waitMsMax: 15_000 };
/** For long runs that should outlive a restart of the server. */
export const patientRetries: RetryPolicy = { triesMax: 12, waitMsMax: 120_000 };

/** What failed: the connection was refused, the network in some other way, or a problem that may pass. */
export type FailureKind = 'refused' | 'network' | 'final' | { problem: ProblemCode };

export interface Attempt {
  ok: false;
  kind: FailureKind;
  error: CliError;
  retryAfterMs: number | null;
}

const DELAY_MS_MIN = 250;
const DELAY_MS_MAX = 15_000;

/** Retryable after somebody has repaired something, which takes longer than anybody waits here. */
const notWorthWaiting: ReadonlySet<ProblemCode> = new Set(['log_behind', 'signer_behind', 'internal']);

/** Milliseconds to wait before the next try; null where there should be none. */
export function retryDelayMs(
  { kind, retryAfterMs: asked }: Attempt,
  tries: number,
  waitedMs: number,
  policy: RetryPolicy,
  hasAnswered: boolean,
): number | null {
  if (kind === 'final' || (kind === 'refused' && !hasAnswered)) return null;
  if (typeof kind === 'object' && notWorthWaiting.has(kind.problem)) return null;
  if (tries >= policy.triesMax) return null;
  // Half of each delay is random, so that many clients do not come back at the same moment.
  const backoff = Math.min(DELAY_MS_MAX, DELAY_MS_MIN * 2 ** tries) * (0.5 + Math.random() / 2);
  const delay = Math.ceil(asked ?? backoff);
  return waitedMs + delay <= policy.waitMsMax ? delay : null;
}

/** Reads a Retry-After header (RFC 9110, section 10.2.3) as milliseconds. */
export function retryAfterMs(value: string | null, nowMs: number = Date.now()): number | null {
  if (value === null) return null;
  if (/^\d{1,6}$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, date - nowMs);
}

/** Why OpenSSL and Node do not believe a certificate, and what a peer says that wants to see one. */
const distrust = /CERT|SELF_SIGNED|^ERR_(?:SSL|TLS)_|UNABLE_TO_(?:GET|VERIFY)/;

const refusals: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ENOENT']);

/** What a failed exchange means, without its message: that could quote a header. */
export function connectionFailure(error: unknown, timeoutMs: number): { kind: FailureKind; why: string } {
  if (!(error instanceof Error)) return { kind: 'final', why: 'failed' };
  if (error.name === 'TimeoutError')
    return { kind: 'network', why: `did not answer within ${timeoutMs / 1000} s` };
  if (error.name === 'ReplyTooLarge') return { kind: 'final', why: 'answered more than can be read' };
  const code = causeCode(error);
  if (code === null) return { kind: 'final', why: 'cannot be asked' };
  if (distrust.test(code))
    return { kind: 'final', why: `cannot be asked over TLS (${code}): see --ca-file and --client-cert` };
  // What Node itself refuses to send.
  if (code.startsWith('ERR_')) return { kind: 'final', why: 'cannot be asked' };
  return { kind: refusals.has(code) ? 'refused' : 'network', why: `cannot be reached (${code})` };
}

function causeCode(error: Error): string | null {
  for (const each of error instanceof AggregateError ? error.errors : [error]) {
    if (each instanceof Error && 'code' in each && typeof each.code === 'string') return each.code;
  }
  return null;
}
