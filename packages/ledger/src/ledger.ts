/**
 * The ledger: one log with everything that hangs on it, as one object for a server to hold.
 *
 * Owns the sequencer, the publisher and the projections; the store, the signer and the cosigners are passed in.
 */
import type { KeptPromise, TrustRoot } from '@tallystick/core';
import { LedgerError } from './errors.ts';
import { Governing } from './governing.ts';
import { HandOver } from './hand-over.ts';
import { guarded, type SubmitResult } from './ledger-events.ts';
import type { LedgerParts } from './ledger-parts.ts';
import type { LogState } from './log-state.ts';
import { NamespaceRevisions } from './namespace-revisions.ts';
import { type Opened, openLog } from './open-log.ts';
import type { SignedRevision } from './place-revision.ts';
import type { ProjectionFeeder } from './projections/feeder.ts';
import { Promises } from './promises.ts';
import { type Published, Publisher } from './publish/publisher.ts';
import { RandomPool } from './random-pool.ts';
import { BundleMaker } from './read/bundle-maker.ts';
import { CustodyMaker, type CustodyRequest } from './read/custody-maker.ts';
import { LedgerReader } from './read/ledger-reader.ts';
import type { Judge, Submission } from './sequence/batch.ts';
import type { DecisionContext } from './sequence/batch-builder.ts';
import { Sequencer } from './sequence/sequencer.ts';
import { ToldOutcomes } from './told-outcomes.ts';
import type { TrustHistory } from './trust-history.ts';
import { envelopesOf, type PublicationOptions, TrustPublication } from './trust-publication.ts';
import { WaitingChanges } from './waiting-changes.ts';

/** Whoever asks for a license file right after a change gets the changed one: a checkpoint is this near. */
const bundleWaitMs = 5000;

type Revised = Extract<SubmitResult, { changes: unknown }>;

export class Ledger {
  readonly #parts: LedgerParts;
  readonly #state: LogState;
  readonly #feeder: ProjectionFeeder;
  readonly #sequencer: Sequencer;
  readonly #publisher: Publisher;
  readonly #random: RandomPool;
  readonly #bundles: BundleMaker;
  readonly #custody: CustodyMaker;
  readonly read: LedgerReader;
  #following: NodeJS.Timeout | null = null;
  readonly #governing: Governing;
  readonly #trust: TrustHistory;
  readonly #trustPublication: TrustPublication;
  readonly #promises: Promises;
  readonly #outcomes: ToldOutcomes;
  readonly #revisions: NamespaceRevisions;
  readonly #waiting: WaitingChanges;
  /** Why nothing may change, for as long as this process runs. */
  #closed: LedgerError | null = null;

  private constructor(parts: LedgerParts, opened: Opened) {
    const { state, reader } = opened;
    const { store, projections, indexKey } = parts;
    this.#parts = { ...parts, onEvent: guarded(parts.onEvent) };
    this.#state = state;
    this.#feeder = opened.feeder;
    this.#governing = new Governing(opened.namespace, opened.brake, parts.signedBrake);
    this.#closed = opened.closed;
    this.#waiting = new WaitingChanges(opened.waiting);
    this.#trust = opened.trust;
    this.#promises = new Promises({ ...this.#parts, origin: opened.trust.current.log.origin });
    this.#outcomes = new ToldOutcomes({
      promises: this.#promises,
      state,
      published: () => this.published?.size ?? 0,
    });
    this.#random = new RandomPool(parts.random);
    this.#sequencer = this.#createSequencer(opened);
    this.#publisher = this.#createPublisher(opened);
    const governed = { state, reader, governing: this.#governing, sequencer: this.#sequencer };
    const handOver = new HandOver({
      ...parts,
      sequencer: this.#sequencer,
      envelopes: () => envelopesOf(opened.trust.versions),
      onDelay: (error) => this.#parts.onEvent({ type: 'alarm', error }),
    });
    this.#revisions = new NamespaceRevisions({
      ...parts,
      ...governed,
      trust: opened.trust,
      handOver,
    });
    this.#trustPublication = new TrustPublication({
      ...parts,
      ...governed,
      history: opened.trust,
      handOver,
      published: () => this.published,
      save: parts.saveTrust,
    });
    this.#bundles = new BundleMaker({ store, state, reader, trust: opened.trust, keys: parts.keys });
    this.#custody = new CustodyMaker({ store, state, projections, bundles: this.#bundles });
    const settle = (): Promise<void> => this.#feeder.settle();
    this.read = new LedgerReader({
      store,
      state,
      reader,
      projections,
      currents: this.#sequencer,
      settle,
      checkSound: () => {
        if (this.#closed?.problem === 'integrity') throw this.#closed;
      },
      indexKey,
    });
  }

  /**
   * Opens a log and starts to publish. Where the log contradicts what the signer has signed it opens
   * for reading only; `mutations` says why.
   */
  static async open(parts: LedgerParts): Promise<Ledger> {
    const ledger = new Ledger(parts, await openLog(parts));
    await ledger.#governing.learn();
    if (ledger.#closed === null) {
      await parts.signer.abandon({ index: ledger.size, cause: 'restarted' });
      await ledger.#present('namespace');
      await ledger.#present('brake');
      ledger.#publisher.start();
    } else parts.onEvent({ type: 'halted', error: ledger.#closed });
    return ledger;
  }

  get size(): number {
    return this.#state.size;
  }

  get published(): Published | null {
    return this.#publisher.published;
  }

  get trust(): TrustHistory {
    return this.#trust;
  }

  /** Logs new versions of the trust root; see TrustPublication.take. */
  async publishTrust(chain: readonly TrustRoot[], options: PublicationOptions = {}): Promise<number> {
    this.#demandOpen(false);
    return this.#trustPublication.take(chain, options);
  }

  /** Logs what others approved, and that they did; see TrustPublication.execute. `submission` is for `approval.execute`. */
  async executeTrust(
    chain: readonly TrustRoot[],
    signed: SignedRevision | null,
    submission: Submission,
  ): Promise<SubmitResult> {
    this.#demandOpen(submission.dryRun);
    return this.#outcomes.tellExecuted(await this.#trustPublication.execute(chain, signed, submission));
  }

  /** See TrustPublication.check. */
  checkTrust(...asked: Parameters<TrustPublication['check']>): Promise<void> {
    return this.#trustPublication.check(...asked);
  }

  /** The oldest change that waits for its checkpoint, and how many entries do. */
  get pending(): { count: number; oldestAt: number | null } {
    return {
      count: this.#state.size - (this.published?.size ?? 0),
      oldestAt: this.#waiting.oldestAt,
    };
  }

  /** Why publishing fails at the moment; null where it works. */
  get trouble(): Error | null {
    return this.#publisher.trouble;
  }

  /** Why commands are refused at the moment; null where they are taken. */
  get mutations(): LedgerError | null {
    if (this.#closed !== null) return this.#closed;
    const trouble = this.#publisher.trouble;
    const because = trouble === null ? '' : `: ${trouble.message}`;
    if (!this.#publisher.isConfirmed) {
      return new LedgerError(
        'publication_stalled',
        `signer and cosigners have not confirmed this log since the start${because}`,
      );
    }
    if (trouble instanceof LedgerError && trouble.problem === 'clock_differs') return trouble;
    const { oldestAt } = this.#waiting;
    const waiting = oldestAt === null ? 0 : this.#parts.now() - oldestAt;
    if (waiting > this.#parts.times.stallMs) {
      return new LedgerError(
        'publication_stalled',
        `changes wait ${Math.round(waiting / 1000)} s for their checkpoint${because}`,
      );
    }
    return null;
  }

  #demandOpen(isDryRun: boolean): void {
    const closed = this.mutations;
    if (closed !== null && !isDryRun) throw closed;
  }

  /** Decides and records a command; see Sequencer.submit. */
  async submit(submission: Submission): Promise<SubmitResult> {
    this.#demandOpen(submission.dryRun);
    return this.#outcomes.tell(await this.#sequencer.submit(submission));
  }

  /**
   * Takes a namespace revision that its authority signed into the log; what is there already is found again. A dry run
   * only checks it. Throws LedgerError (`namespace_refused`) where it does not follow from what is there, and what `judge`
   * throws.
   */
  async reviseNamespace(
    signed: SignedRevision,
    dryRun: boolean,
    judge: Judge | null = null,
  ): Promise<Revised> {
    this.#demandOpen(dryRun);
    const { change, isNew } = await this.#revisions.take(signed, dryRun, judge);
    if (dryRun || !isNew) return { changes: [change], promises: null, repeated: !isNew };
    const promise = await this.promiseOf(change.index ?? 0);
    return { changes: [change], promises: promise && [promise], repeated: false };
  }

  /** Logs what others approved, and that they did; see NamespaceRevisions.execute. `submission` is for `approval.execute`. */
  async executeRevision(signed: SignedRevision, submission: Submission): Promise<SubmitResult> {
    this.#demandOpen(submission.dryRun);
    return this.#outcomes.tellExecuted(await this.#revisions.execute(signed, submission));
  }

  /** Resolves when a published checkpoint covers the log's first `size` entries. */
  whenPublished(size: number, timeoutMs: number): Promise<Published> {
    return this.#publisher.whenPublished(size, timeoutMs);
  }

  /**
   * The license file of a license, as text: its newest durable state where that is published within
   * `waitMs`, else the newest published one. For an id that was never issued, the proof of that. Throws LedgerError
   * where nothing of the license is published yet, or IntegrityAlarm.
   */
  async bundle(
    licenseId: string,
    { waitMs = bundleWaitMs, trustVersion = 1 }: { waitMs?: number; trustVersion?: number } = {},
  ): Promise<string> {
    const { isIssued, published } = await this.#publishedWith(licenseId, waitMs);
    const text = await this.#bundles.make(licenseId, { published, isIssued, trustVersion });
    if (text === null) throw notPublished();
    return text;
  }

  /**
   * The custody report on a license, as text, under the published checkpoint. Waits as `bundle` does. Throws LedgerError
   * (`not_published_yet`, `report_too_large`), or IntegrityAlarm.
   */
  async custody(licenseId: string, request: CustodyRequest = {}): Promise<string> {
    const { published } = await this.#publishedWith(licenseId, bundleWaitMs);
    const text = await this.#custody.make(licenseId, request, published);
    if (text === null) throw notPublished();
    return text;
  }

  /** The published checkpoint that covers the newest state of a license, or else the newest one. */
  async #publishedWith(
    licenseId: string,
    waitMs: number,
  ): Promise<{ published: Published; isIssued: boolean }> {
    // A log that was rolled back or altered must not vouch for anything, least of all for absence.
    if (this.#closed !== null) throw this.#closed;
    const head = this.#state.head(this.#state.keyOf(licenseId));
    const size = head === undefined ? 1 : head.index + 1;
    const published = await this.#publisher.whenPublished(size, waitMs).catch(() => this.published);
    if (published === null) throw notPublished();
    return { published, isIssued: head !== undefined };
  }

  /**
   * A promise for an entry that waits for its checkpoint; null for a published one, for one that is not there yet, and
   * where none can be signed.
   */
  async promiseOf(index: number): Promise<KeptPromise | null> {
    return this.#outcomes.promiseOf(index);
  }

  get governing(): Governing {
    return this.#governing;
  }

  /** Finishes what is under way; what is durable and unpublished is published after the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sequencer.stop();
    await this.#publisher.stop();
    if (this.#following !== null) clearTimeout(this.#following);
    // What cannot be written now is made up for at the next start.
    await this.#feeder.settle().catch(() => null);
  }

  /** Hands a public document to the signer, so that it governs what is signed. */
  async #present(id: 'namespace' | 'brake'): Promise<void> {
    const revision = await this.read.revision(id);
    if (revision?.content.document == null) throw new LedgerError('integrity', `the log has no ${id}`);
    await this.#parts.signer.adopt(revision.entry, revision.content.document);
  }

  #environment(at: string): DecisionContext {
    const { ns, newId, newLicenseKey } = this.#parts;
    const random = this.#random;
    return {
      ns,
      now: at,
      newId,
      newLicenseKey: () => newLicenseKey((length) => random.take(length)),
    };
  }

  #createSequencer({ state, reader, lastAt }: Opened): Sequencer {
    const { store, signer, projections, indexKey, now, onEvent } = this.#parts;
    return new Sequencer(
      {
        store,
        state,
        reader,
        signer,
        random: this.#random,
        views: { projections, indexKey, codes: new Map() },
        now,
        environment: (at) => this.#environment(at),
        governing: this.#governing,
        publishBy: () => this.#promises.publishBy(),
        onCommitted: ({ revisions, requests, changes, size }) => {
          this.#feeder.add(revisions, requests, size);
          this.#follow();
          this.#waiting.add({ at: now(), index: revisions[0]?.index ?? 0 });
          onEvent({ type: 'durable', changes });
        },
        onAppended: (size) => this.#feeder.add([], [], size),
        settle: () => this.#feeder.settle(),
        onHalted: (error) => {
          this.#closed = error;
          onEvent({ type: 'halted', error });
        },
      },
      lastAt,
    );
  }

  /** Soon after a commit, whether or not it can be published: what waits in memory for the projections stays little. */
  #follow(): void {
    this.#following ??= setTimeout(() => {
      this.#following = null;
      // What could not be written stays to be written: the next checkpoint tries again, and tells of it.
      this.#catchUp().catch(() => null);
    }, this.#parts.times.intervalMs);
  }

  /** Brings the projections up to what is committed now; what they know, the sequencer need not remember. */
  async #catchUp(): Promise<void> {
    const batch = this.#sequencer.committedBatch;
    await this.#feeder.settle();
    this.#sequencer.retire(batch);
  }

  #createPublisher({ state, published }: Opened): Publisher {
    const { store, signer, cosigners, mark, saveSigned, now, times, onEvent } = this.#parts;
    return new Publisher(
      {
        store,
        state,
        sequencer: this.#sequencer,
        signer,
        cosigners,
        trust: this.#trust,
        // A signer that went on from what another one signed stands further than it said.
        mark: { size: saveSigned === undefined ? mark.size : null },
        saveSigned: saveSigned ?? (async () => {}),
        now,
        settle: () => this.#catchUp(),
        onPublished: (newest) => {
          this.#waiting.published(newest.size);
          onEvent({ type: 'published', published: newest });
        },
        onTrouble: (error) => {
          if (error instanceof LedgerError && error.problem === 'log_behind') this.#closed = error;
          onEvent({ type: 'trouble', error });
        },
      },
      times,
      published,
    );
  }
}

function notPublished(): LedgerError {
  return new LedgerError('not_published_yet', 'the license is durable and waits for its checkpoint');
}
