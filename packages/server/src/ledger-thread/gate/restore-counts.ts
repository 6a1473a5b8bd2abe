/** Finds out after a start how often everybody has asked for what is counted by the hour. */
import { subjectTypeOf } from '@tallystick/core';
import type { AskedFor } from '@tallystick/gate';
import type { LedgerReader } from '@tallystick/ledger';
import { compareInstants, instantToMs, msToInstant } from '@tallystick/license';
import type { ServedLog } from '../served-log.ts';
import type { Gatekeeper } from './gatekeeper.ts';

const hourMs = 3_600_000;
/** Entries that are looked through in one go, in a few milliseconds. */
const pageSize = 250;
/** More of the log than this is not read, which would take many seconds. */
const entriesMax = 500_000;

/**
 * Counts what the log says of the last hour, newest first, up to the last approval of what was one too many. Goes on beside
 * other work: commands wait for it where it matters to them. Where it is too much to read, or cannot be read, everybody is
 * taken to have asked too often until the hour is over.
 *
 * @param now milliseconds
 * @param signal ends it
 */
export async function restoreCounts(
  log: Pick<ServedLog, 'read' | 'size'>,
  gatekeeper: Gatekeeper,
  now: number,
  signal?: AbortSignal,
): Promise<void> {
  const counted = countedActions(gatekeeper);
  if (counted.size === 0) return;
  const found = askedSince(log, counted, msToInstant(now - hourMs), signal);
  // What is wrong with the log is told to whoever reads it or writes to it.
  await gatekeeper.needs.restore(found, now);
}

/** Oldest first. Rejects where there is too much to read. */
async function askedSince(
  log: Pick<ServedLog, 'read' | 'size'>,
  counted: ReadonlySet<string>,
  since: string,
  signal: AbortSignal | undefined,
): Promise<AskedFor[]> {
  const asked: AskedFor[] = [];
  const cleared = new Set<string>();
  const { size } = log;
  const end = size - entriesMax;
  if (end > 0 && (await isWithin(log, end, since))) throw new Error('too much to read at a start');
  let seen = size;
  for (let to = size; to > Math.max(0, end); to -= pageSize) {
    await new Promise(setImmediate);
    signal?.throwIfAborted();
    const records = await log.read.causedBetween(Math.max(0, to - pageSize), to);
    for (const { index, record, first, cause } of records.toReversed()) {
      if (isSignedElsewhere(record) && isOlder(record, since)) continue;
      if (isOlder(record, since)) return asked.reverse();
      if (record.type === 'approval.executed') await clear(log.read, index, cleared);
      // A command of many records counts once.
      if (first === seen) continue;
      seen = first;
      const { command, who } = cause;
      if (counted.has(command) && !cleared.has(nameOf(who.id, command)))
        asked.push({ principal: who.id, action: command, at: instantToMs(record.at) });
    }
  }
  return asked.reverse();
}

/** Whether what the log has at an index and right behind it was made since an instant. */
async function isWithin({ read }: Pick<ServedLog, 'read'>, index: number, since: string): Promise<boolean> {
  const records = await read.recordsBetween(index, index + pageSize);
  return records.some((record) => !isSignedElsewhere(record) && !isOlder(record, since));
}

function isOlder({ at }: { at: string }, since: string): boolean {
  return compareInstants(at, since) <= 0;
}

/** Log times run forward, but for what an authority has signed. */
function isSignedElsewhere({ type }: { type: string }): boolean {
  return subjectTypeOf(type) === 'namespace';
}

function countedActions(gatekeeper: Gatekeeper): ReadonlySet<string> {
  try {
    const { approvals } = gatekeeper.rules().content;
    const rules = approvals.filter(({ above }) => (above?.perHour ?? null) !== null);
    return new Set(rules.flatMap(({ actions }) => actions));
  } catch {
    // Under a policy that cannot be evaluated nobody may do anything, and an alarm has said so.
    return new Set();
  }
}

async function clear(read: LedgerReader, index: number, cleared: Set<string>): Promise<void> {
  const [executed] = await read.recordsBetween(index, index + 1);
  const document = executed && (await read.current(executed.subject.id))?.document;
  if (document?.type === 'approval')
    cleared.add(nameOf(document.author.principal, String(document.command['type'])));
}

function nameOf(principal: string, command: string): string {
  return `${principal} ${command}`;
}
