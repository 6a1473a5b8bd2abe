/**
 * Publishing: a map.root entry, a checkpoint over it, the log's signature, a quorum of cosigners, and only
 * then is anything shown to anybody.
 *
 * Fails closed: without signer or quorum nothing is published, and what waits keeps waiting, visibly.
 */
import {
  type Checkpoint,
  encodeMapRoot,
  equalBytes,
  formatCheckpoint,
  formatInstant,
  formatNote,
  isMapRoot,
  leafHash,
  type NoteSignature,
  type Policy,
  parseNote,
  parseSignedCheckpoint,
  type SignedCheckpoint,
  type TrustRoot,
  utf8,
  verifyLogSignatures,
  verifyQuorum,
} from '@tallystick/core';
import { asError, LedgerError } from '../errors.ts';
import type { LogState } from '../log-state.ts';
import type { Sequencer } from '../sequence/sequencer.ts';
import type { Store, StoredEntry } from '../store/store.ts';
import type { TrustHistory } from '../trust-history.ts';

/** What the publisher asks of the signer. */
export interface CheckpointSigner {
  /** Size of the newest checkpoint that it signed. */
  markSize(): Promise<number>;
  /** The log's lines on a checkpoint, one of each of its keys. */
  signCheckpoint(checkpoint: Checkpoint, proof: readonly Uint8Array[]): Promise<NoteSignature[]>;
  /** How its clock and the cosigners' differ too much, or that it was not held against theirs yet; null where all is well. */
  clockProblem(): Promise<string | null>;
  /** Shows it what the cosigners signed, which it holds its mark and its clock against. */
  witnessed(note: string, isFresh: boolean): Promise<void>;
}

/**
 * Gathers cosignatures. `note` carries the log's signatures only; `proofFrom` gives the consistency proof from a smaller
 * size.
 */
export interface Cosigners {
  /**
   * Asks until every one of the policies is met, the governing one first. Rejects where one is not; rejects with
   * LedgerError log_behind where a cosigner has seen more than this log holds.
   */
  cosign(
    note: string,
    size: number,
    proofFrom: (oldSize: number) => Uint8Array[],
    policies: readonly Policy[],
  ): Promise<NoteSignature[]>;
  /**
   * Asks the cosigners of a policy that are not asked yet for one signature, and rejects where, with those that are and
   * answer, the policy would not be met.
   */
  probe(
    note: string,
    size: number,
    proofFrom: (oldSize: number) => Uint8Array[],
    policy: Policy,
  ): Promise<void>;
}

/** A published checkpoint. */
export interface Published {
  size: number;
  root: Uint8Array;
  /** The note with all signatures. */
  note: string;
  /** Seconds: no cosigner of a quorum saw a larger log before this time. */
  asOf: number;
}

export interface PublisherParts {
  store: Store;
  state: LogState;
  sequencer: Sequencer;
  signer: CheckpointSigner;
  cosigners: Cosigners;
  trust: TrustHistory;
  /** The size that the signer's mark stands at; null while that is not known for certain. */
  mark: { size: number | null };
  /** Keeps a signed checkpoint where whoever takes the log over finds it. */
  saveSigned: (signed: { size: number; note: string }) => Promise<void>;
  now: () => number;
  /** Brings the projections up to everything committed. */
  settle: () => Promise<void>;
  onPublished: (published: Published) => void;
  /** Told when publishing fails and, with null, when it works again. */
  onTrouble: (error: Error | null) => void;
}

export interface PublisherTimes {
  /** Milliseconds between two checkpoints while there is something to publish. */
  intervalMs: number;
  /** Milliseconds after which an idle log asks for fresh cosignatures. */
  refreshMs: number;
  /** Milliseconds between two tries after a failure. */
  retryMs: number;
}

/** Somebody who waits for a checkpoint over the first `size` entries. */
interface Waiting {
  size: number;
  resolve: (published: Published) => void;
  reject: (error: Error) => void;
  timer: NodeJS.Timeout;
}

export class Publisher {
  readonly #parts: PublisherParts;
  readonly #times: PublisherTimes;
  #published: Published | null;
  #trouble: Error | null = null;
  /** False until signer and cosigners have confirmed, since the start, that they saw nothing newer. */
  #isConfirmed = false;
  /** True while a signer that started anew has to be shown first that cosigners know nothing newer than its mark. */
  #owesConfirmation = false;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> | null = null;
  #isStopped = false;
  /** The newest map root that this process has put at the end of the log, with the trust root that it names. */
  #anchored: { size: number; trust: TrustRoot } | null = null;
  /** When a quorum cosigned last, in milliseconds. */
  #refreshedAt = 0;
  #waiting: Waiting[] = [];

  constructor(parts: PublisherParts, times: PublisherTimes, published: Published | null) {
    this.#parts = parts;
    this.#times = times;
    this.#published = published;
  }

  get published(): Published | null {
    return this.#published;
  }

  /** Why publishing fails at the moment; null where it works. */
  get trouble(): Error | null {
    return this.#trouble;
  }

  /** True once signer and a quorum of cosigners have agreed with this log since the start. */
  get isConfirmed(): boolean {
    return this.#isConfirmed;
  }

  start(): void {
    this.#schedule(0);
  }

  /** Resolves when a checkpoint covers the log's first `size` entries. Rejects after `timeoutMs`, which undoes nothing. */
  whenPublished(size: number, timeoutMs: number): Promise<Published> {
    if (this.#published !== null && this.#published.size >= size) return Promise.resolve(this.#published);
    if (this.#isStopped) return Promise.reject(new PublicationTimeout('the server is stopping'));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        reject(new PublicationTimeout(`not published within ${timeoutMs} ms: it will be by itself`));
      }, timeoutMs);
      const waiting: Waiting = { size, resolve, reject, timer };
      this.#waiting.push(waiting);
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#running;
    for (const { timer, reject } of this.#waiting) {
      clearTimeout(timer);
      reject(new PublicationTimeout('the server is stopping'));
    }
    this.#waiting = [];
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#tick();
    }, delayMs);
  }

  async #tick(): Promise<void> {
    const started = this.#parts.now();
    const { signer } = this.#parts;
    try {
      const markSize = await this.#markSize();
      // One that is away is missed by what it is asked next.
      const isClockWrong = (await signer.clockProblem().catch(() => null)) !== null;
      // Looked at after the wait: what was committed during it is not under a map root yet.
      const isBehind = this.#parts.state.size > (this.#published?.size ?? 0);
      // Under a wrong clock as well: fresh cosignatures of what there is show that it is right again.
      const confirms = !this.#isConfirmed || this.#owesConfirmation || isClockWrong;
      if (confirms && markSize > 0) await this.#publish(this.#checkpoint(markSize));
      else if (isBehind) await this.#extend();
      else if (this.#isStale()) await this.#publish(this.#checkpoint(this.#parts.state.size));
      this.#isConfirmed = this.#published !== null;
      this.#owesConfirmation = false;
      if (isClockWrong) await this.#demandClock();
      this.#setTrouble(null);
    } catch (error) {
      const isFirst = !this.#owesConfirmation;
      this.#owesConfirmation ||= isUnconfirmed(error);
      if (isFirst && this.#owesConfirmation) {
        this.#schedule(0);
        return;
      }
      this.#setTrouble(asError(error));
    }
    const pause = this.#trouble === null ? this.#times.intervalMs : this.#times.retryMs;
    // A clock that was set meanwhile must not put off the next try.
    this.#schedule(Math.min(pause, Math.max(0, pause - (this.#parts.now() - started))));
  }

  /** Publishes everything committed so far, or first what waits for signer or cosigners. */
  async #extend(): Promise<void> {
    const checkpoint = this.#waitingCheckpoint() ?? (await this.#anchor());
    // While signer and cosigners work: what is shown as published can be found, and what was erased is gone.
    const settled = this.#parts.settle();
    settled.catch(() => {});
    await this.#publish(checkpoint, settled);
  }

  /** Rejects with LedgerError (`clock_differs`) where the signer would sign nothing new. */
  async #demandClock(): Promise<void> {
    const problem = await this.#parts.signer.clockProblem();
    if (problem !== null) throw new LedgerError('clock_differs', problem);
  }

  async #markSize(): Promise<number> {
    const { mark, signer } = this.#parts;
    mark.size ??= await signer.markSize();
    return mark.size;
  }

  #isStale(): boolean {
    // By our own clock: a cosigner whose clock is behind must not make us ask without end. It may have been set back.
    const sinceMs = Math.abs(this.#parts.now() - this.#refreshedAt);
    return this.#published !== null && sinceMs > this.#times.refreshMs;
  }

  /**
   * The checkpoint that could not be published. While it cannot, the map stays at it: license files are still made of what
   * is published, however much comes behind. Not under another trust root, which may be what helps.
   */
  #waitingCheckpoint(): Checkpoint | null {
    const anchored = this.#anchored;
    if (anchored === null || anchored.trust !== this.#parts.trust.current) return null;
    return anchored.size > (this.#published?.size ?? 0) ? this.#checkpoint(anchored.size) : null;
  }

  /** Ends the log in a map.root entry; returns the checkpoint that it makes. */
  async #anchor(): Promise<Checkpoint> {
    const { sequencer, state, store, trust } = this.#parts;
    // Most of the hashing is done while commands go on; what they add meanwhile is left for when they wait.
    await state.advanceMapInParts();
    return sequencer.whileQuiet(async () => {
      const last = await store.entry(state.size - 1);
      if (last === undefined || !isMapRoot(last.entry)) {
        const index = state.size;
        const root = state.advanceMap();
        const at = sequencer.stamp();
        // Once the time is taken: one that is wrong must not be written into the log, where it would hold it up.
        await this.#demandClock();
        const entry = encodeMapRoot({ index, root, trust: trust.current.hash, at });
        await sequencer.appendQuietly([plainEntry(index, entry)]);
      }
      this.#anchored = { size: state.size, trust: trust.current };
      return this.#checkpoint(state.size);
    });
  }

  #checkpoint(size: number): Checkpoint {
    const { state, trust } = this.#parts;
    return { origin: trust.current.log.origin, size, root: state.tree.root(size) };
  }

  /** Shows the checkpoint once it is cosigned and `settled` is done. */
  async #publish(checkpoint: Checkpoint, settled: Promise<void> = Promise.resolve()): Promise<void> {
    const { signer, cosigners, state, trust, mark, store, saveSigned } = this.#parts;
    const { size } = checkpoint;
    const last = await store.entry(size - 1);
    if (last === undefined || !isMapRoot(last.entry))
      throw new Error(`a checkpoint of size ${size} would not end in a map root`);
    const markSize = await this.#markSize();
    const proof = markSize > size ? [] : state.tree.consistencyProof(markSize, size);
    // Until it answers: a signer may move its mark and die before it does.
    mark.size = null;
    const logLines = await signer.signCheckpoint(checkpoint, proof);
    mark.size = size;
    const text = formatCheckpoint(checkpoint);
    const signed = formatNote({ text, signatures: logLines });
    await saveSigned({ size, note: signed });
    const demanded = trust.demanded(size, this.#published?.size ?? 0);
    const lines = await cosigners.cosign(
      signed,
      size,
      (oldSize) => state.tree.consistencyProof(oldSize, size),
      demanded.map(({ quorum }) => quorum),
    );
    const signatures = [...logLines, ...lines];
    // Checked as clients will check it: what does not verify here is not published. Only what was said now counts.
    const said = formatNote({ text, signatures });
    const asOf = await verifyUnder(demanded, parseSignedCheckpoint(utf8(said)));
    await signer.witnessed(said, true);
    const note = formatNote({ text, signatures: this.#withEarlier(size, signatures) });
    await settled;
    await store.saveCheckpoint({ size, note, at: formatInstant(this.#parts.now()) });
    this.#settle({ size, root: checkpoint.root, note, asOf });
  }

  /**
   * What was said of the same checkpoint before stays where nobody said it anew: it may be the one that proves a trust
   * root to those who know other cosigners.
   */
  #withEarlier(size: number, lines: readonly NoteSignature[]): NoteSignature[] {
    if (this.#published?.size !== size) return [...lines];
    const isNew = (earlier: NoteSignature): boolean =>
      !lines.some(({ name, id }) => name === earlier.name && equalBytes(id, earlier.id));
    return [...lines, ...parseNote(utf8(this.#published.note)).signatures.filter(isNew)];
  }

  #settle(published: Published): void {
    if (this.#published !== null) this.#parts.state.forgetMapsBefore(this.#published.size - 1);
    this.#published = published;
    this.#refreshedAt = this.#parts.now();
    const ready = this.#waiting.filter((waiting) => waiting.size <= published.size);
    this.#waiting = this.#waiting.filter((waiting) => waiting.size > published.size);
    for (const { timer, resolve } of ready) {
      clearTimeout(timer);
      resolve(published);
    }
    this.#parts.onPublished(published);
  }

  #setTrouble(error: Error | null): void {
    if (error === null && this.#trouble === null) return;
    this.#trouble = error;
    this.#parts.onTrouble(error);
  }
}

/** A change is durable, and its checkpoint did not come within the time asked for. */
export class PublicationTimeout extends Error {
  override readonly name = 'PublicationTimeout';
}

function isUnconfirmed(error: unknown): boolean {
  return error instanceof Error && 'reason' in error && error.reason === 'unconfirmed';
}

/** The time that the first of the trust roots gives a checkpoint. Throws IntegrityError unless it satisfies all of them. */
async function verifyUnder(demanded: readonly TrustRoot[], checkpoint: SignedCheckpoint): Promise<number> {
  const times: number[] = [];
  for (const { log, quorum } of demanded) {
    await verifyLogSignatures(checkpoint, log.vkeys);
    times.push(await verifyQuorum(checkpoint, quorum));
  }
  return times[0] ?? 0;
}

/** An entry that is not a record. */
function plainEntry(index: number, entry: Uint8Array): StoredEntry {
  return { index, leaf: leafHash(entry), subject: null, rev: 0, entry, content: null };
}
