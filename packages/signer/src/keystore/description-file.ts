/** Files that describe keys which something else holds: read strictly, written once. Nothing in them is secret. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { asArray, asString, base64, type JsonValue, malformed, parsePublicKey } from '@tallystick/core';
import type { KeyDescription } from './described-key.ts';
import { KeystoreError } from './keystore-error.ts';
import { type SigningUsage, signingUsages } from './keystore-key.ts';

/** Keys in one description. */
export const describedKeysMax = 16;

/**
 * Reads a description with `parse`; `what` names it in messages. Throws KeystoreError for one that is missing, not one,
 * or writable by others than its owner.
 */
export function readDescriptionFile<T>(file: string, what: string, parse: (value: JsonValue) => T): T {
  try {
    const { mode } = statSync(file);
    // It names what is loaded into the signer, or whom the signer turns to.
    if ((mode & 0o022) !== 0) {
      throw new KeystoreError(
        `the ${what} ${file} can be changed by others than its owner: run chmod 644 on it, and look into it`,
      );
    }
    return parse(JSON.parse(readFileSync(file, 'utf8')) as JsonValue);
  } catch (error) {
    if (error instanceof KeystoreError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new KeystoreError(`${file} is not a ${what}: ${why}`, { cause: error });
  }
}

/** Refuses to overwrite a file. */
export function writeDescriptionFile(file: string, json: object): void {
  writeFileSync(file, `${JSON.stringify(json, null, 2)}\n`, { mode: 0o644, flag: 'wx' });
}

/** The members of a key that every description has, behind those that say where it is. */
export const keyMembers = ['alg', 'key', 'usages', 'ns'] as const;

export function keyMembersOf({ publicKey, usages, ns }: KeyDescription): Record<string, unknown> {
  return { alg: publicKey.alg, key: base64(publicKey.key), usages, ns };
}

export function parseKeyMembers({
  alg,
  key,
  usages,
  ns,
}: Record<(typeof keyMembers)[number], JsonValue>): KeyDescription {
  return {
    publicKey: parsePublicKey({ alg, key }, 'key'),
    usages: asArray(usages, 'usages', signingUsages.length).map(parseUsage),
    ns: ns === null ? null : asString(ns, 'ns'),
  };
}

function parseUsage(value: JsonValue): SigningUsage {
  const usage = signingUsages.find((each) => each === value);
  if (usage === undefined) throw malformed(`usage ${JSON.stringify(value)}`);
  return usage;
}
