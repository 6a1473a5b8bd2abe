/**
 * Checks a store against itself: everything that is kept is derived again from the entries, and the entries from what
 * was published and signed. Reads only, also beside a running server.
 */
import { equalBytes, type PublicKey, parseRecordEntry } from '@tallystick/core';
import type { IndexLicenseKey, Store, StrayRow } from '@tallystick/ledger';
import { SignaturePool } from '@tallystick/witness';
import { checkCheckpoints } from './checkpoint-check.ts';
import { entriesFrom } from './entries-from.ts';
import { checkProjections } from './projection-check.ts';
import { ProjectionSums } from './projection-sums.ts';
import { ReplayCheck } from './replay-check.ts';
import { emptyCounts, type FsckReport, mismatch, type OnProgress, Problems, problemAt } from './report.ts';
import { ScanPool } from './scan/scan-pool.ts';
import { Walk } from './walk.ts';

export interface FsckParts {
  store: Store;
  /** The file of `store`, where it has one: then threads read it, too, which takes a fraction of the time. */
  storeFile?: string;
  /** H(payload of trust root version 1), pinned: 32 bytes. */
  genesis: Uint8Array;
  ns: string;
  /** Every key that the namespace lists or listed, raw. Not needed for hashes alone. */
  keys: readonly PublicKey[];
  /** File of the projections and how license keys are indexed in them; null leaves them out. */
  projections: { file: string; indexKey: IndexLicenseKey } | null;
  /** The newest checkpoint that the signer says it signed; null leaves it out. */
  mark: { size: number; root: Uint8Array } | null;
}

export interface FsckOptions {
  /** `hashes`: entries, leaves, commitments and published roots alone. Default `full`. */
  level?: 'hashes' | 'full';
  /** Collects up to 100 problems instead of the first. */
  all?: boolean;
  /** Threads that look at entries, or, without a `storeFile`, at signatures; 0 for none. Default 2. */
  workers?: number;
  /** Entries that are read, or given to a thread, at once. Default 1000. */
  entriesPerRead?: number;
  /** POSIX time in seconds: no entry is from later. */
  now: number;
  onProgress?: OnProgress;
  /** Folder for temporary files. */
  scratch?: string;
}

/**
 * Throws Unavailable (witness) where a signature cannot be judged because a listed key is not among `keys`; any other
 * error means that the store could not be read.
 */
export async function fsck(parts: FsckParts, options: FsckOptions): Promise<FsckReport> {
  const { store } = parts;
  // In this order: a server that publishes meanwhile cannot make the newest checkpoint larger than the size.
  const newest = await store.checkpoint();
  const size = await store.size();
  const workers = options.workers ?? 2;
  const { projections } = parts;
  const sums =
    options.level === 'hashes' || projections === null ? null : new ProjectionSums(projections.indexKey);
  await using scanning = startScanning(parts, options, workers, sums);
  const signatureThreads = options.level === 'hashes' || scanning !== null ? 0 : workers;
  await using pool = new SignaturePool(signatureThreads);
  const run = new Run(parts, options, { signatures: pool, scanning, sums, size });
  await run.walk();
  await run.checkErasures();
  await run.checkPublished(newest?.size ?? null);
  run.checkMark();
  await run.checkStrays();
  await run.checkProjections();
  return run.report(newest?.size ?? null);
}

/** null where this thread does everything. */
function startScanning(
  { storeFile, genesis, keys, projections }: FsckParts,
  { level }: FsckOptions,
  workers: number,
  sums: ProjectionSums | null,
): ScanPool | null {
  if (storeFile === undefined || workers === 0) return null;
  const full =
    level === 'hashes'
      ? null
      : { genesis, keys, sumKey: sums?.key ?? '', projectionsFile: projections?.file ?? null };
  return new ScanPool({ storeFile, full }, workers);
}

function strayMessage(table: StrayRow['table']): string {
  return table === 'signed_requests'
    ? 'there is a signed request, and no command begins here'
    : 'there is a row, and the log has no entry here';
}

/** What a run is given besides what it checks. */
interface RunTools {
  signatures: SignaturePool;
  scanning: ScanPool | null;
  /** null where there is nothing to compare them with. */
  sums: ProjectionSums | null;
  /** Number of entries to check. */
  size: number;
}

class Run {
  readonly #parts: FsckParts;
  readonly #options: FsckOptions;
  readonly #tools: RunTools;
  readonly #size: number;
  readonly #problems: Problems;
  readonly #counts = emptyCounts();
  readonly #skipped: string[] = [];
  readonly #replay: ReplayCheck | null;
  readonly #walk: Walk;
  readonly #onProgress: OnProgress;

  constructor(parts: FsckParts, options: FsckOptions, tools: RunTools) {
    const { signatures, scanning, sums, size } = tools;
    this.#tools = tools;
    this.#parts = parts;
    this.#options = options;
    this.#size = size;
    this.#problems = new Problems(options.all ?? false);
    this.#onProgress = options.onProgress ?? (() => {});
    const { genesis, keys, store } = parts;
    this.#replay =
      options.level === 'hashes'
        ? null
        : new ReplayCheck({ genesis, keys, pool: signatures, now: options.now });
    this.#walk = new Walk({
      store,
      size,
      genesis,
      replay: this.#replay,
      problems: this.#problems,
      counts: this.#counts,
      onProgress: this.#onProgress,
      entriesPerRead: options.entriesPerRead ?? 1000,
      pool: scanning,
      sums: scanning === null ? null : sums,
    });
  }

  async walk(): Promise<void> {
    await this.#walk.run();
    // Signatures are checked behind: one that is bad may stand before what stopped the walk.
    if (this.#replay !== null) this.#problems.add(...(await this.#replay.settle()));
  }

  /** Erasures that came while we read explain what they removed, too. */
  async checkErasures(): Promise<void> {
    if (this.#isDone || !this.#isWhole) return;
    const { erasures, requests } = this.#walk;
    const { store } = this.#parts;
    for await (const { index, entry, subject, content } of entriesFrom(store, this.#size)) {
      if (subject !== null && content !== null)
        erasures.take(index, parseRecordEntry(entry).record, content.cause, false);
    }
    const gone = 'the content is gone, and no erasure of its subject explains it';
    this.#problems.add(
      ...erasures.unexplained().map((index) => problemAt(index, 'contents', 'document', gone)),
    );
    for await (const problem of requests.problems(store)) {
      this.#problems.add(problem);
      if (this.#isDone) return;
    }
  }

  /** After what was published: entries that are missing at the end leave rows behind it as well, and are the worse news. */
  async checkStrays(): Promise<void> {
    if (this.#isDone) return;
    for (const { table, index } of (await this.#parts.store.strayRows?.()) ?? [])
      this.#problems.add(problemAt(index, table, 'row', strayMessage(table)));
  }

  async checkPublished(newest: number | null): Promise<void> {
    if (this.#isDone || !this.#isWhole) return;
    const { store } = this.#parts;
    if (newest !== null && newest > this.#size) {
      const compared = { expected: String(newest), found: String(this.#size) };
      this.#problems.add(
        problemAt(this.#size, 'leaves', 'row', 'entries that were published are missing', compared),
      );
      if (this.#isDone) return;
    }
    const { tree, mapRoots } = this.#walk;
    const trusts = this.#replay?.trusts ?? null;
    const checked = { store, tree, mapRoots, trusts, counts: this.#counts, onProgress: this.#onProgress };
    await checkCheckpoints(checked, this.#size, this.#problems);
  }

  /** The signer's memory lies outside the store: it shows a store that was rolled back as a whole. */
  checkMark(): void {
    const { mark } = this.#parts;
    if (mark === null || this.#isDone || !this.#isWhole) return;
    if (mark.size > this.#size) {
      const compared = { expected: String(mark.size), found: String(this.#size) };
      this.#problems.add(
        problemAt(this.#size, 'mark', 'size', 'entries that the signer has signed are missing', compared),
      );
      return;
    }
    const root = this.#walk.tree.root(mark.size);
    if (equalBytes(mark.root, root)) return;
    const message = 'the entries before it are not the ones that the signer has signed';
    this.#problems.add(mismatch(mark.size, 'mark', 'root', message, mark.root, root));
  }

  async checkProjections(): Promise<void> {
    const { projections, store, genesis, ns } = this.#parts;
    if (this.#replay === null || projections === null || this.#isDone) return;
    if (this.#problems.count > 0) {
      this.#skipped.push(
        'The projections were not compared: they cannot be derived from a log with problems.',
      );
      return;
    }
    const { scratch } = this.#options;
    const findings = { problems: this.#problems, counts: this.#counts, onProgress: this.#onProgress };
    const { scanning, sums } = this.#tools;
    const { erasing } = this.#walk.erasures;
    const summed = scanning === null || sums === null ? null : { sums, pool: scanning, erasing };
    const checked = { store, genesis, ns, ...projections, scratch, summed };
    const why = await checkProjections(checked, this.#size, findings);
    if (why !== null) this.#skipped.push(why);
  }

  report(published: number | null): FsckReport {
    return {
      ok: this.#problems.count === 0,
      level: this.#options.level ?? 'full',
      size: this.#size,
      published,
      problems: this.#problems.sorted(),
      counts: this.#counts,
      skipped: this.#skipped,
    };
  }

  get #isDone(): boolean {
    return this.#problems.isFull;
  }

  /** False where the walk could not go to the end. */
  get #isWhole(): boolean {
    return this.#walk.tree.size === this.#size;
  }
}
