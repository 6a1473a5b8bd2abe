/** How a ceremony says no: nothing was written, and what to do now. */
import { CliError, messageOf } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';

/** What the people did does not hold: a change that may not be made, a signature that does not count. */
export function refusal(what: string, todo: string): CliError {
  return new CliError({ exitCode: exitCodes.refused, code: 'ceremony_refused', what, todo });
}

/** A file is not what it says, or not what was signed. */
export function altered(what: string, todo: string): CliError {
  return new CliError({ exitCode: exitCodes.integrity, code: 'ceremony_altered', what, todo });
}

/** Runs `check` and says what it threw as a refusal, with what to do. */
export function refusing<T>(what: string, todo: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw refusal(`${what}: ${messageOf(error)}.`, todo);
  }
}
