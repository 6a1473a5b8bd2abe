/** The file that clients pin: read and verified, and replaced by a longer one. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { formatTrustRootFile, parseTrustRootFile, type TrustRoot, verifyTrustChain } from '@tallystick/core';

/** Throws where the file is none, or a version does not follow from the one before. */
export async function readTrustRootFile(file: string): Promise<TrustRoot[]> {
  return verifyTrustChain(parseTrustRootFile(readFileSync(file, 'utf8')));
}

/** On disk before it returns; there is always either the old file or the new one, whole. */
export function writeTrustRootFile(file: string, envelopes: readonly Uint8Array[]): void {
  const partial = `${file}.partial`;
  const descriptor = openSync(partial, 'w', 0o644);
  try {
    writeSync(descriptor, formatTrustRootFile(envelopes));
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(partial, file);
  const folder = openSync(dirname(file), 'r');
  fsyncSync(folder);
  closeSync(folder);
}
