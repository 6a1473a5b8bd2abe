/** What requests show to a server: a bearer token, or a signature of each of them. */
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { base64, parseTrustRoot, parseTrustRootFile } from '@tallystick/core';
import { type RequestSigningKey, requestSigningKey } from '@tallystick/gate/http-signature';
import { messageOf, usageError } from '../errors.ts';

/** Sent, and never shown. `system` is what signed requests say that they are for. */
export type Credential = { token: string } | { signingKey: RequestSigningKey; system: string };

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

/**
 * What signed requests for the system of a pinned trust root say: base64 of its genesis. Never asked of the server, which could
 * name another one. Throws a usage error.
 */
export function systemOf(trustRootFile: string | undefined): string {
  const todo = 'Name the trust root that you pin with --signed-for, or as trustRootFile in client.json.';
  if (trustRootFile === undefined)
    throw usageError('It is not known for which system requests are to be signed.', todo);
  try {
    const [first] = parseTrustRootFile(readFileSync(trustRootFile, 'utf8'));
    if (first === undefined) throw new Error('it holds no trust root');
    return base64(parseTrustRoot(first).genesis);
  } catch (error) {
    throw usageError(`${trustRootFile} is no trust root file: ${messageOf(error)}.`, todo);
  }
}
