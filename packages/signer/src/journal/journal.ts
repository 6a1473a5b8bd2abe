/**
 * The signer's journal: what it signed and what it refused, in a chain that only grows. Nothing that was signed leaves
 * the signer before its line is on disk.
 *
 * Owns the chain's head, and which signed batches no checkpoint covers yet: what is signed over them, or what the
 * server says became of them, is written down as their end. The mark, which lies beside, keeps it from being shortened
 * unseen, and keeps two signers off it.
 */
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import {
  base64,
  type Checkpoint,
  concatBytes,
  equalBytes,
  formatInstant,
  hashLength,
  IntegrityError,
  type LogRecord,
  type PromiseStatement,
} from '@tallystick/core';
import type { Mark } from '../mark.ts';
import { type Abandoned, SignerRefusal } from '../protocol/requests.ts';
import { JournalError } from './journal-error.ts';
import { JournalFile } from './journal-file.ts';
import {
  type AbandonCause,
  encodeLine,
  type JournalEvent,
  type JournalLine,
  lineHash,
  parseLine,
} from './lines.ts';
import { type LinesEnd, readLines } from './read-lines.ts';
import { type Refusal, Refusals } from './refusals.ts';

/** A line that is known to be on disk, and where to begin reading to know all that still matters. */
export interface JournalPosition {
  /** Of a line at or before the one below. */
  offset: number;
  n: number;
  /** base64 */
  hash: string;
}

type Signed = Omit<Extract<JournalEvent, { op: 'batch' }>, 'op'>;

/** A signed batch that may still come into the log. */
interface LiveBatch {
  line: number;
  offset: number;
  index: number;
  /** Log index behind its last entry. */
  end: number;
  leaves: Uint8Array;
}

interface Head {
  n: number;
  hash: Uint8Array;
  /** Where the oldest batch begins that was live behind it, or it itself. */
  oldest: number;
}

/** Bytes: a first line is shorter, and what follows makes a file longer. */
const firstLineMax = 4096;

/** Signatures that no checkpoint covers. A server publishes several times a second, or stops after a minute. */
const liveRecordsMax = 1_000_000;

export class Journal implements AsyncDisposable {
  readonly #path: string;
  readonly #file: JournalFile;
  readonly #mark: Mark;
  readonly #now: () => number;
  readonly #refusals: Refusals;
  /** The newest line, on disk or on its way there; null before the first. */
  #head: Head | null = null;
  /** The newest line that is on disk. */
  #durable: Head | null = null;
  /** In the order in which they were signed, which is log order: what overlaps is at an end. */
  #live: LiveBatch[] = [];
  #liveRecords = 0;
  /** What it covers, and when its line is on disk. */
  #newestCheckpoint: { key: string; written: Promise<void> } | null = null;
  /** Whether another signer signed the log last, as far as this journal knows. */
  #isFollowing = false;
  #lost: number | null = null;
  /** The log's size that a server named last when it started. */
  #resumedAt: number | null = null;
  #keys: Extract<JournalEvent, { op: 'keys' }>['keys'] | null = null;

  private constructor(path: string, file: JournalFile, mark: Mark, now: () => number) {
    this.#path = path;
    this.#file = file;
    this.#mark = mark;
    this.#now = now;
    this.#refusals = new Refusals(async (event) => this.#append(event));
  }

  /**
   * Makes the journal of a log whose first entries were signed elsewhere, `checkpoint` being over these. Throws where
   * the file exists. `now` is in milliseconds.
   */
  static create(path: string, checkpoint: Checkpoint, mark: Mark, now: () => number): void {
    using file = new JournalFile(path, true);
    new Journal(path, file, mark, now).#begin(checkpoint, 'init', null);
  }

  /**
   * Goes on with a journal; where there is none, one begins that says so. Cuts a last line that was not finished.
   * Throws JournalError where it is damaged, of another log, or shorter than the mark remembers. Reads only what
   * no checkpoint covered, however long it is.
   */
  static open(path: string, mark: Mark, now: () => number): Journal {
    if (isNeverBegun(path, mark)) rmSync(path);
    const isNew = !existsSync(path);
    const journal = new Journal(path, new JournalFile(path, isNew), mark, now);
    try {
      if (isNew) journal.#begin(mark.checkpoint, 'signer', mark.journal && mark.journal.n + 1);
      journal.#resume();
      return journal;
    } catch (error) {
      journal.#file[Symbol.dispose]();
      throw error;
    }
  }

  /** Lines of an earlier journal that are gone; null where none are known of. */
  get lost(): number | null {
    return this.#lost;
  }

  /**
   * Entries are signed, to stand in the log from `index` on; `leaves` are packed. Resolves when that is on disk; what
   * was signed before at these indexes is at an end. Throws JournalError, or SignerRefusal (`limit`) where too much is
   * under no checkpoint.
   */
  async batch(signed: Signed): Promise<void> {
    this.#mend();
    const count = signed.leaves.length / hashLength;
    if (this.#liveRecords + count > liveRecordsMax) {
      throw new SignerRefusal(
        'limit',
        `${this.#liveRecords} signatures wait for a checkpoint: publish first`,
      );
    }
    const { index, leaves, keyids, publishBy } = signed;
    const ends = this.#endsFrom(index, 'not_said');
    await this.#appendAll([...ends, { op: 'batch', index, leaves, keyids, publishBy }]);
  }

  async promise({ index, count, root, publishBy }: Omit<PromiseStatement, 'origin'>): Promise<void> {
    await this.#append({ op: 'promise', index, count, root, publishBy });
  }

  /** One that is signed again, for fresh cosignatures, stands there already. */
  async checkpoint({ size, root }: Checkpoint): Promise<void> {
    this.#mend();
    const key = checkpointKey(size, root);
    if (this.#newestCheckpoint?.key !== key) {
      const written = this.#append({ op: 'checkpoint', size, root });
      this.#newestCheckpoint = { key, written };
    }
    await this.#newestCheckpoint.written;
  }

  /**
   * Another signer of this log has signed so much. Whatever was signed here below that and is not under a checkpoint, is in
   * the log or was overtaken: the journals of both say which. A row of these takes one line.
   */
  async followed({ size, root }: Checkpoint): Promise<void> {
    this.#mend();
    if (this.#isFollowing && this.#live.length === 0) return;
    await this.#append({ op: 'followed', size, root });
  }

  /** The key of the access log signed a larger checkpoint of it. */
  async access({ origin, size, root }: Checkpoint): Promise<void> {
    await this.#append({ op: 'access', origin, size, root });
  }

  /** A logged namespace with this leaf hash governs from now on, or did already. */
  async adopted({ ns, type, rev }: LogRecord, leaf: Uint8Array): Promise<void> {
    await this.#append({ op: 'adopted', ns, type, rev, leaf });
  }

  /** These keys signed what the signer states of its keys. */
  async attested(keyids: readonly string[]): Promise<void> {
    await this.#append({ op: 'attested', keyids });
  }

  /** The server says that the log holds nothing from `index` on, and will hold none of what was signed for there. */
  async abandon({ index, cause }: Abandoned): Promise<void> {
    this.#mend();
    const isNew = this.#resumedAt !== index || this.#live.length > 0;
    const resumed: JournalEvent[] = cause === 'restarted' && isNew ? [{ op: 'resumed', size: index }] : [];
    if (cause === 'restarted') this.#resumedAt = index;
    await this.#appendAll([...resumed, ...this.#endsFrom(index, cause)]);
  }

  /** The keys that sign from now on. */
  keys(keys: readonly { keyid: string; usages: readonly string[] }[]): void {
    this.#keys = keys.map(({ keyid, usages }) => ({ keyid, usages }));
    // Without it on disk nothing later gets there either, and it is written again before that.
    this.#append({ op: 'keys', keys: this.#keys }).catch(() => null);
  }

  /** Is counted where it cannot be written: refusing goes on with a full disk. */
  refused(refusal: Refusal): void {
    this.#refusals.note(refusal);
  }

  /** What the mark is to remember; null before the first line is on disk. */
  get position(): JournalPosition | null {
    if (this.#durable === null) return null;
    const { n, hash, oldest } = this.#durable;
    return { offset: oldest, n, hash: base64(hash) };
  }

  /** Brings everything to disk, and the mark up to it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#refusals.flush();
    await this.#file.idle();
    const position = this.position;
    if (position !== null) this.#mark.rememberJournal(position);
    if (!this.#file.isBroken) this.#file.cutTo(this.#file.confirmed);
    this.#file[Symbol.dispose]();
  }

  #begin({ origin, size, root }: Checkpoint, by: 'init' | 'signer', lost: number | null): void {
    this.#lost = lost;
    this.#appendAtOnce({ op: 'begun', origin, size, root, by, lost });
    const position = this.position;
    if (position !== null) this.#mark.rememberJournal(position);
  }

  #resume(): void {
    const { end, torn } = this.#load(this.#file.length);
    // It was not finished, so nothing that it says was ever answered. What a power cut left behind it goes as well.
    this.#file.cutTo(end);
    this.#appendAtOnce({ op: 'started', cut: torn });
  }

  /** Reads what the mark does not vouch for, up to `limit`. */
  #load(limit: number): LinesEnd {
    const known = this.#mark.journal;
    this.#head = null;
    this.#live = [];
    this.#liveRecords = 0;
    this.#newestCheckpoint = null;
    this.#isFollowing = false;
    let isKnownFound = known === null;
    const lines = readLines(this.#file.fd, known?.offset ?? 0, limit);
    for (;;) {
      const { value, done } = lines.next();
      if (done === true) {
        if (!isKnownFound) throw this.#shorter(known?.n ?? 0);
        if (this.#head === null) throw new JournalError(`${this.#path} is empty: ${moveAway}`);
        this.#durable = this.#head;
        return value;
      }
      const line = this.#parse(value.bytes);
      const hash = lineHash(value.bytes);
      this.#demandNext(line, known === null);
      if (line.n === known?.n) {
        if (base64(hash) !== known.hash) throw this.#shorter(known.n);
        isKnownFound = true;
      }
      const { event } = line;
      this.#track(event, line.n, value.offset);
      if (event.op === 'checkpoint')
        this.#newestCheckpoint = { key: checkpointKey(event.size, event.root), written: Promise.resolve() };
      this.#head = { n: line.n, hash, oldest: this.#live[0]?.offset ?? value.offset };
    }
  }

  #parse(bytes: Uint8Array): JournalLine {
    try {
      return parseLine(bytes);
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      const after = this.#head === null ? '' : ` behind line ${this.#head.n}`;
      throw new JournalError(`${this.#path} is damaged${after}: ${error.message}; ${moveAway}`, {
        cause: error,
      });
    }
  }

  #demandNext({ n, prev, event }: JournalLine, isFromStart: boolean): void {
    const before = this.#head;
    const { origin } = this.#mark.checkpoint;
    if (event.op === 'begun' && event.origin !== origin)
      throw new JournalError(`${this.#path} is the journal of another log: name the one of ${origin}`);
    const isNext =
      before === null
        ? !isFromStart || (n === 0 && prev === null && event.op === 'begun')
        : n === before.n + 1 && prev !== null && equalBytes(prev, before.hash);
    if (!isNext) throw new JournalError(`${this.#path} is damaged: line ${n} does not follow; ${moveAway}`);
  }

  #shorter(n: number): JournalError {
    return new JournalError(
      `${this.#path} is not the newest journal: the mark remembers its line ${n}. Put the newest one back, or ` +
        'move this one away and keep it: then one begins that says what is missing',
    );
  }

  async #appendAll(events: readonly JournalEvent[]): Promise<void> {
    await Promise.all(events.map((event) => this.#append(event)));
  }

  /** The line has its place in the chain when this returns, and is on disk when the promise resolves. */
  async #append(event: JournalEvent): Promise<void> {
    this.#mend();
    const { bytes, head } = this.#next(event);
    await this.#file.append(bytes);
    this.#durable = head;
  }

  #appendAtOnce(event: JournalEvent): void {
    const { bytes, head } = this.#next(event);
    this.#file.appendAtOnce(bytes);
    this.#durable = head;
  }

  /** The next line of the chain, with its line feed; from here on it is the head. */
  #next(event: JournalEvent): { bytes: Uint8Array; head: Head } {
    const n = this.#head === null ? 0 : this.#head.n + 1;
    const at = formatInstant(this.#now());
    const line = encodeLine({ n, prev: this.#head?.hash ?? null, at, event });
    const offset = this.#file.end;
    this.#track(event, n, offset);
    this.#head = { n, hash: lineHash(line), oldest: this.#live[0]?.offset ?? offset };
    return { bytes: concatBytes(line, lineFeed), head: this.#head };
  }

  /** After a write that failed: back to what is on disk. Throws JournalError where the disk still fails. */
  #mend(): void {
    if (!this.#file.isBroken) return;
    const { confirmed } = this.#file;
    this.#file.cutTo(confirmed);
    this.#load(confirmed);
    if (this.#keys !== null) this.keys(this.#keys);
  }

  #track(event: JournalEvent, n: number, offset: number): void {
    if (event.op === 'followed') this.#isFollowing = true;
    if (event.op === 'batch' || event.op === 'checkpoint') this.#isFollowing = false;
    if (event.op === 'batch') {
      const { index, leaves } = event;
      const count = leaves.length / hashLength;
      if (index + count <= this.#mark.checkpoint.size) return;
      this.#live.push({ line: n, offset, index, end: index + count, leaves });
      this.#liveRecords += count;
    } else if (event.op === 'abandoned') {
      const at = this.#live.findIndex(({ line }) => line === event.line);
      if (at !== -1) this.#drop(at, 1);
    } else if (event.op === 'checkpoint' || event.op === 'followed') {
      const above = this.#live.findIndex(({ end }) => end > event.size);
      this.#drop(0, above === -1 ? this.#live.length : above);
    }
  }

  #drop(from: number, count: number): void {
    for (const { leaves } of this.#live.splice(from, count)) this.#liveRecords -= leaves.length / hashLength;
  }

  /** The ends of what was signed at `index` and above. */
  #endsFrom(index: number, cause: AbandonCause | 'not_said'): JournalEvent[] {
    // The newest reaches highest: where it ends before, all do.
    if ((this.#live.at(-1)?.end ?? 0) <= index) return [];
    return this.#live
      .filter(({ end }) => end > index)
      .map(({ line, index: at, leaves }) => ({ op: 'abandoned', line, index: at, leaves, cause }));
  }
}

const lineFeed = Uint8Array.of(0x0a);
const moveAway = 'keep it, move it away, and one begins that says what is missing';

function checkpointKey(size: number, root: Uint8Array): string {
  return `${size} ${base64(root)}`;
}

/** A file without a whole first line, which no mark remembers: whoever was to begin it was killed before it had. */
function isNeverBegun(path: string, mark: Mark): boolean {
  if (mark.journal !== null || !existsSync(path) || statSync(path).size > firstLineMax) return false;
  return !readFileSync(path).includes(0x0a);
}
