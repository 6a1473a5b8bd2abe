/** Published checkpoints, every one that is stored: the log's signatures, the quorum, and the root at its size. */
import {
  equalBytes,
  IntegrityError,
  type LogTree,
  messageOf,
  parseSignedCheckpoint,
  type SignedCheckpoint,
  type TrustRoot,
  utf8,
  verifyLogSignatures,
  verifyQuorum,
} from '@tallystick/core';
import type { Store, StoredCheckpoint } from '@tallystick/ledger';
import type { GoverningTrust } from './replay-check.ts';
import {
  type FsckCounts,
  type FsckProblem,
  mismatch,
  type OnProgress,
  type Problems,
  problemAt,
} from './report.ts';

export interface CheckpointParts {
  store: Store;
  /** The whole log that is checked. */
  tree: LogTree;
  mapRoots: ReadonlySet<number>;
  /** The log's trust roots, in order; null checks roots alone. */
  trusts: readonly GoverningTrust[] | null;
  counts: FsckCounts;
  onProgress: OnProgress;
}

/** Checks all checkpoints of at most `size` entries, the newest first; the smallest that fails is the first problem. */
export async function checkCheckpoints(
  parts: CheckpointParts,
  size: number,
  problems: Problems,
): Promise<void> {
  const found: FsckProblem[] = [];
  for (let saved = await parts.store.checkpoint(size); saved !== undefined; ) {
    const problem = await checkOne(parts, saved);
    if (problem !== null) found.unshift(problem);
    parts.counts.checkpoints += 1;
    parts.onProgress({ step: 'checkpoints', done: size - saved.size, total: size });
    saved = saved.size === 0 ? undefined : await parts.store.checkpoint(saved.size - 1);
  }
  problems.add(...found);
}

async function checkOne(parts: CheckpointParts, saved: StoredCheckpoint): Promise<FsckProblem | null> {
  const { size } = saved;
  let checkpoint: SignedCheckpoint;
  try {
    checkpoint = parseSignedCheckpoint(utf8(saved.note));
  } catch (error) {
    return problemAt(size, 'checkpoints', 'note', `it cannot be read: ${messageOf(error)}`);
  }
  if (checkpoint.size !== size) {
    const compared = { expected: String(checkpoint.size), found: String(size) };
    return problemAt(size, 'checkpoints', 'size', 'it is filed under another size', compared);
  }
  const root = parts.tree.root(size);
  if (!equalBytes(checkpoint.root, root)) {
    const message = 'the entries before it do not have the root that it says';
    return mismatch(size, 'checkpoints', 'root', message, checkpoint.root, root);
  }
  if (size > 0 && !parts.mapRoots.has(size - 1)) {
    return problemAt(size, 'checkpoints', 'last-leaf', 'the entry before it is not a map root');
  }
  return parts.trusts === null ? null : checkSignatures(checkpoint, governing(parts.trusts, size));
}

/** The trust root that governs checkpoints of a size. */
function governing(trusts: readonly GoverningTrust[], size: number): TrustRoot | null {
  return trusts.findLast(({ index }) => index < size)?.trust ?? trusts[0]?.trust ?? null;
}

async function checkSignatures(
  checkpoint: SignedCheckpoint,
  trust: TrustRoot | null,
): Promise<FsckProblem | null> {
  const { size } = checkpoint;
  if (trust === null)
    return problemAt(size, 'checkpoints', 'signature', 'no trust root of the log governs it');
  const checks: readonly [string, () => Promise<unknown>][] = [
    ['signature', () => verifyLogSignatures(checkpoint, trust.log.vkeys)],
    ['quorum', () => verifyQuorum(checkpoint, trust.quorum)],
  ];
  for (const [part, check] of checks) {
    try {
      await check();
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      return problemAt(size, 'checkpoints', part, error.message);
    }
  }
  return null;
}
