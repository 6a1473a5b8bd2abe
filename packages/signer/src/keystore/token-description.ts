/**
 * The public half of keys in a PKCS#11 token: a JSON file that says where they are and what they may be used for.
 *
 *     {"v":1,"module","token","keys":[{"label","id","alg","key","usages","ns"}]}
 *
 * `id` is CKA_ID in hex, `key` the public key in base64. Members are closed and in this order.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import {
  asArray,
  asString,
  base64,
  closedMembers,
  type JsonValue,
  malformed,
  type PublicKey,
  parsePublicKey,
  requireVersion1,
} from '@tallystick/core';
import { KeystoreError } from './keystore-error.ts';
import { type SigningUsage, signingUsages } from './keystore-key.ts';

export interface TokenDescription {
  /** Path of the PKCS#11 module: the shared library that speaks to the token. */
  module: string;
  /** The token's label. */
  token: string;
  keys: readonly TokenKeyDescription[];
}

export interface TokenKeyDescription {
  /** CKA_LABEL */
  label: string;
  /** CKA_ID, hex. */
  id: string;
  /** What the token's key must have, so that no other key takes its place. */
  publicKey: PublicKey;
  usages: readonly SigningUsage[];
  ns: string | null;
}

const keysMax = 16;

/** Throws KeystoreError for a description that is missing, not one, or writable by others than its owner. */
export function readTokenDescription(file: string): TokenDescription {
  try {
    const { mode } = statSync(file);
    // It names a library that is loaded into the signer.
    if ((mode & 0o022) !== 0) {
      throw new KeystoreError(
        `the token description ${file} can be changed by others than its owner: run chmod 644 on it, and look into it`,
      );
    }
    return parseTokenDescription(JSON.parse(readFileSync(file, 'utf8')) as JsonValue);
  } catch (error) {
    if (error instanceof KeystoreError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new KeystoreError(`${file} is not a token description: ${why}`, { cause: error });
  }
}

/** Writes a new description; refuses to overwrite one. */
export function writeTokenDescription(file: string, { module, token, keys }: TokenDescription): void {
  const json = {
    v: 1,
    module,
    token,
    keys: keys.map(({ label, id, publicKey, usages, ns }) => ({
      label,
      id,
      alg: publicKey.alg,
      key: base64(publicKey.key),
      usages,
      ns,
    })),
  };
  writeFileSync(file, `${JSON.stringify(json, null, 2)}\n`, { mode: 0o644, flag: 'wx' });
}

function parseTokenDescription(value: JsonValue): TokenDescription {
  const json = closedMembers(value, ['v', 'module', 'token', 'keys'], 'description');
  requireVersion1(json.v, 'description');
  return {
    module: asString(json.module, 'module'),
    token: asString(json.token, 'token'),
    keys: asArray(json.keys, 'keys', keysMax).map(parseKey),
  };
}

function parseKey(value: JsonValue): TokenKeyDescription {
  const { label, id, alg, key, usages, ns } = closedMembers(
    value,
    ['label', 'id', 'alg', 'key', 'usages', 'ns'],
    'key',
  );
  const idText = asString(id, 'id');
  if (!/^([0-9a-f]{2}){1,64}$/.test(idText)) throw malformed('id is not hex');
  const publicKey = parsePublicKey({ alg: alg ?? null, key: key ?? null }, 'key');
  return {
    label: asString(label, 'label'),
    id: idText,
    publicKey,
    usages: asArray(usages, 'usages', signingUsages.length).map(parseUsage),
    ns: ns === null ? null : asString(ns, 'ns'),
  };
}

function parseUsage(value: JsonValue): SigningUsage {
  const usage = signingUsages.find((each) => each === value);
  if (usage === undefined) throw malformed(`usage ${JSON.stringify(value)}`);
  return usage;
}
