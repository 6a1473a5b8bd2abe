/** Whether evidence proves what it says, judged by the trust root alone. */
import {
  base64,
  cosignatureTimes,
  decodeBase64,
  documentCommitment,
  equalBytes,
  hashLength,
  IntegrityError,
  isQuorum,
  type LogRecord,
  LogTree,
  leafHash,
  noteSignatureType,
  type Policy,
  type PublicKey,
  parseInstant,
  parseRecordEntry,
  parseSignedCheckpoint,
  quorumTime,
  type SignedCheckpoint,
  subjectTypeOf,
  type TrustRoot,
  utf8,
  verifyConsistency,
  verifyInclusion,
  verifyLogSignatures,
  verifyPromise,
  zeroSalt,
} from '@tallystick/core';
import type { TrustSource } from '../replayer/trust-source.ts';
import {
  type BrokenPromise,
  type BrokenRule,
  type Evidence,
  type NotAPrefix,
  parseEvidence,
  type RolledBack,
  type SameSize,
} from './evidence.ts';
import { firstViolation } from './replay-entries.ts';

/** Seconds: the end of the years that instants have. */
const farFuture = Date.UTC(9999, 11, 31) / 1000;

/** How much later the smaller of two checkpoints has to be, as for clients that remember. */
const rolledBackSeconds = 3600;

/** A checkpoint in a file, as a reader wants to know of it. */
export interface ShownCheckpoint {
  size: number;
  root: Uint8Array;
  /** When each cosigner says that it cosigned, in seconds, by its name in the policy. */
  cosigned: ReadonlyMap<string, number>;
}

export interface ProvenEvidence {
  evidence: Evidence;
  /** What is proven, as sentences. */
  proves: string[];
  checkpoints: ShownCheckpoint[];
  /** Cosigners that signed both of two histories: they are at fault themselves, or their memory was reset. */
  signedBoth: string[];
}

interface Shown extends SignedCheckpoint, ShownCheckpoint {
  /** The newest time by which a quorum vouches that it was cosigned no earlier, in seconds. */
  notBefore: number | undefined;
  /** The oldest time by which a quorum had cosigned it. */
  notAfter: number | undefined;
}

/**
 * Checks a file against the versions of a trust root. Throws IntegrityError where it proves nothing: MALFORMED,
 * LOG_SIGNATURE_INVALID, NOT_LOGGED, or ALTERED where what it holds does not contradict itself.
 */
export async function verifyEvidence(
  bytes: Uint8Array,
  versions: readonly TrustRoot[],
): Promise<ProvenEvidence> {
  const evidence = await parseEvidence(bytes);
  const [first] = versions;
  if (first === undefined || first.log.origin !== evidence.origin)
    throw new IntegrityError('LOG_SIGNATURE_INVALID', `the trust root is not of the log ${evidence.origin}`);
  const proven = (proves: string[], ...checkpoints: Shown[]): ProvenEvidence => {
    return { evidence, proves, checkpoints, signedBoth: signersOfAll(checkpoints) };
  };
  const show = (note: string): Promise<Shown> => showCheckpoint(note, versions);
  const { found } = evidence;
  switch (found.kind) {
    case 'same-size':
      return proven(...(await proveSameSize(found, show)));
    case 'not-a-prefix':
      return proven(...(await proveNotAPrefix(found, show)));
    case 'rolled-back':
      return proven(...(await proveRolledBack(found, show)));
    case 'broken-promise':
      return proven(...(await proveBrokenPromise(found, versions, show)));
    case 'broken-rule':
      return proven(...(await proveBrokenRule(found, first.genesis, show)));
  }
}

type Show = (note: string) => Promise<Shown>;
type Proof = [proves: string[], ...checkpoints: Shown[]];

/** Signed by the log under the newest version of its trust root that can be; that version's cosigners count. */
async function showCheckpoint(note: string, versions: readonly TrustRoot[]): Promise<Shown> {
  const checkpoint = parseSignedCheckpoint(utf8(note));
  let refusal: unknown = null;
  for (const { log, quorum } of versions.toReversed()) {
    try {
      if (checkpoint.origin !== log.origin)
        throw new IntegrityError('LOG_SIGNATURE_INVALID', 'a checkpoint of another log');
      await verifyLogSignatures(checkpoint, log.vkeys);
      const cosigned = await cosignatureTimes(checkpoint, quorum);
      const notBefore = quorumTime(quorum, cosigned);
      return { ...checkpoint, cosigned, notBefore, notAfter: quorumTimeBy(quorum, cosigned) };
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      refusal ??= error;
    }
  }
  throw refusal;
}

async function proveSameSize({ a, b }: SameSize, show: Show): Promise<Proof> {
  const [one, other] = [await show(a), await show(b)];
  if (one.size !== other.size || equalBytes(one.root, other.root))
    throw disproven('the two checkpoints do not contradict each other');
  return [[`The log signed two different trees of ${one.size} entries.`], one, other];
}

async function proveNotAPrefix(found: NotAPrefix, show: Show): Promise<Proof> {
  const [smaller, larger] = [await show(found.smaller), await show(found.larger)];
  if (smaller.size < 1 || smaller.size >= larger.size || equalBytes(found.root, smaller.root))
    throw disproven('the two checkpoints do not contradict each other');
  // It holds for one root alone, and that is not the one that the log signed.
  verifyConsistency(smaller.size, found.root, larger.size, larger.root, found.proof);
  const proves =
    `The log signed a tree of ${smaller.size} entries, and one of ${larger.size} entries whose first ` +
    `${smaller.size} are others.`;
  return [[proves], smaller, larger];
}

async function proveRolledBack(found: RolledBack, show: Show): Promise<Proof> {
  const [larger, smaller] = [await show(found.larger), await show(found.smaller)];
  // Quorums on both sides: one cosigner with a wrong clock accuses nobody.
  const before = larger.notAfter ?? Number.POSITIVE_INFINITY;
  const after = smaller.notBefore ?? Number.NEGATIVE_INFINITY;
  if (smaller.size >= larger.size || !(after - before > rolledBackSeconds))
    throw disproven('no quorum cosigned the smaller checkpoint more than an hour after one had the larger');
  const proves =
    `A quorum had cosigned a tree of ${larger.size} entries by ${instantOf(before)}, and one cosigned a tree of ` +
    `${smaller.size} at ${instantOf(after)}: the log was rolled back. This rests on the clocks of those cosigners.`;
  return [[proves], larger, smaller];
}

async function proveBrokenPromise(
  found: BrokenPromise,
  versions: readonly TrustRoot[],
  show: Show,
): Promise<Proof> {
  const { promise, note, leaf, path } = found;
  const checkpoint = await show(note);
  const { publishBy } = await verifyPromise(promise, checkpoint.origin, promiseKeys(versions));
  const promised = `The log promised an entry at index ${promise.index} by ${publishBy}`;
  if (leaf !== null) {
    verifyInclusion(leaf, promise.index, checkpoint.size, path, checkpoint.root);
    if (equalBytes(leaf, decodeBase64(promise.leaf, hashLength)))
      throw disproven('the promise was kept: the entry is where it was promised');
    return [[`${promised}, and has another one there.`], checkpoint];
  }
  const asOf = checkpoint.notBefore;
  if (checkpoint.size > promise.index || asOf === undefined || asOf * 1000 < parseInstant(publishBy))
    throw disproven('the checkpoint does not show that the promise was broken');
  const proves = `${promised}, and had ${checkpoint.size} entries at ${instantOf(asOf)}.`;
  return [[proves], checkpoint];
}

async function proveBrokenRule(found: BrokenRule, genesis: Uint8Array, show: Show): Promise<Proof> {
  const checkpoint = await show(found.note);
  const { entries, index, rule, proof, documents, keys } = found;
  if (entries.length !== index + 1) throw disproven('entries are missing');
  const tree = new LogTree();
  for (const entry of entries) tree.append(leafHash(entry));
  verifyConsistency(tree.size, tree.root(), checkpoint.size, checkpoint.root, proof);
  checkDocuments(found);
  const source: TrustSource = {
    publicDocument: async (ns, type, rev) =>
      documents.find((each) => each.ns === ns && each.type === type && each.rev === rev)?.document ?? null,
    keys: async (ns) => [...(keys.find((each) => each.ns === ns)?.keys ?? [])],
  };
  const violation = await replay(entries, source, {
    genesis,
    // The log had signed it by then. The file's own word on the time would make every record one of the future.
    nowSeconds: checkpoint.notAfter ?? farFuture,
    endsCheckpoint: tree.size === checkpoint.size,
  });
  if (violation === null || violation.rule !== rule || violation.index !== index)
    throw disproven(`replaying the entries shows no breach of ${rule} at index ${index}`);
  // What this version cannot read is not the log's fault.
  if (violation.cause instanceof IntegrityError && violation.cause.code === 'TOO_NEW') throw violation.cause;
  const proves = `The log signed a tree whose entry ${index} breaks the rule ${rule}: ${violation.detail}.`;
  return [[proves], checkpoint];
}

/** Throws where a document is not one that some record commits to: a swapped one says nothing about the log. */
function checkDocuments({ entries, documents }: BrokenRule): void {
  const committed = new Set<string>();
  for (const entry of entries) {
    const record = recordOf(entry);
    if (record !== null)
      committed.add(`${record.ns} ${subjectTypeOf(record.type)} ${record.rev} ${base64(record.doc)}`);
  }
  for (const { ns, type, rev, document } of documents) {
    const commitment = base64(documentCommitment(zeroSalt, document));
    if (!committed.has(`${ns} ${type} ${rev} ${commitment}`))
      throw disproven(`revision ${rev} of the ${type} of ${ns} is not the one that was logged`);
  }
}

/** null for what is no record; what is wrong with an entry is for the replay to say. */
function recordOf(entry: Uint8Array): LogRecord | null {
  try {
    return parseRecordEntry(entry).record;
  } catch (error) {
    if (error instanceof IntegrityError) return null;
    throw error;
  }
}

/** What the file lacks is the file's fault, and proves nothing. */
async function replay(...given: Parameters<typeof firstViolation>): ReturnType<typeof firstViolation> {
  try {
    return await firstViolation(...given);
  } catch (error) {
    if (error instanceof IntegrityError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new IntegrityError('ALTERED', `the entries cannot be replayed: ${why}`, { cause: error });
  }
}

/** Promises are signed by the log's Ed25519 keys. */
export function promiseKeys(versions: readonly TrustRoot[]): PublicKey[] {
  return versions
    .flatMap(({ log }) => log.vkeys)
    .filter(({ type }) => type === noteSignatureType.ed25519)
    .map(({ key }): PublicKey => ({ alg: 'ed25519', key }));
}

/** The smallest time such that the cosigners that had signed by then satisfy the policy. */
function quorumTimeBy(policy: Policy, times: ReadonlyMap<string, number>): number | undefined {
  return [...new Set(times.values())]
    .sort((a, b) => a - b)
    .find((time) => {
      const present = [...times].filter(([, seconds]) => seconds <= time).map(([name]) => name);
      return isQuorum(policy, new Set(present));
    });
}

function signersOfAll(checkpoints: readonly ShownCheckpoint[]): string[] {
  const [first, ...others] = checkpoints;
  if (first === undefined || others.length === 0) return [];
  return [...first.cosigned.keys()].filter((name) => others.every(({ cosigned }) => cosigned.has(name)));
}

function instantOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

function disproven(message: string): IntegrityError {
  return new IntegrityError('ALTERED', message);
}
