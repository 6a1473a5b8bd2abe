/** What signer and peers agree on about proofs. */
import { resolve } from 'node:path';

/** Mode of a proof: nobody but its owner can move such a directory to another folder. */
export const proofMode = 0o700;

/** The folder beside a socket in which its peers make their proofs. */
export function proofFolderOf(socketPath: string): string {
  return `${resolve(socketPath)}.peers`;
}
