/** Throwaway keys of tests, made by node:crypto. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import {
  base64,
  type Envelope,
  encodeEnvelope,
  keyFingerprint,
  keyIdOf,
  type PublicKey,
  preAuthEncoding,
} from '@tallystick/core';

export interface SigningKey extends PublicKey {
  /** As namespaces and brakes name it. */
  id: string;
  keyid: string;
  privateKey: KeyObject;
}

export function newKey(alg: 'ed25519' | 'ml-dsa-44' = 'ed25519'): SigningKey {
  const pair = alg === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ml-dsa-44');
  const spki = pair.publicKey.export({ type: 'spki', format: 'der' });
  const key = new Uint8Array(spki.subarray(alg === 'ed25519' ? -32 : -1312));
  const publicKey = { alg, key };
  return {
    ...publicKey,
    id: base64(keyFingerprint(publicKey)),
    keyid: keyIdOf(publicKey),
    privateKey: pair.privateKey,
  };
}

export function signBytes(key: SigningKey, message: Uint8Array): Uint8Array {
  return new Uint8Array(sign(null, message, key.privateKey));
}

/** The bytes of a DSSE envelope signed by all of `keys`. */
export function sealEnvelope(
  payload: Uint8Array,
  payloadType: string,
  keys: readonly SigningKey[],
): Uint8Array {
  const message = preAuthEncoding(payloadType, payload);
  const signatures = keys.map((key) => ({ keyid: key.keyid, sig: signBytes(key, message) }));
  const envelope: Envelope = { payload, payloadType, signatures };
  return encodeEnvelope(envelope);
}
