/**
 * What has been decided and is not yet where readers look: revisions in flight, and the names that committed ones
 * took, until the projections have taken those in.
 *
 * Batches are numbered in log order. A failed commit drops its batch and all later ones, as if they
 * had never been decided.
 */
import type { Current } from '@tallystick/license';

export interface OverlaySubject {
  current: Current;
  index: number;
  rev: number;
  /** null until its batch is signed. */
  leaf: Uint8Array | null;
  batch: number;
}

interface OverlayBatch {
  number: number;
  subjects: OverlaySubject[];
  names: Map<string, string | null>;
}

export class Overlay {
  #batches: OverlayBatch[] = [];
  readonly #subjects = new Map<string, OverlaySubject>();
  readonly #names = new Map<string, { id: string | null; batch: number }>();

  get(id: string): OverlaySubject | undefined {
    return this.#subjects.get(id);
  }

  /** The holder of a name: an id, or null for nobody; undefined where the overlay does not know. */
  holderOf(name: string): { id: string | null; batch: number } | undefined {
    return this.#names.get(name);
  }

  /** A batch that waited for others in the middle of its building begins again, unless it was taken back with them. */
  begin(batch: number): void {
    if (this.#batches.at(-1)?.number === batch) return;
    this.#batches.push({ number: batch, subjects: [], names: new Map() });
  }

  /** Adds a revision to the newest batch, with the names it takes (id) and gives up (null). */
  add(
    subject: Omit<OverlaySubject, 'batch' | 'leaf'>,
    names: ReadonlyMap<string, string | null>,
  ): OverlaySubject {
    const batch = this.#batches.at(-1);
    if (batch === undefined) throw new Error('no batch has begun');
    const added: OverlaySubject = { ...subject, leaf: null, batch: batch.number };
    batch.subjects.push(added);
    this.#subjects.set(added.current.document.id, added);
    for (const [name, id] of names) {
      const holder = this.#names.get(name)?.id ?? null;
      if (id === null && holder !== null && holder !== added.current.document.id) continue;
      batch.names.set(name, id);
      this.#names.set(name, { id, batch: batch.number });
    }
    return added;
  }

  /** A batch is durable: its revisions are read from the store from now on. */
  commit(number: number): void {
    const batch = this.#batches.find((each) => each.number === number);
    for (const subject of batch?.subjects.splice(0) ?? []) {
      const { id } = subject.current.document;
      if (this.#subjects.get(id) === subject) this.#subjects.delete(id);
    }
  }

  /** Takes back batch `from` and all after it. */
  dropFrom(from: number): void {
    const kept = this.#batches.filter((batch) => batch.number < from);
    this.#batches = kept;
    this.#subjects.clear();
    this.#names.clear();
    for (const batch of kept) this.#index(batch);
  }

  /** Forgets the names of committed batches up to `to`: the projections know them now. */
  retireUpTo(to: number): void {
    for (const batch of this.#batches) {
      if (batch.number > to) break;
      for (const name of batch.names.keys()) {
        if (this.#names.get(name)?.batch === batch.number) this.#names.delete(name);
      }
    }
    this.#batches = this.#batches.filter((batch) => batch.number > to);
  }

  #index(batch: OverlayBatch): void {
    for (const subject of batch.subjects) this.#subjects.set(subject.current.document.id, subject);
    for (const [name, id] of batch.names) this.#names.set(name, { id, batch: batch.number });
  }
}
