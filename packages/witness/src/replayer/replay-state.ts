/**
 * Everything that a replayer knows of a log: its tree, its map, and the documents that govern the next entry.
 *
 * It stands at `size` entries, all of them judged. That may be more than the last cosigned size: entries that
 * were judged for a checkpoint that then failed need not be judged again. What is beyond the cosigned size lives in
 * memory alone, in `rows` and `facts`, until it is committed together with the cosigned head.
 */
import {
  type BrakeDocument,
  equalBytes,
  LogTree,
  type NamespaceDocument,
  SubjectMap,
  subjectKey,
  type TrustRoot,
} from '@tallystick/core';
import type { KeyRing } from './key-ring.ts';
import { type SegmentRow, SegmentRows } from './segment-rows.ts';

export interface NamespaceState {
  document: NamespaceDocument;
  /** null between the namespace's first record and the brake's. */
  brake: BrakeDocument | null;
  ring: KeyRing;
}

/** K of the two subjects whose ids everybody knows. */
export interface SingletonKeys {
  namespace: Uint8Array;
  brake: Uint8Array;
}

export class ReplayState {
  readonly tree: LogTree = new LogTree();
  readonly map: SubjectMap;
  readonly kinds: SubjectKinds = new SubjectKinds();
  /** The governing trust root; null before leaf 0. */
  trust: TrustRoot | null = null;
  readonly namespaces: Map<string, NamespaceState> = new Map();
  /** By namespace of the governing trust root. */
  readonly singletons: Map<string, SingletonKeys> = new Map();
  /** Namespaces that have to be signed by their new authority before anything else happens. */
  readonly resign: Set<string> = new Set();
  /** True until every namespace of trust root version 1 has its namespace and its brake. */
  isBootstrapping = true;
  /** `at` of the newest entry that has one. */
  lastAt = '';
  lastIsMapRoot = false;
  /** Entries not persisted yet. */
  readonly rows: SegmentRows = new SegmentRows();
  /** Named values not persisted yet. */
  readonly facts: Map<string, Uint8Array> = new Map();

  /** @param mapsFrom the smallest size for which maps of the past are told; default none */
  constructor(mapsFrom: number = Number.POSITIVE_INFINITY) {
    this.map = new SubjectMap(mapsFrom);
  }

  /** Number of entries judged. */
  get size(): number {
    return this.tree.size;
  }

  /** Takes in the next entry, which was judged. */
  append(row: SegmentRow): void {
    this.take(row);
    this.rows.append(row);
    this.lastIsMapRoot = false;
  }

  /** As `append`, for a row that is persisted already. */
  take(row: SegmentRow): void {
    const index = this.tree.size;
    this.tree.append(row.leaf);
    this.kinds.set(index, row.kind);
    if (row.subject !== null) this.map.set({ key: row.subject, index, leaf: row.leaf, rev: row.rev });
  }

  governBy(trust: TrustRoot): void {
    this.trust = trust;
    for (const ns of trust.namespaces.keys()) {
      this.singletons.set(ns, {
        namespace: subjectKey(trust.genesis, ns, 'namespace'),
        brake: subjectKey(trust.genesis, ns, 'brake'),
      });
    }
  }

  /** The singleton that a subject key belongs to, of any namespace. */
  singletonOf(subject: Uint8Array): { ns: string; type: 'namespace' | 'brake' } | null {
    for (const [ns, keys] of this.singletons) {
      if (equalBytes(keys.namespace, subject)) return { ns, type: 'namespace' };
      if (equalBytes(keys.brake, subject)) return { ns, type: 'brake' };
    }
    return null;
  }

  /** True where every namespace that the trust root names has its namespace and its brake. */
  isComplete(): boolean {
    return [...(this.trust?.namespaces.keys() ?? [])].every(
      (ns) => (this.namespaces.get(ns)?.brake ?? null) !== null,
    );
  }
}

const kindsMax = 65_535;

/** Which namespace and type of subject each entry is about, as small numbers; 0 is "no record". */
export class SubjectKinds {
  readonly names: string[] = [''];
  readonly #numbers = new Map<string, number>();
  #byIndex = new Uint16Array(1024);

  /** The number of `<ns> <subject type>`, a new one where it is new. */
  number(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const next = this.names.length;
    if (next > kindsMax) throw new RangeError('too many kinds of subjects');
    this.names.push(name);
    this.#numbers.set(name, next);
    return next;
  }

  at(index: number): number {
    return this.#byIndex[index] ?? 0;
  }

  set(index: number, kind: number): void {
    if (index >= this.#byIndex.length) {
      const larger = new Uint16Array(Math.max(index + 1, this.#byIndex.length * 2));
      larger.set(this.#byIndex);
      this.#byIndex = larger;
    }
    this.#byIndex[index] = kind;
  }
}
