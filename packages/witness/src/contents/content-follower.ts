/**
 * Fetches the documents of what was cosigned, in batches and in log order, behind the cosignatures: nobody waits for it.
 *
 * Erasures come first. What the log up to the cosigned size erases is removed, and noted so that it is not kept when it
 * comes late, before anything is fetched or shown.
 */
import { setTimeout as after, setImmediate as turn } from 'node:timers/promises';
import { IntegrityError } from '@tallystick/core';
import { messageOf } from '../errors.ts';
import { Lag } from '../mirror/lag.ts';
import { NotNow } from '../mirror/not-now.ts';
import { fetchBytes, type HttpSource } from '../replayer/http-source.ts';
import { Unavailable } from '../replayer/violation.ts';
import type { ContentPublicKey } from './content-key.ts';
import type { ContentStore, LackingPart } from './content-store.ts';
import { commandsOf, erasedIn, type KnownLog } from './erasures.ts';
import { BatchRefused, judgeBatch, type Opening } from './judge-batch.ts';
import { parseBatches, type SealedBatch } from './sealed-batch.ts';

export interface ContentFollowerParts {
  store: ContentStore;
  log: KnownLog;
  /** `<baseUrl>/contents/<from>`. */
  source: HttpSource;
  publicKey: ContentPublicKey;
  opening: Opening;
  cosignedSize: () => number;
  /** Seconds. */
  now: () => number;
  /** Gets lines for the operator. */
  tell: (line: Record<string, unknown>) => void;
}

/** What a mirror has of the documents of a log. */
export interface ContentStatus {
  /** Entries whose documents were fetched. */
  fetched: number;
  /** Documents, companions and causes that no erasure accounts for, and that the log's server has not got or has altered. */
  lacks: number;
  /** Whether the key is here that opens them; without it nothing of them was checked. */
  opens: boolean;
  /** Bytes on the disk. */
  bytes: number;
  /** Seconds since there was first more to fetch; 0 where there is nothing. */
  secondsBehind: number;
}

const idleMs = 100;
const troubleMs = 1000;
/** When what is lacking is asked for again; that happens at a start as well. */
const againSeconds = 600;
const lackingAtOnce = 32;
const batchEntriesMax = 1024;
const walkedAtOnce = 16_384;
const batchLengthMax = 64 * 1024 * 1024;

export class ContentFollower {
  readonly #parts: ContentFollowerParts;
  readonly #running: Promise<void>;
  readonly #lag: Lag;
  #trouble: string | null = null;
  #askedAgain = 0;
  /** Log index from which on it is asked for next: what is lost for good must not keep the rest from being asked for. */
  #askFrom = 0;
  /** Since the start: batches that were refused. */
  refused = 0;

  constructor(parts: ContentFollowerParts) {
    this.#parts = parts;
    this.#lag = new Lag(parts.now);
    this.#running = this.#run();
  }

  status(): ContentStatus {
    const { store, opening, cosignedSize } = this.#parts;
    const { fetched, lacks, bytes } = store;
    this.#lag.offer(cosignedSize(), fetched);
    const { secondsBehind } = this.#lag.status(fetched);
    return { fetched, lacks, opens: opening.key !== null, bytes, secondsBehind };
  }

  /**
   * Carries out what the log up to the cosigned size erases. Whoever shows a document calls this first. Throws NotNow where
   * entries are missing, or there are too many to look through.
   */
  settleErasures(): void {
    if (!this.#walk()) throw new NotNow('the log is still being looked through for erasures');
  }

  /** Looks through the next entries for erasures, not so many that cosigning waits; true where none are left. */
  #walk(): boolean {
    const { store, log, cosignedSize, tell } = this.#parts;
    const [from, size] = [store.walked, cosignedSize()];
    if (from >= size) return true;
    const to = Math.min(size, from + walkedAtOnce);
    const erased = erasedIn(log, from, to, size);
    store.erase(erased, commandsOf(log, erased), to);
    if (erased.length > 0) tell({ event: 'content-erased', entries: erased.length, upTo: to });
    return to === size;
  }

  /** Resolves when nothing is under way; the signal of the source has been aborted. */
  async end(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#parts.source;
    while (!signal.aborted) {
      let pauseMs = idleMs;
      try {
        const isDone = this.#walk() && !(await this.#step());
        pauseMs = isDone ? idleMs : 0;
        this.#trouble = null;
      } catch (error) {
        if (signal.aborted) return;
        pauseMs = troubleMs;
        this.#report(error);
      }
      await after(pauseMs, undefined, { signal, ref: false }).catch(() => null);
    }
  }

  /** True where there may be more to do. */
  async #step(): Promise<boolean> {
    const { store } = this.#parts;
    this.#tellUntold();
    await this.#askAgain();
    const { fetched: from, walked } = store;
    if (from >= walked) return false;
    await this.#fetch(from, Math.min(walked, from + batchEntriesMax));
    return true;
  }

  async #fetch(from: number, to: number): Promise<void> {
    const { source, store, log, opening, tell } = this.#parts;
    const bytes = await fetchBytes(source, `contents/${from}?to=${to}`, batchLengthMax);
    if (bytes === null) throw new Unavailable('the log does not serve documents here');
    const batch = this.#batchIn(bytes, from, to);
    const judged = await judgeBatch(batch, log, opening);
    source.signal.throwIfAborted();
    // What was cosigned meanwhile may have erased some of it.
    while (!this.#walk()) await turn();
    store.save(judged.batch, judged.lacking);
    for (const { index, message } of judged.altered) tell({ event: 'content-altered', index, message });
  }

  #batchIn(bytes: Uint8Array, from: number, to: number): SealedBatch {
    const [batch, ...others] = parsed(bytes);
    if (batch === undefined || others.length > 0) throw new BatchRefused('it is not one batch');
    const { header } = batch;
    if (header.from !== from || header.to > to || header.size < header.to)
      throw new BatchRefused(`entries ${from} to ${to - 1} were asked for, and it is of others`);
    const { id } = this.#parts.publicKey;
    if (header.key !== id)
      throw new BatchRefused(`it is sealed to the content key ${header.key}, and ours is ${id}`);
    return batch;
  }

  /** An erasure that is not cosigned yet may account for what the log's server has not got. */
  #tellUntold(): void {
    const { store, tell } = this.#parts;
    for (const { index, isCause, why } of store.untold(store.walked)) {
      if (why === 'altered') continue;
      const message = `the log's server has not got ${isCause ? 'the cause or what was signed for it' : 'the document'}, and no erasure says why`;
      tell({ event: 'content-lacking', index, message });
    }
  }

  async #askAgain(): Promise<void> {
    const { store, now } = this.#parts;
    if (now() - this.#askedAgain < againSeconds) return;
    this.#askedAgain = now();
    const lacking = store.lacking(lackingAtOnce, this.#askFrom);
    this.#askFrom = lacking.length < lackingAtOnce ? 0 : (lacking.at(-1)?.index ?? 0) + 1;
    for (const index of new Set(lacking.map((part: LackingPart) => part.index)))
      await this.#fetch(index, index + 1);
  }

  /** Each reason once, until it gets on. */
  #report(error: unknown): void {
    if (error instanceof BatchRefused) this.refused += 1;
    const isExpected =
      error instanceof BatchRefused || error instanceof Unavailable || error instanceof NotNow;
    const message = isExpected ? error.message : `fault: ${messageOf(error)}`;
    if (message !== this.#trouble) this.#parts.tell({ event: 'content-stopped', message });
    this.#trouble = message;
  }
}

function parsed(bytes: Uint8Array): SealedBatch[] {
  try {
    return parseBatches(bytes);
  } catch (error) {
    if (!(error instanceof RangeError) && !(error instanceof IntegrityError)) throw error;
    throw new BatchRefused(`it cannot be read as a batch: ${error.message}`, { cause: error });
  }
}
