/**
 * What the witness and the replayer have in common: the protocol of tlog-witness over a remembered head per log.
 *
 * The order is: parse, know the log, check its signatures, then, one request of a log at a time, compare sizes,
 * check the proof, let the kind of cosigner judge, sign, commit, answer. The commit is the point of no return: a
 * crash before it leaves the old head and no cosignature outside; a crash after it leaves the log without an
 * answer, and its next request gets the new size in a 409.
 */
import {
  emptyRoot,
  equalBytes,
  formatNote,
  IntegrityError,
  type SignedCheckpoint,
  type VerifierKey,
  verifyConsistency,
  verifyLogSignatures,
} from '@tallystick/core';
import { Refusal, SizeConflict } from './errors.ts';
import { type AddCheckpointRequest, parseAddCheckpointRequest } from './http/add-checkpoint-request.ts';
import type { Answer } from './http/answers.ts';
import type { CosignerKeys } from './keys.ts';
import type { MirrorStatus } from './mirror/lag.ts';
import { SerialQueue } from './queue.ts';
import type { CosignedHead, CosignerKind, StateFile } from './state/state-file.ts';

/** POSIX time in seconds. */
export type Clock = () => number;

/** What a log looks like to an operator. */
export interface LogStatus {
  origin: string;
  /** The last cosigned size. */
  size: number;
  /** Why the newest checkpoint was not cosigned; null when it was. */
  refused: string | null;
  /** What a mirror has of it, and how far that is behind; a witness has nothing. */
  mirror?: MirrorStatus;
}

/** A running cosigner. Disposing it waits for the transaction under way and gives up the state file. */
export interface Cosigner extends AsyncDisposable {
  readonly kind: CosignerKind;
  readonly keys: CosignerKeys;
  /**
   * Handles the body of one `add-checkpoint` request and returns signature lines, one of each key. They are durable on return.
   * Throws Refusal; anything else is a fault of ours, after which nothing was cosigned.
   */
  addCheckpoint(body: Uint8Array): Promise<string>;
  status(): LogStatus[];
  /** Answers a request to read at a path, where this cosigner serves something there; null where it does not. */
  read?(path: string, authorization: string | undefined): Answer | null;
}

/** What a kind of cosigner does with a checkpoint that continues the remembered head. */
export interface CheckpointJudge {
  /** Throws Refusal where it must not be cosigned. */
  judge(checkpoint: SignedCheckpoint, head: CosignedHead): Promise<void>;
  /** Writes what was learned; runs inside the transaction that moves the head. */
  persist(): void;
  /** The transaction that `persist` took part in is durable. */
  persisted(): void;
}

/** The judge of a witness: growth was all there is to check. */
export const growthOnly: CheckpointJudge = {
  judge: async () => {},
  persist: () => {},
  persisted: () => {},
};

export interface WatchedLogOptions {
  origin: string;
  /** All of them must have signed. */
  vkeys: readonly VerifierKey[];
  judge: CheckpointJudge;
}

/** One log's checkpoints, in order. */
export class WatchedLog {
  readonly #options: WatchedLogOptions;
  readonly #state: StateFile;
  readonly #keys: CosignerKeys;
  readonly #now: Clock;
  readonly #id: number;
  /** Owned by this queue's running task: the head is read and replaced inside one task only. */
  readonly #queue = new SerialQueue(32);
  #refused: string | null = null;
  /** A copy for `status`, which must not fail while we stop. */
  #size: number;

  constructor(options: WatchedLogOptions, state: StateFile, keys: CosignerKeys, now: Clock) {
    this.#options = options;
    this.#state = state;
    this.#keys = keys;
    this.#now = now;
    this.#id = state.logId(options.origin);
    this.#size = state.head(this.#id).size;
  }

  status(): LogStatus {
    return { origin: this.#options.origin, size: this.#size, refused: this.#refused };
  }

  /** Strangers are turned away before the queue, which is for the log alone. */
  async add(request: AddCheckpointRequest): Promise<string> {
    await this.#checkLogSignatures(request.checkpoint);
    const { oldSize, checkpoint } = request;
    if (oldSize > checkpoint.size) throw new Refusal(400, `old size ${oldSize} is above ${checkpoint.size}`);
    return this.#queue.run(() => this.#cosign(request));
  }

  /**
   * Cosigns a checkpoint that nobody asked for, where it is newer than the last. For judges that recompute the log from
   * what was cosigned: that proves the growth which a request proves with its consistency proof.
   */
  async follow(checkpoint: SignedCheckpoint): Promise<void> {
    const { origin, judge } = this.#options;
    if (checkpoint.origin !== origin) throw new Refusal(404, `a checkpoint of the log ${checkpoint.origin}`);
    await this.#checkLogSignatures(checkpoint);
    await this.#queue.run(async () => {
      const head = this.#state.head(this.#id);
      if (checkpoint.size <= head.size) return;
      await this.#noting(() => judge.judge(checkpoint, head));
      this.#commit(checkpoint, head);
    });
  }

  async close(): Promise<void> {
    await this.#queue.close();
  }

  async #checkLogSignatures(checkpoint: SignedCheckpoint): Promise<void> {
    try {
      await verifyLogSignatures(checkpoint, this.#options.vkeys);
    } catch (error) {
      if (error instanceof IntegrityError) throw new Refusal(403, error.message, { cause: error });
      throw error;
    }
  }

  async #cosign(request: AddCheckpointRequest): Promise<string> {
    const head = this.#state.head(this.#id);
    if (request.oldSize !== head.size) throw new SizeConflict(head.size);
    await this.#noting(async () => {
      checkGrowth(request, head);
      await this.#options.judge.judge(request.checkpoint, head);
    });
    return this.#commit(request.checkpoint, head);
  }

  /** Takes note of why a checkpoint is refused. */
  async #noting(judge: () => Promise<void>): Promise<void> {
    try {
      await judge();
    } catch (error) {
      if (error instanceof Refusal) this.#refused = error.message;
      throw error;
    }
  }

  #commit(checkpoint: SignedCheckpoint, head: CosignedHead): string {
    const seconds = this.#now();
    const lines = this.#keys.map((key) => key.cosign(checkpoint, seconds)).join('');
    const { size, root } = checkpoint;
    const note = formatNote(checkpoint.note) + lines;
    this.#state.advance(this.#id, head, { size, root, note }, () => this.#options.judge.persist());
    this.#options.judge.persisted();
    this.#refused = null;
    this.#size = size;
    return lines;
  }
}

/**
 * Another root at the same size is answered with 422, as newer revisions of tlog-witness ask. Older ones asked for
 * a 409 without a body, which log software is prone to read as a wrong size and to repeat for ever.
 */
function checkGrowth(request: AddCheckpointRequest, head: CosignedHead): void {
  const { checkpoint, proof } = request;
  if (checkpoint.size === head.size && head.size > 0 && !equalBytes(checkpoint.root, head.root)) {
    throw new Refusal(422, `two different roots at size ${head.size}: the log shows two histories`);
  }
  try {
    verifyConsistency(
      head.size,
      head.size === 0 ? emptyRoot : head.root,
      checkpoint.size,
      checkpoint.root,
      proof,
    );
  } catch (error) {
    if (error instanceof IntegrityError) throw new Refusal(422, error.message, { cause: error });
    throw error;
  }
}

/** Sends a request to its log; throws Refusal 404 for an origin that nobody configured. */
export async function routeCheckpoint(
  logs: ReadonlyMap<string, WatchedLog>,
  body: Uint8Array,
): Promise<string> {
  const request = parseAddCheckpointRequest(body);
  const log = logs.get(request.checkpoint.origin);
  if (log === undefined) throw new Refusal(404, 'unknown log');
  return log.add(request);
}
