/** Collects the facts of a block, column by column. */
import { hashLength, type LogRecord } from '@tallystick/core';
import {
  type BlockFacts,
  hasCompanionFlag,
  isErasedFlag,
  isMapRootFlag,
  isPerpetualFlag,
  requestGoneFlag,
  requestHeldFlag,
} from './facts.ts';
import type { KeyedName } from './projected-rows.ts';
import type { SumState } from './row-sum.ts';

export class BlockBuilder {
  readonly #facts: Omit<BlockFacts, 'rows' | 'keyed'>;
  readonly #places = new Map<string, number>();

  constructor(count: number) {
    this.#facts = {
      leaves: new Uint8Array(count * hashLength),
      subjects: new Uint8Array(count * hashLength),
      prevs: new Uint8Array(count * hashLength),
      revs: new Float64Array(count),
      causes: new Float64Array(count),
      causeRecords: new Float64Array(count),
      flags: new Uint8Array(count),
      namespaces: new Uint16Array(count),
      types: new Uint16Array(count),
      instants: new Uint16Array(count),
      texts: [],
      signers: new Int16Array(count).fill(-1),
      moreSigners: [],
      mapRoots: [],
    };
  }

  mapRoot(at: number, leaf: Uint8Array, entry: Uint8Array): void {
    this.#facts.leaves.set(leaf, at * hashLength);
    this.#facts.flags[at] = isMapRootFlag;
    this.#facts.mapRoots.push(entry);
  }

  record(
    at: number,
    leaf: Uint8Array,
    record: LogRecord,
    cause: { index: number; records: number },
    content: { isErased: boolean; hasCompanion: boolean },
  ): void {
    const facts = this.#facts;
    facts.leaves.set(leaf, at * hashLength);
    facts.subjects.set(record.subject, at * hashLength);
    if (record.prev !== null) facts.prevs.set(record.prev, at * hashLength);
    facts.revs[at] = record.rev;
    facts.causes[at] = cause.index;
    facts.causeRecords[at] = cause.records;
    facts.flags[at] = (content.isErased ? isErasedFlag : 0) | (content.hasCompanion ? hasCompanionFlag : 0);
    facts.namespaces[at] = this.#place(record.ns);
    facts.types[at] = this.#place(record.type);
    facts.instants[at] = this.#place(record.at);
  }

  /** Says that an entry is of a perpetual license. */
  perpetual(at: number): void {
    this.#facts.flags[at] = (this.#facts.flags[at] ?? 0) | isPerpetualFlag;
  }

  /** Says that the command that begins with an entry was signed for. */
  request(at: number, isHeld: boolean): void {
    this.#facts.flags[at] = (this.#facts.flags[at] ?? 0) | (isHeld ? requestHeldFlag : requestGoneFlag);
  }

  /** Says that the key at this place of the list has signed an entry. */
  signedBy(at: number, key: number): void {
    if (this.#facts.signers[at] === -1) this.#facts.signers[at] = key;
    else this.#facts.moreSigners.push(at, key);
  }

  build(rows: SumState, keyed: KeyedName[]): BlockFacts {
    return { ...this.#facts, rows, keyed };
  }

  #place(text: string): number {
    const known = this.#places.get(text);
    if (known !== undefined) return known;
    const place = this.#facts.texts.push(text) - 1;
    this.#places.set(text, place);
    return place;
  }
}

/** The arrays that need not be copied on their way to another thread. */
export function buffersOf(facts: BlockFacts): ArrayBuffer[] {
  const { leaves, subjects, prevs, revs, causes, causeRecords, flags } = facts;
  const { namespaces, types, instants, signers } = facts;
  const columns = [leaves, subjects, prevs, revs, causes, causeRecords, flags];
  return [...columns, namespaces, types, instants, signers].map(({ buffer }) => buffer as ArrayBuffer);
}
