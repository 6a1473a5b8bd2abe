/**
 * Feeds the projections: from batches as they commit, and from the store after a restart.
 *
 * Erasure is carried out here. The cursor passes a `customer.erased` only after the earlier revisions that it
 * covers are shredded, so a crash in between repeats the shredding instead of forgetting it.
 */
import type { Current } from '@tallystick/license';
import { checkRevision, requestKeyOf } from '../content.ts';
import { IntegrityAlarm } from '../errors.ts';
import type { LogState } from '../log-state.ts';
import { type IndexLicenseKey, nameChanges } from '../names.ts';
import type { Store, StoredCause, StoredEntry } from '../store/store.ts';
import { missingRows } from './missing-rows.ts';
import type { ProjectedRequest, Projections, ProjectionWriter, RevisionRows } from './projections.ts';
import { revisionRows } from './rows.ts';

export interface FedRevision extends RevisionRows {
  /** Record type. */
  type: string;
  /** Log index of its command's first record. */
  cause: number;
}

export interface FeederParts {
  store: Store;
  state: LogState;
  projections: Projections;
  /** Writes them. */
  writer: ProjectionWriter;
  indexKey: IndexLicenseKey;
}

const entriesPerRead = 1000;

/** Revisions and requests in log order, and the log size that they lead to. */
interface Fed {
  revisions: FedRevision[];
  requests: ProjectedRequest[];
  size: number;
}

export class ProjectionFeeder {
  readonly #parts: FeederParts;
  /** What was added and is not written yet. */
  #pending: Fed;
  /** False until the projections hold everything from before this process: until then nothing is added to them. */
  #isCaughtUp = false;
  /** One writing at a time: an erasure waits for the store in the middle of it. */
  #writing: Promise<void> = Promise.resolve();

  constructor(parts: FeederParts) {
    this.#parts = parts;
    this.#pending = { revisions: [], requests: [], size: parts.state.size };
  }

  /** Takes note of what was committed, up to log size `size`; `settle` writes it. */
  add(revisions: readonly FedRevision[], requests: readonly ProjectedRequest[], size: number): void {
    this.#pending.revisions.push(...revisions);
    this.#pending.requests.push(...requests);
    this.#pending.size = size;
  }

  /** Brings the projections up to everything that was added. What could not be written stays to be written. */
  settle(): Promise<void> {
    const settled = this.#writing.then(() => this.#writePending());
    this.#writing = settled.catch(() => {});
    return settled;
  }

  async #writePending(): Promise<void> {
    if (!this.#isCaughtUp) return;
    const taken = this.#pending;
    const { revisions: waiting, requests: asked, size: reached } = taken;
    // Reads ask for this all the time: where there is nothing to write, the disk is left alone.
    if (waiting.length === 0 && asked.length === 0 && reached <= this.#parts.projections.size) return;
    this.#pending = { revisions: [], requests: [], size: taken.size };
    try {
      await this.#write(taken);
    } catch (error) {
      const { revisions, requests, size } = this.#pending;
      this.#pending = {
        revisions: [...taken.revisions, ...revisions],
        requests: [...taken.requests, ...requests],
        size,
      };
      throw error;
    }
  }

  /**
   * Reads from the store what the projections have not taken in; from the beginning where they know
   * more than the log holds. `onProgress` gets the number of entries taken in.
   */
  async replay(onProgress: (entries: number) => void = () => {}): Promise<void> {
    const { state, projections, writer } = this.#parts;
    if (projections.size > state.size) await writer.clear();
    await this.#readOn(onProgress);
    this.#isCaughtUp = true;
  }

  /** As `replay`, and puts back what is missing by then; says whether anything was. */
  async replayWhole(onProgress: (entries: number) => void = () => {}): Promise<{ wereHidden: boolean }> {
    await this.replay(onProgress);
    const { projections, writer } = this.#parts;
    const missing = await missingRows(this.#parts);
    if (missing === 'all') {
      await writer.clear();
      await this.#readOn(onProgress);
    } else if (missing.length > 0) {
      await writer.apply(await this.#soundOf(missing), [], projections.size);
    }
    return { wereHidden: missing.length > 0 };
  }

  /** Those of them that are what was logged: what is not is told where it is read. */
  async #soundOf(entries: readonly StoredEntry[]): Promise<FedRevision[]> {
    const revisions: FedRevision[] = [];
    for (const entry of entries) {
      try {
        revisions.push(...(await this.#revisionsOf([entry])));
      } catch (error) {
        if (!(error instanceof IntegrityAlarm)) throw error;
      }
    }
    return revisions;
  }

  async #readOn(onProgress: (entries: number) => void): Promise<void> {
    const { store, state, projections } = this.#parts;
    for (let from = projections.size; from < state.size; from = projections.size) {
      // The store may hold more: of a log that is followed, only what is published counts.
      const read = await store.entries(from, Math.min(entriesPerRead, state.size - from));
      const causes = await store.causes(from, from + read.length);
      const size = endOfWhole(causes, from, from + read.length);
      const entries = read.slice(0, size - from);
      const revisions = await this.#revisionsOf(entries);
      const requests = causes.flatMap((cause) => {
        const key = cause.index < size ? requestKeyOf(cause) : null;
        return key === null ? [] : [{ key, index: cause.index }];
      });
      await this.#write({ revisions, requests, size });
      onProgress(projections.size);
    }
  }

  /** Writes in log order, stopping before each erasure to shred what it covers. Repeating it does no harm. */
  async #write({ revisions, requests, size }: Fed): Promise<void> {
    const { projections, writer } = this.#parts;
    let rest = revisions;
    for (;;) {
      const erased = rest.find((revision) => revision.type === 'customer.erased');
      if (erased === undefined) break;
      const first = erased.cause;
      const command = rest.filter((revision) => revision.cause === first);
      const before = rest.filter((revision) => revision.index < first);
      await writer.apply(
        before,
        requests.filter(({ index }) => index < first),
        Math.max(first, projections.size),
      );
      await this.#shredBefore(command);
      await writer.apply(command, [], projections.size);
      await writer.scrub();
      rest = rest.filter((revision) => revision.index >= first && revision.cause !== first);
    }
    await writer.apply(rest, requests, Math.max(size, projections.size));
  }

  /** Removes every earlier revision of the subjects that an erasing command touched. */
  async #shredBefore(command: readonly FedRevision[]): Promise<void> {
    const { store, projections } = this.#parts;
    const indexes = command.flatMap(({ id, index }) =>
      projections
        .revisions(id, -1, Number.MAX_SAFE_INTEGER)
        .filter((revision) => revision.index < index)
        .map((revision) => revision.index),
    );
    await store.shred(indexes);
  }

  async #revisionsOf(entries: readonly StoredEntry[]): Promise<FedRevision[]> {
    const revisions: FedRevision[] = [];
    /** The newest revision so far of each subject of this read: the projections do not know it yet. */
    const earlier = new Map<string, Current | null>();
    for (const entry of entries) {
      if (entry.subject === null) continue;
      const { record, current, content } = checkRevision(entry, this.#parts.state.tree.leaf(entry.index));
      const before = earlier.has(content.id)
        ? earlier.get(content.id)
        : await this.#before(content.id, record.record.rev);
      const names =
        current === null
          ? new Map<string, null>()
          : nameChanges(before ?? undefined, current, this.#parts.indexKey);
      // What a revision without its document was called cannot be read any more: all its names go.
      const dropsNames = before === null || current === null;
      earlier.set(content.id, current);
      const { type, rev } = record.record;
      const { index } = entry;
      const document = current?.document ?? null;
      const rows = revisionRows({ index, id: content.id, rev, document, names, dropsNames });
      revisions.push({ ...rows, type, cause: content.cause });
    }
    return revisions;
  }

  /** The revision before `rev`, as the projections know it; null once shredded. */
  async #before(id: string, rev: number): Promise<Current | null | undefined> {
    const { projections, store, state } = this.#parts;
    const [known] = rev === 0 ? [] : projections.revisions(id, rev - 2, 1);
    const stored = known?.rev === rev - 1 ? await store.entry(known.index) : undefined;
    return stored && checkRevision(stored, state.tree.leaf(stored.index)).current;
  }
}

/**
 * The log size up to which a read has whole commands: what an erasure covers is found by all of its records. The largest command
 * is shorter than a read.
 */
function endOfWhole(causes: readonly StoredCause[], from: number, end: number): number {
  const last = causes.at(-1);
  const isCut = last !== undefined && last.index > from && last.index + last.records > end;
  return isCut ? last.index : end;
}
