/** Reads a journal to its end: checks the chain line by line, and gathers what the log must answer for. */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { base64, equalBytes, IntegrityError } from '@tallystick/core';
import {
  type AbandonCause,
  type JournalEvent,
  type JournalLine,
  type JournalPosition,
  lineHash,
  parseLine,
  readLines,
} from '@tallystick/signer';
import type { OnProgress } from '../report.ts';
import { type AuditCounts, type Incidents, listedMax, type RefusalCount } from './report.ts';

type Of<Op extends JournalEvent['op']> = Extract<JournalEvent, { op: Op }>;

/** A signed batch; `leaves` are packed. */
export interface SignedBatch {
  line: number;
  at: string;
  index: number;
  leaves: Uint8Array;
}

export interface Abandoned extends SignedBatch {
  cause: AbandonCause | 'not_said' | 'overtaken';
}

interface Placed<Event> {
  line: number;
  at: string;
  event: Event;
}

export interface ScanParts {
  file: string;
  origin: string;
  /** What the signer's mark remembers; null where it could not be read, or remembers nothing. */
  known: JournalPosition | null;
  incidents: Incidents;
  counts: AuditCounts;
  onProgress: OnProgress;
}

const bytesPerProgress = 1024 * 1024;

export class JournalScan {
  readonly #parts: ScanParts;
  /** Signed, and not said to be abandoned, by line. */
  readonly live: Map<number, SignedBatch> = new Map();
  readonly abandoned: Abandoned[] = [];
  readonly checkpoints: Placed<Of<'checkpoint'>>[] = [];
  readonly promises: Placed<Of<'promise'>>[] = [];
  /** base64 of the leaf hashes of namespaces and brakes that were taken in. */
  readonly adopted: Set<string> = new Set();
  readonly refusals: Map<string, RefusalCount> = new Map();
  begun: Placed<Of<'begun'>> | null = null;
  /** What servers found of the log at their starts. */
  readonly resumed: { line: number; size: number }[] = [];
  /** What the log had when the server first spoke to a signer whose journal began later than the log. */
  resumedAt: number | null = null;
  lines = 0;
  /** Hash of the last line; null before the first. */
  head: Uint8Array | null = null;
  #previous: number | null = null;
  #isKnownFound = false;

  /** What another signer of the log was seen to have signed. */
  readonly followed: { line: number; size: number }[] = [];

  constructor(parts: ScanParts) {
    this.#parts = parts;
  }

  get file(): string {
    return this.#parts.file;
  }

  /** Log index from which on the journal answers for every record that its signer signed. */
  get from(): number {
    const size = this.begun?.event.size ?? 0;
    // A signer that began its journal itself does not know how far the log went beyond its mark, until it is told.
    return this.begun?.event.by === 'signer'
      ? Math.max(size, this.resumedAt ?? Number.MAX_SAFE_INTEGER)
      : size;
  }

  /** Whether a start found what a commit, said to have failed, had left after all. */
  wasFound({ cause, line, index }: Abandoned): boolean {
    const next = this.resumed.find((resumed) => resumed.line > line);
    return cause === 'commit_failed' && next !== undefined && next.size > index;
  }

  /**
   * The line by which another signer had taken the log over while a batch was under way: another one was seen to have
   * signed beyond it, or, in a log that is shared, a server started on a log that goes beyond it, before this one signed a
   * checkpoint over its place. Null where there is none.
   */
  overtakenAt({ line, index }: SignedBatch, isShared: boolean): number | null {
    // Whoever took over may have died before it signed what it had committed: then a start alone tells.
    const seen = isShared ? [...this.followed, ...this.resumed] : this.followed;
    const [next] = seen
      .filter((each) => each.line > line && each.size > index)
      .map((each) => each.line)
      .sort((a, b) => a - b);
    if (next === undefined || this.#isCoveredBetween(index, line, next)) return null;
    return next;
  }

  /** A checkpoint that ends below was under way together with it, and says nothing of it. */
  #isCoveredBetween(index: number, line: number, to: number): boolean {
    return this.checkpoints.some(
      (checkpoint) => checkpoint.event.size > index && checkpoint.line > line && checkpoint.line < to,
    );
  }

  run(): void {
    const { file, known, incidents, onProgress } = this.#parts;
    const fd = openSync(file, 'r');
    try {
      const { size } = fstatSync(fd);
      let shown = 0;
      for (const { offset, bytes } of readLines(fd, 0, size)) {
        this.#take(bytes);
        if (offset - shown < bytesPerProgress) continue;
        shown = offset;
        onProgress({ step: 'journal', done: offset, total: size });
      }
      onProgress({ step: 'journal', done: size, total: size });
    } finally {
      closeSync(fd);
    }
    if (known !== null && !this.#isKnownFound)
      incidents.add('shortened', 'a line that the mark remembers is not in the journal', {
        journal: file,
        line: known.n,
      });
  }

  #take(bytes: Uint8Array): void {
    const { incidents, known } = this.#parts;
    const hash = lineHash(bytes);
    const place = this.#previous === null ? 0 : this.#previous + 1;
    let line: JournalLine;
    try {
      line = parseLine(bytes);
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      incidents.add('chain', `it cannot be read: ${error.message}`, { journal: this.file, line: place });
      this.head = hash;
      this.#previous = place;
      return;
    }
    this.#checkPlace(line, place);
    if (line.n === known?.n && base64(hash) === known.hash) this.#isKnownFound = true;
    this.lines += 1;
    this.head = hash;
    this.#previous = line.n;
    this.#takeEvent(line);
  }

  #checkPlace({ n, prev, at, event }: JournalLine, place: number): void {
    const { incidents, origin } = this.#parts;
    const follows = this.head === null ? prev === null : prev !== null && equalBytes(prev, this.head);
    const where = { journal: this.file, line: n, at };
    if (n !== place) incidents.add('chain', `it stands where line ${place} belongs`, where);
    else if (!follows) incidents.add('chain', 'the line before it is not the one that it names', where);
    else if ((event.op === 'begun') !== (n === 0))
      incidents.add('chain', 'a journal begins with its first line, and nowhere else', where);
    else if (event.op === 'begun' && event.origin !== origin)
      incidents.add('chain', 'it is the journal of another log', where);
  }

  #takeEvent({ n, at, event }: JournalLine): void {
    const { counts } = this.#parts;
    switch (event.op) {
      case 'begun':
        this.begun ??= { line: n, at, event };
        break;
      case 'started':
        counts.starts += 1;
        break;
      case 'batch':
        this.resumedAt ??= event.index;
        this.live.set(n, { line: n, at, index: event.index, leaves: event.leaves });
        break;
      case 'resumed':
        this.resumedAt ??= event.size;
        this.resumed.push({ line: n, size: event.size });
        break;
      case 'abandoned':
        this.#abandon(n, at, event);
        break;
      case 'checkpoint':
        this.#bound(event.size);
        this.checkpoints.push({ line: n, at, event });
        break;
      case 'promise':
        this.promises.push({ line: n, at, event });
        break;
      case 'adopted':
        this.adopted.add(base64(event.leaf));
        break;
      case 'refused':
        this.#count(at, event);
        break;
      case 'followed':
        this.followed.push({ line: n, size: event.size });
        break;
      case 'keys':
      case 'attested':
      // Of another log, which is checked by itself.
      case 'access':
        break;
    }
  }

  /** All below the first checkpoint that is new to it was in the log, whatever a server had said of its size. */
  #bound(size: number): void {
    const isFirst = this.checkpoints.every((earlier) => earlier.event.size <= (this.begun?.event.size ?? 0));
    if (!isFirst || this.resumedAt === null || size <= (this.begun?.event.size ?? 0)) return;
    this.resumedAt = Math.min(this.resumedAt, size);
  }

  #abandon(n: number, at: string, { line, index, leaves, cause }: Of<'abandoned'>): void {
    const { incidents, counts } = this.#parts;
    const signed = this.live.get(line);
    if (signed === undefined || signed.index !== index || !equalBytes(signed.leaves, leaves)) {
      incidents.add('chain', `it abandons what line ${line} did not sign`, {
        journal: this.file,
        line: n,
        index,
        at,
      });
      return;
    }
    this.live.delete(line);
    this.abandoned.push({ line: n, at, index, leaves, cause });
    const count = leaves.length / 32;
    counts.abandoned += count;
    if (cause !== 'not_said') return;
    const message = `other records were signed over ${count} that line ${line} signed, and nobody said what became of them`;
    incidents.add('not_said', message, { journal: this.file, line: n, index, at });
  }

  #count(at: string, { request, reason, message, count }: Of<'refused'>): void {
    this.#parts.counts.refused += count;
    const key = `${request} ${reason}`;
    const known = this.refusals.get(key);
    if (known !== undefined) Object.assign(known, { count: known.count + count, at, message });
    else if (this.refusals.size < listedMax) this.refusals.set(key, { request, reason, count, at, message });
  }
}
