import type { LogState } from '../log-state.ts';
import type { Store } from '../store/store.ts';
import type { Projections } from './projections.ts';

/** Subjects that no list has. */
const unlisted = ['namespace', 'brake', 'policies'];

/**
 * Whether projections that have taken in all of a log lack a subject, or have one too many: somebody took a row away, or put one
 * in, while nobody looked. Counts alone, so that it takes a start no time; `fsck` compares row by row.
 */
export async function hasHiddenRows({
  store,
  state,
  projections,
}: {
  store: Store;
  state: LogState;
  projections: Projections;
}): Promise<boolean> {
  const { subjects, licenses, customers, catalog } = projections.counts();
  const rows = licenses + customers + catalog;
  if (subjects !== state.map.size) return true;
  const listed = subjects - unlisted.filter((id) => state.head(state.keyOf(id)) !== undefined).length;
  if (rows >= listed) return rows > listed;
  for (const { id, index } of projections.withoutRow()) {
    if (unlisted.includes(id)) continue;
    // What was lost for good has none either.
    const stored = await store.entry(index);
    if (stored?.content?.document != null) return true;
  }
  return false;
}
