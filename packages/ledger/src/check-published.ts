/** Whether what a store says was published is so: of this log, signed by it and its quorum, and over the right map. */
import {
  equalBytes,
  IntegrityError,
  parseMapRoot,
  parseSignedCheckpoint,
  utf8,
  verifyLogSignatures,
  verifyQuorum,
} from '@tallystick/core';
import type { Current } from '@tallystick/license';
import { checkEntry } from './content.ts';
import { IntegrityAlarm, LedgerError } from './errors.ts';
import type { LogState } from './log-state.ts';
import type { Published } from './publish/publisher.ts';
import type { RevisionReader } from './read/revision-reader.ts';
import type { Store } from './store/store.ts';
import type { TrustHistory } from './trust-history.ts';

/**
 * A stored checkpoint as published: of this log, signed by it and a quorum. Throws LedgerError or IntegrityError.
 */
export async function openCheckpoint(
  note: string,
  state: LogState,
  history: TrustHistory,
): Promise<Published> {
  const checkpoint = parseSignedCheckpoint(utf8(note));
  const { size, root } = checkpoint;
  if (size > state.size || !equalBytes(state.tree.root(size), root)) {
    throw new LedgerError('integrity', `the log does not contain what was published at size ${size}`);
  }
  const trust = history.governing(size);
  await verifyLogSignatures(checkpoint, trust.log.vkeys);
  return { size, root, note, asOf: await verifyQuorum(checkpoint, trust.quorum) };
}

/**
 * The map as rebuilt from the narrow rows must be the one that was published: a row that names another
 * subject, or none, would bring an older state back.
 */
export async function checkMapRoot(
  store: Pick<Store, 'entry'>,
  state: LogState,
  publishedSize: number,
  history: TrustHistory,
): Promise<void> {
  const index = publishedSize - 1;
  const stored = await store.entry(index);
  if (stored === undefined) throw new IntegrityAlarm(index, 'the map root is missing');
  checkEntry(stored, state.tree.leaf(index));
  const { root, trust } = parseMapRoot(stored.entry);
  if (!equalBytes(state.map.at(index).root(), root)) {
    throw new IntegrityAlarm(index, 'the map over the entries before it has another root');
  }
  if (!equalBytes(history.governing(publishedSize).hash, trust)) {
    throw new IntegrityAlarm(index, 'the log is under a trust root that the trust root file does not hold');
  }
}

/** What is malformed in a store was altered. Other errors are not about its content. */
export function asIntegrityProblem(error: unknown): LedgerError {
  if (error instanceof LedgerError) return error;
  if (error instanceof IntegrityError) return new LedgerError('integrity', error.message, { cause: error });
  throw error;
}

/** The newest committed state of the namespace or its brake. */
export async function publicDocument(reader: RevisionReader, id: string): Promise<Current> {
  const current = await reader.current(id);
  if (current === undefined) throw new IntegrityAlarm(0, `the log has no ${id}`);
  return current;
}
