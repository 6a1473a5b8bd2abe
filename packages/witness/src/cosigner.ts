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
  hex,
  IntegrityError,
  type SignedCheckpoint,
  sha256,
  signaturesBy,
  utf8,
  type VerifierKey,
  verifyConsistency,
  verifyLogSignatures,
} from '@tallystick/core';
import { Refusal, SizeConflict } from './errors.ts';
import { type AddCheckpointRequest, parseAddCheckpointRequest } from './http/add-checkpoint-request.ts';
import type { Answer } from './http/answers.ts';
import type { CosignerKeys } from './keys.ts';
import type { MirrorStatus } from './mirror/lag.ts';
import { PerSecond } from './per-second.ts';
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
  /** When it was cosigned last, in seconds; null before the first time since the start. */
  cosignedAt: number | null;
  /** What a mirror has of it, and how far that is behind; a witness has nothing. */
  mirror?: MirrorStatus;
}

/** What a log's requests came to since the start. */
export interface LogCounts {
  origin: string;
  /** Answers by HTTP status, to requests that the log had signed. */
  answers: ReadonlyMap<number, number>;
  /** Requests that said that more was cosigned than the state knows of. */
  ahead: number;
  /** Histories that contradict what was cosigned. */
  forks: number;
}

/** Two checkpoints of one size, both signed by the log, as notes: proof that it shows two histories. */
export interface ForkEvidence {
  origin: string;
  size: number;
  cosigned: string;
  refused: string;
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
  /** The newest cosigned checkpoint of the log whose origin has this SHA-256, in lower-case hexadecimal, as a note. */
  newestNote(originHash: string): string | undefined;
  status(): LogStatus[];
  counts(): LogCounts[];
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
  /** Larger checkpoints cosigned within one second; default 100. */
  checkpointsPerSecond?: number;
  /** Told of each contradicting history once. */
  onFork?: (evidence: ForkEvidence) => void;
}

const checkpointsPerSecondDefault = 100;
/** Histories that are told apart; whoever holds the log's key could make any number. */
const forksMax = 16;

/** What was answered last, to be said again within the same second. */
interface Said {
  seconds: number;
  size: number;
  root: Uint8Array;
  lines: string;
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
  /** Larger checkpoints that were cosigned: only the log can draw on these. */
  readonly #growth: PerSecond;
  readonly #answers = new Map<number, number>();
  readonly #forks = new Set<string>();
  #ahead = 0;
  #refused: string | null = null;
  #said: Said | null = null;
  /** Copies of the head, for those who must not fail while we stop. */
  #size: number;
  #note: string | null;

  constructor(options: WatchedLogOptions, state: StateFile, keys: CosignerKeys, now: Clock) {
    this.#options = options;
    this.#state = state;
    this.#keys = keys;
    this.#now = now;
    this.#id = state.logId(options.origin);
    const { size, note } = state.head(this.#id);
    this.#size = size;
    this.#note = note;
    this.#growth = new PerSecond(options.checkpointsPerSecond ?? checkpointsPerSecondDefault, now);
  }

  get newestNote(): string | undefined {
    return this.#note ?? undefined;
  }

  status(): LogStatus {
    const { origin } = this.#options;
    return { origin, size: this.#size, refused: this.#refused, cosignedAt: this.#said?.seconds ?? null };
  }

  counts(): LogCounts {
    const { origin } = this.#options;
    return { origin, answers: this.#answers, ahead: this.#ahead, forks: this.#forks.size };
  }

  /** Strangers are turned away before the queue, which is for the log alone. */
  async add(request: AddCheckpointRequest): Promise<string> {
    await this.#checkLogSignatures(request.checkpoint);
    try {
      const lines = await this.#answer(request);
      this.#count(200);
      return lines;
    } catch (error) {
      this.#count(error instanceof Refusal ? error.status : 500);
      throw error;
    }
  }

  #count(status: number): void {
    this.#answers.set(status, (this.#answers.get(status) ?? 0) + 1);
  }

  /**
   * Anybody can repeat what a log once signed. So what needs no new signature of ours is answered before the queue,
   * where it holds nobody up.
   */
  async #answer(request: AddCheckpointRequest): Promise<string> {
    const { oldSize, checkpoint } = request;
    if (oldSize > checkpoint.size) throw new Refusal(400, `old size ${oldSize} is above ${checkpoint.size}`);
    if (oldSize > this.#size) this.#ahead += 1;
    const isOld = checkpoint.size < this.#size || (checkpoint.size === this.#size && oldSize < this.#size);
    if (isOld) throw new SizeConflict(this.#size);
    return this.#saidNow(request) ?? this.#queue.run(() => this.#saidNow(request) ?? this.#cosign(request));
  }

  /** A cosignature says a second and no more: within that, it is the same statement. */
  #saidNow({ oldSize, proof, checkpoint }: AddCheckpointRequest): string | undefined {
    const said = this.#said;
    if (said === null || said.seconds !== this.#now() || proof.length > 0) return undefined;
    const isSame = oldSize === said.size && checkpoint.size === said.size;
    return isSame && equalBytes(checkpoint.root, said.root) ? said.lines : undefined;
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
    // Each costs a check, and whoever copies a log's line may copy it as often as there is room.
    const twice = this.#options.vkeys.find((vkey) => signaturesBy(checkpoint.note, vkey).length > 1);
    if (twice !== undefined) throw new Refusal(403, `a key of ${twice.name} has signed more than once`);
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
      this.#checkGrowth(request, head);
      if (request.checkpoint.size > head.size) this.#growth.take('this log asks for too many checkpoints');
      await this.#options.judge.judge(request.checkpoint, head);
    });
    return this.#commit(request.checkpoint, head);
  }

  /** Takes note of why a checkpoint is refused. */
  async #noting(judge: () => Promise<void>): Promise<void> {
    try {
      await judge();
    } catch (error) {
      if (error instanceof Refusal && error.status !== 429) this.#refused = error.message;
      throw error;
    }
  }

  #commit(checkpoint: SignedCheckpoint, head: CosignedHead): string {
    const seconds = this.#now();
    const lines = this.#keys.map((key) => key.cosign(checkpoint, seconds)).join('');
    const { size, root } = checkpoint;
    const note = this.#loggedNote(checkpoint) + lines;
    this.#state.advance(this.#id, head, { size, root, note }, () => this.#options.judge.persist());
    this.#options.judge.persisted();
    this.#refused = null;
    this.#said = { seconds, size, root, lines };
    this.#size = size;
    this.#note = note;
    return lines;
  }

  /** With the log's signatures and nobody else's: what others wrote below is not ours to keep and to show. */
  #loggedNote({ note }: SignedCheckpoint): string {
    const lines = this.#options.vkeys.flatMap((vkey) => signaturesBy(note, vkey));
    return formatNote({ text: note.text, signatures: lines });
  }

  /**
   * Another root at the same size is answered with 422, as newer revisions of tlog-witness ask. Older ones asked for
   * a 409 without a body, which log software is prone to read as a wrong size and to repeat for ever.
   */
  #checkGrowth({ checkpoint, proof }: AddCheckpointRequest, head: CosignedHead): void {
    const { size, root } = checkpoint;
    if (size === head.size && head.size > 0 && !equalBytes(root, head.root)) {
      this.#reportFork(checkpoint, head);
      throw new Refusal(422, `two different roots at size ${size}: the log shows two histories`);
    }
    checkProof(checkpoint, proof, head);
  }

  #reportFork(checkpoint: SignedCheckpoint, head: CosignedHead): void {
    const fork = `${checkpoint.size} ${hex(checkpoint.root)}`;
    if (this.#forks.has(fork) || this.#forks.size >= forksMax) return;
    this.#forks.add(fork);
    const { origin, onFork } = this.#options;
    onFork?.({ origin, size: head.size, cosigned: head.note ?? '', refused: this.#loggedNote(checkpoint) });
  }
}

function checkProof(checkpoint: SignedCheckpoint, proof: readonly Uint8Array[], head: CosignedHead): void {
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

/** As `Cosigner.newestNote`. */
export function routeMonitor(logs: ReadonlyMap<string, WatchedLog>, originHash: string): string | undefined {
  for (const [origin, log] of logs) if (hex(sha256(utf8(origin))) === originHash) return log.newestNote;
  return undefined;
}
