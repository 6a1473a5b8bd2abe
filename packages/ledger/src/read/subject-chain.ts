/** All revisions of one subject under a checkpoint, each checked against the log. */
import { equalBytes } from '@tallystick/core';
import { type CheckedRevision, checkRevision } from '../content.ts';
import { IntegrityAlarm } from '../errors.ts';
import type { LogState } from '../log-state.ts';
import type { Projections } from '../projections/projections.ts';
import type { Store } from '../store/store.ts';
import { isUnknownSubject } from '../unknown-subject.ts';
import type { MapUnder } from './bundle-maker.ts';

export interface SubjectChainParts {
  store: Store;
  state: LogState;
  projections: Projections;
}

/** What the map says of a subject under a checkpoint. */
export interface ChainHead {
  id: string;
  key: Uint8Array;
  /** Log index of the newest revision. */
  index: number;
  map: Uint8Array;
}

const rowsPerRead = 20_000;
/** Revisions that are read before others get a turn. */
const perTurn = 64;

/** null where the subject has no entry there. */
export function chainHead(id: string, state: LogState, map: MapUnder): ChainHead | null {
  const key = state.keyOf(id);
  const index = map.indexOf(key);
  return index === undefined ? null : { id, key, index, map: map.prove(key) };
}

/** The revision at the head. Throws IntegrityAlarm. */
export function readHead(parts: SubjectChainParts, head: ChainHead): Promise<CheckedRevision> {
  return readRevision(parts, head, head.index);
}

/** The revisions from 0 up to the head. Throws IntegrityAlarm where one is missing or was altered. */
export async function* readChain(parts: SubjectChainParts, head: ChainHead): AsyncGenerator<CheckedRevision> {
  const newest = await readHead(parts, head);
  const { rev } = newest.record.record;
  const indexes = projectedIndexes(parts, head, rev) ?? (await scannedIndexes(parts, head));
  if (indexes.length !== rev + 1)
    throw new IntegrityAlarm(
      head.index,
      `the log has ${indexes.length} of ${rev + 1} revisions of ${head.id}`,
    );
  for (const [nth, index] of indexes.entries()) {
    if (nth % perTurn === perTurn - 1) await new Promise((resolve) => setImmediate(resolve));
    yield index === head.index ? newest : await readRevision(parts, head, index);
  }
}

/** As the projections have them, which is not believed: undefined where revisions are missing there. */
function projectedIndexes(
  { projections }: SubjectChainParts,
  head: ChainHead,
  rev: number,
): number[] | undefined {
  const found = projections.revisionsBefore(head.id, rev + 1, rev + 1).reverse();
  return found.length === rev + 1 && found.at(-1)?.index === head.index
    ? found.map(({ index }) => index)
    : undefined;
}

/** Where nobody knows any more what the subject of an entry is called, the log still does. */
async function scannedIndexes(
  { store }: SubjectChainParts,
  { key, index: last }: ChainHead,
): Promise<number[]> {
  const indexes: number[] = [];
  for (let from = 0; from <= last; from += rowsPerRead) {
    const rows = await store.leaves(from, Math.min(rowsPerRead, last + 1 - from));
    for (const { index, subject } of rows)
      if (subject !== null && equalBytes(subject, key)) indexes.push(index);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return indexes;
}

async function readRevision(
  parts: SubjectChainParts,
  { id, key }: ChainHead,
  index: number,
): Promise<CheckedRevision> {
  const revision = await readAt(parts, index);
  const { content, record } = revision;
  const isFiled = content.id === id || isUnknownSubject(content.id);
  if (!isFiled || !equalBytes(record.record.subject, key))
    throw new IntegrityAlarm(index, `the entry is not about ${id}`);
  return revision;
}

/** The record at an index, whatever it is about. Throws IntegrityAlarm. */
export async function readAt({ store, state }: SubjectChainParts, index: number): Promise<CheckedRevision> {
  const stored = await store.entry(index);
  if (stored === undefined) throw new IntegrityAlarm(index, 'the entry is missing');
  return checkRevision(stored, state.tree.leaf(index));
}
