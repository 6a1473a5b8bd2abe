/**
 * Fetches the entries that are missing below the cosigned size: those of a time when entries were not kept, and those
 * that the disk has lost. Each one is compared with its leaf in the tree that was cosigned, so that nothing else gets in.
 */
import { setTimeout as after } from 'node:timers/promises';
import { equalBytes, type LogTree, leafHash, tileWidth } from '@tallystick/core';
import { messageOf } from '../errors.ts';
import type { EntryRun } from '../replayer/entry-tiles.ts';
import type { FetchEntries } from './entry-keeper.ts';
import type { EntryStore } from './entry-store.ts';

interface BackfillParts {
  store: EntryStore;
  fetch: FetchEntries;
  tree: () => LogTree;
  cosignedSize: () => number;
  signal: AbortSignal;
  /** Told why it does not get on, each time. */
  report: (message: string) => void;
}

const entriesAtOnce = 16 * tileWidth;
const retryMs = 10_000;

/** Fills gaps in the background: once for all that there are, and again when new ones are found. */
export class Filling {
  readonly #parts: BackfillParts;
  #running: Promise<void> | null = null;

  constructor(parts: BackfillParts) {
    this.#parts = parts;
  }

  /** Begins where it is not under way. */
  start(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
  }

  /** Resolves when nothing is under way; the signal has been aborted. */
  async end(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    const { store, cosignedSize, signal, report } = this.#parts;
    while (!signal.aborted) {
      const gap = store.gapBelow(cosignedSize());
      if (gap === null) return;
      try {
        await fill(this.#parts, gap.start, Math.min(gap.end, gap.start + entriesAtOnce));
      } catch (error) {
        if (signal.aborted) return;
        report(`entries ${gap.start} to ${gap.end - 1} are missing, and cannot be had: ${messageOf(error)}`);
        await after(retryMs, undefined, { signal, ref: false }).catch(() => null);
      }
    }
  }
}

async function fill({ store, fetch, tree }: BackfillParts, from: number, to: number): Promise<void> {
  const runs: EntryRun[] = [];
  for await (const run of fetch(from, to)) {
    const known = tree();
    const wrong = run.entries.findIndex(
      (entry, at) => !equalBytes(leafHash(entry), known.leaf(run.start + at)),
    );
    if (wrong >= 0)
      throw new Error(`the log serves another entry ${run.start + wrong} than the one cosigned`);
    runs.push(run);
  }
  store.save(runs);
}
