/** Batches for stores, which look into none of the bytes: each names its own place. */
import { sha256, utf8 } from '@tallystick/core';
import type { AppendBatch, StoredCause, StoredEntry } from '../../src/index.ts';

export const entriesPerBatch = 3;

export function entryAt(index: number, cause: number = index): StoredEntry {
  return {
    index,
    leaf: digest(`leaf ${index}`),
    subject: digest(`subject ${index}`),
    rev: index % 5,
    entry: utf8(`entry ${index}`),
    content: {
      id: `lic_${index}`,
      salt: utf8(`salt ${index}`),
      document: utf8(`document ${index}`),
      companionSalt: index % 2 === 0 ? null : utf8(`companion salt ${index}`),
      companion: index % 2 === 0 ? null : utf8(`companion ${index}`),
      cause,
    },
  };
}

/** As plain bytes, which is what stores give back: a Buffer is not equal to them. */
function digest(text: string): Uint8Array {
  return Uint8Array.from(sha256(utf8(text)));
}

/** An entry that is not a record. */
export function plainEntryAt(index: number): StoredEntry {
  return { ...entryAt(index), subject: null, rev: 0, content: null };
}

export function causeAt(index: number, records = 1): StoredCause {
  return {
    index,
    records,
    salt: utf8(`cause salt ${index}`),
    document: utf8(`cause ${index}`),
    // Of every other batch.
    signed: index % 2 === 0 ? { salt: utf8(`request salt ${index}`), bytes: utf8(`request ${index}`) } : null,
  };
}

/** One command of three records. */
export function batchAt(size: number): AppendBatch {
  const entries = Array.from({ length: entriesPerBatch }, (_, nth) => entryAt(size + nth, size));
  return { size, entries, causes: [causeAt(size, entriesPerBatch)] };
}
