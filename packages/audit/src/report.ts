/** What a check says: how much it looked at, and the first thing that does not fit, with its place. */
import { hex } from '@tallystick/core';

/** Where a problem lies: a table of the store or of the projections, or the signer's mark. */
export type FsckTable =
  | 'leaves'
  | 'entries'
  | 'contents'
  | 'causes'
  | 'signed_requests'
  | 'checkpoints'
  | 'mark'
  | 'cursor'
  | 'names'
  | 'requests'
  | 'revisions'
  | 'catalog'
  | 'customers'
  | 'licenses';

export interface FsckProblem {
  /** Log index; of a checkpoint its size. null for a row of the projections. */
  index: number | null;
  table: FsckTable;
  /** The column that does not fit, `row` for a whole row, or the rule that an entry breaks. */
  part: string;
  /** One sentence without its period, free of document contents. */
  message: string;
  /** The first digits of hashes, or short values; null where there are none to compare. */
  expected: string | null;
  found: string | null;
}

/** How many of each were checked. */
export interface FsckCounts {
  entries: number;
  records: number;
  mapRoots: number;
  trustRoots: number;
  /** Records whose signatures were checked. */
  signed: number;
  documents: number;
  companions: number;
  causes: number;
  /** Requests that are held as they were signed. */
  requests: number;
  /** Revisions whose content was removed by an erasure. */
  erased: number;
  /** Signed requests that were removed with them. */
  erasedRequests: number;
  checkpoints: number;
  /** Rows of the projections. */
  rows: number;
}

export interface FsckReport {
  /** True where nothing was found. */
  ok: boolean;
  level: 'hashes' | 'full';
  /** Number of entries that the log had when the check began. */
  size: number;
  /** Size of the newest published checkpoint; null before the first. */
  published: number | null;
  /** In log order. The first alone, unless all were asked for. */
  problems: FsckProblem[];
  counts: FsckCounts;
  /** What was left out, one sentence each. */
  skipped: string[];
}

/** Told how far a step is. */
export type OnProgress = (progress: {
  step: 'entries' | 'both stores' | 'checkpoints' | 'projections' | 'journal' | 'leaves' | 'lost entries';
  done: number;
  total: number;
}) => void;

export function emptyCounts(): FsckCounts {
  return {
    entries: 0,
    records: 0,
    mapRoots: 0,
    trustRoots: 0,
    signed: 0,
    documents: 0,
    companions: 0,
    causes: 0,
    requests: 0,
    erased: 0,
    erasedRequests: 0,
    checkpoints: 0,
    rows: 0,
  };
}

/** The most problems that a report lists. */
export const problemsMax = 100;

/** Problems as they are found. */
export class Problems {
  readonly #max: number;
  readonly #found: FsckProblem[] = [];

  /** @param all collect up to 100 instead of the first */
  constructor(all: boolean) {
    this.#max = all ? problemsMax : 1;
  }

  add(...problems: (FsckProblem | null)[]): void {
    for (const problem of problems) if (problem !== null) this.#found.push(problem);
  }

  /** True where looking on would find nothing that is reported. */
  get isFull(): boolean {
    return this.#found.length >= this.#max;
  }

  get count(): number {
    return this.#found.length;
  }

  /** In log order, projections last; no more than a report lists. */
  sorted(): FsckProblem[] {
    const place = ({ index }: FsckProblem): number => index ?? Number.MAX_SAFE_INTEGER;
    return this.#found.toSorted((a, b) => place(a) - place(b)).slice(0, this.#max);
  }
}

/** The first digits of a hash: enough to tell two apart, short enough to read. */
function short(bytes: Uint8Array): string {
  return hex(bytes.subarray(0, 6));
}

/** A problem at a log index. */
export function problemAt(
  index: number,
  table: FsckTable,
  part: string,
  message: string,
  compared: { expected: string; found: string } | null = null,
): FsckProblem {
  return {
    index,
    table,
    part,
    message,
    expected: compared?.expected ?? null,
    found: compared?.found ?? null,
  };
}

/** A problem about two hashes that should be one. */
export function mismatch(
  index: number,
  table: FsckTable,
  part: string,
  message: string,
  expected: Uint8Array,
  found: Uint8Array,
): FsckProblem {
  return problemAt(index, table, part, message, { expected: short(expected), found: short(found) });
}
