/** Who signed a record, among the keys that its namespace allowed to at its place in the log. */
import type { JsonObject } from '../encoding/json.ts';
import { IntegrityError } from '../errors.ts';
import { signersOf } from '../record/dsse.ts';
import { type RecordEntry, subjectTypeOf, usageFor } from '../record/record.ts';
import type { PublicKey } from './key.ts';
import { type BrakeDocument, entitledKey, type NamespaceDocument, type NamespaceKey } from './namespace.ts';
import { isPerpetual } from './perpetual.ts';
import { requiredAlgorithms, type TrustRoot } from './trust-root.ts';

/** A key that signed, and what the namespace says of it. */
export interface EntitledSigner {
  key: PublicKey;
  listed: NamespaceKey;
}

/** A record whose place in the log is proven. */
export interface PlacedRecord {
  /** Subject id, for messages. */
  id: string;
  index: number;
  entry: RecordEntry;
  /** Its document; null where that is not known, and so not whether it is a perpetual license. */
  json: JsonObject | null;
}

export interface SignerRules {
  trust: TrustRoot;
  ns: string;
  namespace: NamespaceDocument;
  /** null judges by the namespace alone, as brake records are. */
  brake: BrakeDocument | null;
  keys: readonly PublicKey[];
}

/** The entitled keys that signed a record, one per required algorithm at least; throws KEY_NOT_VALID. */
export async function signersOfRecord(record: PlacedRecord, rules: SignerRules): Promise<EntitledSigner[]> {
  const { id, index, entry, json } = record;
  const usage = usageFor(subjectTypeOf(entry.record.type));
  const entitled = rules.keys.flatMap((key) => {
    const listed = entitledKey(rules.namespace, rules.brake, key, usage, index);
    return listed === undefined ? [] : [{ key, listed }];
  });
  const candidates = entitled.map(({ key }) => key);
  const signed = new Set(await signersOf(entry.envelope, candidates));
  const signers = entitled.filter(({ key }) => signed.has(key));
  const namespaceTrust = rules.trust.namespaces.get(rules.ns);
  const isLasting = json !== null && isPerpetual(json, entry.record.at);
  const algorithms =
    namespaceTrust === undefined ? [] : requiredAlgorithms(namespaceTrust, usage, index, isLasting);
  const missing = algorithms.filter((alg) => !signers.some(({ key }) => key.alg === alg));
  if (algorithms.length === 0 || missing.length > 0) {
    throw new IntegrityError('KEY_NOT_VALID', `${id} is not signed by a key entitled to at index ${index}`);
  }
  return signers;
}
