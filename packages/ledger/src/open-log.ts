/**
 * Opens a log: loads it, and compares it with what the signer signed and what was published before
 * anybody may change it.
 */
import {
  type BrakeDocument,
  equalBytes,
  isMapRoot,
  type NamespaceDocument,
  parseMapRoot,
  parseRecordEntry,
  parseSignedCheckpoint,
  type TrustRoot,
  utf8,
  verifyLogSignatures,
  verifyQuorum,
} from '@tallystick/core';
import type { Current } from '@tallystick/license';
import { IntegrityAlarm, LedgerError } from './errors.ts';
import type { LedgerParts } from './ledger.ts';
import { LogState } from './log-state.ts';
import { ProjectionFeeder } from './projections/feeder.ts';
import type { Published } from './publish/publisher.ts';
import { RevisionReader } from './read/revision-reader.ts';
import type { Store } from './store/store.ts';

/** A log as it was found: loaded, compared with what was signed and published, and caught up with. */
export interface Opened {
  state: LogState;
  reader: RevisionReader;
  feeder: ProjectionFeeder;
  published: Published | null;
  namespace: NamespaceDocument;
  brake: BrakeDocument;
  lastAt: number;
  closed: LedgerError | null;
}

export async function openLog(parts: LedgerParts): Promise<Opened> {
  const { store, trust, ns, projections, indexKey } = parts;
  const saved = await store.checkpoint();
  const identity = { genesis: trust.genesis, ns, pastFrom: saved?.size ?? 0 };
  const state = await LogState.load(store, identity, (done) => parts.onProgress?.({ step: 'log', done }));
  const reader = new RevisionReader(store, state);
  const feeder = new ProjectionFeeder({ store, state, projections, indexKey });
  let closed = markProblem(parts.mark, state);
  let published: Published | null = null;
  try {
    published = saved === undefined ? null : await openCheckpoint(saved.note, state, trust);
    if (closed === null) await feeder.replay((done) => parts.onProgress?.({ step: 'projections', done }));
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error;
    closed ??= error;
  }
  const namespace = await publicDocument(reader, 'namespace');
  const brake = await publicDocument(reader, 'brake');
  const lastAt = await newestTime(store, state.size);
  return {
    state,
    reader,
    feeder,
    published,
    namespace: namespace.document as NamespaceDocument,
    brake: brake.document as BrakeDocument,
    lastAt,
    closed,
  };
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

async function openCheckpoint(note: string, state: LogState, trust: TrustRoot): Promise<Published> {
  const checkpoint = parseSignedCheckpoint(utf8(note));
  const { size, root } = checkpoint;
  if (size > state.size || !equalBytes(state.tree.root(size), root)) {
    throw new LedgerError('integrity', `the log does not contain what was published at size ${size}`);
  }
  await verifyLogSignatures(checkpoint, trust.log.vkeys);
  return { size, root, note, asOf: await verifyQuorum(checkpoint, trust.quorum) };
}

async function publicDocument(reader: RevisionReader, id: string): Promise<Current> {
  const current = await reader.current(id);
  if (current === undefined) throw new IntegrityAlarm(0, `the log has no ${id}`);
  return current;
}

/** The newest time that was written into the log. */
async function newestTime(store: Store, size: number): Promise<number> {
  const last = await store.entry(size - 1);
  if (last === undefined) return 0;
  if (isMapRoot(last.entry)) return Date.parse(parseMapRoot(last.entry).at);
  return last.subject === null ? 0 : Date.parse(parseRecordEntry(last.entry).record.at);
}
