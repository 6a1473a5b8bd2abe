/**
 * Puts a store right from a mirror of its log: entries that were altered or lost, and the end that an older copy lacks.
 *
 * Everything is compared with the tree of a checkpoint that the log signed and a replayer cosigned, so that the mirror
 * cannot put anything in. The rows are written in one transaction, after a copy of those that they replace.
 */
import { rmSync } from 'node:fs';
import {
  equalBytes,
  formatInstant,
  IntegrityError,
  type LogTree,
  parseSignedCheckpoint,
  type SignedCheckpoint,
  type TrustRoot,
  tileWidth,
  utf8,
  verifyLogSignatures,
} from '@tallystick/core';
import {
  type MendableStore,
  type RestoredEntry,
  type StoredCheckpoint,
  StoreUnavailable,
} from '@tallystick/ledger';
import type { ContentKey } from '@tallystick/witness';
import type { OnProgress } from '../report.ts';
import { type Difference, differenceOf, rowOf } from './difference.ts';
import { GivenBack } from './given-back.ts';
import { MirrorDocuments } from './mirror-documents.ts';
import { type MirrorAccess, MirrorReader } from './mirror-reader.ts';
import { namedMax, RepairRefused, type RepairReport } from './report.ts';
import { writeUndoFile } from './undo-file.ts';

export interface RepairParts {
  /** Held for writing, or for a dry run opened for reading. */
  store: MendableStore;
  /** Every version of the trust root, from 1 up, verified. */
  chain: readonly TrustRoot[];
  /** The newest checkpoint that the signer says it signed; null where that cannot be read. */
  mark: { size: number; root: Uint8Array } | null;
  mirror: MirrorAccess;
  /** What opens the documents that the mirror holds; null to get entries back alone. */
  contentKey: ContentKey | null;
  /** Where to keep what is replaced; must not exist. */
  undoFile: string;
}

export interface RepairOptions {
  /** Fetches and compares everything, and changes nothing; works beside a running server. */
  dryRun: boolean;
  onProgress?: OnProgress;
}

/**
 * Throws RepairRefused where the mirror cannot be relied on, and what the store throws. Nothing was changed then, but where
 * a StoreUnavailable says that the outcome is unknown: repairing again finds out.
 */
export function repairStore(parts: RepairParts, options: RepairOptions): Promise<RepairReport> {
  return new Repair(parts, options).run();
}

class Repair {
  readonly #parts: RepairParts;
  readonly #options: RepairOptions;
  readonly #store: MendableStore;
  readonly #mirror: MirrorReader;

  constructor(parts: RepairParts, options: RepairOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#store = parts.store;
    this.#mirror = new MirrorReader(parts.mirror, parts.chain);
  }

  async run(): Promise<RepairReport> {
    const checkpoint = await this.#mirror.checkpoint();
    const tree = await this.#mirror.tree(checkpoint, (done) => this.#tell('leaves', done, checkpoint.size));
    const sizeBefore = await this.#store.size();
    await this.#checkHistory(tree);
    const common = Math.min(sizeBefore, checkpoint.size);
    const { contentKey } = this.#parts;
    const wanted = { to: common, genesis: this.#genesis, contents: contentKey !== null };
    const difference = await differenceOf(this.#store, tree, wanted, (done) =>
      this.#tell('entries', done, common),
    );
    const added = checkpoint.size > sizeBefore ? { from: sizeBefore, to: checkpoint.size } : null;
    const back = new GivenBack({
      store: this.#store,
      mirror: this.#mirror,
      documents:
        contentKey && new MirrorDocuments((tile) => this.#mirror.sealedTile(tile), contentKey, this.#genesis),
      genesis: this.#genesis,
      subjects: difference.subjects,
      erased: difference.erased,
    });
    const published = await this.#newerPublished(tree);
    const { found, lacking } = difference;
    const isNeeded = added !== null || found.length > 0 || lacking.length > 0;
    const undo = isNeeded
      ? await this.#apply(difference, added, this.#rows(difference, added, tree, back))
      : null;
    if (published !== null && !this.#options.dryRun) await this.#store.saveCheckpoint(published);
    return {
      dryRun: this.#options.dryRun,
      mirrored: checkpoint.size,
      sizeBefore,
      size: Math.max(sizeBefore, checkpoint.size),
      repaired: { count: difference.found.length, first: difference.found.slice(0, namedMax) },
      added,
      documents: back.documents,
      causes: back.causes,
      wrong: back.wrong,
      lost: back.lost,
      lostCauses: back.lostCauses,
      missing: this.#missing(Math.max(sizeBefore, checkpoint.size)),
      published: published?.size ?? null,
      undo,
    };
  }

  /**
   * Documents and causes of records that are in the store, as far as the mirror has them, without what was signed against the log;
   * notes what they put right.
   */
  async *#completed({ lacking, found }: Difference, back: GivenBack): AsyncGenerator<RestoredEntry> {
    for (const record of lacking) {
      const stored = await this.#store.entry(record.index);
      const made = stored === undefined ? null : await back.complete(record, stored.entry);
      if (made === null) continue;
      found.push(...made.found);
      yield made.entry;
    }
  }

  /** What was published after the newest checkpoint of this store; null for none. */
  async #newerPublished(tree: LogTree): Promise<StoredCheckpoint | null> {
    const published = await this.#mirror.published(tree);
    const own = await this.#published();
    if (published === null || published.size <= (own?.size ?? 0)) return null;
    const { size, note, asOf } = published;
    return { size, note, at: formatInstant(asOf * 1000) };
  }

  /** What was signed and published here says the same as the mirror, as far as both go. */
  async #checkHistory(tree: LogTree): Promise<void> {
    const { mark } = this.#parts;
    if (mark !== null && mark.size <= tree.size && !equalBytes(tree.root(mark.size), mark.root)) {
      throw differs(`the signer has signed another log of ${mark.size} entries than the mirror holds`);
    }
    const published = await this.#published();
    if (published === null || published.size > tree.size) return;
    if (!equalBytes(tree.root(published.size), published.root)) {
      throw differs(
        `this log has published another history of ${published.size} entries than the mirror holds`,
      );
    }
  }

  /** The newest checkpoint of the store; null where there is none that the log has signed. */
  async #published(): Promise<SignedCheckpoint | null> {
    const saved = await this.#store.checkpoint();
    if (saved === undefined) return null;
    try {
      const checkpoint = parseSignedCheckpoint(utf8(saved.note));
      await verifyLogSignatures(checkpoint, this.#trust.log.vkeys);
      return checkpoint;
    } catch (error) {
      // One that was altered says nothing of the log: fsck names it.
      if (error instanceof IntegrityError) return null;
      throw error;
    }
  }

  /** The rows that are put right, and those that are added. */
  async *#rows(
    difference: Difference,
    added: RepairReport['added'],
    tree: LogTree,
    back: GivenBack,
  ): AsyncGenerator<RestoredEntry> {
    yield* this.#completed(difference, back);
    for (const { index, entry } of difference.rows) yield { ...rowOf(index, entry), content: null };
    const wanted = new Set(difference.entries);
    for (const { from, to } of rangesOf(difference.entries)) {
      for await (const { start, entries } of this.#mirror.entries(from, to, tree)) {
        for (const [at, entry] of entries.entries()) {
          if (wanted.has(start + at)) yield { ...rowOf(start + at, entry), content: null };
        }
      }
    }
    if (added === null) return;
    for await (const { start, entries } of this.#mirror.entries(added.from, added.to, tree)) {
      for (const [at, entry] of entries.entries()) yield back.take(start + at, entry);
      this.#tell('lost entries', start + entries.length - added.from, added.to - added.from);
    }
    yield* back.named();
  }

  /** Returns the file with what was replaced; null for a dry run, which only looks at all rows. */
  async #apply(
    { found, lacking }: Difference,
    added: RepairReport['added'],
    rows: AsyncGenerator<RestoredEntry>,
  ): Promise<string | null> {
    if (this.#options.dryRun) {
      for await (const _row of rows);
      return null;
    }
    const { undoFile } = this.#parts;
    const indexes = found.map(({ index }) => index);
    await writeUndoFile(undoFile, this.#store, {
      indexes,
      contents: lacking.map(({ index }) => index),
      added,
    });
    try {
      await this.#store.restore(rows);
      if (added !== null || found.length > 0) return undoFile;
      // The mirror had nothing of what is lacking.
      rmSync(undoFile);
      return null;
    } catch (error) {
      const isUndone = !(error instanceof StoreUnavailable && error.isOutcomeUnknown);
      if (isUndone) rmSync(undoFile, { force: true });
      throw error;
    }
  }

  #missing(size: number): RepairReport['missing'] {
    const { mark } = this.#parts;
    return mark !== null && mark.size > size ? { from: size, to: mark.size } : null;
  }

  #tell(step: Parameters<OnProgress>[0]['step'], done: number, total: number): void {
    this.#options.onProgress?.({ step, done, total });
  }

  get #trust(): TrustRoot {
    return this.#parts.chain.at(-1) as TrustRoot;
  }

  get #genesis(): Uint8Array {
    return this.#trust.genesis;
  }
}

/** The ranges to ask for to get these entries, which are in order: one for each tile. */
function rangesOf(indexes: readonly number[]): { from: number; to: number }[] {
  const ranges: { from: number; to: number }[] = [];
  for (const index of indexes) {
    const last = ranges.at(-1);
    if (last !== undefined && Math.floor(last.from / tileWidth) === Math.floor(index / tileWidth)) {
      last.to = index + 1;
    } else ranges.push({ from: index, to: index + 1 });
  }
  return ranges;
}

function differs(message: string): RepairRefused {
  return new RepairRefused('mirror_differs', message);
}
