import {
  equalBytes,
  LogTree,
  leafHash,
  parseRecordEntry,
  parseSignedCheckpoint,
  type SignedCheckpoint,
  subjectKey,
  type TrustRoot,
  utf8,
  verifyLogSignatures,
  verifyQuorum,
  witnessPolicy,
} from '@tallystick/core';
import type { Store, StoredLeaf } from '@tallystick/ledger';
import type { PolicyDocument } from '@tallystick/license';
import { openDocument } from './decisions/logged-commands.ts';

const rowsPerRead = 10_000;

/**
 * The newest published policy of a log; null where it has none. It is in the tree that the log's newest checkpoint is over, whose
 * signatures hold: whoever can write the rows of the log alone makes no other one. Throws Error, in a sentence without its
 * period, where it is not.
 *
 * @param chain every version of the trust root, from 1 up
 */
export async function newestPolicy(
  store: Store,
  { genesis, ns, chain }: { genesis: Uint8Array; ns: string; chain: readonly TrustRoot[] },
): Promise<PolicyDocument | null> {
  const saved = await store.checkpoint();
  if (saved === undefined) return null;
  const checkpoint = parseSignedCheckpoint(utf8(saved.note));
  await checkSignatures(checkpoint, chain);
  const key = subjectKey(genesis, ns, 'policies');
  const tree = new LogTree();
  let newest: StoredLeaf | undefined;
  while (tree.size < checkpoint.size) {
    const rows = await store.leaves(tree.size, Math.min(rowsPerRead, checkpoint.size - tree.size));
    if (rows.length === 0) throw new Error(`the main log has no entry ${tree.size}, and it was published`);
    for (const { leaf } of rows) tree.append(leaf);
    newest = rows.findLast(({ subject }) => subject !== null && equalBytes(subject, key)) ?? newest;
  }
  if (!equalBytes(tree.root(checkpoint.size), checkpoint.root))
    throw new Error('the main log is not the one that was published');
  return newest === undefined ? null : policyAt(store, newest, key);
}

async function policyAt(
  store: Store,
  { index, leaf }: StoredLeaf,
  key: Uint8Array,
): Promise<PolicyDocument | null> {
  const stored = await store.entry(index);
  if (stored === undefined || !equalBytes(leafHash(stored.entry), leaf))
    throw new Error(`entry ${index} of the main log is not the one that was published`);
  const { record } = parseRecordEntry(stored.entry);
  const document = openDocument(stored.content, record);
  if (!equalBytes(record.subject, key) || document?.type !== 'policy')
    throw new Error(`entry ${index} of the main log is not the policy that it is filed as`);
  return document;
}

/** Under one of the versions: which of them governs is for `fsck`. */
async function checkSignatures(checkpoint: SignedCheckpoint, chain: readonly TrustRoot[]): Promise<void> {
  let failure: unknown = new Error('there is no trust root');
  for (const { log, quorum } of chain.toReversed()) {
    try {
      await verifyLogSignatures(checkpoint, log.vkeys);
      await verifyQuorum(checkpoint, witnessPolicy(quorum));
      return;
    } catch (error) {
      failure = error;
    }
  }
  const why = failure instanceof Error ? failure.message : String(failure);
  throw new Error(`the newest checkpoint of the main log: ${why}`, { cause: failure });
}
