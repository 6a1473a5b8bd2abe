/** The two tokens of a system's folder, compared by hash and in constant time. */
import { hash, timingSafeEqual } from 'node:crypto';

export interface TokenHashes {
  adminTokenHash: string;
  mirrorTokenHash: string;
}

export function hashToken(token: string): string {
  return hash('sha256', token, 'base64');
}

/** Which of the two an `Authorization` header shows; null for neither. */
export function tokenOf(header: string | undefined, hashes: TokenHashes): 'bootstrap' | 'mirror' | null {
  const token = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(header ?? '')?.[1];
  return token === undefined ? null : tokenKind(token, hashes);
}

/** Which of the two a token is; null for neither. */
export function tokenKind(token: string, hashes: TokenHashes): 'bootstrap' | 'mirror' | null {
  const given = Buffer.from(hashToken(token));
  if (sameHash(given, hashes.adminTokenHash)) return 'bootstrap';
  return sameHash(given, hashes.mirrorTokenHash) ? 'mirror' : null;
}

function sameHash(given: Buffer, known: string): boolean {
  const expected = Buffer.from(known);
  return given.length === expected.length && timingSafeEqual(given, expected);
}
