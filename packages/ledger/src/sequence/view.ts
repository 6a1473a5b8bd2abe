/**
 * The snapshot that commands are decided on: committed state with everything in flight on top.
 *
 * `decide` reads synchronously. What is not in memory yet is reported by throwing Missing; the sequencer loads it
 * and decides again.
 */
import type { CredentialKind, Current, DocumentOf, SubjectType, View } from '@tallystick/license';
import { codeName, credentialName, type IndexLicenseKey, licenseKeyName, referenceName } from '../names.ts';
import type { Projections } from '../projections/projections.ts';
import { type RevisionReader, unread } from '../read/revision-reader.ts';
import type { Overlay } from './overlay.ts';

/** Something that must be loaded before a decision can be made. Not a failure: it never leaves the builder. */
export class Missing extends Error {
  override readonly name = 'Missing';
  readonly what: { subject: string } | 'settled projections';

  constructor(what: Missing['what']) {
    super('must be loaded first');
    this.what = what;
  }
}

export interface ViewSources {
  overlay: Overlay;
  projections: Projections;
  reader: RevisionReader;
  indexKey: IndexLicenseKey;
  /** Ids by code name, once found: a code is never given up, and every sale asks for one. */
  codes: Map<string, string>;
  /** Number of the newest durable batch. */
  durableBatch: () => number;
}

export class SequencingView implements View {
  readonly #sources: ViewSources;
  /** Subjects read for this decision; undefined: known not to exist. */
  readonly loaded: Map<string, Current | undefined> = new Map();
  /** True once nothing is in flight and the projections have taken in everything. */
  isSettled = false;
  /** True once something was read that is not durable yet. */
  isProvisional = false;

  constructor(sources: ViewSources) {
    this.#sources = sources;
  }

  subject<T extends SubjectType>(type: T, id: string): Current<T> | undefined {
    const current = this.#current(id);
    return current?.document.type === type ? (current as Current & { document: DocumentOf[T] }) : undefined;
  }

  idByCode(type: 'product' | 'plan', code: string): string | undefined {
    const { codes } = this.#sources;
    const name = codeName(type, code);
    const known = codes.get(name) ?? this.#idOfName(name);
    // Only what is committed is remembered: what is in flight may yet be taken back.
    if (known !== undefined && !codes.has(name) && this.#sources.overlay.holderOf(name) === undefined) {
      codes.set(name, known);
    }
    return known;
  }

  idByReference(reference: string): string | undefined {
    return this.#idOfName(referenceName(reference));
  }

  idByLicenseKey(key: string): string | undefined {
    return this.#idOfName(licenseKeyName(key, this.#sources.indexKey));
  }

  licensesOfCustomer(id: string): readonly string[] {
    this.#needSettled();
    return this.#sources.projections.licensesOfCustomer(id);
  }

  plansOfProduct(id: string): readonly string[] {
    this.#needSettled();
    return this.#sources.projections.plansOfProduct(id);
  }

  idByCredential(kind: CredentialKind, lookup: string): string | undefined {
    return this.#idOfName(credentialName(kind, lookup));
  }

  principals(): readonly string[] {
    this.#needSettled();
    return this.#sources.projections.idsOfType('principal');
  }

  approvals(): readonly string[] {
    this.#needSettled();
    return this.#sources.projections.idsOfType('approval');
  }

  #current(id: string): Current | undefined {
    const overlaid = this.#sources.overlay.get(id);
    if (overlaid !== undefined) {
      this.#note(overlaid.batch);
      return overlaid.current;
    }
    if (this.loaded.has(id)) return this.loaded.get(id);
    const known = this.#sources.reader.known(id);
    if (known === unread) throw new Missing({ subject: id });
    // A decision asks for its customer and plan several times, and what is not in flight stands while it is made.
    this.loaded.set(id, known);
    return known;
  }

  #idOfName(name: string): string | undefined {
    const overlaid = this.#sources.overlay.holderOf(name);
    if (overlaid === undefined) return this.#sources.projections.idOfName(name);
    this.#note(overlaid.batch);
    return overlaid.id ?? undefined;
  }

  #note(batch: number): void {
    if (batch > this.#sources.durableBatch()) this.isProvisional = true;
  }

  /** Lists come from the projections alone, so nothing may be missing from them. */
  #needSettled(): void {
    if (!this.isSettled) throw new Missing('settled projections');
  }
}
