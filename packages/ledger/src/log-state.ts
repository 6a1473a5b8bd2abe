/**
 * The log as this process knows it: tree, map, and the heads that the map does not hold yet.
 *
 * The map stands at the newest map.root entry, or on its way from there to the next; entries that it does not hold yet
 * are in `#recent` and, on its way, in `#moving`.
 */
import { bytesKey, LogTree, RecentHeads, type SubjectHead, SubjectMap, subjectKey } from '@tallystick/core';
import { RecentMap } from './read/recent-map.ts';
import type { Store, StoredEntry } from './store/store.ts';

/** The newest entry of a subject. */
export interface Head extends SubjectHead {
  leaf: Uint8Array;
}

const rowsPerRead = 20_000;
const keysMax = 20_000;
/** Entries over which maps of the past are kept: more than whoever makes a file or a report meets meanwhile. */
const pastEntries = { max: 200_000, kept: 100_000 } as const;
/** Changes that are hashed in one go, in a few milliseconds, where other work waits. */
const changesPerPart = 512;

export class LogState {
  readonly tree: LogTree = new LogTree();
  readonly genesis: Uint8Array;
  readonly ns: string;
  readonly map: SubjectMap;
  #mapSize = 0;
  #recent = new RecentHeads();
  /** Comes into the map before `#recent`, and is in it in part. */
  #moving: RecentHeads | null = null;
  #mapMoves: Promise<void> | null = null;
  /** K of subjects that decisions asked for lately: each asks for its plan, its product and its caller. */
  readonly #keys = new RecentMap<string, Uint8Array>(keysMax);

  /** @param pastFrom log size from which map roots of the past can be proven */
  constructor(genesis: Uint8Array, ns: string, pastFrom = 0) {
    this.genesis = genesis;
    this.ns = ns;
    this.map = new SubjectMap(pastFrom);
  }

  /**
   * Reads the narrow rows of a store into tree and map, up to log size `to` where it is given. `pastFrom` is the size of
   * the newest published checkpoint; `onProgress` gets the number of rows read.
   */
  static async load(
    store: Pick<Store, 'leaves'>,
    identity: { genesis: Uint8Array; ns: string; pastFrom: number; to?: number },
    onProgress: (rows: number) => void = () => {},
  ): Promise<LogState> {
    const { genesis, ns, pastFrom, to = Number.MAX_SAFE_INTEGER } = identity;
    const state = new LogState(genesis, ns, pastFrom);
    for (;;) {
      const wanted = Math.min(rowsPerRead, to - state.tree.size);
      const rows = wanted > 0 ? await store.leaves(state.tree.size, wanted) : [];
      for (const { index, leaf, subject, rev } of rows) {
        state.tree.append(leaf);
        if (subject !== null) state.map.set({ key: subject, leaf, index, rev });
      }
      onProgress(state.tree.size);
      if (rows.length < rowsPerRead) break;
    }
    state.#mapSize = state.tree.size;
    return state;
  }

  /**
   * Appends the narrow rows that a store holds behind this log, up to log size `to` where it is given. Like everything
   * that is appended, they get into the map with `advanceMap`.
   */
  async readOn(store: Pick<Store, 'leaves'>, to: number = Number.MAX_SAFE_INTEGER): Promise<void> {
    while (this.size < to) {
      const rows = await store.leaves(this.size, Math.min(rowsPerRead, to - this.size));
      for (const row of rows) this.append(row);
      if (rows.length === 0) return;
    }
  }

  /** The root of the tree with these rows behind it. They are not taken in. */
  rootWith(rows: readonly Pick<StoredEntry, 'leaf'>[]): Uint8Array {
    const { size } = this.tree;
    for (const { leaf } of rows) this.tree.append(leaf);
    const root = this.tree.root();
    this.tree.truncate(size);
    return root;
  }

  /** Number of entries. */
  get size(): number {
    return this.tree.size;
  }

  /** Number of subjects. Looks through those that the map does not hold yet. */
  get subjects(): number {
    let count = this.map.size;
    const moving = this.#moving;
    for (const { key } of moving?.changes() ?? []) if (this.map.head(key) === undefined) count += 1;
    for (const { key } of this.#recent.changes())
      if (this.map.head(key) === undefined && moving?.head(key) === undefined) count += 1;
    return count;
  }

  /** Number of entries that the map covers; while it moves, some after them as well. */
  get mapSize(): number {
    return this.#mapSize;
  }

  /** Settles when the map has come to where it is brought in parts; null while it stands. */
  get mapMoves(): Promise<void> | null {
    return this.#mapMoves;
  }

  /** K of a subject of this namespace. */
  keyOf(id: string): Uint8Array {
    return this.#keys.get(id) ?? subjectKey(this.genesis, this.ns, id);
  }

  append(entry: Pick<StoredEntry, 'index' | 'leaf' | 'subject' | 'rev'>): void {
    const { index, leaf, subject, rev } = entry;
    if (index !== this.tree.size)
      throw new RangeError(`entry ${index} does not follow ${this.tree.size - 1}`);
    this.tree.append(leaf);
    if (subject !== null) this.#recent.set({ key: subject, leaf, index, rev });
  }

  /** Where the newest committed entry of a subject stands. */
  newest(key: Uint8Array): SubjectHead | undefined {
    return this.#recent.head(key) ?? this.#moving?.head(key) ?? this.map.head(key);
  }

  /** As `newest`, of the subject with this id, which is likely to be asked for again. */
  newestOf(id: string): SubjectHead | undefined {
    let key = this.#keys.get(id);
    if (key === undefined) {
      key = subjectKey(this.genesis, this.ns, id);
      this.#keys.set(id, key);
    }
    return this.newest(key);
  }

  /** True where each entry is the next revision of its subject. */
  isContinuedBy(entries: readonly Pick<StoredEntry, 'subject' | 'rev'>[]): boolean {
    const revs = new Map<string, number>();
    return entries.every(({ subject, rev }) => {
      if (subject === null) return true;
      const key = bytesKey(subject);
      const before = revs.get(key) ?? this.newest(subject)?.rev ?? -1;
      revs.set(key, rev);
      return rev === before + 1;
    });
  }

  /** The newest committed entry of a subject. */
  head(key: Uint8Array): Head | undefined {
    const recent = this.#recent.change(key) ?? this.#moving?.change(key);
    if (recent !== undefined) return recent;
    const head = this.map.head(key);
    return head === undefined ? undefined : { ...head, leaf: this.tree.leaf(head.index) };
  }

  /**
   * Brings the map up to the entries of now, in parts, so that other work goes on beside it; what is appended meanwhile is
   * left for `advanceMap`. Not twice at a time.
   */
  async advanceMapInParts(): Promise<void> {
    const moves = this.#moveMap(this.size);
    this.#mapMoves = this.#moving === null ? null : moves;
    await moves;
  }

  async #moveMap(to: number): Promise<void> {
    const moving = this.#recent;
    this.#moving = moving;
    this.#recent = new RecentHeads();
    let moved = 0;
    for (const change of moving.changes()) {
      this.map.set(change);
      moved += 1;
      if (moved % changesPerPart > 0) continue;
      this.map.root();
      await new Promise(setImmediate);
      // All of it was needed at once.
      if (this.#moving !== moving) return;
    }
    this.#moving = null;
    this.#mapMoves = null;
    this.#mapSize = to;
  }

  /**
   * Maps under fewer entries are asked for by those alone who began before: they go where there are many, and those under
   * the last entries stay.
   */
  forgetMapsBefore(size: number): void {
    if (this.#mapSize - this.map.oldestSize > pastEntries.max)
      this.map.forgetBefore(Math.min(size, this.#mapSize - pastEntries.kept));
  }

  /** Brings the map up to all entries and returns its root: what a map.root entry at this size says. */
  advanceMap(): Uint8Array {
    for (const heads of [this.#moving, this.#recent])
      for (const change of heads?.changes() ?? []) this.map.set(change);
    this.#moving = null;
    this.#recent = new RecentHeads();
    this.#mapSize = this.tree.size;
    this.#mapMoves = null;
    return this.map.root();
  }
}
