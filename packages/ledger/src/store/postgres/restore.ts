/** Puts rows right in one transaction that holds the fence: no other server writes meanwhile, or ever sees a part of it. */
import type { QueryConfig } from 'pg';
import { type RestoredEntry, StoreUnavailable } from '../store.ts';
import { appendValues } from './append-values.ts';
import { int8Array } from './binary-arrays.ts';
import { type Rows, textOf } from './connection.ts';
import { commitWeaknessOf } from './durability.ts';
import { type Held, settingsOf } from './fence.ts';
import type { PostgresDurability } from './postgres-url.ts';
import type { PostgresStatements } from './schema.ts';

const entriesPerStatement = 256;

export interface RestoreParts {
  held: Held;
  holder: string;
  statements: PostgresStatements;
  /** synchronous_standby_names to write under; null for any. */
  list: string | null;
  durability: PostgresDurability;
}

/**
 * Returns the number of entries afterwards; null, with nothing changed, where the fence is not held under this list of
 * standbys any more. Throws what `entries` throws, and StoreUnavailable; the session is spent then.
 */
export async function restoreRows(
  parts: RestoreParts,
  entries: AsyncIterable<RestoredEntry>,
): Promise<number | null> {
  const { held, holder, statements, list } = parts;
  const { session, epoch } = held;
  const query = (text: string | QueryConfig): Promise<Rows> =>
    session.query(text).catch((error: unknown) => {
      const message = `PostgreSQL did not take a repair (${textOf(error)}), and nothing was changed`;
      throw new StoreUnavailable(message, false, { cause: error });
    });
  try {
    await query('BEGIN');
    const found = await query({ text: statements.holdFence, values: [epoch, holder, list] });
    if (found.length === 0) {
      await query('ROLLBACK');
      return null;
    }
    for await (const batch of inBatches(entries)) {
      const written = await query({ name: 'restore', text: statements.restore, values: valuesOf(batch) });
      if (written.length !== batch.length) throw keptOut();
    }
    const [counted] = await query(statements.recount);
    await commit(parts);
    return (counted as { size: number }).size;
  } catch (error) {
    // Whatever is under way on it is taken back.
    session.destroy();
    throw error;
  }
}

async function commit({ held: { session }, statements, list, durability }: RestoreParts): Promise<void> {
  let problem: string | null;
  try {
    await session.query('COMMIT');
    session.needConfirmed();
    problem = commitWeaknessOf(await settingsOf(session, statements), durability, list);
  } catch (error) {
    throw unconfirmed(textOf(error), error);
  }
  if (problem !== null) throw unconfirmed(problem);
}

function unconfirmed(why: string, cause?: unknown): StoreUnavailable {
  const message = `PostgreSQL did not confirm a repair (${why}), so that nobody knows whether it is committed: run it again, which finds out`;
  return new StoreUnavailable(message, true, { cause });
}

function keptOut(): StoreUnavailable {
  const message =
    'PostgreSQL did not write all rows of a repair, and nothing was changed: look for triggers and rules on its tables';
  return new StoreUnavailable(message, false);
}

/** A statement writes each row once: what comes again under one index goes into the next. */
async function* inBatches(entries: AsyncIterable<RestoredEntry>): AsyncGenerator<RestoredEntry[]> {
  let batch = new Map<number, RestoredEntry>();
  for await (const entry of entries) {
    if (batch.size === entriesPerStatement || batch.has(entry.index)) {
      yield [...batch.values()];
      batch = new Map();
    }
    batch.set(entry.index, entry);
  }
  if (batch.size > 0) yield [...batch.values()];
}

function valuesOf(batch: readonly RestoredEntry[]): Buffer[] {
  const causes = batch.flatMap(({ cause }) => cause ?? []);
  const unsigned = batch.filter(({ removesRequest }) => removesRequest === true).map(({ index }) => index);
  return [...appendValues({ entries: batch, causes }), int8Array(unsigned)];
}
