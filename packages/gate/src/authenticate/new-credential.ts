/**
 * What a new credential must look like so that it can be used, and what of it is stored. Whoever makes one sends what
 * names it: of an API key the hash, of a signing key the fingerprint, of a workload its SPIFFE id.
 */
import { decodeBase64, keyFingerprintText } from '@tallystick/core';
import type { CredentialCreate } from '@tallystick/license';
import { AddressError, parseRange } from './address.ts';
import { publicKeyOf } from './public-key.ts';
import { lookupOfHash } from './secret-token.ts';
import type { GateSecrets } from './secrets.ts';
import { isSpiffeId } from './spiffe.ts';

/** What an invitation lets its holder do. */
export const enrollAction = 'credential.enroll';

/** A credential that could never be used. `path` points into the command. */
export class CredentialError extends Error {
  override readonly name = 'CredentialError';
  readonly path: string;

  constructor(path: string, message: string) {
    super(message);
    this.path = path;
  }
}

/** The command as it is decided on. Throws CredentialError. */
export function storedCredential(
  command: CredentialCreate,
  { apiKeys }: Pick<GateSecrets, 'apiKeys'>,
): CredentialCreate {
  const { kind, lookup, material, scope } = command;
  for (const [at, range] of (scope?.networks ?? []).entries()) checkRange(range, `$.scope.networks[${at}]`);
  if (kind === 'api_key' || kind === 'invitation') {
    if (!isHash(lookup)) {
      throw new CredentialError(
        '$.lookup',
        'send the SHA-256 of the key in base64, and never the key itself',
      );
    }
    const stored = { ...command, lookup: lookupOfHash(apiKeys, lookup), material: {} };
    return kind === 'api_key' ? stored : { ...stored, ...checkInvitation(command) };
  }
  if (kind === 'passkey' || kind === 'password' || kind === 'totp') {
    const how = 'a person makes it with an invitation: give one with tally invite';
    throw new CredentialError('$.kind', `nobody makes a ${kind} for somebody else; ${how}`);
  }
  if (kind === 'http_signature') {
    const key = publicKeyOf(material ?? {});
    if (key === undefined) {
      const wanted = 'a raw public key in base64 as key, and ed25519 or ecdsa-p256-sha256 as alg';
      throw new CredentialError('$.material', `the material of a signing key is ${wanted}`);
    }
    if (keyFingerprintText(key) !== lookup) {
      throw new CredentialError('$.lookup', 'send the fingerprint of the key, which requests name as keyid');
    }
  }
  if (kind === 'spiffe' && !isSpiffeId(lookup)) {
    throw new CredentialError('$.lookup', 'send a SPIFFE id such as spiffe://vendor.example/billing');
  }
  if (kind === 'oidc' && !/^https:\/\/\S+ \S+$/.test(lookup)) {
    throw new CredentialError(
      '$.lookup',
      'send the issuer and the subject, such as https://login.example 00u1a2',
    );
  }
  return command;
}

/** It is good for what it is for, and not for long: whoever finds it becomes the person. */
function checkInvitation({ notAfter, scope }: CredentialCreate): Pick<CredentialCreate, 'scope'> {
  if ((scope?.products ?? null) !== null)
    throw new CredentialError(
      '$.scope.products',
      'what comes of an invitation is for every product that its owner has a role for: leave products out',
    );
  if (notAfter === undefined || notAfter === null)
    throw new CredentialError('$.notAfter', 'an invitation ends: say when, within a few days');
  return { scope: { ...scope, actions: [enrollAction] } };
}

function checkRange(range: string, path: string): void {
  try {
    parseRange(range);
  } catch (error) {
    if (error instanceof AddressError) throw new CredentialError(path, error.message);
    throw error;
  }
}

function isHash(text: string): boolean {
  try {
    return decodeBase64(text, 32).length === 32;
  } catch {
    // What is no base64 of 32 bytes is no hash.
    return false;
  }
}
