/** What a mirror hands out of one log: what it has cosigned, and nothing beyond. Every entry is checked as it is read. */
import {
  base64,
  decodeUtf8,
  encodeEntryBundle,
  equalBytes,
  formatTlogProof,
  leafHash,
  parseDecimal,
  type TileName,
  tileWidth,
} from '@tallystick/core';
import type { KnownLog } from '../contents/erasures.ts';
import type { ReplayJudge } from '../replayer/replay-judge.ts';
import { eachSubject } from '../replayer/replay-store.ts';
import { trustRootFact, trustStepFact } from '../replayer/trust-root-entry.ts';
import type { PublicDocumentType } from '../replayer/trust-source.ts';
import type { StateFile } from '../state/state-file.ts';
import type { EntryStore } from './entry-store.ts';
import { NotNow } from './not-now.ts';
import type { PublishedWatch } from './published-watch.ts';

export interface MirrorLogParts {
  file: StateFile;
  /** Row id of the log. */
  log: number;
  judge: ReplayJudge;
  store: EntryStore;
  published: PublishedWatch;
  /** Told that entries are not held any more. */
  onLost: () => void;
}

/** What a map proof is shown with: members as in a license file. */
export interface MapProof {
  /** The map root entry that the checkpoint ends in, as text, and its tlog-proof. */
  anchor: { entry: string; proof: string };
  /** Log index of the subject's newest entry; null where it was never logged. */
  index: number | null;
  /** The encoded proof, in base64. */
  map: string;
}

export class MirrorLog {
  readonly #parts: MirrorLogParts;

  constructor(parts: MirrorLogParts) {
    this.#parts = parts;
  }

  /** The newest cosigned checkpoint with the log's signatures and ours; null before the first. */
  checkpoint(): string | null {
    return this.#head.note;
  }

  /** The newest checkpoint that the log has published, with its quorum, as far as it was seen; null before the first. */
  published(): string | null {
    return this.#parts.published.note;
  }

  /** null where the cosigned log has not got it. Throws NotNow where entries of it are missing here. */
  tile({ level, index, width }: TileName): Uint8Array | null {
    const hashLevel = level === 'entries' ? 0 : level;
    const available = Math.floor(this.#head.size / tileWidth ** hashLevel);
    const first = index * tileWidth;
    if (first + width > available) return null;
    if (level !== 'entries') return this.#parts.judge.tree.tile(level, index, width);
    return encodeEntryBundle(this.entries(first, first + width));
  }

  /** Where a subject stands under the newest cosigned checkpoint. Throws NotNow while the next one is judged. */
  mapProof(key: Uint8Array): MapProof | null {
    const { size, note } = this.#head;
    if (size === 0 || note === null) return null;
    const state = this.#parts.judge.atHead();
    if (state === null) throw new NotNow('the next checkpoint is being replayed');
    const [last] = this.entries(size - 1, size);
    const proof = formatTlogProof(size - 1, state.tree.inclusionProof(size - 1, size), note);
    return {
      anchor: { entry: decodeUtf8(last as Uint8Array), proof },
      index: state.map.head(key)?.index ?? null,
      map: base64(state.map.prove(key)),
    };
  }

  /** The exact bytes of a revision; null where this mirror has not got it. */
  publicDocument(ns: string, type: PublicDocumentType, rev: number): Uint8Array | null {
    return this.#fact(`${type}/${ns}/${rev}`);
  }

  /** `{"keys":[{"alg","key"}…]}`: the raw keys of a namespace. */
  keys(ns: string): Uint8Array | null {
    return this.#fact(`keys/${ns}`);
  }

  /** Number of cosigned entries. */
  get size(): number {
    return this.#head.size;
  }

  /**
   * Where a subject stands under the published checkpoint, with its map proof. Throws NotNow where that is not known, and
   * where the subject is newer than it.
   */
  standing(key: Uint8Array): { index: number | undefined; proof: Uint8Array } {
    const { judge, published } = this.#parts;
    const map = published.size === 0 ? null : judge.mapUnder(published.size);
    if (map === null)
      throw new NotNow('the map under the published checkpoint is not known: wait for the next one');
    const index = map.indexOf(key);
    if (index === undefined && judge.isInMap(key)) throw new NotNow('it is not published yet');
    return { index, proof: map.prove(key) };
  }

  /** Throws RangeError beyond what is cosigned. */
  inclusionProof(index: number, size: number): Uint8Array[] {
    return this.#parts.judge.tree.inclusionProof(index, size);
  }

  /**
   * Trust roots after a version that are logged below `size`, each with the published checkpoint that the version before
   * proves it by; null where that was not seen. Throws NotNow where one of them is not known.
   */
  trustRootsAfter(version: number, size: number): { version: number; index: number; note: string | null }[] {
    const found: { version: number; index: number; note: string | null }[] = [];
    for (let next = version + 1; ; next++) {
      const place = this.#fact(trustRootFact(next));
      const index = place === null ? null : parseDecimal(decodeUtf8(place));
      if (index === null || index >= size) break;
      const note = this.#fact(trustStepFact(next));
      found.push({ version: next, index, note: note === null ? null : decodeUtf8(note) });
    }
    return found;
  }

  /** What of the log is needed to tell what is erased. */
  known(): KnownLog {
    const { judge } = this.#parts;
    let read: { start: number; entries: Uint8Array[] } = { start: 0, entries: [] };
    return {
      typeAt: (index) => judge.typeAt(index),
      entries: (from, to) => {
        const end = read.start + read.entries.length;
        if (to - from > 1) return this.entries(from, to);
        // One by one, and then mostly the next one: a tile is read at once.
        if (from < read.start || from >= end) {
          const start = Math.floor(from / tileWidth) * tileWidth;
          const until = Math.min(start + tileWidth, this.size);
          read = { start, entries: this.entries(start, until) };
        }
        return read.entries.slice(from - read.start, to - read.start);
      },
      eachRecord: (to, each) => eachSubject(this.#parts.file, this.#parts.log, to, each),
    };
  }

  get #head(): ReturnType<StateFile['head']> {
    return this.#parts.file.head(this.#parts.log);
  }

  /** Entries `from` up to `to`, each compared with its leaf. Throws NotNow where they are not all here. */
  entries(from: number, to: number): Uint8Array[] {
    const { store, judge, onLost } = this.#parts;
    const isHeld = store.endFrom(from) >= to;
    const entries = isHeld ? store.read(from, to) : null;
    const isRight = entries?.every((entry, at) => equalBytes(leafHash(entry), judge.tree.leaf(from + at)));
    if (entries !== null && isRight === true) return entries;
    // What the disk has changed is worth nothing: it is fetched again.
    if (isHeld) store.drop(from, to);
    onLost();
    throw new NotNow(`not all entries from ${from} to ${to - 1} are here: they are being fetched`);
  }

  #fact(name: string): Uint8Array | null {
    const row = this.#parts.file.database
      .prepare('SELECT value FROM facts WHERE log = ? AND name = ?')
      .get(this.#parts.log, name);
    return row === undefined ? null : (row.value as Uint8Array);
  }
}
