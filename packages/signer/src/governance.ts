/**
 * What governs the keys here: the trust root, and the newest namespace and brake that the signer has seen of each
 * namespace.
 *
 * A new version of the trust root is taken from whoever brings it, if it follows the one that is known.
 * The namespace is taken from whoever brings it, if its authority signed it. The brake is a ratchet: what was once
 * signed binds, whether or not the server ever committed it.
 */
import {
  asObject,
  type BrakeDocument,
  brakeStepProblem,
  destroyedSince,
  documentCommitment,
  type Envelope,
  effectiveUntil,
  entitledFrom,
  entitledKeys,
  equalBytes,
  IntegrityError,
  isPerpetual,
  type KeyAlgorithm,
  keyFingerprintText,
  type LogRecord,
  meetsThreshold,
  type NamespaceDocument,
  type NamespaceKey,
  type NamespaceTrust,
  namespaceStepProblem,
  nextKeyBoundary,
  type PublicKey,
  parseBrake,
  parseJson,
  parseNamespace,
  parseRecordEntry,
  parseTrustRoot,
  requiredAlgorithms,
  signersOf,
  subjectTypeOf,
  type TrustRoot,
  tightestBrake,
  usageFor,
  utf8,
  verifyTrustStep,
  zeroSalt,
} from '@tallystick/core';
import { type RecordToSign, SignerRefusal } from './protocol/requests.ts';

/** Where public documents outlive the process; what `save` was given is durable when it returns. */
export interface DocumentStore {
  document(ns: string, type: PublicDocumentType): Uint8Array | null;
  saveDocument(ns: string, type: PublicDocumentType, document: Uint8Array): void;
  /** As `Mark.takeTrust`. */
  takeTrust(chain: readonly TrustRoot[]): readonly TrustRoot[];
  /** As `Mark.heardVersion`. */
  readonly heardVersion: number;
}

/** Whether the private half of a key, named by its fingerprint, is here. */
export type Holds = (id: string) => boolean;

export type PublicDocumentType = 'namespace' | 'brake';

/** The keys that sign, by algorithm: the first one listed of each. */
interface Governed {
  /** Who signs the namespace, and which algorithms its records need. */
  trust: NamespaceTrust;
  namespace: NamespaceDocument | null;
  brake: BrakeDocument | null;
  /** The keys that sign, by usage; holds for indexes from `from` up to `to`. */
  readonly signing: Map<string, { keys: readonly NamespaceKey[]; from: number; to: number }>;
}

export class Governance {
  readonly #documents: DocumentStore;
  readonly #governed = new Map<string, Governed>();
  /** Versions of the trust root, from 1 up, each verified. */
  #chain: readonly TrustRoot[] = [];

  /** @param chain the verified versions of the trust root, from 1 up: the newest says who signs the documents */
  constructor(documents: DocumentStore, chain: readonly TrustRoot[]) {
    this.#documents = documents;
    this.#follow(documents.takeTrust(chain));
  }

  /** Versions of the trust root that are known, from 1 up. */
  get versions(): readonly TrustRoot[] {
    return this.#chain;
  }

  /** The brakes that bind, by namespace. */
  get brakes(): BrakeDocument[] {
    return [...this.#governed.values()].flatMap(({ brake }) => brake ?? []);
  }

  /**
   * Takes new versions of the trust root: envelopes of all versions from 1 up. Fewer than are known change nothing. Throws
   * SignerRefusal where they are of another history, or do not follow the version that is known.
   */
  async adoptTrustRoot(envelopes: readonly Uint8Array[]): Promise<void> {
    const known = this.#chain;
    const given = envelopes.map((bytes) => parseTrustRoot(bytes));
    const other = known.find(
      ({ hash }, nth) => given[nth] !== undefined && !equalBytes(given[nth].hash, hash),
    );
    if (other !== undefined && other.version <= this.#documents.heardVersion)
      throw new SignerRefusal('fork', `this signer knows another version ${other.version} of the trust root`);
    // One that no quorum has signed under may never have been logged: the holders of root keys may have made another.
    const chain = other === undefined ? [...known] : known.slice(0, other.version - 1);
    for (const next of given.slice(chain.length)) {
      await checkStep(chain.at(-1), next);
      chain.push(next);
    }
    // Another request may have taken in some of them meanwhile.
    if (this.#chain !== known) await this.adoptTrustRoot(envelopes);
    else if (other !== undefined || chain.length > known.length)
      this.#follow(this.#documents.takeTrust(chain));
  }

  /**
   * Takes a logged record of a namespace or a brake with its document, unless a newer one is known. `keys` are those
   * that the signer knows, and `size` of the log that it signed: of a brake that none of them signed, or one that had
   * ended, it does not believe that a key is destroyed. True where a namespace of its authority governs from now on, or
   * did already. Throws SignerRefusal where the authority did not sign the namespace, or it does not continue the one
   * that is known.
   */
  async adopt(
    entry: Uint8Array,
    document: Uint8Array,
    { keys, size }: { keys: readonly PublicKey[]; size: number },
  ): Promise<boolean> {
    const { envelope, record } = parseRecordEntry(entry);
    const governed = this.#governedBy(record.ns);
    if (!equalBytes(documentCommitment(zeroSalt, document), record.doc))
      throw new SignerRefusal('commitment', 'the document is not the one that the record commits to');
    const type = subjectTypeOf(record.type);
    if (type === 'namespace') return this.#adoptNamespace(governed, envelope, record, document);
    if (type !== 'brake') throw new SignerRefusal('malformed', `${record.type} governs nothing`);
    this.#adoptBrake(governed, record, { document, signers: await signersOf(envelope, keys), size });
    return false;
  }

  /**
   * The algorithms of which the record that becomes entry `index` needs a signature each. Throws MALFORMED for a
   * document that is none, where it depends on that.
   */
  required({ record, content }: RecordToSign, index: number): readonly KeyAlgorithm[] {
    const { trust } = this.#governedBy(record.ns);
    const usage = usageFor(subjectTypeOf(record.type));
    const usual = requiredAlgorithms(trust, usage, index, false);
    const perpetual = requiredAlgorithms(trust, usage, index, true);
    if (perpetual === usual || content === null) return perpetual;
    return isPerpetual(asObject(parseJson(content.document), 'license'), record.at) ? perpetual : usual;
  }

  /**
   * The keys that may sign records of `usage` at log `index`: the first one listed of each algorithm. Throws
   * SignerRefusal where the namespace has never been seen.
   */
  signing(ns: string, usage: string, index: number): readonly NamespaceKey[] {
    const governed = this.#governedBy(ns);
    const namespace = namespaceOf(governed, ns);
    const known = governed.signing.get(usage);
    if (known !== undefined && index >= known.from && index < known.to) return known.keys;
    const brake = usage === 'brake' ? null : governed.brake;
    const byAlgorithm = new Map<KeyAlgorithm, NamespaceKey>();
    for (const key of entitledKeys(namespace, brake, usage, index))
      if (!byAlgorithm.has(key.alg)) byAlgorithm.set(key.alg, key);
    const keys = [...byAlgorithm.values()];
    governed.signing.set(usage, { keys, from: index, to: nextKeyBoundary(namespace, governed.brake, index) });
    return keys;
  }

  /** As `entitledFrom`, of what is known of a namespace. */
  signsFrom(ns: string, usage: string, index: number): number | null {
    const governed = this.#governedBy(ns);
    return entitledFrom(namespaceOf(governed, ns), governed.brake, usage, index);
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
    const namespace = namespaceOf(governed, record.ns);
    if (content === null || !equalBytes(documentCommitment(zeroSalt, content.document), record.doc))
      throw new SignerRefusal('commitment', 'brakes are signed only with their document');
    const next = parseBrake(content.document);
    if (next.ns !== record.ns || next.rev !== record.rev)
      throw new SignerRefusal('malformed', 'the brake names another namespace or revision');
    const problem = brakeStepProblem(namespace, governed.brake, next, index);
    if (problem !== null) throw new SignerRefusal('loosened', problem);
    const held = next.destroyed?.find(({ id }) => holds(id));
    if (held !== undefined)
      throw new SignerRefusal('key_held', `key ${held.id} is not destroyed: the signer holds it`);
    this.#keepBrake(governed, next, content.document);
  }

  #follow(chain: readonly TrustRoot[]): void {
    this.#chain = chain;
    for (const [ns, trust] of chain.at(-1)?.namespaces ?? []) {
      const known = this.#governed.get(ns);
      if (known !== undefined) {
        known.trust = trust;
        known.signing.clear();
        continue;
      }
      const namespace = this.#documents.document(ns, 'namespace');
      const brake = this.#documents.document(ns, 'brake');
      this.#governed.set(ns, {
        trust,
        namespace: namespace && parseNamespace(namespace),
        brake: brake && parseBrake(brake),
        signing: new Map(),
      });
    }
  }

  #governedBy(ns: string): Governed {
    const governed = this.#governed.get(ns);
    if (governed === undefined)
      throw new SignerRefusal('no_key', `the trust root of this signer has no namespace ${ns}`);
    return governed;
  }

  /** True where it governs now, and its authority signed it. */
  async #adoptNamespace(
    governed: Governed,
    envelope: Envelope,
    record: LogRecord,
    bytes: Uint8Array,
  ): Promise<boolean> {
    const next = parseNamespace(bytes);
    checkNames(next, record);
    const isNew = ({ namespace }: Governed): boolean => namespace === null || next.rev > namespace.rev;
    // First: an earlier one may be of an authority that has been replaced since.
    if (governed.namespace !== null && next.rev < governed.namespace.rev) return false;
    const isSigned = await meetsThreshold(envelope, governed.trust.authority);
    if (!isNew(governed)) {
      const known = this.#documents.document(next.ns, 'namespace');
      return isSigned && next.rev === governed.namespace?.rev && known !== null && equalBytes(known, bytes);
    }
    if (!isSigned)
      throw new SignerRefusal('no_authority', `the namespace ${record.ns} is not signed by its authority`);
    const problem = namespaceStepProblem(governed.namespace, next, 0);
    if (problem !== null) throw new SignerRefusal('loosened', problem);
    this.#documents.saveDocument(next.ns, 'namespace', bytes);
    governed.namespace = next;
    governed.signing.clear();
    return true;
  }

  /**
   * Whatever the server brings can only add to what binds, so nothing about it has to be believed. That a key is
   * destroyed no authority takes back, and so it needs the signature of a brake key that has not ended, and the end of
   * the key before.
   */
  #adoptBrake(
    governed: Governed,
    record: LogRecord,
    { document, signers, size }: { document: Uint8Array; signers: readonly PublicKey[]; size: number },
  ): void {
    const next = parseBrake(document);
    checkNames(next, record);
    const { namespace, brake: known } = governed;
    if (namespace === null) return;
    const tightest = tightestBrake(namespace.epoch, [known, next]);
    const isListed = ({ id }: { id: string }): boolean => namespace.keys.some((key) => key.id === id);
    const until = tightest.until.filter(isListed);
    const isSigned = signers.some((signer) => signsBrakes(namespace, signer, size));
    const isEnded = (end: { id: string; index: number }): boolean => {
      const key = namespace.keys.find(({ id }) => id === end.id);
      return (
        key !== undefined && effectiveUntil(namespace, { epoch: namespace.epoch, until }, key) <= end.index
      );
    };
    const isOfEpoch = next.epoch === namespace.epoch;
    const isNew = (end: { id: string }): boolean => !Number.isFinite(destroyedSince(known, end.id));
    const more = (isSigned ? (next.destroyed ?? []) : []).filter(
      (end) => isListed(end) && isNew(end) && (!isOfEpoch || isEnded(end)),
    );
    const destroyed = [...(known?.destroyed ?? []), ...more];
    // Of another epoch than the namespace's it says nothing else, and must not replace what does.
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

function namespaceOf({ namespace }: Governed, ns: string): NamespaceDocument {
  if (namespace === null)
    throw new SignerRefusal('no_key', `the signer has not seen the namespace ${ns} yet`);
  return namespace;
}

/** Whether a key may sign brakes behind a log of `size` entries. */
function signsBrakes({ keys }: NamespaceDocument, signer: PublicKey, size: number): boolean {
  const id = keyFingerprintText(signer);
  const listed = keys.find((key) => key.id === id && key.usages.includes('brake'));
  return listed !== undefined && (listed.until === null || listed.until > size);
}

function checkNames(document: NamespaceDocument | BrakeDocument, { ns, rev }: LogRecord): void {
  if (document.ns !== ns || document.rev !== rev)
    throw new SignerRefusal('malformed', 'the document names another namespace or revision');
}

async function checkStep(current: TrustRoot | undefined, next: TrustRoot): Promise<void> {
  if (current === undefined)
    throw new SignerRefusal('no_authority', 'this signer was started without a trust root');
  try {
    await verifyTrustStep(current, next);
  } catch (error) {
    if (!(error instanceof IntegrityError)) throw error;
    throw new SignerRefusal('no_authority', error.message);
  }
  if (next.log.origin !== current.log.origin)
    throw new SignerRefusal('other_log', `version ${next.version} of the trust root is of another log`);
}
