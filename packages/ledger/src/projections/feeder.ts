/**
 * Feeds the projections: from batches as they commit, and from the store after a restart.
 *
 * Erasure is carried out here. The cursor passes a `customer.erased` only after the earlier revisions that it
 * covers are shredded, so a crash in between repeats the shredding instead of forgetting it.
 */
import type { Current } from '@tallystick/license';
import { checkRevision } from '../content.ts';
import type { LogState } from '../log-state.ts';
import { type IndexLicenseKey, nameChanges } from '../names.ts';
import type { Store, StoredEntry } from '../store/store.ts';
import type { ProjectedRequest, ProjectedRevision, Projections } from './projections.ts';

export interface FedRevision extends ProjectedRevision {
  /** Record type. */
  type: string;
  /** Log index of its command's first record. */
  cause: number;
}

export interface FeederParts {
  store: Store;
  state: LogState;
  projections: Projections;
  indexKey: IndexLicenseKey;
}

const entriesPerRead = 1000;

export class ProjectionFeeder {
  readonly #parts: FeederParts;
  #revisions: FedRevision[] = [];
  #requests: ProjectedRequest[] = [];
  /** False until the projections hold everything from before this process: until then nothing is added to them. */
  #isCaughtUp = false;

  constructor(parts: FeederParts) {
    this.#parts = parts;
  }

  /** Takes note of what was committed; `settle` writes it. */
  add(revisions: readonly FedRevision[], requests: readonly ProjectedRequest[]): void {
    this.#revisions.push(...revisions);
    this.#requests.push(...requests);
  }

  /** Brings the projections up to everything that was added. */
  async settle(): Promise<void> {
    if (!this.#isCaughtUp) return;
    const revisions = this.#revisions;
    const requests = this.#requests;
    this.#revisions = [];
    this.#requests = [];
    await this.#write(revisions, requests, this.#parts.state.size);
  }

  /**
   * Reads from the store what the projections have not taken in; from the beginning where they know
   * more than the log holds. `onProgress` gets the number of entries taken in.
   */
  async replay(onProgress: (entries: number) => void = () => {}): Promise<void> {
    const { store, state, projections } = this.#parts;
    if (projections.size > state.size) projections.clear();
    for (let from = projections.size; from < state.size; from = projections.size) {
      const entries = await store.entries(from, entriesPerRead);
      const revisions = await this.#revisionsOf(entries);
      const causes = await store.causes(from, from + entries.length);
      const requests = causes.flatMap(({ requestKey, index }) =>
        requestKey === null ? [] : [{ key: requestKey, index }],
      );
      await this.#write(revisions, requests, from + entries.length);
      onProgress(projections.size);
    }
    this.#isCaughtUp = true;
  }

  /** Writes revisions in log order, stopping before each erasure to shred what it covers. */
  async #write(revisions: FedRevision[], requests: ProjectedRequest[], size: number): Promise<void> {
    const { projections } = this.#parts;
    let rest = revisions;
    for (;;) {
      const erased = rest.find((revision) => revision.type === 'customer.erased');
      if (erased === undefined) break;
      const command = rest.filter((revision) => revision.cause === erased.cause);
      const before = rest.filter((revision) => revision.index < erased.cause);
      projections.apply(before, [], erased.cause);
      await this.#shredBefore(command);
      rest = rest.filter((revision) => revision.index >= erased.cause);
      projections.apply(command, [], erased.cause);
      rest = rest.filter((revision) => revision.cause !== erased.cause);
    }
    if (size > projections.size || rest.length > 0) projections.apply(rest, requests, size);
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
      earlier.set(content.id, current);
      const { type, rev } = record.record;
      revisions.push({
        index: entry.index,
        id: content.id,
        rev,
        type,
        cause: content.cause,
        document: current?.document ?? null,
        names,
      });
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
