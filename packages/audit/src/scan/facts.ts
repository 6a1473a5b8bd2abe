/**
 * What threads and the walk tell each other.
 *
 * A thread says of a block of entries either everything that the walk needs to go on without looking at them again, or
 * nothing at all: it never reports a problem. Where anything is not as it should be, the walk looks for itself, so that
 * there is one place that finds and names problems, in log order.
 */
import type { PublicKey } from '@tallystick/core';
import type { KeyedName, Name } from './projected-rows.ts';
import type { SumState } from './row-sum.ts';

export interface ScanSetup {
  storeFile: string;
  /** null checks hashes alone. */
  full: FullSetup | null;
}

export interface FullSetup {
  /** 32 bytes. */
  genesis: Uint8Array;
  /** Signatures are by one of these, named by its place in this list. */
  keys: readonly PublicKey[];
  /** The secret of the sums over projected rows. */
  sumKey: string;
  /** null sums nothing. */
  projectionsFile: string | null;
}

/** Facts of a block whose entries all fit their rows, commitments and causes. Columns have an item per entry. */
export interface BlockFacts {
  /** 32 bytes each, as `subjects` and `prevs`; zero where there is none. */
  leaves: Uint8Array;
  subjects: Uint8Array;
  prevs: Uint8Array;
  revs: Float64Array;
  /** Log index of the command's first record, and the number of its records. */
  causes: Float64Array;
  causeRecords: Float64Array;
  flags: Uint8Array;
  /** Places in `texts`, as `types` and `instants`. */
  namespaces: Uint16Array;
  types: Uint16Array;
  instants: Uint16Array;
  texts: string[];
  /** Place in the list of keys of one that signed the record; −1 for none that is known. */
  signers: Int16Array;
  /** Further ones: entry, key, entry, key… */
  moreSigners: number[];
  /** Bytes of the map roots, in order. */
  mapRoots: Uint8Array[];
  /** What the entries put into the projections, and the license keys whose names are still to be added. */
  rows: SumState;
  keyed: KeyedName[];
}

/** Bits of `flags`. */
export const isMapRootFlag = 1;
export const isErasedFlag = 2;
export const hasCompanionFlag = 4;
/** A license of which the trust root may demand more signatures than of others. */
export const isPerpetualFlag = 8;
/** Of the first record of a command whose request was signed. */
export const requestHeldFlag = 16;
export const requestGoneFlag = 32;

/** A step from one revision to the next, to be judged by the license model. */
export interface Step {
  /** Log index of the later revision, and of the one before it. */
  index: number;
  before: number;
  type: string;
  /** False where the walk has judged it. */
  isToCheck: boolean;
}

/** What came of some steps: rows that the later revisions replace, and steps to be looked at again. */
export interface StepFacts {
  odd: Step[];
  rows: SumState;
  keyed: KeyedName[];
  dropped: DroppedName[];
}

/** A name that a later revision of its subject no longer has. */
export interface DroppedName {
  name: Name;
  /** Log index of the last revision with that name. */
  lastAt: number;
}

/** The projections' tables as they are, summed; null where they cannot be read. */
export interface TableFacts {
  /** Number of log entries taken in. */
  cursor: number;
  rows: SumState;
}

/**
 * What is sent to a thread in place of its last task. To end it from outside, in the middle of what SQLite does, can
 * crash the process.
 */
export const endScanning = 'end';

export type ScanTask =
  | { kind: 'block'; from: number; to: number }
  | { kind: 'steps'; steps: Step[] }
  | { kind: 'tables'; tables: string[] };

export type ScanAnswer = BlockFacts | StepFacts | TableFacts | null;
