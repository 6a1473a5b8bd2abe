/**
 * Opens a log: loads it, and compares it with what the signer signed and what was published before
 * anybody may change it.
 */
import {
  type BrakeDocument,
  equalBytes,
  IntegrityError,
  type NamespaceDocument,
  parseSignedCheckpoint,
  utf8,
} from '@tallystick/core';
import { asIntegrityProblem, checkMapRoot, openCheckpoint, publicDocument } from './check-published.ts';
import { timeOfEntry } from './content.ts';
import { asError, LedgerError } from './errors.ts';
import type { LedgerParts } from './ledger-parts.ts';
import { LogState } from './log-state.ts';
import { ProjectionFeeder } from './projections/feeder.ts';
import type { Published } from './publish/publisher.ts';
import { RevisionReader } from './read/revision-reader.ts';
import type { Store } from './store/store.ts';
import { TrustHistory } from './trust-history.ts';
import { envelopesOf } from './trust-publication.ts';

/** A log as it was found: loaded, compared with what was signed and published, and caught up with. */
export interface Opened {
  state: LogState;
  reader: RevisionReader;
  trust: TrustHistory;
  feeder: ProjectionFeeder;
  published: Published | null;
  namespace: NamespaceDocument;
  brake: BrakeDocument;
  lastAt: number;
  /** The oldest change that waits for its checkpoint, in milliseconds. */
  waiting: { index: number; at: number } | null;
  closed: LedgerError | null;
}

const hidden = new LedgerError(
  'integrity',
  'the lists of this server lacked what its log has: somebody hid rows. They were put back from the log',
);

export async function openLog(parts: LedgerParts): Promise<Opened> {
  const { store, trust: chain, ns, projections, indexKey } = parts;
  const [first] = chain;
  if (first === undefined) throw new Error('there is no trust root');
  const writer = parts.projectionWriter ?? projections;
  const saved = await store.checkpoint();
  const identity = { genesis: first.genesis, ns, pastFrom: Math.max(0, (saved?.size ?? 0) - 1) };
  const onProgress = (done: number): void => parts.onProgress?.({ step: 'log', done });
  const { followed, lost } = await stillThere(store, parts.state);
  // The map comes to where it is asked for first; what waits for a checkpoint behind that may be much.
  const to = signedSize(parts, saved);
  const state = followed ?? (await LogState.load(store, { ...identity, to }, onProgress));
  await state.readOn(store, to);
  state.advanceMap();
  await state.readOn(store);
  const trust = TrustHistory.find(chain, state);
  const reader = new RevisionReader(store, state);
  const feeder = new ProjectionFeeder({ store, state, projections, writer, indexKey });
  const mark = lost === null ? await newestMark(parts, state, saved) : parts.mark;
  let closed = lost ?? markProblem(mark, state);
  let published: Published | null = null;
  try {
    published = saved === undefined ? null : await openCheckpoint(saved.note, state, trust);
    if (published !== null) await checkMapRoot(store, state, published.size, trust);
  } catch (error) {
    closed ??= asIntegrityProblem(error);
  }
  try {
    // A log that is behind is still read from; one that was altered is not.
    if (closed?.problem !== 'integrity') {
      const told = (done: number): void => parts.onProgress?.({ step: 'projections', done });
      const { wereHidden } = await feeder.replayWhole(told);
      if (wereHidden) parts.onEvent({ type: 'alarm', error: hidden });
    }
  } catch (error) {
    closed ??= asIntegrityProblem(error);
  }
  closed ??= await signerProblem(parts.signer, trust, published);
  const namespace = await publicDocument(reader, 'namespace');
  const brake = await publicDocument(reader, 'brake');
  const lastAt = await newestTime(store, state.size);
  const waiting = published === null ? null : await oldestWaiting(store, published.size, state.size);
  return {
    state,
    reader,
    trust,
    feeder,
    published,
    namespace: namespace.document as NamespaceDocument,
    brake: brake.document as BrakeDocument,
    lastAt,
    waiting,
    closed,
  };
}

/** Size of the newest checkpoint that is known to be signed, wherever that is known. */
function signedSize({ mark, signed }: LedgerParts, saved: { size: number } | undefined): number {
  const shared = signed === undefined ? 0 : parseSignedCheckpoint(utf8(signed.note)).size;
  return Math.max(mark.size, shared, saved?.size ?? 0);
}

/** Whether the store still holds what was followed and published: what is in memory must not stand in for what is gone. */
async function stillThere(
  store: Store,
  followed: LogState | undefined,
): Promise<{ followed: LogState | null; lost: LedgerError | null }> {
  if (followed === undefined) return { followed: null, lost: null };
  const { size, tree } = followed;
  const [last] = await store.leaves(size - 1, 1);
  if (last !== undefined && equalBytes(last.leaf, tree.leaf(size - 1))) return { followed, lost: null };
  const lost =
    last === undefined
      ? new LedgerError(
          'log_behind',
          `${size} entries of this log were published and seen here, and the database has ${await store.size()}: it is a ` +
            'copy that is behind. Go on with the database that holds them; nothing is changed until then',
        )
      : new LedgerError('integrity', `the first ${size} entries are not the ones that were published`);
  return { followed: null, lost };
}

/**
 * The mark of a signer that shares its log goes on to what another one signed last, before anything is asked of it. What
 * is published is signed, too, wherever what was signed last got lost.
 */
async function newestMark(
  { mark, saveSigned, signed, signer }: LedgerParts,
  state: LogState,
  published: { note: string } | undefined,
): Promise<LedgerParts['mark']> {
  if (saveSigned === undefined) return mark;
  const [newest] = [signed, published]
    .flatMap((known) => known ?? [])
    .map(({ note }) => ({ ...parseSignedCheckpoint(utf8(note)), note }))
    .sort((a, b) => b.size - a.size);
  if (newest === undefined) return mark;
  const { note, size, root } = newest;
  // Where the log does not even reach so far, comparing says so.
  if (size > state.size) return { size, root };
  if (size <= mark.size) return mark;
  await signer.follow(note, state.tree.consistencyProof(mark.size, size));
  return { size, root };
}

/** The signer remembers what it signed; a log that does not contain that was rolled back or replaced. */
function markProblem(mark: LedgerParts['mark'], state: LogState): LedgerError | null {
  if (mark.size > state.size) {
    const missing = mark.size - state.size;
    return new LedgerError(
      'log_behind',
      `this log has ${state.size} entries, and the signer has signed ${mark.size}: entries ${state.size} to ` +
        `${mark.size - 1} (${missing}) are missing. Restore a store that holds them; nothing is changed until then`,
    );
  }
  if (!equalBytes(state.tree.root(mark.size), mark.root)) {
    return new LedgerError(
      'integrity',
      `the first ${mark.size} entries are not the ones that the signer signed`,
    );
  }
  return null;
}

/**
 * Shows the signer the trust roots of the log and what was published last: a mark that was put back must not be signed
 * on from.
 */
async function signerProblem(
  signer: LedgerParts['signer'],
  trust: TrustHistory,
  published: Published | null,
): Promise<LedgerError | null> {
  try {
    await signer.adoptTrustRoot(envelopesOf(trust.versions));
    if (published !== null) await signer.witnessed(published.note, false);
    return null;
  } catch (error) {
    const { name, message, reason } = asError(error) as Error & { reason?: string };
    if (name === 'SignerUnavailable') throw error;
    return new LedgerError(reason === 'mark_behind' ? 'signer_behind' : 'signer_refused', message);
  }
}

/**
 * The oldest change that was promised and is not published, in milliseconds. What an authority signed offline has a time
 * of its own, and is passed over.
 */
async function oldestWaiting(store: Store, from: number, size: number): Promise<Opened['waiting']> {
  for (let index = from; index < size; index++) {
    const stored = await store.entry(index);
    if (stored?.content == null || stored.content.id === 'namespace') continue;
    try {
      const at = timeOfEntry(stored);
      if (at !== null) return { index, at };
    } catch (error) {
      // What was altered is told of when it is read for an answer.
      if (!(error instanceof IntegrityError)) throw error;
    }
  }
  return null;
}

/** The newest time that was written into the log: what an authority signed offline may be older than what is before. */
async function newestTime(store: Store, size: number): Promise<number> {
  let newest = 0;
  for (let index = size - 1; ; index--) {
    const last = await store.entry(index);
    if (last === undefined) return newest;
    const at = timeOfEntry(last);
    newest = Math.max(newest, at ?? 0);
    if (at !== null && last.content?.id !== 'namespace') return newest;
  }
}
