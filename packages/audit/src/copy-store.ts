/**
 * Copies a log from one store to another, so that nothing has to be trusted in between: every entry is held against its
 * leaf on the way, and at the end both stores are read against each other as a whole.
 *
 * A copy that was cut short goes on where it ended, because the target is always a beginning of the source.
 */
import { isDeepStrictEqual } from 'node:util';
import { base64, equalBytes, LogTree, leafHash } from '@tallystick/core';
import type { Store, StoredCheckpoint, StoredEntry } from '@tallystick/ledger';
import type { OnProgress } from './report.ts';

export interface CopyOptions {
  /** Number of entries to copy; the source has at least so many. */
  size: number;
  /** Entries that are read and appended at once. Default 500. */
  entriesPerBatch?: number;
  onProgress?: OnProgress;
}

export interface CopyReport {
  /** Number of entries that both stores hold. */
  size: number;
  /** Of them, those that were copied now. */
  copied: number;
  /** Entries of the target whose content was erased, because the source's is. */
  erased: number;
  checkpoints: number;
  /** Root of the tree over `size` entries, base64. */
  root: string;
}

/** The target is not a beginning of the source, or the source does not fit itself. Nothing was changed that was there. */
export class CopyRefused extends Error {
  override readonly name = 'CopyRefused';
}

/** Throws CopyRefused; any other error means that a store could not be read or written. */
export async function copyStore(source: Store, target: Store, options: CopyOptions): Promise<CopyReport> {
  const { size, onProgress = () => {} } = options;
  const copy = new Copy(source, target, { entriesPerBatch: 500, ...options, onProgress });
  const before = await target.size();
  await copy.comparePrefix(before);
  for (let at = before; at < size; at = await copy.append(at))
    onProgress({ step: 'entries', done: at, total: size });
  const { root, erased } = await copy.compareAll();
  const checkpoints = await copy.checkpoints();
  return { size, copied: size - before, erased, checkpoints, root: base64(root) };
}

/** Says what `copyStore` would begin with. Throws CopyRefused. */
export async function checkTarget(source: Store, target: Store, options: CopyOptions): Promise<number> {
  const before = await target.size();
  const { onProgress = () => {} } = options;
  await new Copy(source, target, { entriesPerBatch: 500, ...options, onProgress }).comparePrefix(before);
  return before;
}

class Copy {
  readonly #source: Store;
  readonly #target: Store;
  readonly #options: Required<CopyOptions>;

  constructor(source: Store, target: Store, options: Required<CopyOptions>) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
  }

  /** What the target has must be what the source begins with: read from the narrow rows, before anything is added. */
  async comparePrefix(length: number): Promise<void> {
    const { size, entriesPerBatch } = this.#options;
    if (length > size) {
      throw new CopyRefused(
        `the target has ${length} entries and the source ${size}: it is not a beginning of the source`,
      );
    }
    for (let at = 0; at < length; at += entriesPerBatch) {
      const count = Math.min(entriesPerBatch, length - at);
      const expected = await this.#source.leaves(at, count);
      const found = await this.#target.leaves(at, count);
      for (const [nth, row] of expected.entries())
        if (!isDeepStrictEqual(row, found[nth])) throw differs(row.index);
    }
  }

  /** Appends what follows at an index, and returns where that ends. */
  async append(at: number): Promise<number> {
    const { size, entriesPerBatch } = this.#options;
    const entries = await this.#source.entries(at, Math.min(entriesPerBatch, size - at));
    const end = at + entries.length;
    for (const [nth, entry] of entries.entries()) checkLeaf(entry, at + nth);
    if (end === at) throw new CopyRefused(`the source has no entry ${at}: run tally fsck on it`);
    await this.#target.append({ size: at, entries, causes: await this.#source.causes(at, end) });
    return end;
  }

  /** Reads both stores against each other, and erases in the target what the source has erased since it was copied. */
  async compareAll(): Promise<{ root: Uint8Array; erased: number }> {
    const { size, entriesPerBatch, onProgress } = this.#options;
    const [source, target] = [new LogTree(), new LogTree()];
    let erased = 0;
    for (let at = 0; at < size; at += entriesPerBatch) {
      onProgress({ step: 'both stores', done: at, total: size });
      const count = Math.min(entriesPerBatch, size - at);
      const expected = await this.#source.entries(at, count);
      const found = await this.#target.entries(at, count);
      const gone: number[] = [];
      for (let nth = 0; nth < count; nth++) {
        const [left, right] = [expected[nth], found[nth]];
        if (left === undefined || right === undefined) throw differs(at + nth);
        checkLeaf(left, at + nth);
        if (!isDeepStrictEqual(left, right)) {
          if (!isErasedSince(left, right)) throw differs(left.index);
          gone.push(left.index);
        }
        source.append(left.leaf);
        target.append(leafHash(right.entry));
      }
      await this.#target.shred(gone);
      erased += gone.length;
    }
    await this.#compareCauses();
    if (!equalBytes(source.root(), target.root())) throw new CopyRefused('the trees have different roots');
    return { root: source.root(), erased };
  }

  /** After all that was erased is: what was signed for a command goes with any of its records. */
  async #compareCauses(): Promise<void> {
    const { size, entriesPerBatch } = this.#options;
    for (let at = 0; at < size; at += entriesPerBatch) {
      const to = Math.min(at + entriesPerBatch, size);
      if (!isDeepStrictEqual(await this.#source.causes(at, to), await this.#target.causes(at, to)))
        throw new CopyRefused(`the causes of entries ${at} to ${to - 1} differ`);
    }
  }

  /** Copies every checkpoint of at most the size, the oldest first, so that a copy that is cut short lacks the newest. */
  async checkpoints(): Promise<number> {
    const { size, onProgress } = this.#options;
    const wanted = await checkpointSizes(this.#source, size);
    for (const [nth, each] of wanted.entries()) {
      onProgress({ step: 'checkpoints', done: nth, total: wanted.length });
      const saved = await this.#source.checkpoint(each);
      if (saved === undefined)
        throw new CopyRefused(`the checkpoint of size ${each} is gone from the source`);
      if (!isSame(await this.#target.checkpoint(each), saved))
        await this.#target.saveCheckpoint({ ...saved });
    }
    const found = await checkpointSizes(this.#target, size);
    if (!isDeepStrictEqual(found, wanted))
      throw new CopyRefused('the target has checkpoints that the source does not have');
    return wanted.length;
  }
}

/** In order. */
async function checkpointSizes(store: Store, size: number): Promise<number[]> {
  const sizes: number[] = [];
  for (let saved = await store.checkpoint(size); saved !== undefined; ) {
    sizes.push(saved.size);
    saved = saved.size === 0 ? undefined : await store.checkpoint(saved.size - 1);
  }
  return sizes.reverse();
}

function isSame(found: StoredCheckpoint | undefined, { size, note, at }: StoredCheckpoint): boolean {
  return found?.size === size && found.note === note && found.at === at;
}

function checkLeaf({ index, entry, leaf }: StoredEntry, expected: number): void {
  if (index === expected && equalBytes(leafHash(entry), leaf)) return;
  throw new CopyRefused(
    `entry ${expected} of the source is not the one that its leaf is of: run tally fsck on it`,
  );
}

/** The same entry, whose content is gone from the source alone. */
function isErasedSince(source: StoredEntry, target: StoredEntry): boolean {
  if (source.content === null || source.content.document !== null || target.content === null) return false;
  const { salt, document, companionSalt, companion } = source.content;
  const content = { ...target.content, salt, document, companionSalt, companion };
  return isDeepStrictEqual({ ...target, content }, source);
}

function differs(index: number): CopyRefused {
  return new CopyRefused(`entry ${index} of the target is not the source's: copy into an empty store`);
}
