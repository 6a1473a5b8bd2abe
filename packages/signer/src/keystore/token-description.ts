/**
 * The public half of keys in a PKCS#11 token: a JSON file that says where they are and what they may be used for.
 *
 *     {"v":1,"module","token","keys":[{"label","id","alg","key","usages","ns"}]}
 *
 * `id` is CKA_ID in hex, `key` the public key in base64. Members are closed and in this order.
 */
import {
  asArray,
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

export interface TokenDescription {
  /** Path of the PKCS#11 module: the shared library that speaks to the token. */
  module: string;
  /** The token's label. */
  token: string;
  keys: readonly TokenKeyDescription[];
}

export interface TokenKeyDescription extends KeyDescription {
  /** CKA_LABEL */
  label: string;
  /** CKA_ID, hex. */
  id: string;
}

/** Throws KeystoreError for a description that is missing, not one, or writable by others than its owner. */
export function readTokenDescription(file: string): TokenDescription {
  return readDescriptionFile(file, 'token description', parseTokenDescription);
}

/** Writes a new description; refuses to overwrite one. */
export function writeTokenDescription(file: string, { module, token, keys }: TokenDescription): void {
  const described = keys.map((key) => ({ label: key.label, id: key.id, ...keyMembersOf(key) }));
  writeDescriptionFile(file, { v: 1, module, token, keys: described });
}

function parseTokenDescription(value: JsonValue): TokenDescription {
  const json = closedMembers(value, ['v', 'module', 'token', 'keys'], 'description');
  requireVersion1(json.v, 'description');
  return {
    module: asString(json.module, 'module'),
    token: asString(json.token, 'token'),
    keys: asArray(json.keys, 'keys', describedKeysMax).map(parseKey),
  };
}

function parseKey(value: JsonValue): TokenKeyDescription {
  const json = closedMembers(value, ['label', 'id', ...keyMembers], 'key');
  const id = asString(json.id, 'id');
  if (!/^([0-9a-f]{2}){1,64}$/.test(id)) throw malformed('id is not hex');
  return { label: asString(json.label, 'label'), id, ...parseKeyMembers(json) };
}
