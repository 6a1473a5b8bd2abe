/**
 * Signs the checkpoints of the access log: a log of its own, with a key, a name and a mark of its own, by the same rules. Its key
 * signs nothing else, no record and no promise.
 */
import {
  type Checkpoint,
  formatCheckpoint,
  logVerifierKey,
  type NoteSignature,
  type TrustRoot,
  utf8,
  witnessPolicy,
} from '@tallystick/core';
import type { Governance } from './governance.ts';
import type { Journal } from './journal/journal.ts';
import type { KeystoreKey } from './keystore/keystore-key.ts';
import { LogHead } from './log-head.ts';
import type { Mark } from './mark.ts';
import { type Clock, WitnessWatch } from './witness-watch.ts';

/** Where the access log stands, and who is asked about it. */
export interface AccessMemory {
  mark: Mark;
  governance: Governance;
  journal: Journal;
  clock: Clock;
}

export class AccessSigner {
  readonly #mark: Mark;
  readonly #journal: Journal;
  readonly #witnesses: WitnessWatch;
  readonly #head: LogHead;
  #key: KeystoreKey;

  /** Throws where the keystore has no key for it. */
  constructor(keys: readonly KeystoreKey[], { mark, governance, journal, clock }: AccessMemory) {
    this.#mark = mark;
    this.#journal = journal;
    this.#key = accessKeyOf(keys);
    // Nobody can replay what is in it: its quorum is the witnesses alone. The clock is the main log's to report.
    const versions = (): TrustRoot[] => governance.versions.map((trust) => this.#asAccess(trust));
    this.#witnesses = new WitnessWatch(versions, mark, clock, () => {});
    this.#head = new LogHead(mark, this.#witnesses);
  }

  /** The newest checkpoint that it signed. */
  get checkpoint(): Checkpoint {
    return this.#mark.checkpoint;
  }

  /** Goes on with the key that a keystore holds now. Throws where that is another one. */
  replaceKey(keys: readonly KeystoreKey[]): void {
    const key = accessKeyOf(keys);
    if (key.keyid !== this.#key.keyid) throw new Error('the keystore has another access key than before');
    this.#key = key;
  }

  /** As `Signer.signCheckpoint`. */
  async sign(checkpoint: Checkpoint, proof: readonly Uint8Array[]): Promise<NoteSignature[]> {
    const moved = this.#head.move(checkpoint, proof, null);
    const { name, id } = logVerifierKey(checkpoint.origin, this.#key.publicKey);
    const [signature] = await Promise.all([
      this.#key.sign(utf8(formatCheckpoint(checkpoint))),
      moved ? this.#journal.access(checkpoint) : null,
    ]);
    return [{ name, id, signature }];
  }

  /** As `WitnessWatch.take`. */
  witnessed(note: Uint8Array, isFresh: boolean): Promise<void> {
    return this.#witnesses.take(note, isFresh);
  }

  #asAccess(trust: TrustRoot): TrustRoot {
    const { origin } = this.#mark.checkpoint;
    const log = { origin, vkeys: [logVerifierKey(origin, this.#key.publicKey)] };
    return { ...trust, log, quorum: witnessPolicy(trust.quorum) };
  }
}

function accessKeyOf(keys: readonly KeystoreKey[]): KeystoreKey {
  const [key, ...others] = keys.filter(({ usages }) => usages.includes('access'));
  const isAlone = key?.usages.length === 1 && key.publicKey.alg === 'ed25519' && others.length === 0;
  if (key === undefined || !isAlone)
    throw new Error('the keystore needs exactly one access key, of Ed25519 and for nothing else');
  return key;
}
