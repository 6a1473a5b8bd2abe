/** The header Content-Digest (RFC 9530), of SHA-256. */
import { createHash } from 'node:crypto';
import { parseDictionary } from 'structured-headers';

export function contentDigest(body: Uint8Array): string {
  return `sha-256=:${createHash('sha256').update(body).digest('base64')}:`;
}

/** Whether the header names SHA-256 of the body. Digests by other algorithms beside it are not looked at. */
export function isDigestOf(header: string, body: Uint8Array): boolean {
  const digest = sha256Of(header);
  return digest !== null && createHash('sha256').update(body).digest().equals(digest);
}

function sha256Of(header: string): Uint8Array | null {
  try {
    const value = parseDictionary(header).get('sha-256')?.[0];
    return value instanceof ArrayBuffer ? new Uint8Array(value) : null;
  } catch {
    // What cannot be read is the digest of nothing.
    return null;
  }
}
