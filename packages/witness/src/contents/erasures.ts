/**
 * Which documents the log says are erased: everything that a command which erased a customer touched, in the revisions
 * before it. That follows from the log alone, so that a mirror need not be told, and cannot be kept from knowing.
 */
import { bytesKey, equalBytes, type LogRecord, parseRecordEntry } from '@tallystick/core';

/** The log as the mirror holds it, up to what is cosigned. */
export interface KnownLog {
  /** Subject type of the record at an index, such as `customer`; null for an entry that is no record. */
  typeAt(index: number): string | null;
  /** Entries `from` up to `to`. Throws where they are not all here. */
  entries(from: number, to: number): Uint8Array[];
  /** Calls `each` with every record below `to`: its index and the key of its subject, a view. */
  eachRecord(to: number, each: (index: number, subject: Uint8Array) => void): void;
}

/**
 * Indexes of contents that were erased by customers' records from `from` up to `to`, in order; the log is known up to `size`,
 * which ends no command in its middle.
 */
export function erasedIn(log: KnownLog, from: number, to: number, size: number): number[] {
  /** By subject, its last record in a command that erased it: what is before that is gone. */
  const before = new Map<string, number>();
  for (let index = from; index < to; index++) {
    if (log.typeAt(index) !== 'customer') continue;
    const record = recordAt(log, index);
    if (record.type !== 'customer.erased') continue;
    for (const [at, { subject }] of commandAround(log, index, record, size))
      before.set(bytesKey(subject), at);
  }
  if (before.size === 0) return [];
  const erased: number[] = [];
  log.eachRecord(size, (index, subject) => {
    if (index < (before.get(bytesKey(subject)) ?? 0)) erased.push(index);
  });
  return erased;
}

/** Where the commands begin that made these records: there stand their causes, and what was signed for them. */
export function commandsOf(log: KnownLog, indexes: readonly number[]): number[] {
  const firsts = indexes.map((index) => firstOfCommand(log, index, recordAt(log, index)));
  return [...new Set(firsts)];
}

/** The records of a command stand together, under one cause that no other command has. */
function commandAround(
  log: KnownLog,
  index: number,
  record: LogRecord,
  size: number,
): [index: number, record: LogRecord][] {
  const records: [number, LogRecord][] = [];
  const first = firstOfCommand(log, index, record);
  for (let at = first; at < size && isCausedBy(log, at, record); at++) records.push([at, recordAt(log, at)]);
  return records;
}

function firstOfCommand(log: KnownLog, index: number, record: LogRecord): number {
  let first = index;
  while (isCausedBy(log, first - 1, record)) first -= 1;
  return first;
}

function isCausedBy(log: KnownLog, at: number, { cause }: LogRecord): boolean {
  return at >= 0 && log.typeAt(at) !== null && equalBytes(recordAt(log, at).cause, cause);
}

function recordAt(log: KnownLog, index: number): LogRecord {
  const [entry] = log.entries(index, index + 1);
  return parseRecordEntry(entry as Uint8Array).record;
}
