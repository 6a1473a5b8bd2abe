/** What requests show to a server: a bearer token, or a signature of each of them. */
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type RequestSigningKey, requestSigningKey } from '@tallystick/gate/http-signature';
import { messageOf, usageError } from '../errors.ts';

/** Sent, and never shown. */
export type Credential = { token: string } | { signingKey: RequestSigningKey };

/** Reads a private key in PEM. Throws a usage error, without a word of the file. */
export function readSigningKey(path: string): RequestSigningKey {
  let pem: string;
  try {
    pem = readFileSync(path, 'utf8');
  } catch (error) {
    throw usageError(`The signing key cannot be read: ${messageOf(error)}.`, 'Check the name of the file.');
  }
  try {
    return requestSigningKey(createPrivateKey(pem));
  } catch {
    // What the library says may quote the file.
    throw usageError(
      `${path} holds no private key of Ed25519 or P-256 without a passphrase.`,
      'Make one with tally credential create --kind http_signature.',
    );
  }
}
