/** The versions of the trust root that a log has been under, and where in it each stands. */
import { encodeEnvelope, leafHash, type TrustRoot } from '@tallystick/core';
import type { LogState } from './log-state.ts';

interface LoggedTrust {
  trust: TrustRoot;
  /** The entry's bytes. */
  entry: Uint8Array;
  index: number;
}

export class TrustHistory {
  readonly #logged: LoggedTrust[];
  #unlogged: readonly TrustRoot[];

  private constructor(logged: LoggedTrust[], unlogged: readonly TrustRoot[]) {
    this.#logged = logged;
    this.#unlogged = unlogged;
  }

  /** Of a verified chain, from version 1 up, those that the log holds. Throws where that is not even the first. */
  static find(chain: readonly TrustRoot[], state: LogState): TrustHistory {
    const logged: LoggedTrust[] = [];
    for (const trust of chain) {
      const entry = encodeEnvelope(trust.envelope);
      const index = state.tree.indexOf(leafHash(entry));
      if (index === undefined) break;
      logged.push({ trust, entry, index });
    }
    if (logged.length === 0)
      throw new Error('the store holds another log: it does not begin with this trust root');
    return new TrustHistory(logged, chain.slice(logged.length));
  }

  /** The version that governs the end of the log. */
  get current(): TrustRoot {
    return this.#newest.trust;
  }

  get #newest(): LoggedTrust {
    return this.#logged[this.#logged.length - 1] as LoggedTrust;
  }

  /** Those that the log holds, from 1 up. */
  get versions(): TrustRoot[] {
    return this.#logged.map(({ trust }) => trust);
  }

  /** Those that are kept and that the log does not hold, in order. */
  get unlogged(): readonly TrustRoot[] {
    return this.#unlogged;
  }

  version(version: number): TrustRoot | undefined {
    return this.#logged[version - 1]?.trust;
  }

  /** The version that governs a checkpoint of `size` entries. */
  governing(size: number): TrustRoot {
    return (this.#logged.findLast(({ index }) => index < size) ?? this.#newest).trust;
  }

  /** The versions above `version` that stand among the first `size` entries. */
  after(version: number, size: number): readonly LoggedTrust[] {
    return this.#logged.filter(({ trust, index }) => trust.version > version && index < size);
  }

  /**
   * The versions whose log keys and quorum a checkpoint of `size` has to satisfy: the governing one first, and the one
   * before each version that no checkpoint has proven yet, the newest of which has `proven` entries.
   */
  demanded(size: number, proven: number): TrustRoot[] {
    const unproven = this.#logged.filter(({ index }) => index > 0 && index >= proven && index < size);
    const before = unproven.map(({ trust }) => this.version(trust.version - 1) ?? trust);
    return [this.governing(size), ...before];
  }

  /** Takes in the versions that were kept to be logged next, in place of those before. */
  kept(unlogged: readonly TrustRoot[]): void {
    this.#unlogged = unlogged;
  }

  /** Takes in the next version of those that are kept, which was just logged. */
  logged(trust: TrustRoot, entry: Uint8Array, index: number): void {
    this.#logged.push({ trust, entry, index });
    this.#unlogged = this.#unlogged.slice(1);
  }
}
