/**
 * Promises of the log: kept until a license file shows that they were honored, or proves that they were not.
 *
 * Stored as `{"v":1,"promises":[…]}`, each as the server gave it.
 */
import {
  base64,
  decodeBase64,
  equalBytes,
  type KeptPromise,
  leafHash,
  type PromiseStatement,
  type PublicKey,
  parseBundle,
  parseInstant,
  utf8,
  verifyBundle,
  verifyPromise,
} from '@tallystick/core';
import { StoreError } from './errors.ts';
import type { Pin } from './pin.ts';

/**
 * Proof that the log broke its word, for anybody who has the trust root: the signed promise, and the proven
 * license file that contradicts it.
 *
 * - `late`: a checkpoint after the promised time does not cover the promised index.
 * - `other_entry`: another entry stands at that index.
 */
export interface BrokenPromise {
  why: 'late' | 'other_entry';
  promise: KeptPromise;
  statement: PromiseStatement;
  bundle: string;
}

export interface Settlement {
  /** Shown to be in the log, and so done with. */
  honored: KeptPromise[];
  /** Proven to be broken, and so done with: hand these to the vendor and to an auditor. */
  broken: BrokenPromise[];
}

interface OpenPromise {
  promise: KeptPromise;
  statement: PromiseStatement;
}

/** Entries that a verified file proves to be in the log, and how far the log reached when. */
interface Evidence {
  size: number;
  /** Milliseconds. */
  asOf: number;
  /** Leaf hashes by log index. */
  leaves: ReadonlyMap<number, Uint8Array>;
  bundle: string;
}

export class PromiseKeeper {
  readonly #pin: Pin;
  #open: OpenPromise[] = [];

  constructor(pin: Pin) {
    this.#pin = pin;
  }

  /** Reads what `toText` wrote. Throws StoreError `damaged`, also where a promise is not of this log. */
  static async parse(pin: Pin, text: string): Promise<PromiseKeeper> {
    const keeper = new PromiseKeeper(pin);
    try {
      const json = JSON.parse(text) as { v: unknown; promises: KeptPromise[] };
      if (json.v !== 1) throw new Error(`version ${String(json.v)}`);
      for (const promise of json.promises) await keeper.keep(promise);
    } catch (error) {
      throw new StoreError('damaged', `kept promises: ${String(error)}`, { cause: error });
    }
    return keeper;
  }

  toText(): string {
    return JSON.stringify({ v: 1, promises: this.promises });
  }

  /** The promises that nothing has settled yet. */
  get promises(): KeptPromise[] {
    return this.#open.map(({ promise }) => promise);
  }

  /** Keeps a promise once. Throws IntegrityError where the pinned log did not make it. */
  async keep(promise: KeptPromise): Promise<void> {
    const { origin, keys } = logOf(this.#pin);
    const statement = await verifyPromise(promise, origin, keys);
    if (
      this.#open.some(
        ({ promise: known }) => known.envelope === promise.envelope && known.index === promise.index,
      )
    )
      return;
    this.#open.push({ promise, statement });
  }

  /**
   * Holds a license file, of whichever license of the namespace, against the open promises. An entry that
   * the log covers but the file does not show stays open: only its own file can settle it. Throws
   * IntegrityError where the file is not proven; what is wrong with it settles nothing.
   */
  async settle(bundle: string, namespace: string): Promise<Settlement> {
    const evidence = await evidenceOf(bundle, this.#pin, namespace);
    const judged = this.#open.map((each) => ({ ...each, outcome: outcomeOf(each, evidence) }));
    this.#open = judged.filter(({ outcome }) => outcome === 'open');
    return {
      honored: judged.filter(({ outcome }) => outcome === 'honored').map(({ promise }) => promise),
      broken: judged.flatMap(({ promise, statement, outcome }) =>
        outcome === 'late' || outcome === 'other_entry' ? [{ why: outcome, promise, statement, bundle }] : [],
      ),
    };
  }

  /** Drops a promise that nothing can settle any more, such as that of a revision which has been followed by others. */
  forget(promise: KeptPromise): void {
    this.#open = this.#open.filter(
      (each) => each.promise.envelope !== promise.envelope || each.promise.index !== promise.index,
    );
  }
}

/** Keys that the log ever had: a promise may be older than the newest trust root. */
function logOf({ versions }: Pin): { origin: string; keys: PublicKey[] } {
  const keys = new Map(versions.flatMap(({ log }) => log.vkeys.map((vkey) => [base64(vkey.key), vkey])));
  return { origin: versions[0]?.log.origin ?? '', keys: [...keys.values()] };
}

async function evidenceOf(bundle: string, pin: Pin, namespace: string): Promise<Evidence> {
  const bytes = utf8(bundle);
  const { anchor } = await verifyBundle(bytes, { pin: pin.versions, namespace });
  const states = parseBundle(bytes).subjects.flatMap(({ state }) => state ?? []);
  const leaves = new Map(states.map(({ index, entry }) => [index, leafHash(entry)]));
  return { size: anchor.size, asOf: anchor.asOf * 1000, leaves, bundle };
}

function outcomeOf(
  { promise, statement }: OpenPromise,
  evidence: Evidence,
): 'open' | 'honored' | BrokenPromise['why'] {
  const found = evidence.leaves.get(promise.index);
  if (found !== undefined) return equalBytes(found, decodeBase64(promise.leaf)) ? 'honored' : 'other_entry';
  const isLate = evidence.asOf > parseInstant(statement.publishBy) && evidence.size <= promise.index;
  return isLate ? 'late' : 'open';
}
