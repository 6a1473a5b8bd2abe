/**
 * Takes records in and has them written: together, so that many requests share one flush of the disk.
 *
 * Owns the records that are not on disk yet. They go there when one of them has to be durable, when a segment is full, and a
 * second after the first of a segment at the latest. While the disk fails they are kept, up to a bound; what does not fit is
 * counted, and once the disk is back a record says how many are missing.
 */
import { AccessLogError } from './errors.ts';
import { type AccessRecord, encodeAccessRecord } from './record.ts';
import { linesLengthMax, recordsMax } from './segment.ts';

/** What makes lines durable. */
export interface AccessSink {
  /**
   * As `SegmentStore.append`: resolves when all of them are durable. May be asked again for lines of which nobody knows
   * whether they are.
   */
  append(
    first: number,
    lines: readonly string[],
    closes: boolean,
    inputs: ReadonlyMap<string, string>,
  ): Promise<void>;
}

export interface AccessLogOptions {
  /** Number of the next record. */
  first: number;
  /** Milliseconds. */
  now: () => number;
  /** Milliseconds after its first record at which a segment is closed. */
  segmentMs?: number;
  /** Records that wait for the disk at most. */
  waitingMax?: number;
  /** Told why records cannot be written, and null once they can again. */
  onTrouble?: (trouble: Error | null) => void;
}

export interface AccessLogStatus {
  /** Why records cannot be written; null where they can. */
  trouble: string | null;
  /** Records that were taken in, by this process. */
  records: number;
  /** Those of them that a crash would take now, and when the oldest came, in milliseconds. */
  waiting: number;
  oldestAt: number | null;
  /** Records that found no room while nothing could be written. */
  lost: number;
  /** Writes that failed. */
  failures: number;
}

export const segmentMsDefault = 1000;
export const waitingMaxDefault = 10_000;

export class AccessLog implements AsyncDisposable {
  readonly #sink: AccessSink;
  readonly #now: () => number;
  readonly #segmentMs: number;
  readonly #waitingMax: number;
  readonly #onTrouble: (trouble: Error | null) => void;
  /** Number of the first line that waits. */
  #first: number;
  #lines: string[] = [];
  #oldestAt: number | null = null;
  /** Characters of the lines that wait. */
  #length = 0;
  /** What decisions were made on, by its hash, until it is written. */
  readonly #inputs = new Map<string, string>();
  /** Runs while a segment is open. */
  #timer: NodeJS.Timeout | null = null;
  /** The write that is under way, and the one after it, for which lines still gather. */
  #running: Promise<void> = Promise.resolve();
  #next: { closes: boolean; done: Promise<void> } | null = null;
  #trouble: Error | null = null;
  #records = 0;
  #lost = 0;
  #untold = 0;
  #failures = 0;

  constructor(
    sink: AccessSink,
    { first, now, segmentMs, waitingMax, onTrouble = () => {} }: AccessLogOptions,
  ) {
    this.#sink = sink;
    this.#first = first;
    this.#now = now;
    this.#segmentMs = segmentMs ?? segmentMsDefault;
    this.#waitingMax = waitingMax ?? waitingMaxDefault;
    this.#onTrouble = onTrouble;
  }

  /**
   * Takes a record in. Where it has to be durable, resolves once it is, and rejects with AccessLogError where it cannot be
   * written: then it is written later, if that is possible. Otherwise resolves at once.
   */
  async record(record: AccessRecord, { durable }: { durable: boolean }): Promise<void> {
    if (this.#lines.length >= this.#waitingMax) {
      this.#lost += 1;
      this.#untold += 1;
      if (durable) throw this.#unavailable();
      return;
    }
    this.#take(encodeAccessRecord(record));
    const isFull = this.#lines.length >= recordsMax || this.#length >= linesLengthMax;
    if (!durable && !isFull) return;
    const written = this.#flush(false);
    if (!durable) return void written.catch(() => null);
    await written.catch(() => {
      throw this.#unavailable();
    });
  }

  /**
   * Takes in what decisions of this hash are made on, to be written with the records that name it: to be told before them.
   */
  learn(entities: string, input: string): void {
    if (this.#inputs.size < this.#waitingMax) this.#inputs.set(entities, input);
  }

  /** Resolves when everything that was taken in so far is durable; rejects where it cannot be. */
  flush(): Promise<void> {
    return this.#flush(false);
  }

  get status(): AccessLogStatus {
    return {
      trouble: this.#trouble?.message ?? null,
      records: this.#records,
      waiting: this.#lines.length,
      oldestAt: this.#oldestAt,
      lost: this.#lost,
      failures: this.#failures,
    };
  }

  /** Writes what waits. Rejects where that is not possible. */
  async [Symbol.asyncDispose](): Promise<void> {
    const last = this.#flush(true);
    await last.finally(() => {
      if (this.#timer !== null) clearTimeout(this.#timer);
    });
  }

  #take(line: string): void {
    this.#lines.push(line);
    this.#records += 1;
    this.#length += line.length;
    this.#oldestAt ??= this.#now();
    this.#timer ??= setTimeout(() => this.#closeSegment(), this.#segmentMs);
  }

  #closeSegment(): void {
    this.#timer = null;
    this.#flush(true).catch(() => null);
  }

  /** Resolves when everything that was taken in so far is durable. */
  #flush(closes: boolean): Promise<void> {
    if (this.#next === null) {
      const next = { closes, done: Promise.resolve() };
      next.done = this.#write(this.#running, next);
      this.#running = next.done.catch(() => {});
      this.#next = next;
    }
    this.#next.closes ||= closes;
    return this.#next.done;
  }

  async #write(before: Promise<void>, mode: { closes: boolean }): Promise<void> {
    await before;
    // Requests that are answered in the same turn share the flush.
    await new Promise(setImmediate);
    this.#next = null;
    const lines = this.#lines.slice();
    // They go where they are named.
    const inputs = new Map(lines.length === 0 ? [] : this.#inputs);
    const since = this.#now();
    if (mode.closes && this.#timer !== null) clearTimeout(this.#timer);
    if (mode.closes) this.#timer = null;
    try {
      await this.#sink.append(this.#first, lines, mode.closes, inputs);
    } catch (error) {
      this.#failures += 1;
      this.#timer ??= setTimeout(() => this.#closeSegment(), this.#segmentMs);
      this.#setTrouble(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
    this.#first += lines.length;
    this.#lines.splice(0, lines.length);
    for (const entities of inputs.keys()) this.#inputs.delete(entities);
    this.#length = this.#lines.reduce((sum, line) => sum + line.length, 0);
    this.#oldestAt = this.#lines.length === 0 ? null : since;
    this.#setTrouble(null);
    this.#tellLost();
  }

  /** A gap is a record as well, behind what was kept and before all that comes now. */
  #tellLost(): void {
    if (this.#untold === 0) return;
    const at = new Date(this.#now()).toISOString();
    const resource = { type: 'records', id: String(this.#untold) };
    const nobody = { who: null, address: '', decision: null, why: null, requestId: '' };
    const code = 'access_log_unavailable';
    const gap = { at, zone: '', route: 'access.gap', method: '', status: 0, code, resource, ...nobody };
    this.#untold = 0;
    this.#take(encodeAccessRecord(gap));
  }

  #setTrouble(trouble: Error | null): void {
    const isNew = (trouble === null) !== (this.#trouble === null);
    this.#trouble = trouble;
    if (isNew) this.#onTrouble(trouble);
  }

  #unavailable(): AccessLogError {
    const why = this.#trouble === null ? 'it is full' : this.#trouble.message;
    return new AccessLogError('file', `the access log cannot be written: ${why}`);
  }
}
