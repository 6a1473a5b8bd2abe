/**
 * Attestations: what a signer says of its keys, signed by each of them and by the log's key.
 *
 *     {"v":1,"origin","at","size","root","keys":[{"alg","key","usages":[…],"ns","place","destroyed"}…]}
 *
 * `size` and `root` are those of the newest checkpoint that the log's key signed. `place` is null for a key that is not
 * held, {"kind":"sealed-file"}, or {"kind":"token","module","token","label","extractable"}. `destroyed` is the log index
 * that the brake states, or null.
 */
import { base64, decodeBase64 } from '../encoding/base64.ts';
import { utf8 } from '../encoding/bytes.ts';
import {
  asArray,
  asCount,
  asObject,
  asString,
  closedMembers,
  type JsonValue,
  parseJson,
  requireVersion1,
} from '../encoding/json.ts';
import { parseInstant } from '../encoding/time.ts';
import { IntegrityError, malformed } from '../errors.ts';
import { hashLength } from '../hash.ts';
import { keyFingerprintText, type PublicKey, parsePublicKey } from '../trust/key.ts';
import { parseEnvelope, payloadTypes, signersOf } from './dsse.ts';

export type KeyPlace =
  | { kind: 'sealed-file' }
  /** `extractable` is what the token says of it. */
  | { kind: 'token'; module: string; token: string; label: string; extractable: boolean }
  /** `service` is `aws-kms` or `vault-transit`, `address` where it is, `id` the service's name of the key. */
  | { kind: 'service'; service: string; address: string; id: string };

export interface AttestedKey {
  publicKey: PublicKey;
  usages: readonly string[];
  /** null for a key of the log. */
  ns: string | null;
  /** null where the signer does not hold the private half. */
  place: KeyPlace | null;
  /** Since which log index its destruction is stated; null where it is not. */
  destroyed: number | null;
}

export interface Attestation {
  origin: string;
  at: string;
  /** The newest checkpoint that the log's key has signed. */
  size: number;
  root: Uint8Array;
  keys: readonly AttestedKey[];
}

const keysMax = 256;
const usagesMax = 16;

export function encodeAttestation({ origin, at, size, root, keys }: Attestation): Uint8Array {
  const told = keys.map(({ publicKey: { alg, key }, usages, ns, place, destroyed }) => {
    return { alg, key: base64(key), usages, ns, place: place && orderPlace(place), destroyed };
  });
  return utf8(JSON.stringify({ v: 1, origin, at, size, root: base64(root), keys: told }));
}

/** The members in the order that they are printed in. */
function orderPlace(place: KeyPlace): KeyPlace {
  if (place.kind === 'token') {
    const { kind, module, token, label, extractable } = place;
    return { kind, module, token, label, extractable };
  }
  if (place.kind === 'sealed-file') return { kind: place.kind };
  const { kind, service, address, id } = place;
  return { kind, service, address, id };
}

/**
 * Checks the envelope of an attestation: the log's key signed it, and every key that it calls held. Throws MALFORMED,
 * TOO_NEW, LOG_SIGNATURE_INVALID, or KEY_NOT_VALID where a key does not prove that it is there.
 */
export async function verifyAttestation(
  bytes: Uint8Array,
  log: { origin: string; keys: readonly PublicKey[] },
): Promise<Attestation> {
  const envelope = parseEnvelope(bytes, payloadTypes.attestation);
  if ((await signersOf(envelope, log.keys)).length === 0)
    throw new IntegrityError('LOG_SIGNATURE_INVALID', 'attestation is not signed by the log');
  const attestation = parseAttestation(envelope.payload);
  if (attestation.origin !== log.origin)
    throw new IntegrityError('LOG_SIGNATURE_INVALID', 'attestation of another log');
  for (const { publicKey, place } of attestation.keys) {
    if (place === null) continue;
    if ((await signersOf(envelope, [publicKey])).length === 0)
      throw new IntegrityError('KEY_NOT_VALID', 'a key that is called held did not sign the attestation');
  }
  return attestation;
}

function parseAttestation(payload: Uint8Array): Attestation {
  const names = ['v', 'origin', 'at', 'size', 'root', 'keys'] as const;
  const json = closedMembers(parseJson(payload), names, 'attestation');
  requireVersion1(json.v, 'attestation');
  const attestation = {
    origin: asString(json.origin, 'attestation.origin'),
    at: asString(json.at, 'attestation.at'),
    size: asCount(json.size, 'attestation.size'),
    root: decodeBase64(asString(json.root, 'attestation.root'), hashLength),
    keys: asArray(json.keys, 'attestation.keys', keysMax).map(parseAttestedKey),
  };
  parseInstant(attestation.at);
  const ids = attestation.keys.map(({ publicKey }) => keyFingerprintText(publicKey));
  if (new Set(ids).size !== ids.length) throw malformed('attestation lists a key twice');
  return attestation;
}

function parseAttestedKey(value: JsonValue): AttestedKey {
  const names = ['alg', 'key', 'usages', 'ns', 'place', 'destroyed'] as const;
  const json = closedMembers(value, names, 'attested key');
  return {
    publicKey: parsePublicKey({ alg: json.alg ?? null, key: json.key ?? null }, 'attested key'),
    usages: asArray(json.usages, 'usages', usagesMax).map((usage) => asString(usage, 'usage')),
    ns: json.ns === null ? null : asString(json.ns, 'ns'),
    place: json.place === null ? null : parsePlace(json.place ?? null),
    destroyed: json.destroyed === null ? null : asCount(json.destroyed, 'destroyed'),
  };
}

function parsePlace(value: JsonValue): KeyPlace {
  const kind = asString(asObject(value, 'place').kind, 'place.kind');
  if (kind === 'sealed-file') {
    closedMembers(value, ['kind'], 'place');
    return { kind };
  }
  if (kind === 'service') {
    const { service, address, id } = closedMembers(value, ['kind', 'service', 'address', 'id'], 'place');
    return {
      kind,
      service: asString(service, 'place.service'),
      address: asString(address, 'place.address'),
      id: asString(id, 'place.id'),
    };
  }
  if (kind !== 'token') throw new IntegrityError('TOO_NEW', `a key is in ${kind}`);
  const names = ['kind', 'module', 'token', 'label', 'extractable'] as const;
  const json = closedMembers(value, names, 'place');
  if (typeof json.extractable !== 'boolean') throw malformed('place.extractable');
  return {
    kind,
    module: asString(json.module, 'place.module'),
    token: asString(json.token, 'place.token'),
    label: asString(json.label, 'place.label'),
    extractable: json.extractable,
  };
}
