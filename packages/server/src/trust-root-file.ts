/** The file that clients pin, read and verified. */
import { readFileSync } from 'node:fs';
import { parseTrustRootFile, type TrustRoot, verifyTrustChain } from '@tallystick/core';

/** Throws where the file is none, or a version does not follow from the one before. */
export async function readTrustRootFile(file: string): Promise<TrustRoot[]> {
  return verifyTrustChain(parseTrustRootFile(readFileSync(file, 'utf8')));
}
