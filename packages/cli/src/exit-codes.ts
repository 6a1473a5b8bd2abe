/** What the exit code of `tally` says. Scripts depend on it, so a code never changes its meaning. */
import { isProblemCode, problems } from '@tallystick/contract/problems';

export const exitCodes = {
  ok: 0,
  /** The server refused, the license is not valid, or some rows were not imported. */
  refused: 1,
  /** Something does not match what was signed or committed to: it was altered, or nothing proves it. */
  integrity: 2,
  /** The command line, a file that it names, or the configuration is wrong. */
  usage: 3,
  /** The server cannot be reached, or cannot do it now. The same command may work later. */
  unavailable: 4,
  /** SIGINT. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

const integrityProblems: ReadonlySet<string> = new Set(['integrity', 'log_behind', 'signer_behind']);
/** The request itself was wrong, whatever the state of the server. */
const usageProblems: ReadonlySet<string> = new Set([
  'malformed_request',
  'unknown_member',
  'idempotency_key_invalid',
  'body_too_large',
  'unsupported_media_type',
  'not_found',
  'method_not_allowed',
]);

/** The exit code for a problem that the server answered; codes that this version does not know count as refusals. */
export function exitCodeOfProblem(code: string): ExitCode {
  if (integrityProblems.has(code)) return exitCodes.integrity;
  if (usageProblems.has(code)) return exitCodes.usage;
  if (isProblemCode(code) && problems[code].retryable) return exitCodes.unavailable;
  return exitCodes.refused;
}
