/** Cosigners inside the test's own process: the real signatures and the real growth check, no network. */
import { randomBytes } from 'node:crypto';
import {
  base64,
  isQuorum,
  type NoteSignature,
  type Policy,
  type PolicyWitness,
  parseSignatureLine,
  parseSignedCheckpoint,
  type QuorumContent,
  utf8,
  type VerifierKey,
  verifyConsistency,
} from '@tallystick/core';
import { LedgerError } from '@tallystick/ledger';
import type { SystemAlgorithms } from '@tallystick/server';
import { type CosignerKey, keyFromSeed } from '@tallystick/witness';

/** One cosigner with its memory. */
export class LocalCosigner {
  readonly name: string;
  readonly #keys: readonly CosignerKey[];
  #seen: { size: number; root: Uint8Array } | null = null;
  /** Set to make it answer nothing. */
  isDown = false;
  /** Seconds added to its clock. */
  skew = 0;

  constructor(name: string, algorithms: SystemAlgorithms = ['ed25519']) {
    this.name = name;
    this.#keys = algorithms.map((alg) => keyFromSeed(name, randomBytes(32), alg));
  }

  get vkeys(): VerifierKey[] {
    return this.#keys.map(({ vkey }) => vkey);
  }

  /** Size that it saw last. */
  get size(): number {
    return this.#seen?.size ?? 0;
  }

  cosign(note: string, nowSeconds: number, proofFrom: (oldSize: number) => Uint8Array[]): NoteSignature[] {
    const checkpoint = parseSignedCheckpoint(utf8(note));
    if (this.#seen !== null) {
      const { size, root } = this.#seen;
      if (size > checkpoint.size) {
        throw new LedgerError(
          'log_behind',
          `${this.name} has seen ${size} entries, this log has ${checkpoint.size}`,
        );
      }
      verifyConsistency(size, root, checkpoint.size, checkpoint.root, proofFrom(size));
    }
    this.#seen = { size: checkpoint.size, root: checkpoint.root };
    const seconds = nowSeconds + this.skew;
    return this.#keys.map((key) => parseSignatureLine(key.cosign(checkpoint, seconds).trimEnd()));
  }
}

/** Two witnesses and a replayer that does not replay: for tests of everything but cosigning. */
export class LocalCosigners {
  readonly witnesses: LocalCosigner[];
  readonly replayers: LocalCosigner[];
  readonly #now: () => number;

  /** @param now milliseconds */
  constructor(now: () => number, algorithms: SystemAlgorithms = ['ed25519']) {
    this.#now = now;
    const make = (name: string): LocalCosigner => new LocalCosigner(`witness.example/${name}`, algorithms);
    this.witnesses = [make('one'), make('two')];
    this.replayers = [make('replayer')];
  }

  get quorum(): QuorumContent {
    const group = (cosigners: readonly LocalCosigner[], threshold: number) => ({
      threshold,
      members: cosigners.map(({ name, vkeys }) => ({ name, vkeys, url: null })),
    });
    return { witnesses: group(this.witnesses, 1), replayers: group(this.replayers, 1) };
  }

  /** Names those of a policy that are not up. */
  async probe(_note: string, _size: number, _proofFrom: unknown, policy: Policy): Promise<void> {
    const keys = new Set(this.#up.flatMap(({ vkeys }) => vkeys.map(({ key }) => base64(key))));
    const isUp = ({ vkey }: PolicyWitness): boolean => keys.has(base64(vkey.key));
    const up = policy.witnesses.filter(isUp).map(({ name }) => name);
    if (isQuorum(policy, new Set(up))) return;
    const down = policy.witnesses.map(({ name }) => name).filter((name) => !up.includes(name));
    throw new Error(`${down.join(', ')} does not answer`);
  }

  get #up(): LocalCosigner[] {
    return [...this.witnesses, ...this.replayers].filter((cosigner) => !cosigner.isDown);
  }

  async cosign(
    note: string,
    _size: number,
    proofFrom: (oldSize: number) => Uint8Array[],
  ): Promise<NoteSignature[]> {
    const seconds = Math.floor(this.#now() / 1000);
    return this.#up.flatMap((cosigner) => cosigner.cosign(note, seconds, proofFrom));
  }
}
