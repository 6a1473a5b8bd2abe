/** Whether a log kept what it promised. */
import {
  base64,
  decodeBase64,
  IntegrityError,
  type KeptPromise,
  type LogTree,
  parseEnvelope,
  parseInstant,
  parsePromise,
  payloadTypes,
  quorumTime,
  type TrustRoot,
  verifyPromise,
} from '@tallystick/core';
import type { BrokenPromise } from './evidence.ts';
import type { Head } from './heads.ts';
import type { Tip } from './monitor-state.ts';
import type { PromiseFile } from './promise-files.ts';
import { promiseKeys } from './verify-evidence.ts';

/** What a promise is held against. */
export interface SeenLog {
  versions: readonly TrustRoot[];
  tip: Tip | null;
  /** The tree under the tip. */
  tree: LogTree;
  /** Checkpoints of this round, whether or not they fit. */
  heads: readonly Head[];
  nowSeconds: number;
}

/** `subject` is a file that holds no promise of anybody, or the index of a promise that was broken. */
export type PromiseProblem = { subject: string; message: string } & (
  | { isNone: true }
  /** null where nothing proves it yet. */
  | { found: BrokenPromise | null }
);

/** What is wrong with these promises; those of other logs, and those that are not due, are passed over. */
export async function checkPromises(files: readonly PromiseFile[], seen: SeenLog): Promise<PromiseProblem[]> {
  const problems: PromiseProblem[] = [];
  for (const { file, promises, problem } of files) {
    if (problem !== null)
      problems.push({ subject: file, message: `${file} cannot be read: ${problem}`, isNone: true });
    for (const promise of promises) {
      const broken = await checkPromise(file, promise, seen);
      if (broken !== null) problems.push(broken);
    }
  }
  return problems;
}

async function checkPromise(
  file: string,
  promise: KeptPromise,
  seen: SeenLog,
): Promise<PromiseProblem | null> {
  const { versions, tip, tree, heads, nowSeconds } = seen;
  const publishBy = await dueTime(promise, versions);
  // Where several logs are watched, it is another one's.
  if (publishBy === null) return null;
  if (publishBy instanceof IntegrityError)
    return { subject: file, message: `${file}: ${publishBy.message}`, isNone: true };
  const { index } = promise;
  const subject = `${index}`;
  if (tip !== null && index < tip.size) {
    const leaf = tree.leaf(index);
    if (base64(leaf) === promise.leaf) return null;
    const path = tree.inclusionProof(index, tip.size);
    const found: BrokenPromise = { kind: 'broken-promise', promise, note: tip.note, leaf, path };
    return { subject, message: `another entry is at the promised index ${index} (${file})`, found };
  }
  if (nowSeconds <= publishBy) return null;
  const late = heads.find(({ size, cosigned }) => size <= index && isAsOf(cosigned, publishBy, versions));
  const found: BrokenPromise | null =
    late === undefined ? null : { kind: 'broken-promise', promise, note: late.text, leaf: null, path: [] };
  return { subject, message: `the entry that was promised for index ${index} is not there (${file})`, found };
}

/** In seconds; null for a promise of another log; or why it is none. */
async function dueTime(
  promise: KeptPromise,
  versions: readonly TrustRoot[],
): Promise<number | null | IntegrityError> {
  const origin = versions[0]?.log.origin ?? '';
  try {
    const envelope = parseEnvelope(decodeBase64(promise.envelope), payloadTypes.promise);
    if (parsePromise(envelope.payload).origin !== origin) return null;
    return parseInstant((await verifyPromise(promise, origin, promiseKeys(versions))).publishBy) / 1000;
  } catch (error) {
    if (error instanceof IntegrityError) return error;
    throw error;
  }
}

/** Whether a quorum stands behind a checkpoint as of a time, in seconds. */
function isAsOf(
  cosigned: ReadonlyMap<string, number>,
  seconds: number,
  versions: readonly TrustRoot[],
): boolean {
  const newest = versions.at(-1);
  return newest !== undefined && (quorumTime(newest.quorum, cosigned) ?? 0) >= seconds;
}
