/** What a thread does with its tasks. */
import { BlockScan } from './block-scan.ts';
import type { ScanAnswer, ScanSetup, ScanTask } from './facts.ts';
import { PackedRows } from './packed-rows.ts';
import { StepScan } from './step-scan.ts';
import { sumTables } from './table-scan.ts';

export class ScanTasks implements Disposable {
  readonly #setup: ScanSetup;
  readonly #rows: PackedRows;
  readonly #blocks: BlockScan;
  readonly #steps: StepScan | null;

  constructor(setup: ScanSetup) {
    const rows = new PackedRows(setup.storeFile);
    this.#setup = setup;
    this.#rows = rows;
    this.#blocks = new BlockScan(rows, setup.full);
    this.#steps = setup.full === null ? null : new StepScan(rows, setup.full);
  }

  /** null where anything is unusual. */
  run(task: ScanTask): ScanAnswer {
    try {
      if (task.kind === 'block') return this.#blocks.scan(task.from, task.to);
      if (task.kind === 'steps') return this.#steps?.scan(task.steps) ?? null;
      const { full } = this.#setup;
      if (full?.projectionsFile == null) return null;
      return sumTables(full.projectionsFile, full.sumKey, task.tables);
    } catch {
      // Whatever it was, the walk comes across it where it looks for itself, and says what and where it is.
      return null;
    }
  }

  [Symbol.dispose](): void {
    this.#rows[Symbol.dispose]();
  }
}
