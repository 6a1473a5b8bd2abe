import { equalBytes, parseRecordEntry, subjectKey } from '@tallystick/core';
import type { Store } from '@tallystick/ledger';
import type { PolicyDocument } from '@tallystick/license';
import { openDocument } from './decisions/logged-commands.ts';

const rowsPerRead = 10_000;

/**
 * The newest policy of a log, as its leaf commits to it; null where it has none. Whether leaves and signatures hold is for `fsck`.
 * Throws Error where the document is not the one committed to.
 */
export async function newestPolicy(
  store: Store,
  { genesis, ns }: { genesis: Uint8Array; ns: string },
): Promise<PolicyDocument | null> {
  const key = subjectKey(genesis, ns, 'policies');
  const size = await store.size();
  for (let to = size; to > 0; to -= rowsPerRead) {
    const from = Math.max(0, to - rowsPerRead);
    const rows = await store.leaves(from, to - from);
    const row = rows.findLast(({ subject }) => subject !== null && equalBytes(subject, key));
    const stored = row && (await store.entry(row.index));
    if (stored === undefined) continue;
    const document = openDocument(stored.content, parseRecordEntry(stored.entry).record);
    return document?.type === 'policy' ? document : null;
  }
  return null;
}
