/**
 * Walks the log from entry 0, some rows at a time, and checks each entry in the order in which its parts rest on
 * each other: its leaf hash, what it says against the narrow row, its content, the replay rules, its cause, the model.
 *
 * Where there are threads, they look at blocks of entries ahead of the walk, which then looks itself only at what
 * they found unusual. So there is one place that names problems, and it names the same with threads and without.
 *
 * Tree and map are the only things that grow with the log.
 */
import {
  equalBytes,
  isMapRoot,
  isPlainEntry,
  type LogRecord,
  LogTree,
  leafHash,
  messageOf,
  parseRecordEntry,
  type RecordEntry,
} from '@tallystick/core';
import type { Store, StoredEntry } from '@tallystick/ledger';
import { CauseCheck } from './cause-check.ts';
import { checkCommitments, checkSubject, isErased, openContent } from './content-check.ts';
import { ErasureCheck } from './erasure-check.ts';
import { KnownEntries } from './known-entries.ts';
import { judgeLeaf } from './leaf-check.ts';
import { ModelCheck } from './model-check.ts';
import { ModelSteps } from './model-steps.ts';
import { checkNarrowRow } from './narrow-row.ts';
import { isPerpetualLicense } from './perpetual-license.ts';
import type { ProjectionSums } from './projection-sums.ts';
import { publicDocumentOf, type ReplayCheck } from './replay-check.ts';
import { type FsckCounts, type FsckProblem, type OnProgress, type Problems, problemAt } from './report.ts';
import { BlocksAhead } from './scan/blocks-ahead.ts';
import type { ScanPool } from './scan/scan-pool.ts';
import { SignedRequestCheck } from './signed-request-check.ts';

export interface WalkOptions {
  store: Store;
  /** Number of entries to check. */
  size: number;
  genesis: Uint8Array;
  /** null checks hashes alone. */
  replay: ReplayCheck | null;
  problems: Problems;
  counts: FsckCounts;
  onProgress: OnProgress;
  entriesPerRead: number;
  /** null looks at every entry on this thread. */
  pool: ScanPool | null;
  /** Takes note of what the projections must hold; null where they are not compared, or by deriving them alone. */
  sums: ProjectionSums | null;
}

export class Walk {
  readonly #options: WalkOptions;
  /** Shared with the replay where there is one. */
  readonly tree: LogTree;
  /** Log indexes of map.root entries. */
  readonly mapRoots: Set<number> = new Set();
  readonly requests: SignedRequestCheck;
  readonly erasures: ErasureCheck;
  readonly #causes: CauseCheck;
  readonly #model: ModelCheck;
  readonly #blocks: BlocksAhead | null;
  /** null where there are no threads to hand steps to. */
  readonly #steps: ModelSteps | null;
  readonly #known: KnownEntries;

  constructor(options: WalkOptions) {
    this.#options = options;
    this.tree = options.replay?.state.tree ?? new LogTree();
    this.requests = new SignedRequestCheck(options.counts);
    this.erasures = new ErasureCheck(this.requests);
    this.#causes = new CauseCheck(options.counts, this.requests);
    this.#model = new ModelCheck(options.store);
    const { pool, size, store, problems, sums, replay, counts } = options;
    this.#blocks = pool === null ? null : new BlocksAhead(pool, size, options.entriesPerRead);
    this.#steps =
      pool === null || replay === null
        ? null
        : new ModelSteps({ pool, store, model: this.#model, problems, sums });
    this.#known = new KnownEntries({
      tree: this.tree,
      replay,
      causes: this.#causes,
      erasures: this.erasures,
      requests: this.requests,
      steps: this.#steps,
      mapRoots: this.mapRoots,
      counts,
    });
  }

  /** Walks to the end, or to where the report is full. */
  async run(): Promise<void> {
    const { size, entriesPerRead, replay, problems, onProgress } = this.#options;
    let isWhole = true;
    while (this.tree.size < size && isWhole && !problems.isFull) {
      const end = Math.min(this.tree.size + entriesPerRead, size);
      await this.#takeKnown(end);
      if (this.tree.size < end) isWhole = await this.#takeUnknown(end);
      await replay?.pause();
      await this.#steps?.room();
      if (replay?.hasBadSignature === true && !problems.isFull)
        problems.add(...(await this.#badSignatures(replay)));
      onProgress({ step: 'entries', done: this.tree.size, total: size });
    }
    await this.#steps?.settle();
    if (isWhole && !problems.isFull) problems.add(this.#causes.endAt(size));
  }

  /** Takes in what threads have looked at, up to the first entry that is to be looked at here. */
  async #takeKnown(end: number): Promise<void> {
    const facts = (await this.#blocks?.next()) ?? null;
    if (facts === null) return;
    const { sums } = this.#options;
    await this.#known.take(facts);
    // The sums of a block are of all of it: what is added below would be added twice.
    if (this.tree.size === end) sums?.addBlock(facts);
    else sums?.giveUp();
  }

  /** False where a row is missing: what comes after it cannot be placed. */
  async #takeUnknown(end: number): Promise<boolean> {
    const { store, sums } = this.#options;
    const from = this.tree.size;
    const lacking = this.#causes.lacking;
    if (lacking !== null) this.#causes.resume(await store.cause(lacking));
    const entries = await store.entries(from, end - from);
    const causes = await store.causes(from, end);
    this.#causes.load(causes);
    sums?.addRequests(causes);
    return this.#takeAll(entries, end);
  }

  /** In a run that stops at the first problem, a bad signature seen behind ends it. */
  async #badSignatures(replay: ReplayCheck): Promise<FsckProblem[]> {
    return this.#options.problems.count === 0 ? (await replay.settle()).slice(0, 1) : [];
  }

  /** False where a row is missing: what comes after it cannot be placed. */
  async #takeAll(entries: readonly StoredEntry[], end: number): Promise<boolean> {
    const { problems } = this.#options;
    for (const stored of entries) {
      const index = this.tree.size;
      if (stored.index !== index) {
        problems.add(problemAt(index, 'leaves', 'row', 'the row is missing'));
        return false;
      }
      await this.#take(stored);
      problems.add(this.#causes.orphanAt(index));
      if (problems.isFull) return true;
    }
    if (this.tree.size < end) {
      problems.add(problemAt(this.tree.size, 'leaves', 'row', 'the row is missing'));
      return false;
    }
    return true;
  }

  async #take(stored: StoredEntry): Promise<void> {
    const { counts, problems, store, size } = this.#options;
    const { entry } = stored;
    counts.entries += 1;
    if (equalBytes(leafHash(entry), stored.leaf)) {
      await this.#takeEntry(stored);
      return;
    }
    const { problem, leaf } = await judgeLeaf(store, this.tree, stored, size);
    problems.add(problem);
    if (problem.table === 'leaves') await this.#takeEntry({ ...stored, leaf });
    else this.#passOver(leaf, stored);
  }

  /** Goes on behind an entry whose bytes are not the log's. */
  #passOver(leaf: Uint8Array, { index, subject, rev, content }: StoredEntry): void {
    const { replay } = this.#options;
    this.#causes.passOver(index, content?.cause ?? null);
    if (replay === null) this.tree.append(leaf);
    else if (subject === null) replay.takeVoid(leaf);
    else replay.takeAltered(leaf, subject, rev);
  }

  async #takeEntry(stored: StoredEntry): Promise<void> {
    if (isPlainEntry(stored.entry)) await this.#takePlain(stored);
    else await this.#takeRecord(stored);
  }

  /** An entry that is not a record. */
  async #takePlain(stored: StoredEntry): Promise<void> {
    const { counts, problems, replay } = this.#options;
    const { index, entry, leaf, subject, rev, content } = stored;
    problems.add(this.#causes.endAt(index));
    this.erasures.endCommand();
    if (isMapRoot(entry)) {
      counts.mapRoots += 1;
      this.mapRoots.add(index);
    } else {
      counts.trustRoots += 1;
    }
    if (subject !== null)
      problems.add(problemAt(index, 'leaves', 'subject', 'an entry that is not a record has a subject'));
    if (rev !== 0)
      problems.add(problemAt(index, 'leaves', 'rev', 'an entry that is not a record has a revision'));
    if (content !== null)
      problems.add(problemAt(index, 'contents', 'row', 'an entry that is not a record has content'));
    if (replay === null) this.tree.append(leaf);
    else problems.add(await replay.take(entry, leaf, null, null));
  }

  async #takeRecord(stored: StoredEntry): Promise<void> {
    const { counts, problems, replay, sums } = this.#options;
    const { index, entry, leaf, content } = stored;
    const parsed = this.#read(stored);
    if ('message' in parsed) {
      problems.add(parsed);
      this.#passOver(leaf, stored);
      return;
    }
    const { record } = parsed;
    counts.records += 1;
    problems.add(checkNarrowRow(stored, record));
    const inContent = this.#checkContent(stored, record);
    problems.add(inContent);
    const before =
      replay === null || record.rev === 0 ? null : (replay.state.map.head(record.subject)?.index ?? null);
    let inRules: FsckProblem | null = null;
    if (replay === null) {
      this.tree.append(leaf);
    } else {
      inRules = await replay.take(entry, leaf, parsed, publicDocumentOf(parsed, content?.document ?? null));
      problems.add(inRules);
      counts.signed += 1;
    }
    if (content === null) {
      this.#causes.passOver(index, null);
      return;
    }
    problems.add(this.#causes.take(index, record, content.cause));
    this.erasures.take(index, record, content.cause, isErased(content));
    if (replay === null || inContent !== null || inRules !== null) return;
    if (content.document === null) {
      sums?.addRecord(content.id, record.rev, index, null);
      return;
    }
    const opened = openContent(index, record, content);
    if ('message' in opened) {
      problems.add(opened);
      return;
    }
    if (isPerpetualLicense(opened.document, record.at)) problems.add(replay.perpetual.take(index, parsed));
    problems.add(await this.#model.take(index, record, opened.document, before));
    sums?.addRecord(content.id, record.rev, index, opened);
    if (before !== null) this.#steps?.add({ index, before, type: record.type, isToCheck: false });
  }

  #read({ index, entry }: StoredEntry): RecordEntry | FsckProblem {
    try {
      return parseRecordEntry(entry);
    } catch (error) {
      return problemAt(index, 'entries', 'entry', `the entry is not a record: ${messageOf(error)}`);
    }
  }

  #checkContent({ index, content }: StoredEntry, record: LogRecord): FsckProblem | null {
    const { counts, genesis, replay } = this.#options;
    if (content === null) return problemAt(index, 'contents', 'row', 'the content of the record is missing');
    const wrongSubject = replay === null ? null : checkSubject(index, record, content, genesis);
    if (wrongSubject !== null) return wrongSubject;
    if (!isErased(content)) return checkCommitments(index, record, content, counts);
    counts.erased += 1;
    return null;
  }
}
