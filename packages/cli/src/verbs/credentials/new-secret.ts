/** Secrets that are made here, and never leave this machine: the server is told what they are found by. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import type { CredentialCreateBody } from '@tallystick/contract';
import { base64, keyFingerprintText, type PublicKey } from '@tallystick/core';
import { publicKeyOfKeyObject, requestSigningKey } from '@tallystick/gate/http-signature';
import { newSecretToken, secretTokenHash } from '@tallystick/gate/secret-token';
import { messageOf, usageError } from '../../errors.ts';

/** What names a credential to the server, and what verifies it. */
export type Naming = Pick<CredentialCreateBody, 'lookup' | 'material'>;

/** `secret` is for its owner alone: the key itself, or a private key in PEM. */
export interface NewSecret extends Naming {
  secret: string;
}

export function newApiKey(kind: 'api' | 'partner'): NewSecret {
  const secret = newSecretToken(kind, (length) => randomBytes(length));
  return { secret, lookup: secretTokenHash(secret) };
}

export function newSigningKey(): NewSecret {
  const { privateKey } = generateKeyPairSync('ed25519');
  const secret = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { secret, ...namingOf(requestSigningKey(createPrivateKey(secret)).publicKey) };
}

/** Of a public key in PEM that was made elsewhere. Throws a usage error. */
export function publicKeyNaming(path: string): Naming {
  try {
    return namingOf(publicKeyOfKeyObject(createPublicKey(readFileSync(path))));
  } catch (error) {
    throw usageError(
      `${path} holds no public key of Ed25519 or P-256: ${messageOf(error)}.`,
      'Give one in PEM, such as openssl pkey -pubout writes.',
    );
  }
}

function namingOf(key: PublicKey): Naming {
  return { lookup: keyFingerprintText(key), material: { alg: key.alg, key: base64(key.key) } };
}

/** Writes a secret for its owner alone, never over a file that is there. Throws a usage error. */
export async function writeSecret(path: string, secret: string): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(secret.endsWith('\n') ? secret : `${secret}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw usageError(`${path} cannot be made: ${messageOf(error)}.`, 'Choose another path.');
  }
}

export async function removeSecret(path: string): Promise<void> {
  await rm(path, { force: true });
}
