/**
 * Publishes the access log: has its checkpoints signed, cosigned by the witnesses of the trust root, and kept.
 *
 * It is the same order as for the main log: the signer moves its mark before it signs, what comes back is checked as an auditor
 * checks it, and only then it is shown to the signer and kept. After a start signer and witnesses confirm first that they know
 * nothing newer.
 */
import { statSync } from 'node:fs';
import { AccessLogError, accessVerifierKeys, demandMark, type SegmentStore } from '@tallystick/access';
import {
  type Checkpoint,
  formatCheckpoint,
  formatInstant,
  formatNote,
  type Policy,
  parseSignedCheckpoint,
  utf8,
  type VerifierKey,
  verifyLogSignatures,
  verifyQuorum,
  witnessPolicy,
} from '@tallystick/core';
import { LedgerError } from '@tallystick/ledger/errors';
import { type SignerClient, SignerRefused } from '@tallystick/signer/client';
import { Quorum } from '../quorum/quorum.ts';
import { readTrustRootFile } from '../trust-root-file.ts';
import type { AccessThreadConfig } from './messages.ts';

interface Witnesses {
  policy: Policy;
  /** Of the access log. */
  vkeys: VerifierKey[];
  quorum: Quorum;
  /** Of the trust root file that names them. */
  modifiedMs: number;
}

/** Refusals of a signer that remembers another log than the one that is here. */
const contradictions = ['mark_behind', 'fork', 'rollback'];

/** Whether signer or witnesses know another access log, or more of it: then this one is not the newest. */
export function isContradiction(error: unknown): boolean {
  if (error instanceof AccessLogError) return true;
  if (error instanceof LedgerError) return error.problem === 'log_behind';
  return error instanceof SignerRefused && contradictions.includes(error.reason);
}

export class AccessPublisher {
  readonly #config: AccessThreadConfig;
  readonly #signer: SignerClient;
  readonly #store: SegmentStore;
  readonly #now: () => number;
  #published: number;
  /** The signer's; null while it is not known. */
  #mark: Checkpoint | null = null;
  #isConfirmed = false;
  #witnesses: Witnesses | null = null;

  /** @param now milliseconds */
  constructor(config: AccessThreadConfig, signer: SignerClient, store: SegmentStore, now: () => number) {
    this.#config = config;
    this.#signer = signer;
    this.#store = store;
    this.#now = now;
    this.#published = store.checkpoint()?.size ?? 0;
  }

  /** Leaves under the newest checkpoint that was kept. */
  get published(): number {
    return this.#published;
  }

  /** Publishes what is new, if anything is. Rejects with Error that says what stands in the way. */
  async publish(): Promise<void> {
    const { size } = this.#store;
    if (this.#isConfirmed && this.#published >= size) return;
    try {
      await this.#publishUpTo(size);
    } catch (error) {
      const isNew = error instanceof SignerRefused && error.reason === 'unconfirmed' && this.#isConfirmed;
      this.#isConfirmed = false;
      if (!isNew) throw error;
      // A signer that started anew has to be shown what it signed before.
      await this.#publishUpTo(size);
    }
  }

  async #publishUpTo(size: number): Promise<void> {
    this.#mark ??= (await this.#signer.hello()).access;
    if (this.#mark === null) throw new Error('the signer signs no access log: name it in its configuration');
    demandMark(this.#mark, this.#store.tree);
    if (!this.#isConfirmed && this.#mark.size > 0) await this.#publishAt(this.#mark.size);
    this.#isConfirmed = true;
    if (this.#published < size) await this.#publishAt(size);
  }

  close(): void {
    this.#witnesses?.quorum.close();
  }

  async #publishAt(size: number): Promise<void> {
    const { policy, vkeys, quorum } = await this.#follow();
    const { tree } = this.#store;
    const from = this.#mark?.size ?? 0;
    const checkpoint = { origin: this.#config.accessLog.origin, size, root: tree.root(size) };
    // Until it answers: a signer may move its mark and die before it does.
    this.#mark = null;
    const own = await this.#signer.signCheckpoint(
      checkpoint,
      from < size ? tree.consistencyProof(from, size) : [],
    );
    this.#mark = checkpoint;
    const text = formatCheckpoint(checkpoint);
    const proofFrom = (oldSize: number): Uint8Array[] => tree.consistencyProof(oldSize, size);
    const lines = await quorum.cosign(formatNote({ text, signatures: own }), size, proofFrom, [policy]);
    const note = formatNote({ text, signatures: [...own, ...lines] });
    const signed = parseSignedCheckpoint(utf8(note));
    await verifyLogSignatures(signed, vkeys);
    await verifyQuorum(signed, policy);
    await this.#signer.witnessed(note, true);
    this.#store.saveCheckpoint({ size, note, at: formatInstant(this.#now()) });
    this.#published = size;
  }

  /** Whoever are the witnesses now: a new version of the trust root may name others. */
  async #follow(): Promise<Witnesses> {
    const {
      trustRoot,
      cosigners: urls,
      cosignerTimeoutMs: timeoutMs,
      cosignerTls: tls,
      accessLog,
    } = this.#config;
    const modifiedMs = statSync(trustRoot).mtimeMs;
    if (this.#witnesses?.modifiedMs === modifiedMs) return this.#witnesses;
    const chain = await readTrustRootFile(trustRoot);
    const newest = chain.at(-1);
    const identity = this.#store.leaf(0);
    if (newest === undefined || identity === undefined)
      throw new Error('there is no trust root, or no first leaf');
    const policy = witnessPolicy(newest.quorum);
    const vkeys = await accessVerifierKeys(identity, newest, accessLog.origin);
    this.#witnesses?.quorum.close();
    const quorum = new Quorum({ policy, urls, timeoutMs, tls, now: this.#now });
    this.#witnesses = { policy, vkeys, quorum, modifiedMs };
    return this.#witnesses;
  }
}
