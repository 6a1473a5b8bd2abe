/**
 * Judges steps from one revision to the next by the license model, and says which rows the later revisions replace.
 * Both revisions were found to be what the log commits to before.
 */
import { parseJson } from '@tallystick/core';
import {
  checkAfter,
  checkTransition,
  isRecordType,
  parseCompanion,
  parseDocument,
  type RecordType,
  subjectTypeOf,
} from '@tallystick/license';
import type { DroppedName, FullSetup, Step, StepFacts } from './facts.ts';
import type { PackedRows } from './packed-rows.ts';
import {
  type KeyedName,
  mixNameRows,
  mixStateRows,
  type Name,
  namesIn,
  type Revision,
} from './projected-rows.ts';
import { RowSum } from './row-sum.ts';

export class StepScan {
  readonly #rows: PackedRows;
  readonly #sum: RowSum;

  constructor(rows: PackedRows, { sumKey }: FullSetup) {
    this.#rows = rows;
    this.#sum = new RowSum(sumKey);
  }

  scan(steps: readonly Step[]): StepFacts {
    this.#sum.take();
    const odd: Step[] = [];
    const keyed: KeyedName[] = [];
    const dropped: DroppedName[] = [];
    for (const step of steps) {
      const { type } = step;
      const after = isRecordType(type) ? this.#revisionAt(step.index, type) : null;
      // What was erased meanwhile can no longer be judged; what replaced its rows is told by the sums not fitting.
      if (after === null || !isRecordType(type)) continue;
      const before = this.#revisionAt(step.before, type);
      if (step.isToCheck && isOdd(type, before, after)) odd.push(step);
      if (before === null) continue;
      mixStateRows(this.#sum, 'subtract', before);
      mixNameRows(this.#sum, 'subtract', before, (name) => keyed.push(name));
      dropped.push(...droppedNames(before, after, step.before));
    }
    return { odd, keyed, dropped, rows: this.#sum.take() };
  }

  /** null where it was erased. */
  #revisionAt(index: number, type: RecordType): Revision | null {
    const content = this.#rows.content(index);
    if (content?.document == null) return null;
    const { document, companion } = content;
    return {
      document: parseDocument(subjectTypeOf(type), parseJson(document)),
      companion: companion === null ? null : parseCompanion(parseJson(companion)),
    };
  }
}

/** Where the revision before was erased, what this one changed cannot be known. */
function isOdd(type: RecordType, before: Revision | null, after: Revision): boolean {
  return (
    (before === null
      ? checkAfter(type, after.document)
      : checkTransition(type, before.document, after.document)) !== null
  );
}

function droppedNames(before: Revision, after: Revision, lastAt: number): DroppedName[] {
  const kept = new Set(namesIn(after).map(comparable));
  const gone = namesIn(before).filter((name) => !kept.has(comparable(name)));
  return gone.map((name) => ({ name, lastAt }));
}

function comparable(name: Name): string {
  return typeof name === 'string' ? `name ${name}` : `key ${name.licenseKey}`;
}
