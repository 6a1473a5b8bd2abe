/** Public keys on their way from the signer's host to the authority: what `tally keys generate` writes. */
import {
  asArray,
  asString,
  base64,
  closedMembers,
  keyUsages,
  type NamespaceKey,
  type PublicKey,
  parseJson,
  parsePublicKey,
  requireVersion1,
} from '@tallystick/core';
import type { Context } from '../context.ts';
import { messageOf, usageError } from '../errors.ts';
import { readInput } from '../files.ts';

export interface ListedKey extends PublicKey {
  usages: NamespaceKey['usages'];
  limits: NamespaceKey['limits'];
}

const keysMax = 64;
const noLimits = { offlineMax: null, termMax: null, seatsMax: null, perMinute: null };

export function formatKeyFile(keys: readonly (PublicKey & { usages: readonly string[] })[]): string {
  const listed = keys.map(({ alg, key, usages }) => ({ key: { alg, key: base64(key) }, usages }));
  return `${JSON.stringify({ v: 1, keys: listed })}\n`;
}

/** Throws a usage error. */
export async function readKeyFile(path: string, context: Context): Promise<ListedKey[]> {
  const bytes = await readInput(path, context);
  try {
    const text = bytes.at(-1) === 0x0a ? bytes.subarray(0, -1) : bytes;
    const { v, keys } = closedMembers(parseJson(text), ['v', 'keys'], 'keys');
    requireVersion1(v, 'keys');
    return asArray(keys, 'keys', keysMax).map((item) => {
      const { key, usages } = closedMembers(item, ['key', 'usages'], 'key');
      return {
        ...parsePublicKey(key, 'key'),
        usages: asArray(usages, 'usages', keyUsages.length).map((usage) =>
          readUsage(asString(usage, 'usage')),
        ),
        limits: noLimits,
      };
    });
  } catch (error) {
    throw usageError(
      `${path} holds no public keys: ${messageOf(error)}.`,
      'Make them with tally keys generate.',
    );
  }
}

function readUsage(text: string): NamespaceKey['usages'][number] {
  const usage = keyUsages.find((known) => known === text);
  if (usage === undefined) throw new Error(`unknown usage ${text}`);
  return usage;
}
