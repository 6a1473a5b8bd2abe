/**
 * The part of the walk that takes in entries which threads have looked at: what is left to say of them is whether they
 * may follow the entries before.
 */
import { hashLength, type LogRecord, type LogTree } from '@tallystick/core';
import type { CauseCheck } from './cause-check.ts';
import type { ErasureCheck } from './erasure-check.ts';
import type { ModelSteps } from './model-steps.ts';
import type { ReplayCheck } from './replay-check.ts';
import type { FsckCounts } from './report.ts';
import {
  type BlockFacts,
  hasCompanionFlag,
  isErasedFlag,
  isMapRootFlag,
  isPerpetualFlag,
  requestGoneFlag,
  requestHeldFlag,
} from './scan/facts.ts';
import type { SignedRequestCheck } from './signed-request-check.ts';

export interface KnownEntriesParts {
  tree: LogTree;
  /** null checks hashes alone. */
  replay: ReplayCheck | null;
  causes: CauseCheck;
  erasures: ErasureCheck;
  requests: SignedRequestCheck;
  /** null where hashes alone are checked. */
  steps: ModelSteps | null;
  mapRoots: Set<number>;
  counts: FsckCounts;
}

const noCommitment = new Uint8Array(hashLength);

export class KnownEntries {
  readonly #parts: KnownEntriesParts;

  constructor(parts: KnownEntriesParts) {
    this.#parts = parts;
  }

  /** Takes in a block up to its end, or up to the first entry that does not follow: the tree's size tells. */
  async take(facts: BlockFacts): Promise<void> {
    const { tree } = this.#parts;
    const from = tree.size;
    const count = facts.flags.length;
    const signers = signersOf(facts);
    let mapRoots = 0;
    for (let at = 0; at < count; at++) {
      const isMapRoot = facts.flags[at] === isMapRootFlag;
      const taken = isMapRoot
        ? this.#takeMapRoot(facts, at, from + at, facts.mapRoots[mapRoots++])
        : this.#takeRecord(facts, at, from + at, signers(at));
      // Waiting for what is known already would cost more than the checks themselves.
      if (taken === false || (taken !== true && !(await taken))) return;
    }
  }

  #takeMapRoot(
    facts: BlockFacts,
    at: number,
    index: number,
    entry: Uint8Array | undefined,
  ): boolean | Promise<boolean> {
    const { tree, replay, causes, erasures, counts, mapRoots } = this.#parts;
    if (entry === undefined || !causes.isWholeAt(index)) return false;
    const leaf = hashAt(facts.leaves, at);
    const accept = (isTaken: boolean): boolean => {
      if (!isTaken) return false;
      causes.passKnown();
      erasures.endCommand();
      counts.entries += 1;
      counts.mapRoots += 1;
      mapRoots.add(index);
      return true;
    };
    if (replay === null) {
      tree.append(leaf);
      return accept(true);
    }
    const taken = replay.takeKnown({ mapRoot: entry }, leaf);
    return typeof taken === 'boolean' ? accept(taken) : taken.then(accept);
  }

  #takeRecord(
    facts: BlockFacts,
    at: number,
    index: number,
    signers: readonly number[],
  ): boolean | Promise<boolean> {
    const { tree, replay, causes } = this.#parts;
    if (!causes.mayFollow(index, facts.causes[at] as number)) return false;
    const record = recordAt(facts, at);
    const leaf = hashAt(facts.leaves, at);
    if (replay === null) {
      tree.append(leaf);
      return this.#accept(facts, at, index, record, null);
    }
    const before = record.rev === 0 ? null : (replay.state.map.head(record.subject)?.index ?? null);
    const isPerpetual = ((facts.flags[at] as number) & isPerpetualFlag) !== 0;
    if (isPerpetual && !replay.perpetual.isSigned(record.ns, index, signers)) return false;
    const taken = replay.takeKnown({ record, signers }, leaf);
    if (taken === true) return this.#accept(facts, at, index, record, before);
    return taken !== false && taken.then((it) => it && this.#accept(facts, at, index, record, before));
  }

  #accept(facts: BlockFacts, at: number, index: number, record: LogRecord, before: number | null): true {
    const { replay, causes, erasures, requests, steps, counts } = this.#parts;
    const cause = facts.causes[at] as number;
    const flags = facts.flags[at] as number;
    const isErased = (flags & isErasedFlag) !== 0;
    causes.takeKnown(index, cause, facts.causeRecords[at] as number);
    if ((flags & requestHeldFlag) !== 0) requests.begin(index, 'held');
    if ((flags & requestGoneFlag) !== 0) requests.begin(index, 'gone');
    erasures.take(index, record, cause, isErased);
    counts.entries += 1;
    counts.records += 1;
    if (isErased) counts.erased += 1;
    else counts.documents += 1;
    if ((flags & hasCompanionFlag) !== 0) counts.companions += 1;
    if (replay !== null) counts.signed += 1;
    if (before !== null && !isErased) steps?.add({ index, before, type: record.type, isToCheck: true });
    return true;
  }
}

function hashAt(hashes: Uint8Array, at: number): Uint8Array {
  return hashes.subarray(at * hashLength, (at + 1) * hashLength);
}

/** What the rules want to know of a record. Its commitments were compared with what they commit to. */
function recordAt(facts: BlockFacts, at: number): LogRecord {
  const { texts, namespaces, types, instants, revs } = facts;
  const rev = revs[at] as number;
  return {
    ns: texts[namespaces[at] as number] as string,
    type: texts[types[at] as number] as string,
    subject: hashAt(facts.subjects, at),
    rev,
    prev: rev === 0 ? null : hashAt(facts.prevs, at),
    doc: noCommitment,
    cause: noCommitment,
    at: texts[instants[at] as number] as string,
  };
}

/** The keys that have signed an entry, by its place in the block. */
function signersOf({ signers, moreSigners }: BlockFacts): (at: number) => readonly number[] {
  const one = new Map<number, readonly number[]>();
  const more = new Map<number, number[]>();
  for (let pair = 0; pair < moreSigners.length; pair += 2) {
    const at = moreSigners[pair] as number;
    more.set(at, [...(more.get(at) ?? []), moreSigners[pair + 1] as number]);
  }
  return (at) => {
    const first = signers[at] as number;
    if (first < 0) return [];
    let alone = one.get(first);
    if (alone === undefined) {
      alone = [first];
      one.set(first, alone);
    }
    const others = more.get(at);
    return others === undefined ? alone : [first, ...others];
  };
}
