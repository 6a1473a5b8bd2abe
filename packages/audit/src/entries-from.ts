import type { Store, StoredEntry } from '@tallystick/ledger';

const entriesPerRead = 1000;

/** Entries from an index up to the end, also those that are appended meanwhile, a few at a time. */
export async function* entriesFrom(
  store: Store,
  from: number,
  to: number = Number.POSITIVE_INFINITY,
): AsyncGenerator<StoredEntry> {
  for (let at = from; at < to; ) {
    const entries = await store.entries(at, Math.min(entriesPerRead, to - at));
    yield* entries;
    if (entries.length < entriesPerRead) return;
    at += entries.length;
  }
}
