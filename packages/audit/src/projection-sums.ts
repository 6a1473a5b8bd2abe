/**
 * The rows that the projections must hold, as one sum gathered on the walk, beside the sum over the rows that they do
 * hold. Where the two agree, and the order of what happened allows no other outcome, deriving the projections anew and
 * comparing them row by row would find nothing. Where they do not, that is done, and finds what differs.
 */
import { randomBytes } from 'node:crypto';
import {
  type IndexLicenseKey,
  licenseKeyName,
  requestKeyOf,
  type Store,
  type StoredCause,
} from '@tallystick/ledger';
import type { ProjectionSnapshot } from './compare-projections.ts';
import { erasingMax } from './erasure-check.ts';
import type { BlockFacts, StepFacts, TableFacts } from './scan/facts.ts';
import {
  addRequestRow,
  addRevisionRow,
  type KeyedName,
  mixNameRows,
  mixStateRows,
  type Revision,
} from './scan/projected-rows.ts';
import { RowSum } from './scan/row-sum.ts';

/** More of these than this would take memory that grows with the log. */
const rememberedMax = 100_000;

export class ProjectionSums {
  /** Drawn for this check: nobody who wrote the rows knows it. */
  readonly key: string = randomBytes(32).toString('hex');
  readonly #expected = new RowSum(this.key);
  readonly #indexKey: IndexLicenseKey;
  #dropped: { name: string; lastAt: number }[] = [];
  #isComplete = true;

  constructor(indexKey: IndexLicenseKey) {
    this.#indexKey = indexKey;
  }

  /** Takes in a block that was looked at by a thread. */
  addBlock({ rows, keyed }: BlockFacts): void {
    this.#expected.addSum(rows);
    for (const name of keyed) this.#mixKeyed('add', name);
  }

  /** Takes in steps that were; null for steps that were not. */
  addSteps(facts: StepFacts | null): void {
    if (facts === null) {
      this.giveUp();
      return;
    }
    this.#expected.addSum(facts.rows);
    for (const name of facts.keyed) this.#mixKeyed('subtract', name);
    for (const { name, lastAt } of facts.dropped) {
      this.#dropped.push({
        name: typeof name === 'string' ? name : licenseKeyName(name.licenseKey, this.#indexKey),
        lastAt,
      });
    }
    if (this.#dropped.length > rememberedMax) this.giveUp();
  }

  /** Takes in a record that the walk looked at itself; `revision` is null where its content was erased. */
  addRecord(id: string, rev: number, index: number, revision: Revision | null): void {
    addRevisionRow(this.#expected, id, rev, index);
    if (revision === null) return;
    mixStateRows(this.#expected, 'add', revision);
    mixNameRows(this.#expected, 'add', revision, (name) => this.#mixKeyed('add', name));
  }

  addRequests(causes: readonly StoredCause[]): void {
    for (const cause of causes) {
      const key = requestKeyOf(cause);
      if (key !== null) addRequestRow(this.#expected, key, cause.index);
    }
  }

  /** Something was not added: the sum tells nothing. */
  giveUp(): void {
    this.#isComplete = false;
    this.#dropped = [];
  }

  /**
   * The number of rows, where the projections are exactly what the log says; null where that cannot be told this way.
   * `tables` are all of their tables, `found` the same file, and `erasing` the commands that erased a customer.
   */
  async agreedRows(
    tables: readonly (TableFacts | null)[],
    found: ProjectionSnapshot,
    store: Store,
    erasing: readonly { from: number; to: number }[],
  ): Promise<number | null> {
    if (!this.#isComplete || tables.length === 0 || erasing.length > erasingMax) return null;
    const present = new RowSum(this.key);
    for (const table of tables) {
      if (table === null || table.cursor !== found.size) return null;
      present.addSum(table.rows);
    }
    if (!present.equals(this.#expected) || !this.#isDroppedInOrder(found)) return null;
    return (await isErased(store, found, erasing)) ? present.count : null;
  }

  /**
   * The sums have every name with the one subject whose newest revision has it. The projections have it with the
   * subject that took it last. That is the same, unless one that has given it up since took it after the other.
   */
  #isDroppedInOrder(found: ProjectionSnapshot): boolean {
    return this.#dropped.every(({ name, lastAt }) => {
      const holder = found.holderOf(name);
      return holder === null || (found.revisionsOf(holder).at(-1) ?? -1) > lastAt;
    });
  }

  #mixKeyed(sign: 'add' | 'subtract', { licenseKey, id }: KeyedName): void {
    this.#expected[sign]('names', [licenseKeyName(licenseKey, this.#indexKey), id]);
  }
}

/** True where everything is gone that the erasing commands cover: the earlier revisions of what they touch. */
async function isErased(
  store: Store,
  found: ProjectionSnapshot,
  erasing: readonly { from: number; to: number }[],
): Promise<boolean> {
  for (const { from, to } of erasing) {
    for (const { index, content } of await store.entries(from, to - from)) {
      if (content === null) return false;
      for (const earlier of found.revisionsOf(content.id)) {
        if (earlier >= index) break;
        if ((await store.entry(earlier))?.content?.document !== null) return false;
      }
    }
  }
  return true;
}
