/** Key objects in a token: found as described, made so that they stay, destroyed. */
import { checkPublicKey, equalBytes } from '@tallystick/core';
import type { Handle } from 'pkcs11js';
import { KeystoreError } from './keystore-error.ts';
import { pkcs11Algorithm, publicKeyOf, type TokenAlgorithm } from './pkcs11-algorithms.ts';
import type { TokenAccess } from './pkcs11-token.ts';
import type { TokenKeyDescription } from './token-description.ts';

type Template = { type: number; value: number | boolean | string | Buffer }[];

function find({ module, session }: TokenAccess, template: Template): Handle[] {
  module.C_FindObjectsInit(session, template);
  try {
    return module.C_FindObjects(session, 16);
  } finally {
    module.C_FindObjectsFinal(session);
  }
}

/** The one private key that a description means; throws KeystoreError unless all of it is as described. */
export function findKey(access: TokenAccess, description: TokenKeyDescription): Handle {
  const { api } = access;
  const { label, id, publicKey } = description;
  const named = [
    { type: api.CKA_LABEL, value: label },
    { type: api.CKA_ID, value: Buffer.from(id, 'hex') },
  ];
  const only = (objectClass: number, what: string): Handle => {
    const [handle, ...others] = find(access, [{ type: api.CKA_CLASS, value: objectClass }, ...named]);
    if (handle === undefined || others.length > 0) {
      const count = handle === undefined ? 'no' : 'more than one';
      throw new KeystoreError(
        `the token has ${count} ${what} key labeled "${label}" with id ${id}: see whether it is the right token`,
      );
    }
    return handle;
  };
  const shown = only(api.CKO_PUBLIC_KEY, 'public');
  const { keyType, keyLength } = pkcs11Algorithm(publicKey.alg);
  if (!equalBytes(readPoint(access, shown, keyLength), publicKey.key)) {
    throw new KeystoreError(
      `the key labeled "${label}" in the token is not the one that is described: see whether it is the right token`,
    );
  }
  const handle = only(api.CKO_PRIVATE_KEY, 'private');
  checkPrivateKey(access, handle, { label, keyType });
  return handle;
}

/** Throws KeystoreError for a key of another type, and for one that the token would hand out. */
function checkPrivateKey(
  { api, module, session }: TokenAccess,
  handle: Handle,
  { label, keyType }: { label: string; keyType: number },
): void {
  const [type, extractable, sensitive] = module
    .C_GetAttributeValue(session, handle, [
      { type: api.CKA_KEY_TYPE },
      { type: api.CKA_EXTRACTABLE },
      { type: api.CKA_SENSITIVE },
    ])
    .map(({ value }) => value);
  if (type?.readUInt32LE(0) !== keyType)
    throw new KeystoreError(`the key labeled "${label}" is of another algorithm than described`);
  if (extractable?.[0] !== 0 || sensitive?.[0] !== 1) {
    throw new KeystoreError(
      `the key labeled "${label}" can be taken out of its token: only keys that were made in it, as ` +
        'sensitive and not extractable, are worth keeping there',
    );
  }
}

function readPoint({ api, module, session }: TokenAccess, handle: Handle, keyLength: number): Uint8Array {
  const [point] = module.C_GetAttributeValue(session, handle, [{ type: api.CKA_EC_POINT }]);
  return publicKeyOf(point?.value as Buffer, keyLength);
}

/** Makes a key pair that the token keeps; returns the raw public key and the private key's handle. */
export function generateKey(
  access: TokenAccess,
  label: string,
  id: Buffer,
  alg: TokenAlgorithm,
): { key: Uint8Array; handle: Handle } {
  const { keyLength } = pkcs11Algorithm(alg);
  const pair = generatePair(access, label, id, alg);
  const key = readPoint(access, pair.publicKey, keyLength);
  checkPublicKey(alg, key);
  return { key, handle: pair.privateKey };
}

function generatePair(
  { api, module, session }: TokenAccess,
  label: string,
  id: Buffer,
  alg: TokenAlgorithm,
): { privateKey: Handle; publicKey: Handle } {
  const { keyType, generate: mechanism, curves } = pkcs11Algorithm(alg);
  const common = [
    { type: api.CKA_TOKEN, value: true },
    { type: api.CKA_KEY_TYPE, value: keyType },
    { type: api.CKA_LABEL, value: label },
    { type: api.CKA_ID, value: id },
  ];
  const secret = [
    { type: api.CKA_PRIVATE, value: true },
    { type: api.CKA_SENSITIVE, value: true },
    { type: api.CKA_EXTRACTABLE, value: false },
    { type: api.CKA_SIGN, value: true },
  ];
  let cause: unknown;
  for (const curve of curves) {
    const open = [
      { type: api.CKA_VERIFY, value: true },
      { type: api.CKA_EC_PARAMS, value: curve },
    ];
    try {
      return module.C_GenerateKeyPair(session, { mechanism }, [...common, ...open], [...common, ...secret]);
    } catch (error) {
      if (!(error instanceof api.Pkcs11Error)) throw error;
      cause = error;
    }
  }
  const why = cause instanceof Error ? cause.message : String(cause);
  throw new KeystoreError(
    `the token makes no ${alg} key (${why}): see which it makes, and whether it is full`,
    {
      cause,
    },
  );
}

/** Destroys both halves of a key. */
export function destroyKey(access: TokenAccess, { id }: TokenKeyDescription): void {
  const { api, module, session } = access;
  const found = find(access, [{ type: api.CKA_ID, value: Buffer.from(id, 'hex') }]);
  for (const handle of found) module.C_DestroyObject(session, handle);
}
