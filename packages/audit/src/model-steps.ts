/** Steps from one revision to the next, handed to threads in batches; what they find odd is looked at here. */
import { parseRecordEntry } from '@tallystick/core';
import type { Store } from '@tallystick/ledger';
import { openContent } from './content-check.ts';
import type { ModelCheck } from './model-check.ts';
import type { ProjectionSums } from './projection-sums.ts';
import type { Problems } from './report.ts';
import type { Step, StepFacts } from './scan/facts.ts';
import type { ScanPool } from './scan/scan-pool.ts';

const stepsPerBatch = 250;
const batchesMax = 16;

interface Batch {
  steps: Step[];
  facts: Promise<StepFacts | null>;
}

export interface ModelStepsParts {
  pool: ScanPool;
  store: Store;
  model: ModelCheck;
  problems: Problems;
  sums: ProjectionSums | null;
}

export class ModelSteps {
  readonly #parts: ModelStepsParts;
  #steps: Step[] = [];
  readonly #running: Batch[] = [];

  constructor(parts: ModelStepsParts) {
    this.#parts = parts;
  }

  add(step: Step): void {
    this.#steps.push(step);
    if (this.#steps.length >= stepsPerBatch) this.#send();
  }

  /** Waits for room. */
  async room(): Promise<void> {
    while (this.#running.length > batchesMax) await this.#takeOldest();
  }

  /** Waits for every step. */
  async settle(): Promise<void> {
    if (this.#steps.length > 0) this.#send();
    while (this.#running.length > 0) await this.#takeOldest();
  }

  #send(): void {
    this.#running.push({ steps: this.#steps, facts: this.#parts.pool.steps(this.#steps) });
    this.#steps = [];
  }

  async #takeOldest(): Promise<void> {
    const batch = this.#running.shift();
    if (batch === undefined) return;
    const facts = await batch.facts;
    this.#parts.sums?.addSteps(facts);
    for (const step of facts?.odd ?? batch.steps) if (step.isToCheck) await this.#judge(step);
  }

  /** Judges a step on this thread, and says what is wrong with it. */
  async #judge({ index, before }: Step): Promise<void> {
    const { store, model, problems } = this.#parts;
    const stored = await store.entry(index);
    // What was erased since cannot be judged any more.
    if (stored?.content?.document == null) return;
    const { record } = parseRecordEntry(stored.entry);
    const opened = openContent(index, record, stored.content);
    problems.add('message' in opened ? opened : await model.take(index, record, opened.document, before));
  }
}
