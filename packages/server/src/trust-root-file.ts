/** The file that clients pin: every version of the trust root, as envelopes. */
import { readFileSync } from 'node:fs';
import { base64, decodeBase64, type TrustRoot, verifyTrustChain } from '@tallystick/core';

/** `{"v":1,"envelopes":[b64…]}` and a line feed. */
export function formatTrustRootFile(envelopes: readonly Uint8Array[]): string {
  return `${JSON.stringify({ v: 1, envelopes: envelopes.map(base64) })}\n`;
}

/** Reads and verifies a trust root file; throws where a version does not follow from the one before. */
export async function readTrustRootFile(file: string): Promise<TrustRoot[]> {
  const { v, envelopes } = JSON.parse(readFileSync(file, 'utf8')) as { v: number; envelopes: string[] };
  if (v !== 1 || !Array.isArray(envelopes)) throw new Error(`${file} is not a trust root file`);
  return verifyTrustChain(envelopes.map((envelope) => decodeBase64(envelope)));
}
