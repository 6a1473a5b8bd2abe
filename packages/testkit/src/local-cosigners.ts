/** Cosigners inside the test's own process: the real signatures and the real growth check, no network. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import {
  cosignedMessage,
  encodeTimestampedSignature,
  isQuorum,
  makeVerifierKey,
  type NoteSignature,
  noteSignatureType,
  type Policy,
  parseSignedCheckpoint,
  type QuorumContent,
  u64be,
  utf8,
  type VerifierKey,
  verifyConsistency,
} from '@tallystick/core';
import { LedgerError } from '@tallystick/ledger';

/** One cosigner with its memory. */
export class LocalCosigner {
  readonly name: string;
  readonly vkey: VerifierKey;
  readonly #key: KeyObject;
  #seen: { size: number; root: Uint8Array } | null = null;
  /** Set to make it answer nothing. */
  isDown = false;
  /** Seconds added to its clock. */
  skew = 0;

  constructor(name: string) {
    const { privateKey } = generateKeyPairSync('ed25519');
    this.name = name;
    this.#key = createPrivateKey(privateKey.export({ format: 'pem', type: 'pkcs8' }));
    const spki = createPublicKey(this.#key).export({ format: 'der', type: 'spki' });
    this.vkey = makeVerifierKey(
      name,
      noteSignatureType.ed25519Cosignature,
      new Uint8Array(spki.subarray(-32)),
    );
  }

  /** Size that it saw last. */
  get size(): number {
    return this.#seen?.size ?? 0;
  }

  cosign(note: string, nowSeconds: number, proofFrom: (oldSize: number) => Uint8Array[]): NoteSignature {
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
    const message = cosignedMessage(this.vkey, checkpoint.note.text, checkpoint, u64be(seconds));
    const signature = encodeTimestampedSignature(seconds, sign(null, message, this.#key));
    return { name: this.name, id: this.vkey.id, signature };
  }
}

/** Two witnesses and a replayer that does not replay: for tests of everything but cosigning. */
export class LocalCosigners {
  readonly witnesses: LocalCosigner[];
  readonly replayers: LocalCosigner[];
  readonly #now: () => number;

  /** @param now milliseconds */
  constructor(now: () => number) {
    this.#now = now;
    this.witnesses = [new LocalCosigner('witness.example/one'), new LocalCosigner('witness.example/two')];
    this.replayers = [new LocalCosigner('witness.example/replayer')];
  }

  get quorum(): QuorumContent {
    const group = (cosigners: readonly LocalCosigner[], threshold: number) => ({
      threshold,
      members: cosigners.map(({ name, vkey }) => ({ name, vkey, url: null })),
    });
    return { witnesses: group(this.witnesses, 1), replayers: group(this.replayers, 1) };
  }

  /** Names those of a policy that are not up. */
  async probe(_note: string, _size: number, _proofFrom: unknown, policy: Policy): Promise<void> {
    const up = new Set(this.#up.map(({ name }) => name));
    if (isQuorum(policy, up)) return;
    const down = policy.witnesses.map(({ name }) => name).filter((name) => !up.has(name));
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
    return this.#up.map((cosigner) => cosigner.cosign(note, seconds, proofFrom));
  }
}
