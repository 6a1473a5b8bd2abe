/** The parts of a range of records as the store has them, each compared with what the log commits to. */
import { equalBytes, hashLength, type LogRecord, leafHash, parseRecordEntry } from '@tallystick/core';
import {
  isUnknownSubject,
  type Store,
  type StoredCause,
  type StoredContent,
  type StoredEntry,
} from '@tallystick/ledger';
import {
  type Content,
  causeProblem,
  contentProblem,
  type PlainPart,
  requestProblem,
} from '@tallystick/witness';

/** An entry in the store is not the one that was logged: nothing says what belongs to it. */
class EntryAltered extends Error {
  override readonly name = 'EntryAltered';
}

export interface PlainParts {
  parts: PlainPart[];
  /** Log index behind the last entry whose parts these are. */
  to: number;
  /** A sentence for each part that is not what the log commits to; it is handed out as one that is not there. */
  alarms: string[];
}

/** Where a batch ends that has at least one entry. */
const bytesMax = 4 * 1024 * 1024;

/**
 * @param leaves leaf hashes of the entries from `from` on, one after the other
 * Throws EntryAltered.
 */
export async function plainPartsOf(
  store: Store,
  genesis: Uint8Array,
  from: number,
  leaves: Uint8Array,
): Promise<PlainParts> {
  const count = leaves.length / hashLength;
  const start = Math.max(0, from - 1);
  const entries = await store.entries(start, count + from - start);
  const causes = new Map((await store.causes(from, from + count)).map((cause) => [cause.index, cause]));
  const made: PlainParts = { parts: [], to: from, alarms: [] };
  let before = recordIn(from === 0 ? undefined : entries[0]);
  let bytes = 0;
  for (const stored of entries.slice(from - start)) {
    const { index } = stored;
    const leaf = leaves.subarray((index - from) * hashLength, (index - from + 1) * hashLength);
    if (index !== made.to || !equalBytes(leafHash(stored.entry), leaf))
      throw new EntryAltered(`entry ${made.to} is not the one that was logged`);
    const record = recordIn(stored);
    if (record !== null) {
      const isFirst = before === null || !equalBytes(before.cause, record.cause);
      bytes += takeRecord(made, stored, record, {
        genesis,
        cause: isFirst ? (causes.get(index) ?? null) : undefined,
      });
    }
    before = record;
    made.to = index + 1;
    if (bytes > bytesMax) break;
  }
  if (made.to === from) throw new EntryAltered(`entry ${from} is missing`);
  return made;
}

/** null for an entry that is no record. */
function recordIn(stored: StoredEntry | undefined): LogRecord | null {
  return stored === undefined || stored.subject === null ? null : parseRecordEntry(stored.entry).record;
}

/** Returns the number of bytes that were added. */
function takeRecord(
  { parts, alarms }: PlainParts,
  { index, content: stored }: StoredEntry,
  record: LogRecord,
  { genesis, cause }: { genesis: Uint8Array; cause: StoredCause | null | undefined },
): number {
  const content = wholeContent(stored);
  const problem = content && contentProblem(content, record, genesis);
  if (problem !== null) alarms.push(`entry ${index}: ${problem}`);
  parts.push({ index, content: problem === null ? content : null });
  const length = (content?.document.length ?? 0) + (content?.companion?.length ?? 0);
  if (cause === undefined) return length;
  const wrong = cause && causeProblem(cause, record);
  if (wrong !== null) alarms.push(`entry ${index}: ${wrong}`);
  parts.push({ index, cause: wrong === null ? cause : null });
  const request = wrong === null ? (cause?.signed ?? null) : null;
  const strange = request && cause && requestProblem(request, cause);
  if (strange !== null) alarms.push(`entry ${index}: ${strange}`);
  else if (request !== null) parts.push({ index, request });
  return length + (cause?.document.length ?? 0) + (request?.bytes.length ?? 0);
}

/** null where it was erased, or lost. */
function wholeContent(stored: StoredContent | null): Content | null {
  if (stored === null || isUnknownSubject(stored.id)) return null;
  const { id, salt, document, companionSalt, companion } = stored;
  return salt === null || document === null ? null : { id, salt, document, companionSalt, companion };
}
