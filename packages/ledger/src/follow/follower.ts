/**
 * A log that another server writes, as far as it is published: read from the store that both share, verified as a client
 * verifies it, and served. Writes nothing but its own projections.
 *
 * What is durable and not published yet is left alone: its writer may still learn that it was not committed everywhere.
 */
import {
  type BrakeDocument,
  equalBytes,
  type NamespaceDocument,
  type PublicKey,
  parseMapRoot,
  type TrustRoot,
} from '@tallystick/core';
import { asIntegrityProblem, checkMapRoot, openCheckpoint, publicDocument } from '../check-published.ts';
import { asError, IntegrityAlarm, LedgerError } from '../errors.ts';
import { Governing } from '../governing.ts';
import { LogState } from '../log-state.ts';
import type { IndexLicenseKey } from '../names.ts';
import { ProjectionFeeder } from '../projections/feeder.ts';
import type { Projections, ProjectionWriter } from '../projections/projections.ts';
import type { Published } from '../publish/publisher.ts';
import { BundleMaker } from '../read/bundle-maker.ts';
import { CustodyMaker, type CustodyRequest } from '../read/custody-maker.ts';
import { LedgerReader } from '../read/ledger-reader.ts';
import { RevisionReader } from '../read/revision-reader.ts';
import type { Store, StoredCheckpoint } from '../store/store.ts';
import { TrustHistory } from '../trust-history.ts';
import { readContinuation, takeLearned, trustAmong } from './continuation.ts';

export interface FollowerParts {
  /** Only read from. */
  store: Store;
  projections: Projections;
  projectionWriter: ProjectionWriter;
  /** The versions of the trust root that are known here, verified, from 1 up. */
  trust: readonly TrustRoot[];
  /** Makes a longer chain, which the log holds, outlive this process. */
  saveTrust: (chain: readonly TrustRoot[]) => Promise<void>;
  ns: string;
  keys: { readonly all: readonly PublicKey[] };
  indexKey: IndexLicenseKey;
  /** Milliseconds between two looks for a new checkpoint. */
  intervalMs: number;
  onPublished: (published: Published) => void;
  /** Told when following fails and, with null, when it works again. */
  onTrouble: (error: Error | null) => void;
  onProgress?: (progress: { step: 'log' | 'projections'; done: number }) => void;
}

/** What lies further back is caught up with by checkpoints in between. */
const entriesPerStep = 20_000;

/** The log in memory. */
interface Followed {
  state: LogState;
  trust: TrustHistory;
  published: Published;
  namespace: NamespaceDocument;
  brake: BrakeDocument;
}

export class Follower implements AsyncDisposable {
  readonly #parts: FollowerParts;
  readonly #state: LogState;
  readonly #trust: TrustHistory;
  readonly #reader: RevisionReader;
  readonly #feeder: ProjectionFeeder;
  readonly #bundles: BundleMaker;
  readonly #custody: CustodyMaker;
  readonly #governing: Governing;
  readonly read: LedgerReader;
  #published: Published;
  /** Why nothing is served: what the store holds is not what was signed. */
  #unsound: LedgerError | null = null;
  #trouble: Error | null = null;
  #areProjectionsBehind = true;
  #areGoverningBehind = false;
  #isTrustSaved = true;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> = Promise.resolve();
  #isStopped = false;

  private constructor(parts: FollowerParts, { state, trust, published, namespace, brake }: Followed) {
    this.#parts = parts;
    this.#state = state;
    this.#trust = trust;
    this.#published = published;
    this.#governing = new Governing(namespace, brake, async () => null);
    const { projections, projectionWriter, indexKey, keys } = parts;
    // The writer shreds what an erasure covers before it publishes the erasure.
    const store = withoutShredding(parts.store);
    this.#reader = new RevisionReader(store, state);
    this.#feeder = new ProjectionFeeder({ store, state, projections, writer: projectionWriter, indexKey });
    this.#bundles = new BundleMaker({ store, state, reader: this.#reader, trust, keys });
    this.#custody = new CustodyMaker({ store, state, projections, bundles: this.#bundles });
    this.read = new LedgerReader({
      store,
      state,
      reader: this.#reader,
      projections,
      currents: this.#reader,
      settle: async () => this.#demandProjections(),
      checkSound: () => this.#demandSound(),
      indexKey,
    });
  }

  /** Reads the log up to its newest checkpoint, and goes on from there until it is disposed. Rejects with LedgerError. */
  static async open(parts: FollowerParts): Promise<Follower> {
    const follower = new Follower(parts, await followed(parts));
    await follower.#project();
    follower.#schedule();
    return follower;
  }

  /** Number of entries that are published and known here. */
  get size(): number {
    return this.#state.size;
  }

  get published(): Published {
    return this.#published;
  }

  /** The consistency proof from a smaller size to what is published. */
  proofFrom(size: number): Uint8Array[] {
    return this.#state.tree.consistencyProof(size, this.#published.size);
  }

  get trust(): TrustHistory {
    return this.#trust;
  }

  get governing(): Governing {
    return this.#governing;
  }

  /** What is wrong with the log as it is served; null where nothing is. */
  get trouble(): Error | null {
    return this.#unsound ?? this.#trouble;
  }

  /**
   * The license file of a license as it was published; for an id that the published log does not hold, the proof of that.
   * Throws LedgerError.
   */
  async bundle(licenseId: string, { trustVersion = 1 }: { trustVersion?: number } = {}): Promise<string> {
    this.#demandSound();
    const published = this.#published;
    const isIssued = this.#state.head(this.#state.keyOf(licenseId)) !== undefined;
    const text = await this.#bundles.make(licenseId, { published, isIssued, trustVersion });
    if (text === null) throw new LedgerError('not_published_yet', 'the license waits for its checkpoint');
    return text;
  }

  /** The custody report on a license as it was published. Throws LedgerError. */
  async custody(licenseId: string, request: CustodyRequest = {}): Promise<string> {
    this.#demandSound();
    const text = await this.#custody.make(licenseId, request, this.#published);
    if (text === null) throw new LedgerError('not_published_yet', 'the license waits for its checkpoint');
    return text;
  }

  /** Ends following. What is in memory is good to go on with, where it is handed over: see `LedgerParts.state`. */
  async stop(): Promise<{ state?: LogState; trust: readonly TrustRoot[] }> {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#running;
    // What was not what was signed must not be gone on from: whoever takes over reads anew.
    return { ...(this.#unsound === null && { state: this.#state }), trust: this.#chain };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #demandSound(): void {
    if (this.#unsound !== null) throw this.#unsound;
  }

  #demandProjections(): void {
    this.#demandSound();
    if (this.#areProjectionsBehind)
      throw new LedgerError('overloaded', 'lists and names are being read from the log: try again shortly');
  }

  #schedule(): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#look().finally(() => this.#schedule());
    }, this.#parts.intervalMs);
  }

  async #look(): Promise<void> {
    try {
      const saved = await this.#parts.store.checkpoint();
      if (saved?.note !== this.#published.note) await this.#follow(saved);
      await this.#keepUp();
      await this.#project();
      this.#note(null);
    } catch (error) {
      this.#note(asError(error));
    }
  }

  async #follow(newest: StoredCheckpoint | undefined): Promise<void> {
    this.#demandSound();
    const { size } = this.#state;
    if (newest === undefined || newest.size < size) {
      throw new LedgerError(
        'log_behind',
        `the database ends at ${newest?.size ?? 0} entries, of which ${size} were seen here: it is a copy that is behind`,
      );
    }
    const near = await this.#parts.store.checkpoint(size + entriesPerStep);
    try {
      await this.#step(near === undefined || near.size <= size ? newest : near);
    } catch (error) {
      this.#unsound = asIntegrityProblem(error);
      throw this.#unsound;
    }
    this.#parts.onPublished(this.#published);
  }

  /** Nothing is taken in before it is verified, and then all of it in one turn: readers see it as a whole. */
  async #step(saved: StoredCheckpoint): Promise<void> {
    const { store } = this.#parts;
    const { rows, learned, published, mapRoot } = await readContinuation(
      store,
      this.#state,
      this.#trust,
      saved,
    );
    for (const row of rows) this.#state.append(row);
    if (!equalBytes(this.#state.advanceMap(), mapRoot)) {
      this.#unsound = new IntegrityAlarm(
        saved.size - 1,
        'the map over the entries before it has another root',
      );
      throw this.#unsound;
    }
    takeLearned(this.#trust, learned);
    this.#state.forgetMapsBefore(this.#published.size - 1);
    this.#isTrustSaved &&= learned.length === 0;
    this.#published = published;
    this.#areGoverningBehind = true;
  }

  /** What follows from what was taken in, tried again until it is done. */
  async #keepUp(): Promise<void> {
    if (!this.#isTrustSaved) {
      await this.#parts.saveTrust(this.#chain);
      this.#isTrustSaved = true;
    }
    if (!this.#areGoverningBehind) return;
    for (const id of ['namespace', 'brake'])
      this.#governing.committed((await publicDocument(this.#reader, id)).document);
    this.#areGoverningBehind = false;
  }

  get #chain(): TrustRoot[] {
    return [...this.#trust.versions, ...this.#trust.unlogged];
  }

  /** Projections that another run left further than what is published wait until that has come as far. */
  async #project(): Promise<void> {
    const { projections, onProgress } = this.#parts;
    if (projections.size > this.#state.size) return;
    await this.#feeder.replay((done) => onProgress?.({ step: 'projections', done }));
    this.#areProjectionsBehind = false;
  }

  #note(error: Error | null): void {
    const isNews = this.#trouble?.message !== error?.message;
    this.#trouble = error;
    if (isNews) this.#parts.onTrouble(error);
  }
}

/** The published log, verified. Throws LedgerError where there is none, or what the store holds is not it. */
async function followed(parts: FollowerParts): Promise<Followed> {
  const { store, trust: chain, ns, onProgress } = parts;
  const [first] = chain;
  if (first === undefined) throw new Error('there is no trust root');
  const saved = await store.checkpoint();
  if (saved === undefined)
    throw new LedgerError('not_published_yet', 'the log has not published anything that could be followed');
  const { size: to, note } = saved;
  const identity = { genesis: first.genesis, ns, pastFrom: Math.max(0, to - 1), to };
  const state = await LogState.load(store, identity, (done) => onProgress?.({ step: 'log', done }));
  const trust = TrustHistory.find(chain, state);
  try {
    const isKnown = await isUnder(store, to, trust);
    if (!isKnown) await learnTrust(store, state, trust);
    const published = await openCheckpoint(note, state, trust);
    if (published.size !== to)
      throw new IntegrityAlarm(to - 1, `the checkpoint of size ${to} is of size ${published.size}`);
    await checkMapRoot(store, state, to, trust);
    // Only now: until then nobody but whoever writes rows said so.
    if (!isKnown) await parts.saveTrust([...trust.versions, ...trust.unlogged]);
    const reader = new RevisionReader(store, state);
    const namespace = (await publicDocument(reader, 'namespace')).document as NamespaceDocument;
    const brake = (await publicDocument(reader, 'brake')).document as BrakeDocument;
    return { state, trust, published, namespace, brake };
  } catch (error) {
    throw asIntegrityProblem(error);
  }
}

/** Whether the map root under a checkpoint of `size` names the newest trust root that is known here. */
async function isUnder(store: Store, size: number, { current }: TrustHistory): Promise<boolean> {
  const last = await store.entry(size - 1);
  if (last === undefined) throw new IntegrityAlarm(size - 1, 'the map root is missing');
  return equalBytes(parseMapRoot(last.entry).trust, current.hash);
}

/** Takes in newer versions of the trust root that stand in the log. Throws IntegrityError where one does not follow. */
async function learnTrust(store: Store, state: LogState, trust: TrustHistory): Promise<void> {
  for (let at = 0; at < state.size; at += entriesPerStep) {
    const rows = await store.leaves(at, Math.min(entriesPerStep, state.size - at));
    const logged = rows.map((row) => ({ ...row, leaf: state.tree.leaf(row.index) }));
    takeLearned(trust, await trustAmong(store, logged, trust.current));
  }
}

function withoutShredding(store: Store): Store {
  return {
    size: () => store.size(),
    append: (batch) => store.append(batch),
    leaves: (from, limit) => store.leaves(from, limit),
    entries: (from, limit) => store.entries(from, limit),
    entry: (index) => store.entry(index),
    entryBytes: (from, limit) => store.entryBytes(from, limit),
    cause: (index) => store.cause(index),
    causes: (from, to) => store.causes(from, to),
    shred: async () => {},
    saveCheckpoint: (checkpoint) => store.saveCheckpoint(checkpoint),
    checkpoint: (size) => store.checkpoint(size),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}
