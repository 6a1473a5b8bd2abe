/** The file that clients pin: read and verified, and replaced by a longer one. */
import { readFileSync } from 'node:fs';
import { formatTrustRootFile, parseTrustRootFile, type TrustRoot, verifyTrustChain } from '@tallystick/core';
import { writeWhole } from './write-whole.ts';

/** Throws where the file is none, or a version does not follow from the one before. */
export async function readTrustRootFile(file: string): Promise<TrustRoot[]> {
  return verifyTrustChain(parseTrustRootFile(readFileSync(file, 'utf8')));
}

/** As `writeWhole`. */
export function writeTrustRootFile(file: string, envelopes: readonly Uint8Array[]): void {
  writeWhole(file, formatTrustRootFile(envelopes));
}
