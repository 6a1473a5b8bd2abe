/** Finds out after a start how often everybody has asked for what is counted by the hour. */
import { subjectTypeOf } from '@tallystick/core';
import type { LedgerReader } from '@tallystick/ledger';
import { compareInstants, instantToMs, msToInstant } from '@tallystick/license';
import type { ServedLog } from '../served-log.ts';
import type { Gatekeeper } from './gatekeeper.ts';

const hourMs = 3_600_000;
const pageSize = 1000;
/** More of the log than this is not read at a start, which would take seconds. */
const entriesMax = 50_000;

/**
 * Counts what the log says of the last hour, newest first, up to the last approval of what was one too many. Where that is
 * too much to read, or cannot be read, everybody is taken to have asked too often until the hour is over.
 *
 * @param now milliseconds
 */
export async function restoreCounts(
  log: Pick<ServedLog, 'read' | 'size'>,
  gatekeeper: Gatekeeper,
  now: number,
): Promise<void> {
  const counted = countedActions(gatekeeper);
  if (counted.size === 0) return;
  try {
    const asked = await askedSince(log, counted, msToInstant(now - hourMs));
    for (const { principal, action, at } of asked.toReversed())
      gatekeeper.needs.counts.add(principal, action, at, {});
  } catch {
    // What is wrong with the log is told to whoever reads it or writes to it.
    gatekeeper.needs.counts.forget(now);
  }
}

interface Asked {
  principal: string;
  action: string;
  /** Milliseconds. */
  at: number;
}

/** Newest first. Throws where there is more to read than at a start. */
async function askedSince(
  log: Pick<ServedLog, 'read' | 'size'>,
  counted: ReadonlySet<string>,
  since: string,
): Promise<Asked[]> {
  const asked: Asked[] = [];
  const cleared = new Set<string>();
  const end = log.size - entriesMax;
  if (end > 0 && (await isWithin(log, end, since))) throw new Error('too much to read at a start');
  let seen = log.size;
  for (let to = log.size; to > Math.max(0, end); to -= pageSize) {
    const records = await log.read.causedBetween(Math.max(0, to - pageSize), to);
    for (const { index, record, first, cause } of records.toReversed()) {
      if (isSignedElsewhere(record) && isOlder(record, since)) continue;
      if (isOlder(record, since)) return asked;
      if (record.type === 'approval.executed') await clear(log.read, index, cleared);
      // A command of many records counts once.
      if (first === seen) continue;
      seen = first;
      const { command, who } = cause;
      if (counted.has(command) && !cleared.has(nameOf(who.id, command)))
        asked.push({ principal: who.id, action: command, at: instantToMs(record.at) });
    }
  }
  return asked;
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
