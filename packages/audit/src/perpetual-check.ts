/**
 * What a trust root demands of perpetual licenses alone. Replayers see no documents and so cannot know which ones they
 * are: whoever has them looks.
 */
import {
  type KeyAlgorithm,
  keyIdOf,
  type PublicKey,
  type RecordEntry,
  requiredAlgorithms,
} from '@tallystick/core';
import { type ReplayState, type SignatureSink, Unavailable } from '@tallystick/witness';
import { type FsckProblem, problemAt } from './report.ts';

const usage = 'license';

export class PerpetualCheck {
  readonly #state: ReplayState;
  readonly #checks: SignatureSink;
  readonly #keys: readonly PublicKey[];

  /**
   * @param state as the entries before left it
   * @param checks told of the signatures that have to hold
   * @param keys named by their place where signatures were checked before
   */
  constructor(state: ReplayState, checks: SignatureSink, keys: readonly PublicKey[]) {
    this.#state = state;
    this.#checks = checks;
    this.#keys = keys;
  }

  /**
   * Judges the record of a perpetual license that all other rules let pass. Throws Unavailable where a key that has signed
   * it is not known.
   */
  take(index: number, { record, envelope }: RecordEntry): FsckProblem | null {
    const needs = this.#demanded(record.ns, index).map((alg) => ({
      alg,
      candidates: envelope.signatures.flatMap(({ keyid, sig }) =>
        this.#entitled(record.ns, keyid, index)
          .filter((key) => key.alg === alg)
          .map((key) => ({ key, signature: sig })),
      ),
    }));
    const missing = needs.filter(({ candidates }) => candidates.length === 0).map(({ alg }) => alg);
    if (missing.length === 0) {
      for (const { candidates } of needs) this.#checks.add({ index, payload: envelope.payload, candidates });
      return null;
    }
    const ring = this.#state.namespaces.get(record.ns)?.ring;
    if (envelope.signatures.some(({ keyid }) => ring?.isMissing(keyid) === true))
      throw new Unavailable(`a key of ${record.ns} that signed the record at ${index} is not served`);
    const message = `the license is perpetual, and not signed with ${missing.join(' and ')} as the trust root demands of those`;
    return problemAt(index, 'entries', 'signature', message);
  }

  /** Whether the keys of these places, which have signed, are all that is demanded. */
  isSigned(ns: string, index: number, signers: readonly number[]): boolean {
    const algorithms = signers.flatMap((place) => {
      const key = this.#keys[place];
      return key !== undefined && this.#entitled(ns, keyIdOf(key), index).includes(key) ? key.alg : [];
    });
    return this.#demanded(ns, index).every((alg) => algorithms.includes(alg));
  }

  /** What other licenses do not need. */
  #demanded(ns: string, index: number): KeyAlgorithm[] {
    const trust = this.#state.trust?.namespaces.get(ns);
    if (trust === undefined) return [];
    const usual = requiredAlgorithms(trust, usage, index, false);
    return requiredAlgorithms(trust, usage, index, true).filter((alg) => !usual.includes(alg));
  }

  #entitled(ns: string, keyid: string, index: number): readonly PublicKey[] {
    return this.#state.namespaces.get(ns)?.ring.entitled(keyid, usage, index) ?? [];
  }
}
