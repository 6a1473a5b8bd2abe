/**
 * Walks the log from entry 0, some rows at a time, and checks each entry in the order in which its parts rest on
 * each other: its leaf hash, what it says against the narrow row, its content, the replay rules, its cause, the model.
 *
 * Tree and map are the only things that grow with the log.
 */
import {
  equalBytes,
  isMapRoot,
  type LogRecord,
  LogTree,
  leafHash,
  parseRecordEntry,
  type RecordEntry,
} from '@tallystick/core';
import type { Store, StoredEntry } from '@tallystick/ledger';
import { isTrustRootEntry } from '@tallystick/witness';
import { CauseCheck } from './cause-check.ts';
import { checkCommitments, checkSubject, isErased, messageOf, openContent } from './content-check.ts';
import { ErasureCheck } from './erasure-check.ts';
import { judgeLeaf } from './leaf-check.ts';
import { ModelCheck } from './model-check.ts';
import { readRecordQuickly } from './record-reader.ts';
import { publicDocumentOf, type ReplayCheck } from './replay-check.ts';
import {
  type FsckCounts,
  type FsckProblem,
  mismatch,
  type OnProgress,
  type Problems,
  problemAt,
} from './report.ts';

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
}

const entriesPerRead = 1000;

export class Walk {
  readonly #options: WalkOptions;
  /** Shared with the replay where there is one. */
  readonly tree: LogTree;
  /** Log indexes of map.root entries. */
  readonly mapRoots: Set<number> = new Set();
  readonly erasures: ErasureCheck = new ErasureCheck();
  readonly #causes: CauseCheck;
  readonly #model: ModelCheck;

  constructor(options: WalkOptions) {
    this.#options = options;
    this.tree = options.replay?.state.tree ?? new LogTree();
    this.#causes = new CauseCheck(options.counts);
    this.#model = new ModelCheck(options.store);
  }

  /** Walks to the end, or to where the report is full. */
  async run(): Promise<void> {
    const { store, size, replay, problems, onProgress } = this.#options;
    while (this.tree.size < size && !problems.isFull) {
      const from = this.tree.size;
      const limit = Math.min(entriesPerRead, size - from);
      const entries = await store.entries(from, limit);
      this.#causes.load(await store.causes(from, from + limit));
      const isWhole = await this.#takeAll(entries, from + limit);
      await replay?.pause();
      if (replay?.hasBadSignature === true && !problems.isFull)
        problems.add(...(await this.#badSignatures(replay)));
      onProgress({ step: 'entries', done: this.tree.size, total: size });
      if (!isWhole) return;
    }
    if (!problems.isFull) problems.add(this.#causes.endAt(size));
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
      if (problems.isFull) return true;
    }
    if (this.tree.size < end) {
      problems.add(problemAt(this.tree.size, 'leaves', 'row', 'the row is missing'));
      return false;
    }
    problems.add(...this.#causes.orphans());
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
  #passOver(leaf: Uint8Array, { subject, rev }: StoredEntry): void {
    const { replay } = this.#options;
    if (replay === null) this.tree.append(leaf);
    else if (subject === null) replay.takeVoid(leaf);
    else replay.takeAltered(leaf, subject, rev);
  }

  async #takeEntry(stored: StoredEntry): Promise<void> {
    if (isMapRoot(stored.entry) || isTrustRootEntry(stored.entry)) await this.#takePlain(stored);
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
    const { counts, problems, replay } = this.#options;
    const { index, entry, leaf, content } = stored;
    const parsed = this.#read(stored);
    if ('message' in parsed) {
      problems.add(parsed);
      this.#passOver(leaf, stored);
      return;
    }
    const { record, envelope } = parsed;
    counts.records += 1;
    problems.add(checkNarrowRow(stored, record));
    const inContent = this.#checkContent(stored, record);
    problems.add(inContent);
    const before =
      replay === null || record.rev === 0 ? null : (replay.state.map.head(record.subject)?.index ?? null);
    let inRules: FsckProblem | null = null;
    if (replay === null || envelope === null) {
      this.tree.append(leaf);
    } else {
      const whole = { record, envelope };
      inRules = await replay.take(entry, leaf, whole, publicDocumentOf(whole, content?.document ?? null));
      problems.add(inRules);
      counts.signed += 1;
    }
    if (content === null) return;
    problems.add(this.#causes.take(index, record, content.cause));
    this.erasures.take(index, record, content.cause, isErased(content));
    if (replay === null || inContent !== null || inRules !== null || content.document === null) return;
    const opened = openContent(index, record, content);
    problems.add(
      'message' in opened ? opened : await this.#model.take(index, record, opened.document, before),
    );
  }

  #read({
    index,
    entry,
  }: StoredEntry): { record: LogRecord; envelope: RecordEntry['envelope'] | null } | FsckProblem {
    try {
      return this.#options.replay === null
        ? { record: readRecordQuickly(entry), envelope: null }
        : parseRecordEntry(entry);
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

/** The narrow row, from which tree and map are rebuilt, says what the record says. */
function checkNarrowRow({ index, subject, rev }: StoredEntry, record: LogRecord): FsckProblem | null {
  if (subject === null || !equalBytes(subject, record.subject)) {
    const found = subject ?? new Uint8Array(0);
    return mismatch(
      index,
      'leaves',
      'subject',
      'the row names another subject than the record',
      record.subject,
      found,
    );
  }
  if (rev === record.rev) return null;
  const compared = { expected: String(record.rev), found: String(rev) };
  return problemAt(index, 'leaves', 'rev', 'the row says another revision than the record', compared);
}
