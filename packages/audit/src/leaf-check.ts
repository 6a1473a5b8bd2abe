/** Entry bytes against the leaf hashes kept beside them, and, where they differ, which of the two was changed. */
import {
  equalBytes,
  hashLength,
  type LogTree,
  leafHash,
  parseSignedCheckpoint,
  utf8,
} from '@tallystick/core';
import type { Store, StoredEntry } from '@tallystick/ledger';
import { entriesFrom } from './entries-from.ts';
import { type FsckProblem, mismatch } from './report.ts';

const rowsPerRead = 1000;

export interface LeafVerdict {
  problem: FsckProblem;
  /** The leaf hash to go on with: the published one where that is known. */
  leaf: Uint8Array;
}

/**
 * Judges a stored entry whose bytes do not have the leaf hash stored beside them, by the next published checkpoint.
 * `tree` holds the entries before; it is as it was on return.
 */
export async function judgeLeaf(
  store: Store,
  tree: LogTree,
  { index, leaf, entry }: StoredEntry,
  size: number,
): Promise<LeafVerdict> {
  const found = leafHash(entry);
  if (leaf.length !== hashLength) {
    const message = 'the leaf hash has another length than hashes have';
    return { problem: mismatch(index, 'leaves', 'leaf', message, found, leaf), leaf: found };
  }
  const checkpoint = await nextCheckpoint(store, index, size);
  if (checkpoint !== null && (await hasRoot(tree, checkpoint, leavesFrom(store, index, checkpoint.size)))) {
    const message = 'the entry is not the one that was published';
    return { problem: mismatch(index, 'entries', 'entry', message, leaf, found), leaf };
  }
  if (checkpoint !== null && (await hasRoot(tree, checkpoint, hashesFrom(store, index, checkpoint.size)))) {
    const message = 'the leaf hash is not that of the entry that was published';
    return { problem: mismatch(index, 'leaves', 'leaf', message, found, leaf), leaf: found };
  }
  const message =
    'the entry and its leaf hash do not fit each other, and no checkpoint tells which was changed';
  return { problem: mismatch(index, 'entries', 'entry', message, leaf, found), leaf };
}

interface Root {
  size: number;
  root: Uint8Array;
}

/** The smallest checkpoint that covers an index; null where there is none that can be read. */
async function nextCheckpoint(store: Store, index: number, size: number): Promise<Root | null> {
  let next: Root | null = null;
  let saved = await store.checkpoint(size);
  while (saved !== undefined && saved.size > index) {
    next = readRoot(saved.note) ?? next;
    saved = await store.checkpoint(saved.size - 1);
  }
  return next;
}

function readRoot(note: string): Root | null {
  try {
    const { size, root } = parseSignedCheckpoint(utf8(note));
    return { size, root };
  } catch {
    // Checkpoints are judged at their own place; one that cannot be read tells nothing here.
    return null;
  }
}

async function hasRoot(
  tree: LogTree,
  { size, root }: Root,
  leaves: AsyncIterable<Uint8Array>,
): Promise<boolean> {
  const before = tree.size;
  for await (const leaf of leaves) {
    // Later rows may be damaged as well; the tree takes in hashes alone, and then this is no such root.
    if (leaf.length !== hashLength) break;
    tree.append(leaf);
  }
  const fits = tree.size === size && equalBytes(tree.root(size), root);
  tree.truncate(before);
  return fits;
}

async function* leavesFrom(store: Store, from: number, to: number): AsyncGenerator<Uint8Array> {
  for (let at = from; at < to; at += rowsPerRead) {
    for (const { leaf } of await store.leaves(at, Math.min(rowsPerRead, to - at))) yield leaf;
  }
}

async function* hashesFrom(store: Store, from: number, to: number): AsyncGenerator<Uint8Array> {
  for await (const { entry } of entriesFrom(store, from, to)) yield leafHash(entry);
}
