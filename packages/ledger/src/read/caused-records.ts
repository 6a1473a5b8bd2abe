/**
 * Many records in a row, each with what caused it. Documents are left where they are: read one by one, with them, records
 * cost six times as much.
 */
import {
  equalBytes,
  isPlainEntry,
  type LogRecord,
  parseRecordEntry,
  type RecordEntry,
} from '@tallystick/core';
import { type CauseDocument, checkCause, checkEntry } from '../content.ts';
import { IntegrityAlarm } from '../errors.ts';
import type { LogState } from '../log-state.ts';
import type { Store, StoredCause } from '../store/store.ts';

/** A record, and what caused it. */
export interface CausedRecord {
  index: number;
  record: LogRecord;
  /** Log index of the first record of its command. */
  first: number;
  cause: CauseDocument;
}

/** A command of which there may be more records. */
interface Command {
  first: number;
  /** Index behind its last record. */
  end: number;
  commitment: Uint8Array;
  cause: CauseDocument;
}

/** The records in a range that the log has, checked; throws IntegrityAlarm where one or its cause is not what was logged. */
export async function causedRecords(
  store: Store,
  state: LogState,
  { from, to }: { from: number; to: number },
): Promise<CausedRecord[]> {
  const limit = Math.max(0, to - from);
  const entries = await store.entryBytes(from, limit);
  if (entries.length < limit) throw new IntegrityAlarm(from + entries.length, 'the entry is missing');
  const causes = new Map((await store.causes(from, to)).map((cause) => [cause.index, cause]));
  const caused: CausedRecord[] = [];
  let command: Command | null = null;
  for (const [nth, entry] of entries.entries()) {
    const index = from + nth;
    checkEntry({ index, entry }, state.tree.leaf(index));
    if (isPlainEntry(entry)) continue;
    const parsed = parseRecordEntry(entry);
    const { record } = parsed;
    if (command === null || index >= command.end) {
      // Of the first record in the range the command may have begun before it.
      const stored = causes.get(index) ?? (command === null ? await earlierCause(store, index) : undefined);
      command = commandOf({ index, record: parsed }, stored);
    } else if (!equalBytes(record.cause, command.commitment)) {
      throw new IntegrityAlarm(index, 'the cause is not the one committed to');
    }
    caused.push({ index, record, first: command.first, cause: command.cause });
  }
  return caused;
}

/** The command that a record is the first of in a range; throws IntegrityAlarm where the cause is not its own. */
function commandOf(of: { index: number; record: RecordEntry }, stored: StoredCause | undefined): Command {
  const cause = checkCause(of, stored);
  const first = stored?.index ?? of.index;
  return { first, end: first + cause.n, commitment: of.record.record.cause, cause };
}

async function earlierCause(store: Store, index: number): Promise<StoredCause | undefined> {
  const stored = await store.entry(index);
  return stored?.content ? store.cause(stored.content.cause) : undefined;
}
