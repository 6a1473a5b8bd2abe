/**
 * Reconciles the signer's journal with the log, both ways: what is in the log was signed by the signer, and what the
 * signer signed is in the log, or said not to come into it. Reads only, also beside a running system.
 */
import {
  allPaths,
  base64,
  decodeBase64,
  equalBytes,
  hashLength,
  isPlainEntry,
  LogTree,
  leafHash,
  parseRecordEntry,
  subjectTypeOf,
} from '@tallystick/core';
import type { Store } from '@tallystick/ledger';
import { type JournalPosition, leavesOf } from '@tallystick/signer';
import type { OnProgress } from '../report.ts';
import { JournalScan, type SignedBatch } from './journal-scan.ts';
import { type AuditCounts, type Incident, Incidents, listedMax, type SignerAuditReport } from './report.ts';

export interface SignerAuditParts {
  store: Store;
  /** Name of the log. */
  origin: string;
  /** Path of the journal. */
  journal: string;
  /** What the signer's mark remembers; null where it cannot be read. */
  known: JournalPosition | null;
  /** Of the other signers of a shared log. */
  others?: readonly Pick<SignerAuditParts, 'journal' | 'known'>[];
}

export interface SignerAuditOptions {
  /** Collects up to 100 incidents instead of the first. */
  all?: boolean;
  onProgress?: OnProgress;
}

/** Batches that a server has signed and not committed, at most; and the records of one. */
const batchesInFlightMax = 3;
const recordsPerBatchMax = 4096;
const entriesPerRead = 1000;

/** What stands at a log index. */
const unexplained = 0;
const explained = 1;

/** Rejects where journal or store cannot be read. */
export async function auditSigner(
  parts: SignerAuditParts,
  options: SignerAuditOptions = {},
): Promise<SignerAuditReport> {
  const { store } = parts;
  // In this order: whatever is committed by now has its line by the time at which the journal is read, and whatever
  // the journal has signed by then is committed by the second look, or among the few that are in flight.
  const published = await store.checkpoint();
  const size = await store.size();
  const run = new Run(parts, options, size);
  for (const scan of run.scans) scan.run();
  await run.readLog(await store.size());
  for (const scan of run.scans) run.checkBeginning(scan);
  for (const scan of run.scans) run.checkSignatures(scan);
  await run.checkEntries();
  for (const scan of run.scans) {
    run.checkPromises(scan);
    run.checkCheckpoints(scan);
  }
  await run.checkPublished(published?.size ?? null);
  return run.report(published?.size ?? null);
}

class Run {
  /** One a journal, the one that was asked about first. */
  readonly scans: readonly JournalScan[];
  readonly #parts: SignerAuditParts;
  /** Number of entries that had to be explained by the journal. */
  readonly #size: number;
  readonly #incidents: Incidents;
  readonly #tree = new LogTree();
  #states = new Uint8Array(0);
  readonly #onProgress: OnProgress;
  readonly #counts: AuditCounts = {
    entries: 0,
    signed: 0,
    adopted: 0,
    earlier: 0,
    pending: 0,
    abandoned: 0,
    checkpoints: 0,
    promises: 0,
    refused: 0,
    starts: 0,
  };

  constructor(parts: SignerAuditParts, options: SignerAuditOptions, size: number) {
    this.#parts = parts;
    this.#size = size;
    this.#incidents = new Incidents(options.all ?? false);
    this.#onProgress = options.onProgress ?? (() => {});
    const { origin, others = [] } = parts;
    this.scans = [parts, ...others].map(
      ({ journal, known }) =>
        new JournalScan({
          file: journal,
          origin,
          known,
          incidents: this.#incidents,
          counts: this.#counts,
          onProgress: this.#onProgress,
        }),
    );
  }

  async readLog(size: number): Promise<void> {
    this.#states = new Uint8Array(size);
    const from = this.#from;
    while (this.#tree.size < size) {
      const at = this.#tree.size;
      const entries = await this.#parts.store.entryBytes(at, Math.min(entriesPerRead, size - at));
      if (entries.length === 0) throw new Error(`the store has no entry ${at}: run tally fsck`);
      for (const entry of entries) {
        const index = this.#tree.size;
        this.#tree.append(leafHash(entry));
        const isRecord = !isPlainEntry(entry);
        if (isRecord && index < from) this.#counts.earlier += 1;
        if (!isRecord || index < from) this.#states[index] = explained;
      }
      this.#onProgress({ step: 'entries', done: this.#tree.size, total: size });
    }
    this.#counts.entries = size;
  }

  /** The entries that were there before the journal are those that it began with. */
  checkBeginning({ begun, file: journal }: JournalScan): void {
    if (begun === null) {
      this.#incidents.add('chain', 'the journal does not say where it begins', { journal, line: 0 });
      return;
    }
    const { line, at, event } = begun;
    const { lost, size, root } = event;
    if (lost !== null)
      this.#incidents.add('lost', `an earlier journal of ${lost} lines or more is gone`, {
        journal,
        line,
        at,
      });
    if (size > this.#tree.size)
      this.#incidents.add('history', `the log has lost entries: it had ${size}`, {
        journal,
        line,
        index: size,
        at,
      });
    else if (!equalBytes(this.#tree.root(size), root)) {
      const message = `the first ${size} entries are not the ones that the log had when the journal began`;
      this.#incidents.add('history', message, { journal, line, index: size, at });
    }
  }

  /** Whatever was signed is in the log, abandoned, overtaken by another signer, or in flight. */
  checkSignatures(scan: JournalScan): void {
    const pending: SignedBatch[] = [];
    /** Batches by the line that says that another signer went on. */
    const overtaken = new Map<number, number>();
    for (const batch of scan.live.values()) {
      const missing = leavesOf(batch.leaves).flatMap(
        (leaf, nth) => this.#place(leaf, batch.index + nth) ?? [],
      );
      const [first] = missing;
      if (first === undefined) continue;
      if (first >= this.#size) {
        pending.push(batch);
        this.#counts.pending += missing.length;
        continue;
      }
      const followed = scan.overtakenAt(batch, this.scans.length > 1);
      const nth = (followed && overtaken.get(followed)) ?? 0;
      if (followed !== null && nth < batchesInFlightMax) {
        overtaken.set(followed, nth + 1);
        scan.abandoned.push({ ...batch, cause: 'overtaken' });
        this.#counts.abandoned += missing.length;
        continue;
      }
      // The commit before it failed in a way that a disk took back later: then that one stands here, and this one nowhere.
      if (missing.every((index) => this.#isDoubtful(index))) {
        this.#counts.abandoned += missing.length;
        continue;
      }
      const { line, at } = batch;
      const message =
        followed === null
          ? `${missing.length} of the records that it signed for this index and on are not in the log`
          : 'more was signed than a server has in flight when another one takes the log over';
      this.#incidents.add('unlogged', message, { journal: scan.file, line, index: first, at });
    }
    this.#checkInFlight(pending, scan.file);
  }

  /** Marks an entry as explained; the index where the log does not have it. */
  #place(leaf: Uint8Array, index: number): number | null {
    if (index >= this.#tree.size || !equalBytes(this.#tree.leaf(index), leaf)) return index;
    if (this.#states[index] === unexplained) this.#counts.signed += 1;
    this.#states[index] = explained;
    return null;
  }

  #checkInFlight(pending: readonly SignedBatch[], journal: string): void {
    const { size } = this.#tree;
    const open = pending.filter(({ index }) => index >= size);
    const far = open.find(
      ({ index }, nth) =>
        nth >= batchesInFlightMax || index >= size + batchesInFlightMax * recordsPerBatchMax,
    );
    if (far === undefined) return;
    const message = `more was signed than a server has in flight: ${open.length} batches wait beyond the log's ${size} entries`;
    this.#incidents.add('ahead', message, { journal, line: far.line, index: far.index, at: far.at });
  }

  /** Whether the log has something here whose commit was said to have failed, and that the next start found. */
  #isDoubtful(index: number): boolean {
    if (index >= this.#size) return false;
    const leaf = this.#tree.leaf(index);
    return this.scans.some((scan) =>
      scan.abandoned.some(
        (batch) => scan.wasFound(batch) && leavesOf(batch.leaves).some((each) => equalBytes(each, leaf)),
      ),
    );
  }

  /** Whatever is in the log was signed, or adopted. */
  async checkEntries(): Promise<void> {
    const abandoned = new Map(
      this.scans.flatMap((scan) =>
        scan.abandoned.flatMap((batch) =>
          leavesOf(batch.leaves).map((leaf) => [base64(leaf), { ...batch, scan }]),
        ),
      ),
    );
    const newestSigned = Math.max(
      -1,
      ...this.scans.flatMap(({ live }) => [...live.values()].slice(-1).map(({ index }) => index)),
    );
    for (let index = 0; index < this.#size && !this.#incidents.isFull; index++) {
      if (this.#states[index] !== unexplained) continue;
      const leaf = base64(this.#tree.leaf(index));
      const gone = abandoned.get(leaf);
      // What a disk did not confirm may be there after all, and the next start finds it.
      if (gone?.scan.wasFound(gone) === true) continue;
      if (gone !== undefined) {
        const message = `it was said not to come into the log (${gone.cause}), and it is there`;
        const { line, at, scan } = gone;
        this.#incidents.add('abandoned_logged', message, { journal: scan.file, line, index, at });
      } else if (!(await this.#isNamespace(index))) {
        this.#incidents.add('unsigned', 'the signer did not sign it', { index });
      } else if (this.scans.some(({ adopted }) => adopted.has(leaf))) {
        this.#counts.adopted += 1;
      } else if (index < newestSigned) {
        const message = 'records were signed behind a namespace that the signer was never shown';
        this.#incidents.add('not_adopted', message, { index });
      } else {
        this.#counts.pending += 1;
      }
    }
  }

  /** Signed by an authority, which the signer checks when it is shown one. */
  async #isNamespace(index: number): Promise<boolean> {
    const [entry] = await this.#parts.store.entryBytes(index, 1);
    try {
      return subjectTypeOf(parseRecordEntry(entry ?? new Uint8Array(0)).record.type) === 'namespace';
    } catch {
      // Not even a record: nobody signs that.
      return false;
    }
  }

  /** Those that were asked for again; the promises of batches are over what was signed with them. */
  checkPromises({ promises, file: journal }: JournalScan): void {
    for (const { line, at, event } of promises) {
      this.#counts.promises += 1;
      const { index, count, root } = event;
      if (index + count > this.#tree.size) {
        if (index + count <= this.#size + batchesInFlightMax * recordsPerBatchMax) continue;
        this.#incidents.add('promise', 'it promises entries that are far off', {
          journal,
          line,
          index,
          at,
        });
        continue;
      }
      const leaves = Array.from({ length: count }, (_, nth) => this.#tree.leaf(index + nth));
      if (!equalBytes(allPaths(leaves).root, root))
        this.#incidents.add('promise', 'it promises other entries than the log has', {
          journal,
          line,
          index,
          at,
        });
    }
  }

  /** Every signed checkpoint is a beginning of the log. */
  checkCheckpoints({ checkpoints, file: journal }: JournalScan): void {
    for (const { line, at, event } of checkpoints) {
      this.#counts.checkpoints += 1;
      const place = { journal, line, index: event.size, at };
      if (event.size > this.#tree.size)
        this.#incidents.add('checkpoint', 'it covers entries that the log does not have', place);
      else if (!equalBytes(this.#tree.root(event.size), event.root))
        this.#incidents.add('checkpoint', 'it is of another history than the log', place);
    }
  }

  /** Every published checkpoint of after the journals' beginning was signed by a signer. */
  async checkPublished(newest: number | null): Promise<void> {
    const signed = new Map(
      this.scans.flatMap(({ checkpoints }) => checkpoints.map(({ event }) => [event.size, event.root])),
    );
    const since = Math.min(...this.scans.map(({ begun }) => begun?.event.size ?? 0));
    const { store } = this.#parts;
    for (let at = newest; at !== null && at > since && !this.#incidents.isFull; ) {
      const saved = await store.checkpoint(at);
      if (saved === undefined || saved.size <= since) return;
      const [, , root = ''] = saved.note.split('\n', 3);
      const known = signed.get(saved.size);
      if (known === undefined || !equalBytes(known, decodeHash(root)))
        this.#incidents.add('published', 'the signer did not sign this checkpoint', { index: saved.size });
      at = saved.size - 1;
    }
  }

  report(published: number | null): SignerAuditReport {
    const incidents: Incident[] = this.#incidents.found;
    const [journal, ...others] = this.scans.map((scan) => ({
      file: scan.file,
      lines: scan.lines,
      head: scan.head === null ? '' : base64(scan.head),
      from: Math.min(scan.from, this.#tree.size),
    }));
    if (journal === undefined) throw new Error('no journal was read');
    return {
      ok: incidents.length === 0,
      size: this.#size,
      published,
      journal,
      others,
      incidents,
      counts: this.#counts,
      abandoned: this.scans
        .flatMap(({ abandoned }) => abandoned)
        .sort((a, b) => Date.parse(a.at) - Date.parse(b.at))
        .slice(-listedMax)
        .map(({ at, cause, index, leaves }) => ({ at, cause, index, count: leaves.length / hashLength })),
      refusals: this.scans.flatMap(({ refusals }) => [...refusals.values()]),
      skipped: [],
    };
  }

  /** Log index from which on the journals answer for every record. */
  get #from(): number {
    return Math.min(...this.scans.map(({ from }) => from));
  }
}

function decodeHash(text: string): Uint8Array {
  try {
    return decodeBase64(text, hashLength);
  } catch {
    // A note that cannot be read names no root.
    return new Uint8Array(0);
  }
}
