/**
 * What a store says was published behind a log that is followed, read and verified before any of it is taken in: until
 * its checkpoint verifies, nobody but whoever writes rows vouches for them.
 */
import {
  equalBytes,
  IntegrityError,
  isMapRoot,
  parseMapRoot,
  parseSignedCheckpoint,
  parseTrustRoot,
  type TrustRoot,
  utf8,
  verifyLogSignatures,
  verifyQuorum,
  verifyTrustStep,
} from '@tallystick/core';
import { checkEntry } from '../content.ts';
import { IntegrityAlarm } from '../errors.ts';
import type { LogState } from '../log-state.ts';
import type { Published } from '../publish/publisher.ts';
import type { Store, StoredCheckpoint, StoredLeaf } from '../store/store.ts';
import type { TrustHistory } from '../trust-history.ts';

/** A version of the trust root as the log holds it. */
export interface LearnedTrust {
  trust: TrustRoot;
  entry: Uint8Array;
  index: number;
}

/** Verified but for the map root, which is known once the rows are in the map. */
export interface Continuation {
  rows: StoredLeaf[];
  learned: LearnedTrust[];
  published: Published;
  mapRoot: Uint8Array;
}

const rowsPerRead = 1000;

/** Throws LedgerError or IntegrityError where the rows are not what was published, and StoreUnavailable. */
export async function readContinuation(
  store: Store,
  state: LogState,
  trust: TrustHistory,
  saved: StoredCheckpoint,
): Promise<Continuation> {
  const checkpoint = parseSignedCheckpoint(utf8(saved.note));
  const { size, root } = checkpoint;
  if (size !== saved.size)
    throw new IntegrityError('MALFORMED', `the checkpoint of size ${saved.size} is of size ${size}`);
  const rows = await rowsBetween(store, state.size, size);
  if (!equalBytes(state.rootWith(rows), root))
    throw new IntegrityAlarm(size - 1, `the log does not contain what was published at size ${size}`);
  const learned = await trustAmong(store, rows, trust.current);
  const governing = learned.at(-1)?.trust ?? trust.current;
  await verifyLogSignatures(checkpoint, governing.log.vkeys);
  const asOf = await verifyQuorum(checkpoint, governing.quorum);
  const last = await store.entry(size - 1);
  if (last === undefined) throw new IntegrityAlarm(size - 1, 'the map root is missing');
  checkEntry(last, rows.at(-1)?.leaf ?? state.tree.leaf(size - 1));
  const mapRoot = parseMapRoot(last.entry);
  if (!equalBytes(mapRoot.trust, governing.hash))
    throw new IntegrityAlarm(size - 1, 'the log is under a trust root that it does not hold');
  return { rows, learned, published: { size, root, note: saved.note, asOf }, mapRoot: mapRoot.root };
}

async function rowsBetween(store: Store, from: number, to: number): Promise<StoredLeaf[]> {
  const rows: StoredLeaf[] = [];
  for (let at = from; at < to; at = from + rows.length) {
    const read = await store.leaves(at, Math.min(rowsPerRead, to - at));
    for (const [nth, row] of read.entries())
      if (row.index !== at + nth) throw new IntegrityAlarm(at + nth, 'its leaf is missing');
    if (read.length === 0) throw new IntegrityAlarm(at, 'a checkpoint covers it, and it is missing');
    rows.push(...read);
  }
  return rows;
}

/**
 * The versions of the trust root behind `current` that stand at the given rows. Throws IntegrityError where one does not
 * follow from the one before.
 */
export async function trustAmong(
  store: Store,
  rows: readonly StoredLeaf[],
  current: TrustRoot,
): Promise<LearnedTrust[]> {
  const learned: LearnedTrust[] = [];
  let newest = current;
  for (const { index, leaf, subject } of rows) {
    const stored = subject === null ? await store.entry(index) : undefined;
    if (stored === undefined || isMapRoot(stored.entry)) continue;
    checkEntry(stored, leaf);
    const trust = parseTrustRoot(stored.entry);
    if (trust.version <= newest.version) continue;
    await verifyTrustStep(newest, trust, index);
    learned.push({ trust, entry: stored.entry, index });
    newest = trust;
  }
  return learned;
}

/** Takes in what the log was found to hold; what is kept to follow it stays kept. */
export function takeLearned(history: TrustHistory, learned: readonly LearnedTrust[]): void {
  for (const { trust, entry, index } of learned) {
    const [next] = history.unlogged;
    if (next === undefined || !equalBytes(next.hash, trust.hash)) history.kept([trust]);
    history.logged(trust, entry, index);
  }
}
