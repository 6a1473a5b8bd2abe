/** What errors of SQLite mean to whoever runs a command. */
import { StoreDamaged } from '@tallystick/ledger/store';
import { CliError } from './errors.ts';
import { exitCodes } from './exit-codes.ts';

/** Result codes of SQLite: read-only, input or output, damaged, full, cannot open, no database. */
const codes = {
  readOnly: 8,
  inputOutput: 10,
  damaged: 11,
  full: 13,
  cannotOpen: 14,
  noDatabase: 26,
} as const;

/**
 * What SQLite and its driver say where a table is gone, or a number is one that nobody here writes: our statements are right,
 * so the file is not. By their words, since an error that comes from another thread has lost its code.
 */
const otherContent =
  /^(?:no such (?:table|column): |Value is too large to be represented as a JavaScript number)/;

/** null where it is none of those. */
export function asDatabaseError(error: unknown): CliError | null {
  if (error instanceof StoreDamaged) return damaged(error.message);
  const { code, errcode, message } = error as { code?: unknown; errcode?: unknown; message?: unknown };
  if (error instanceof Error && otherContent.test(error.message)) return damaged(error.message);
  if (code !== 'ERR_SQLITE_ERROR' || typeof errcode !== 'number') return null;
  // The upper bits say more than anybody here needs to know.
  const result = errcode & 0xff;
  if (result === codes.damaged || result === codes.noDatabase) return damaged(String(message));
  const { readOnly, inputOutput, full, cannotOpen } = codes;
  if (![readOnly, inputOutput, full, cannotOpen].some((known) => known === result)) return null;
  return new CliError({
    exitCode: exitCodes.unavailable,
    code: 'database_unusable',
    what: `A database file cannot be read or written: ${String(message)}.`,
    todo: 'See whether its disk is full, failing or read-only, and run this again.',
  });
}

function damaged(message: string): CliError {
  return new CliError({
    exitCode: exitCodes.integrity,
    code: 'database_damaged',
    what: `A database file is damaged: ${message}.`,
    todo: 'Keep a copy. Where it is the ledger, move it away and run tally repair, or restore a backup; where it is the projections, run tally rebuild.',
  });
}
