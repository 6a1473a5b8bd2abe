/**
 * The store: what must not be lost. Everything else is derived from it.
 *
 * Contract of every driver: `append` is durable when it returns, all or nothing, and only continues
 * the log where it ends; reads see every append that returned. One process writes at a time; drivers
 * refuse a second one, or fence the first: what was fenced throws StoreFenced at every write and at `size`. Proven by the conformance suite that all drivers share.
 */

import type { Opening } from '@tallystick/core';

/** One entry of the log with what belongs to it. Byte strings are exact. */
export interface StoredEntry {
  index: number;
  /** RFC 9162 leaf hash of `entry`. */
  leaf: Uint8Array;
  /** K of the subject that a record moves; null for trust.root and map.root entries. */
  subject: Uint8Array | null;
  /** Revision of the subject; 0 where there is none. */
  rev: number;
  entry: Uint8Array;
  content: StoredContent | null;
}

/** What a record commits to. Parts are null once shredded. */
export interface StoredContent {
  /** Subject id. */
  id: string;
  salt: Uint8Array | null;
  document: Uint8Array | null;
  companionSalt: Uint8Array | null;
  companion: Uint8Array | null;
  /** Index of the first record of the command, where its cause is stored. */
  cause: number;
}

/** Who asked for a command's records and why, committed to by each of them. */
export interface StoredCause {
  /** Index of the command's first record. */
  index: number;
  /** Number of its records. */
  records: number;
  salt: Uint8Array;
  document: Uint8Array;
  /** What opens the commitment to the request as it was signed; null where there is none, and once it was shredded. */
  signed: Opening | null;
}

export interface StoredCheckpoint {
  size: number;
  /** The signed note with its cosignatures. */
  note: string;
  /** When it was published, an instant. */
  at: string;
}

/** The narrow rows from which tree and map are rebuilt at a start. */
export interface StoredLeaf {
  index: number;
  leaf: Uint8Array;
  subject: Uint8Array | null;
  rev: number;
}

/** A row of a table that is keyed by log index, at an index where it belongs to nothing. */
export interface StrayRow {
  table: 'leaves' | 'entries' | 'contents' | 'causes' | 'signed_requests';
  index: number;
}

export interface AppendBatch {
  /** The size that the log must have for the batch to continue it. */
  size: number;
  entries: readonly StoredEntry[];
  causes: readonly StoredCause[];
}

/** The log does not end where a batch expected it to: somebody else wrote. */
export class StoreConflict extends Error {
  override readonly name = 'StoreConflict';
}

/** Another process holds the store. */
export class StoreLocked extends Error {
  override readonly name = 'StoreLocked';
}

/** The file of the store, or the one of the projections, is none any more. */
export class StoreDamaged extends Error {
  override readonly name = 'StoreDamaged';
}

/** Another process has taken the store over: this one must never write again. */
export class StoreFenced extends Error {
  override readonly name = 'StoreFenced';
}

/** The store cannot be reached, or does not keep what it is given as it should. The message is safe to show to callers. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
  /** True where what was written may turn out to be committed. */
  readonly isOutcomeUnknown: boolean;

  constructor(message: string, isOutcomeUnknown: boolean, options?: ErrorOptions) {
    super(message, options);
    this.isOutcomeUnknown = isOutcomeUnknown;
  }
}

export interface Store {
  /** Number of entries. */
  size(): Promise<number>;
  /**
   * Appends durably. Throws StoreConflict where the log has another size. After any other error the outcome is
   * unknown until `size` is read again.
   */
  append(batch: AppendBatch): Promise<void>;
  /** Narrow rows from `from` on, at most `limit`, in order. */
  leaves(from: number, limit: number): Promise<StoredLeaf[]>;
  /** Whole entries from `from` on, at most `limit`, in order. */
  entries(from: number, limit: number): Promise<StoredEntry[]>;
  entry(index: number): Promise<StoredEntry | undefined>;
  /** The bytes of entries from `from` on, at most `limit`, in order; empty bytes where they are gone. */
  entryBytes(from: number, limit: number): Promise<Uint8Array[]>;
  cause(index: number): Promise<StoredCause | undefined>;
  /** Causes with `from` ≤ index < `to`, in order. */
  causes(from: number, to: number): Promise<StoredCause[]>;
  /**
   * Rows that nobody reads, the first 100 in order: before or behind the log, and signed requests that no cause stands
   * beside. Left out where there can be none.
   */
  strayRows?(): Promise<StrayRow[]>;
  /**
   * Removes documents, companions and salts at these indexes for good, and the signed request of each command that has a record
   * there; commitments, entries and causes stay.
   */
  shred(indexes: readonly number[]): Promise<void>;
  /** Keeps a published checkpoint; one of the same size replaces it (fresher cosignatures). */
  saveCheckpoint(checkpoint: StoredCheckpoint): Promise<void>;
  /** The largest published checkpoint of at most `size`. */
  checkpoint(size?: number): Promise<StoredCheckpoint | undefined>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** An entry that comes back, and at the first record of its command the cause, where that comes back as well. */
export interface RestoredEntry extends StoredEntry {
  cause?: StoredCause;
  /** Whatever is there as signed for this command goes. */
  removesRequest?: true;
}

/** A store that can be put right. */
export interface MendableStore extends Store {
  /**
   * Puts entries where there is another one under their index, or none, all or nothing; content that is there stays where
   * none comes, but for a name that stands in for one that nobody knew, and so do signed requests where none comes. The last of several under one index counts. This is for repairs: whoever calls it has compared every entry with the log. Nothing is changed where it throws, also
   * where `entries` does, unless it throws StoreUnavailable that says the outcome is unknown.
   */
  restore(entries: AsyncIterable<RestoredEntry>): Promise<void>;
}
