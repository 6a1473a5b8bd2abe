/**
 * The public half of keys in a service that signs: a JSON file that says where they are and what they may be used for.
 *
 *     {"v":1,"service":"aws-kms","region","endpoint","keys":[{"id","alg","key","usages","ns"}]}
 *     {"v":1,"service":"vault-transit","address","mount","namespace","ca","keys":[{"id","alg","key","usages","ns"}]}
 *
 * `id` is the key's ARN, or in Vault `name:version`; `endpoint`, `namespace` and `ca` (PEM) may be null. Members are
 * closed and in this order.
 */
import {
  asArray,
  asObject,
  asString,
  closedMembers,
  type JsonValue,
  malformed,
  requireVersion1,
} from '@tallystick/core';
import type { KeyDescription } from './described-key.ts';
import {
  describedKeysMax,
  keyMembers,
  keyMembersOf,
  parseKeyMembers,
  readDescriptionFile,
  writeDescriptionFile,
} from './description-file.ts';
import { checkServiceUrl } from './service-url.ts';

/** Where AWS KMS is. */
export interface AwsKmsPlace {
  service: 'aws-kms';
  region: string;
  /** In place of the region's own: `https:`, or `http:` to this machine. */
  endpoint: string | null;
}

/** Where a transit engine of HashiCorp Vault or OpenBao is. */
export interface VaultTransitPlace {
  service: 'vault-transit';
  /** Scheme, host and port: `https:`, or `http:` to this machine. */
  address: string;
  /** Path that the engine is mounted at. */
  mount: string;
  namespace: string | null;
  /** PEM of the certificates that the server's must come from; null for those that Node trusts. */
  ca: string | null;
}

export type CloudPlace = AwsKmsPlace | VaultTransitPlace;

export interface CloudKeyDescription extends KeyDescription {
  /** ARN, or `name:version`. */
  id: string;
}

export type CloudDescription = CloudPlace & { keys: readonly CloudKeyDescription[] };

/** Throws KeystoreError for a description that is missing, not one, or writable by others than its owner. */
export function readCloudDescription(file: string): CloudDescription {
  return readDescriptionFile(file, 'description of cloud keys', parseCloudDescription);
}

/** Writes a new description; refuses to overwrite one. */
export function writeCloudDescription(file: string, description: CloudDescription): void {
  const { keys, ...place } = description;
  const described = keys.map((key) => ({ id: key.id, ...keyMembersOf(key) }));
  writeDescriptionFile(file, { v: 1, ...place, keys: described });
}

function parseCloudDescription(value: JsonValue): CloudDescription {
  const { service } = asObject(value, 'description');
  if (service === 'aws-kms') return parseAwsKms(value);
  if (service === 'vault-transit') return parseVaultTransit(value);
  throw malformed(`service ${JSON.stringify(service)}`);
}

function parseAwsKms(value: JsonValue): CloudDescription {
  const json = closedMembers(value, ['v', 'service', 'region', 'endpoint', 'keys'], 'description');
  requireVersion1(json.v, 'description');
  const endpoint = asTextOrNull(json.endpoint, 'endpoint');
  if (endpoint !== null) checkServiceUrl(endpoint);
  return {
    service: 'aws-kms',
    region: asString(json.region, 'region'),
    endpoint,
    keys: parseKeys(json.keys),
  };
}

function parseVaultTransit(value: JsonValue): CloudDescription {
  const names = ['v', 'service', 'address', 'mount', 'namespace', 'ca', 'keys'] as const;
  const json = closedMembers(value, names, 'description');
  requireVersion1(json.v, 'description');
  const address = asString(json.address, 'address');
  checkServiceUrl(address);
  return {
    service: 'vault-transit',
    address,
    mount: asString(json.mount, 'mount'),
    namespace: asTextOrNull(json.namespace, 'namespace'),
    ca: asTextOrNull(json.ca, 'ca'),
    keys: parseKeys(json.keys),
  };
}

function parseKeys(value: JsonValue): CloudKeyDescription[] {
  return asArray(value, 'keys', describedKeysMax).map((each) => {
    const json = closedMembers(each, ['id', ...keyMembers], 'key');
    return { id: asString(json.id, 'id'), ...parseKeyMembers(json) };
  });
}

function asTextOrNull(value: JsonValue, what: string): string | null {
  return value === null ? null : asString(value, what);
}
