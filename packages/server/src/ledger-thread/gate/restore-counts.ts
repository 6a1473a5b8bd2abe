/** Finds out after a start how often everybody has asked for what is counted by the hour. */
import type { LedgerReader } from '@tallystick/ledger';
import { compareInstants, instantToMs, msToInstant, type RecordType } from '@tallystick/license';
import type { ServedLog } from '../served-log.ts';
import type { Gatekeeper } from './gatekeeper.ts';

const hourMs = 3_600_000;
const pageSize = 1000;
/** More causes than this are not read at a start. */
const causesMax = 20_000;

/** Commands that make one type of record and are asked for often. Of others every record of their subject is looked at. */
const recordOf: Readonly<Record<string, RecordType>> = {
  'license.issue': 'license.issued',
  'license.amend': 'license.amended',
  'license.renew': 'license.renewed',
  'license.change_plan': 'license.plan_changed',
  'license.suspend': 'license.suspended',
  'license.revoke': 'license.revoked',
};

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
    const asked = await askedSince(log, counted, now - hourMs);
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

/** Newest first. */
async function askedSince(
  log: Pick<ServedLog, 'read' | 'size'>,
  counted: ReadonlySet<string>,
  sinceMs: number,
): Promise<Asked[]> {
  const asked: Asked[] = [];
  const since = msToInstant(sinceMs);
  const cleared = new Set<string>();
  const seen = new Set<number>();
  for (let to = log.size; to > 0; to -= pageSize) {
    const records = await log.read.recordsBetween(Math.max(0, to - pageSize), to);
    for (const { index, type, subject, at } of records.toReversed()) {
      if (compareInstants(at, since) <= 0) return asked;
      if (type === 'approval.executed') await clear(log.read, subject.id, cleared);
      if (!mayBeCounted(type, counted)) continue;
      if (seen.size >= causesMax) throw new Error('more causes than are read at a start');
      const { first, cause } = await log.read.causeOf(index);
      const { command, who } = cause;
      if (seen.has(first)) continue;
      seen.add(first);
      if (counted.has(command) && !cleared.has(nameOf(who.id, command)))
        asked.push({ principal: who.id, action: command, at: instantToMs(at) });
    }
  }
  return asked;
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

function mayBeCounted(type: string, counted: ReadonlySet<string>): boolean {
  return [...counted].some((action) => {
    const record = recordOf[action];
    return record === undefined ? type.split('.')[0] === action.split('.')[0] : type === record;
  });
}

async function clear(read: Pick<LedgerReader, 'current'>, id: string, cleared: Set<string>): Promise<void> {
  const document = (await read.current(id))?.document;
  if (document?.type === 'approval')
    cleared.add(nameOf(document.author.principal, String(document.command['type'])));
}

function nameOf(principal: string, command: string): string {
  return `${principal} ${command}`;
}
