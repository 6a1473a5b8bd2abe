/**
 * What governs the keys here: the newest namespace and brake that the signer has seen of each namespace.
 *
 * The namespace is taken from whoever brings it, if its authority signed it. The brake is a ratchet: what was once
 * signed binds, whether or not the server ever committed it.
 */
import {
  asObject,
  type BrakeDocument,
  brakeStepProblem,
  documentCommitment,
  type Envelope,
  entitledKeys,
  equalBytes,
  isPerpetual,
  type KeyAlgorithm,
  type LogRecord,
  meetsThreshold,
  type NamespaceDocument,
  type NamespaceTrust,
  namespaceStepProblem,
  parseBrake,
  parseJson,
  parseNamespace,
  parseRecordEntry,
  requiredAlgorithms,
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

export type PublicDocumentType = 'namespace' | 'brake';

/** The keys that sign, by algorithm: the first one listed of each. */
export type SigningIds = ReadonlyMap<KeyAlgorithm, string>;

interface Governed {
  trust: NamespaceTrust;
  namespace: NamespaceDocument | null;
  brake: BrakeDocument | null;
  /** By usage; holds for indexes from `from` up to `to`. */
  readonly signing: Map<string, { ids: SigningIds; from: number; to: number }>;
}

export class Governance {
  readonly #documents: DocumentStore;
  readonly #governed = new Map<string, Governed>();

  /** @param namespaces of the trust root: who signs the documents of each, and what records need */
  constructor(documents: DocumentStore, namespaces: TrustRoot['namespaces']) {
    this.#documents = documents;
    for (const [ns, trust] of namespaces) {
      const namespace = documents.document(ns, 'namespace');
      const brake = documents.document(ns, 'brake');
      this.#governed.set(ns, {
        trust,
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
   * Takes a logged record of a namespace or a brake with its document, unless a newer one is known. Throws
   * SignerRefusal where the authority did not sign the namespace, or it does not continue the one that is known.
   */
  async adopt(entry: Uint8Array, document: Uint8Array): Promise<void> {
    const { envelope, record } = parseRecordEntry(entry);
    const governed = this.#governedBy(record.ns);
    if (!equalBytes(documentCommitment(zeroSalt, document), record.doc))
      throw new SignerRefusal('commitment', 'the document is not the one that the record commits to');
    const type = subjectTypeOf(record.type);
    if (type === 'namespace') await this.#adoptNamespace(governed, envelope, record, document);
    else if (type === 'brake') this.#adoptBrake(governed, record, document);
    else throw new SignerRefusal('malformed', `${record.type} governs nothing`);
  }

  /**
   * The algorithms of which the record that becomes entry `index` needs a signature each. Throws MALFORMED for a
   * document that is none, where it depends on that.
   */
  required({ record, content }: RecordToSign, index: number): readonly KeyAlgorithm[] {
    const trust = this.#governed.get(record.ns)?.trust ?? { require: new Map<string, never>() };
    const usage = subjectTypeOf(record.type);
    const usual = requiredAlgorithms(trust, usage, index, false);
    const perpetual = requiredAlgorithms(trust, usage, index, true);
    if (perpetual === usual || content === null) return perpetual;
    return isPerpetual(asObject(parseJson(content.document), 'license')) ? perpetual : usual;
  }

  /** Ids of the keys that sign records of `usage` at log `index`; null where the namespace has never been seen. */
  signing(ns: string, usage: string, index: number): SigningIds | null {
    const governed = this.#governed.get(ns);
    if (governed?.namespace == null) return null;
    const known = governed.signing.get(usage);
    if (known !== undefined && index >= known.from && index < known.to) return known.ids;
    const { namespace } = governed;
    const brake = usage === 'brake' ? null : governed.brake;
    const ids = new Map<KeyAlgorithm, string>();
    for (const { alg, id } of entitledKeys(namespace, brake, usage, index))
      if (!ids.has(alg)) ids.set(alg, id);
    governed.signing.set(usage, { ids, from: index, to: nextBoundary(namespace, governed.brake, index) });
    return ids;
  }

  /** Throws SignerRefusal unless the brake to sign only tightens; from then on it binds. */
  tighten({ record, content }: RecordToSign): void {
    const governed = this.#governedBy(record.ns);
    const { namespace, brake } = governed;
    if (namespace === null)
      throw new SignerRefusal('no_key', `the signer has not seen the namespace ${record.ns} yet`);
    if (content === null || !equalBytes(documentCommitment(zeroSalt, content.document), record.doc))
      throw new SignerRefusal('commitment', 'brakes are signed only with their document');
    const next = parseBrake(content.document);
    if (next.ns !== record.ns || next.rev !== record.rev)
      throw new SignerRefusal('malformed', 'the brake names another namespace or revision');
    const problem = brakeStepProblem(namespace, brake, next);
    if (problem !== null) throw new SignerRefusal('loosened', problem);
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
    if (!(await meetsThreshold(envelope, governed.trust.authority)))
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

  /** Whatever the server brings can only add to what binds, so nothing about it has to be believed. */
  #adoptBrake(governed: Governed, record: LogRecord, bytes: Uint8Array): void {
    const next = parseBrake(bytes);
    checkNames(next, record);
    const { namespace, brake: known } = governed;
    // Of another epoch than the namespace's it says nothing, and must not replace what does.
    if (namespace === null || next.epoch !== namespace.epoch) return;
    const tightest = tightestBrake(namespace.epoch, [known, next]);
    const until = tightest.until.filter(({ id }) => namespace.keys.some((key) => key.id === id));
    const merged: BrakeDocument = { ...next, ...tightest, until };
    this.#keepBrake(governed, merged, utf8(JSON.stringify(merged)));
  }

  #keepBrake(governed: Governed, brake: BrakeDocument, bytes: Uint8Array): void {
    this.#documents.saveDocument(brake.ns, 'brake', bytes);
    governed.brake = brake;
    governed.signing.clear();
  }
}

function checkNames(document: NamespaceDocument | BrakeDocument, { ns, rev }: LogRecord): void {
  if (document.ns !== ns || document.rev !== rev)
    throw new SignerRefusal('malformed', 'the document names another namespace or revision');
}

/** The first index above `index` at which the range of some key begins or ends. */
function nextBoundary(namespace: NamespaceDocument, brake: BrakeDocument | null, index: number): number {
  const ends = namespace.keys.flatMap(({ from, until }) => [from, until ?? Number.POSITIVE_INFINITY]);
  const cuts = brake?.until.map((cut) => cut.index) ?? [];
  return Math.min(Number.POSITIVE_INFINITY, ...[...ends, ...cuts].filter((boundary) => boundary > index));
}
