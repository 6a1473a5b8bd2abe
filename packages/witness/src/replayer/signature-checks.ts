/**
 * The signature checks of one replay. They run behind the other checks, so an entry may be taken in before its
 * signature is known to be bad; the replay then reports the earliest bad one and drops its state.
 */
import { isSignedBy, type PublicKey, payloadTypes, preAuthEncoding, utf8 } from '@tallystick/core';
import { SignatureBatchWriter } from './signature-batch.ts';
import type { SignaturePool } from './signature-pool.ts';

/** A signature and a key that may have made it. */
export interface SignatureCandidate {
  key: PublicKey;
  signature: Uint8Array;
}

/** One algorithm's share of a record: one of the candidates has to hold. */
export interface SignatureNeed {
  index: number;
  payload: Uint8Array;
  /** At least one. */
  candidates: readonly SignatureCandidate[];
}

const batchSize = 256;

export class SignatureChecks {
  readonly #pool: SignaturePool;
  #writer = new SignatureBatchWriter();
  #needs: SignatureNeed[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #bad: number[] = [];
  #error: Error | null = null;

  constructor(pool: SignaturePool) {
    this.#pool = pool;
  }

  /** Log index of the earliest entry known to have a bad signature. */
  get firstBad(): number | null {
    return this.bad[0] ?? null;
  }

  /** Log indexes of all entries known to have a bad signature, in order. */
  get bad(): readonly number[] {
    return this.#bad.toSorted((a, b) => a - b);
  }

  add(need: SignatureNeed): void {
    const [first] = need.candidates;
    if (first === undefined) throw new RangeError('a signature need without candidates');
    this.#writer.add(first.key, recordPrefix(need.payload.length), need.payload, first.signature);
    this.#needs.push(need);
    if (this.#writer.count >= batchSize) this.#send();
  }

  /** Resolves when there is room for more. */
  async room(): Promise<void> {
    while (this.#running.size >= this.#pool.batchesMax) await Promise.race(this.#running);
    if (this.#error !== null) throw this.#error;
  }

  /** Waits for everything that was added. Rethrows where a check could not be made. */
  async drain(): Promise<void> {
    if (this.#writer.count > 0) this.#send();
    await Promise.all(this.#running);
    if (this.#error !== null) throw this.#error;
  }

  #send(): void {
    const needs = this.#needs;
    this.#needs = [];
    const running = this.#check(needs).catch((error: unknown) => {
      this.#error ??= error instanceof Error ? error : new Error(String(error));
    });
    this.#running.add(running);
    void running.then(() => this.#running.delete(running));
  }

  async #check(needs: readonly SignatureNeed[]): Promise<void> {
    const verdicts = await this.#pool.check(this.#writer.take());
    for (const [at, need] of needs.entries()) {
      if (verdicts[at] === 1 || (await holds({ ...need, candidates: need.candidates.slice(1) }))) continue;
      this.#bad.push(need.index);
    }
  }
}

/** Checks on this thread whether one of the candidates holds. */
export async function holds(need: SignatureNeed): Promise<boolean> {
  const message = preAuthEncoding(payloadTypes.record, need.payload);
  for (const { key, signature } of need.candidates) {
    if (await isSignedBy(key, message, signature)) return true;
  }
  return false;
}

/** DSSE's pre-authentication encoding of a record, up to its payload. Records have few lengths. */
const prefixes = new Map<number, Uint8Array>();

function recordPrefix(payloadLength: number): Uint8Array {
  const known = prefixes.get(payloadLength);
  if (known !== undefined) return known;
  const type = payloadTypes.record;
  const prefix = utf8(`DSSEv1 ${type.length} ${type} ${payloadLength} `);
  prefixes.set(payloadLength, prefix);
  return prefix;
}
