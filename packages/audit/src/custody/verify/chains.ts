/** The revisions of each subject in a custody report: all of them, in order, up to the newest one. */
import {
  equalBytes,
  headValue,
  isPublicSubject,
  policiesId,
  subjectKey,
  subjectTypeOf,
  verifyMapProof,
} from '@tallystick/core';
import type { Findings } from './findings.ts';
import type { PlacedEntry, PlacingContext } from './placed-entries.ts';

/**
 * The chain of each subject, by id; empty for one that never had an entry. Of namespace and brake it is the newest revision
 * alone.
 */
export async function checkChains(
  placed: readonly PlacedEntry[],
  context: PlacingContext & { mapRoot: Uint8Array },
  findings: Findings,
): Promise<Map<string, PlacedEntry[]>> {
  const { report, genesis, mapRoot } = context;
  const chains = new Map<string, PlacedEntry[]>(report.subjects.map(({ id }) => [id, []]));
  for (const entry of placed) {
    if (entry.subject === null) continue;
    const chain = chains.get(entry.subject);
    if (chain === undefined)
      findings.add('NOT_CURRENT', entry.index, `nothing proves ${entry.subject} current`);
    chain?.push(entry);
  }
  for (const { id, map } of report.subjects) {
    const chain = chains.get(id) ?? [];
    const newest = chain.at(-1);
    const value = newest === undefined ? null : headValue(newest.index, newest.leaf);
    await findings.check(newest?.index ?? null, () =>
      verifyMapProof(map, subjectKey(genesis, report.ns, id), value, mapRoot),
    );
    checkChain(id, chain, findings);
  }
  return chains;
}

function checkChain(id: string, chain: readonly PlacedEntry[], findings: Findings): void {
  const isPublic = isPublicSubject(id);
  if (isPublic && chain.length !== 1)
    findings.add('CHAIN_BROKEN', null, `the newest revision of the ${id} is to stand there, and no other`);
  let before: PlacedEntry | null = null;
  for (const entry of chain) {
    const { record } = entry.entry;
    if (!isOf(id, record.type, record.rev)) {
      findings.add('ALTERED', entry.index, `a record of type ${record.type} says nothing about ${id}`);
    }
    const isNext =
      before === null
        ? isPublic || record.rev === 0
        : record.rev === before.entry.record.rev + 1 &&
          equalBytes(record.prev ?? new Uint8Array(0), before.leaf);
    if (!isNext)
      findings.add(
        'CHAIN_BROKEN',
        entry.index,
        `revision ${record.rev} of ${id} does not follow the one before it`,
      );
    before = entry;
  }
}

/** A key for one kind of subject must not speak about another. */
function isOf(id: string, recordType: string, rev: number): boolean {
  if (isPublicSubject(id)) return recordType === `${id}.${rev === 0 ? 'created' : 'updated'}`;
  return subjectTypeOf(recordType) === kindOf(id);
}

const kinds: Readonly<Record<string, string>> = {
  lic: 'license',
  prn: 'principal',
  crd: 'credential',
  apr: 'approval',
};

/** The subject type of an id; undefined for a kind that no report has. */
export function kindOf(id: string): string | undefined {
  if (isPublicSubject(id)) return id;
  return id === policiesId ? 'policy' : kinds[id.slice(0, id.indexOf('_'))];
}
