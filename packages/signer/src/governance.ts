/**
 * What governs the keys here: the newest namespace and brake that the signer has seen of each namespace.
 *
 * The namespace is taken from whoever brings it, if its authority signed it. The brake is a ratchet: what was once
 * signed binds, whether or not the server ever committed it.
 */
import {
  type BrakeDocument,
  brakeStepProblem,
  destroyedSince,
  documentCommitment,
  type Envelope,
  entitledKeys,
  equalBytes,
  type KeyAlgorithm,
  type KeyThreshold,
  keyFingerprintText,
  type LogRecord,
  meetsThreshold,
  type NamespaceDocument,
  namespaceStepProblem,
  nextKeyBoundary,
  type PublicKey,
  parseBrake,
  parseNamespace,
  parseRecordEntry,
  signersOf,
  subjectTypeOf,
  type TrustRoot,
  tightestBrake,
  utf8,
  zeroSalt,
} from '@tallystick/core';
import { type RecordToSign, SignerRefusal } from './protocol/requests.ts';

/** Where public documents outlive the process; what `save` was given is durable when it returns. */
export interface DocumentStore {
  document(ns: string, type: PublicDocumentType): Uint8Array | null;
  saveDocument(ns: string, type: PublicDocumentType, document: Uint8Array): void;
}

/** Whether the private half of a key, named by its fingerprint, is here. */
export type Holds = (id: string) => boolean;

export type PublicDocumentType = 'namespace' | 'brake';

interface Governed {
  authority: KeyThreshold;
  namespace: NamespaceDocument | null;
  brake: BrakeDocument | null;
  /** Ids of the keys that sign, by usage; holds for indexes from `from` up to `to`. */
  readonly signing: Map<string, { ids: readonly string[]; from: number; to: number }>;
}

export class Governance {
  readonly #documents: DocumentStore;
  readonly #governed = new Map<string, Governed>();

  /** @param namespaces of the trust root: who signs the documents of each */
  constructor(documents: DocumentStore, namespaces: TrustRoot['namespaces']) {
    this.#documents = documents;
    for (const [ns, { authority }] of namespaces) {
      const namespace = documents.document(ns, 'namespace');
      const brake = documents.document(ns, 'brake');
      this.#governed.set(ns, {
        authority,
        namespace: namespace && parseNamespace(namespace),
        brake: brake && parseBrake(brake),
        signing: new Map(),
      });
    }
  }

  /** The brakes that bind, by namespace. */
  get brakes(): BrakeDocument[] {
    return [...this.#governed.values()].flatMap(({ brake }) => brake ?? []);
  }

  /**
   * Takes a logged record of a namespace or a brake with its document, unless a newer one is known. `keys` are those
   * that the signer knows; of a brake that none of them signed it does not believe that a key is destroyed. Throws
   * SignerRefusal where the authority did not sign the namespace, or it does not continue the one that is known.
   */
  async adopt(entry: Uint8Array, document: Uint8Array, keys: readonly PublicKey[]): Promise<void> {
    const { envelope, record } = parseRecordEntry(entry);
    const governed = this.#governedBy(record.ns);
    if (!equalBytes(documentCommitment(zeroSalt, document), record.doc))
      throw new SignerRefusal('commitment', 'the document is not the one that the record commits to');
    const type = subjectTypeOf(record.type);
    if (type === 'namespace') await this.#adoptNamespace(governed, envelope, record, document);
    else if (type === 'brake') this.#adoptBrake(governed, record, document, await signersOf(envelope, keys));
    else throw new SignerRefusal('malformed', `${record.type} governs nothing`);
  }

  /**
   * Ids of the keys that sign records of `usage` at log `index`: the first one listed of each algorithm; null where
   * the namespace has never been seen.
   */
  signing(ns: string, usage: string, index: number): readonly string[] | null {
    const governed = this.#governed.get(ns);
    if (governed?.namespace == null) return null;
    const known = governed.signing.get(usage);
    if (known !== undefined && index >= known.from && index < known.to) return known.ids;
    const { namespace } = governed;
    const brake = usage === 'brake' ? null : governed.brake;
    const byAlgorithm = new Map<KeyAlgorithm, string>();
    for (const { alg, id } of entitledKeys(namespace, brake, usage, index))
      if (!byAlgorithm.has(alg)) byAlgorithm.set(alg, id);
    const ids = [...byAlgorithm.values()];
    governed.signing.set(usage, { ids, from: index, to: nextKeyBoundary(namespace, governed.brake, index) });
    return ids;
  }

  /** Since which log index a key is stated to be destroyed; infinite where it is not. */
  destroyedSince(ns: string | null, id: string): number {
    return destroyedSince(this.#governed.get(ns ?? '')?.brake ?? null, id);
  }

  /**
   * Throws SignerRefusal unless the brake to sign, which lands at log index `index`, only tightens, and calls no key
   * destroyed that is here; from then on it binds.
   */
  tighten({ record, content }: RecordToSign, index: number, holds: Holds): void {
    const governed = this.#governedBy(record.ns);
    const { namespace, brake } = governed;
    if (namespace === null)
      throw new SignerRefusal('no_key', `the signer has not seen the namespace ${record.ns} yet`);
    if (content === null || !equalBytes(documentCommitment(zeroSalt, content.document), record.doc))
      throw new SignerRefusal('commitment', 'brakes are signed only with their document');
    const next = parseBrake(content.document);
    if (next.ns !== record.ns || next.rev !== record.rev)
      throw new SignerRefusal('malformed', 'the brake names another namespace or revision');
    const problem = brakeStepProblem(namespace, brake, next, index);
    if (problem !== null) throw new SignerRefusal('loosened', problem);
    const held = next.destroyed?.find(({ id }) => holds(id));
    if (held !== undefined)
      throw new SignerRefusal('key_held', `key ${held.id} is not destroyed: the signer holds it`);
    this.#keepBrake(governed, next, content.document);
  }

  #governedBy(ns: string): Governed {
    const governed = this.#governed.get(ns);
    if (governed === undefined)
      throw new SignerRefusal('no_key', `the trust root of this signer has no namespace ${ns}`);
    return governed;
  }

  async #adoptNamespace(
    governed: Governed,
    envelope: Envelope,
    record: LogRecord,
    bytes: Uint8Array,
  ): Promise<void> {
    if (!(await meetsThreshold(envelope, governed.authority)))
      throw new SignerRefusal('no_authority', `the namespace ${record.ns} is not signed by its authority`);
    const next = parseNamespace(bytes);
    checkNames(next, record);
    const known = governed.namespace;
    if (known !== null && next.rev <= known.rev) return;
    const problem = namespaceStepProblem(known, next, 0);
    if (problem !== null) throw new SignerRefusal('loosened', problem);
    this.#documents.saveDocument(next.ns, 'namespace', bytes);
    governed.namespace = next;
    governed.signing.clear();
  }

  /**
   * Whatever the server brings can only add to what binds, so nothing about it has to be believed. That a key is
   * destroyed no authority takes back, and so it needs the signature of a brake key.
   */
  #adoptBrake(governed: Governed, record: LogRecord, bytes: Uint8Array, signers: readonly PublicKey[]): void {
    const next = parseBrake(bytes);
    checkNames(next, record);
    const { namespace, brake: known } = governed;
    if (namespace === null) return;
    const tightest = tightestBrake(namespace.epoch, [known, next]);
    const isListed = ({ id }: { id: string }): boolean => namespace.keys.some((key) => key.id === id);
    const until = tightest.until.filter(isListed);
    const isSigned = signers.some((signer) => signsBrakes(namespace, signer));
    const more = (isSigned ? (next.destroyed ?? []) : []).filter(
      (end) => isListed(end) && !Number.isFinite(destroyedSince(known, end.id)),
    );
    const destroyed = [...(known?.destroyed ?? []), ...more];
    // Of another epoch than the namespace's it says nothing else, and must not replace what does.
    const isOfEpoch = next.epoch === namespace.epoch;
    if (!isOfEpoch && more.length === 0) return;
    const { destroyed: _, ...base } = isOfEpoch ? { ...next, ...tightest, until } : (known ?? next);
    const merged: BrakeDocument = { ...base, ...(destroyed.length > 0 && { destroyed }) };
    this.#keepBrake(governed, merged, utf8(JSON.stringify(merged)));
  }

  #keepBrake(governed: Governed, brake: BrakeDocument, bytes: Uint8Array): void {
    this.#documents.saveDocument(brake.ns, 'brake', bytes);
    governed.brake = brake;
    governed.signing.clear();
  }
}

function signsBrakes({ keys }: NamespaceDocument, signer: PublicKey): boolean {
  const id = keyFingerprintText(signer);
  return keys.some((key) => key.id === id && key.usages.includes('brake'));
}

function checkNames(document: NamespaceDocument | BrakeDocument, { ns, rev }: LogRecord): void {
  if (document.ns !== ns || document.rev !== rev)
    throw new SignerRefusal('malformed', 'the document names another namespace or revision');
}
