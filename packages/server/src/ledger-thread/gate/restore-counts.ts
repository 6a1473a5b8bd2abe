/** Finds out after a start how often everybody has asked for what is counted by the hour. */
import type { LedgerReader } from '@tallystick/ledger';
import { compareInstants, instantToMs, msToInstant } from '@tallystick/license';
import type { ServedLog } from '../served-log.ts';
import type { Gatekeeper } from './gatekeeper.ts';

const hourMs = 3_600_000;
const pageSize = 1000;
/** More causes than this are not read at a start. */
const causesMax = 2000;

/**
 * Counts what the log says of the last hour, newest first, up to the last approval of what was one too many. Where that is
 * too much to read, everybody is taken to have asked too often until the hour is over.
 *
 * @param now milliseconds
 */
export async function restoreCounts(
  log: Pick<ServedLog, 'read' | 'size' | 'mutations'>,
  gatekeeper: Gatekeeper,
  now: number,
): Promise<void> {
  const counted = countedActions(gatekeeper);
  // What is not sound is not read, and takes no commands either.
  if (counted.size === 0 || log.mutations?.problem === 'integrity') return;
  const { counts } = gatekeeper.needs;
  const since = msToInstant(now - hourMs);
  const cleared = new Set<string>();
  const seen = new Set<number>();
  for (let to = log.size; to > 0; to -= pageSize) {
    const records = await log.read.recordsBetween(Math.max(0, to - pageSize), to);
    for (const { index, type, subject, at } of records.toReversed()) {
      if (compareInstants(at, since) <= 0) return;
      if (type === 'approval.executed') await clear(log.read, subject.id, cleared);
      if (!isOfCountedType(subject.type, counted)) continue;
      if (seen.size >= causesMax) return counts.forget(now);
      const { first, cause } = await log.read.causeOf(index);
      const { command, who } = cause;
      if (seen.has(first) || !counted.has(command) || cleared.has(nameOf(who.id, command))) continue;
      seen.add(first);
      counts.add(who.id, command, instantToMs(at), {});
    }
  }
}

function countedActions(gatekeeper: Gatekeeper): ReadonlySet<string> {
  try {
    const rules = gatekeeper
      .rules()
      .content.approvals.filter(({ above }) => (above?.perHour ?? null) !== null);
    return new Set(rules.flatMap(({ actions }) => actions));
  } catch {
    // Under a policy that cannot be evaluated nobody may do anything, and an alarm has said so.
    return new Set();
  }
}

function isOfCountedType(type: string, counted: ReadonlySet<string>): boolean {
  return [...counted].some((action) => action.startsWith(`${type}.`));
}

async function clear(read: Pick<LedgerReader, 'current'>, id: string, cleared: Set<string>): Promise<void> {
  const document = (await read.current(id))?.document;
  if (document?.type === 'approval')
    cleared.add(nameOf(document.author.principal, String(document.command['type'])));
}

function nameOf(principal: string, command: string): string {
  return `${principal} ${command}`;
}
