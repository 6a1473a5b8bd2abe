import type { LogState } from '../log-state.ts';
import type { Store, StoredEntry } from '../store/store.ts';
import type { Projections } from './projections.ts';

/** Subjects that no list has. */
const unlisted = ['namespace', 'brake', 'policies'];

/**
 * The newest entries of subjects that projections which have taken in all of a log lack, because somebody took rows away while
 * nobody looked; `all` where not even their revisions are known. Counts first, so that it takes a start no time. What was put in is
 * noticed where it is read, and `fsck` compares row by row.
 */
export async function missingRows({
  store,
  state,
  projections,
}: {
  store: Store;
  state: LogState;
  projections: Projections;
}): Promise<StoredEntry[] | 'all'> {
  const { subjects, licenses, customers, catalog } = projections.counts();
  if (subjects < state.subjects) return 'all';
  const listed = subjects - unlisted.filter((id) => state.head(state.keyOf(id)) !== undefined).length;
  if (licenses + customers + catalog >= listed) return [];
  const missing: StoredEntry[] = [];
  for (const { id, index } of projections.withoutRow()) {
    const stored = unlisted.includes(id) ? undefined : await store.entry(index);
    // What was lost for good has none either.
    if (stored?.content?.document != null) missing.push(stored);
  }
  return missing;
}
