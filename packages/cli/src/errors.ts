/** Why a command ends early: one sentence about what happened, one about what to do. */
import type { Problem } from '@tallystick/contract';
import { type ExitCode, exitCodeOfProblem, exitCodes } from './exit-codes.ts';

export { messageOf } from '@tallystick/core';

export interface CliErrorOptions {
  exitCode: ExitCode;
  /** For programs; a problem code of the contract, or one of the few of our own. */
  code: string;
  /** What happened, as one sentence. */
  what: string;
  /** What to do, as one sentence. */
  todo: string;
  /** The member or place to blame. */
  path?: string;
  details?: Record<string, string | number>;
  requestId?: string;
  /** Repeat the mutation with this key to learn how it ended, or to finish it. */
  idempotencyKey?: string;
}

export class CliError extends Error {
  override readonly name: string = 'CliError';
  readonly options: CliErrorOptions;

  constructor(options: CliErrorOptions) {
    super(options.what);
    this.options = options;
  }

  get exitCode(): ExitCode {
    return this.options.exitCode;
  }

  /** The same error, with another sentence about what to do. */
  ending(todo: string): CliError {
    return new CliError({ ...this.options, todo: `${this.options.todo} ${todo}` });
  }

  /** The same error, with the key that makes repeating the mutation safe. */
  withIdempotencyKey(idempotencyKey: string): CliError {
    return new CliError({ ...this.options, idempotencyKey });
  }
}

/** The command line, a file that it names, or the configuration is wrong. */
export function usageError(what: string, todo: string, path?: string): CliError {
  return new CliError({
    exitCode: exitCodes.usage,
    code: 'usage',
    what,
    todo,
    ...(path === undefined ? {} : { path }),
  });
}

/** The server cannot be reached, or what answers is not this kind of server. */
export function unreachable(what: string, todo: string): CliError {
  return new CliError({ exitCode: exitCodes.unavailable, code: 'unreachable', what, todo });
}

export function interrupted(): CliError {
  return new CliError({
    exitCode: exitCodes.interrupted,
    code: 'interrupted',
    what: 'The command was interrupted.',
    todo: 'Run it again to finish it.',
  });
}

/** `remedy` is what the registry of problems says for this code; null for a code that it does not have. */
export function problemError(problem: Problem, remedy: string | null): CliError {
  const { code, title, detail, path, details, requestId } = problem;
  const isRemedy = detail === remedy || remedy === null;
  return new CliError({
    exitCode: exitCodeOfProblem(code),
    code,
    what: isRemedy ? sentence(title) : sentence(detail),
    todo: code === 'standby' ? atTheWriter : isRemedy ? sentence(detail) : sentence(remedy),
    ...(path === undefined ? {} : { path }),
    ...(details === undefined ? {} : { details }),
    requestId,
  });
}

/** An answer is not followed by itself: the token goes nowhere that nobody named. */
const atTheWriter =
  'Nothing was changed. Name that server, or the load balancer in front of both, with --url and --token-file.';

function sentence(text: string): string {
  const trimmed = text.trim();
  return /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}
