/** Bearer tokens, compared by hash and in constant time. */
import { hash, timingSafeEqual } from 'node:crypto';
import type { RouteAuth } from '@tallystick/contract';

/** What a credential is good for; null for none or an unknown one. */
export type Caller = { kind: 'admin' | 'mirror'; id: string } | null;

export interface TokenHashes {
  adminTokenHash: string;
  mirrorTokenHash: string;
}

export function hashToken(token: string): string {
  return hash('sha256', token, 'base64');
}

/** Who the `Authorization` header says is calling. */
export function callerOf(header: string | undefined, hashes: TokenHashes): Caller {
  const token = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(header ?? '')?.[1];
  if (token === undefined) return null;
  const given = Buffer.from(hashToken(token));
  if (sameHash(given, hashes.adminTokenHash)) return { kind: 'admin', id: 'bootstrap' };
  if (sameHash(given, hashes.mirrorTokenHash)) return { kind: 'mirror', id: 'mirror' };
  return null;
}

function sameHash(given: Buffer, known: string): boolean {
  const expected = Buffer.from(known);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** Whether a caller may use a route: undefined, or the code of the problem that says no. */
export function authProblem(auth: RouteAuth, caller: Caller): 'unauthorized' | 'forbidden' | undefined {
  if (auth === 'none') return undefined;
  if (caller === null) return 'unauthorized';
  return caller.kind === 'admin' || auth === 'mirror' ? undefined : 'forbidden';
}
