/**
 * A public key as its holder hands it over: one line. People compare its key id by eye, and the fingerprint.
 *
 *     tallystick-<root|authority|rehearsal>-key v1 <holder> <algorithm> <base64 of the key> <key id>
 *
 * The key id, 16 hexadecimal digits, is recomputed: a line that was cut or mistyped is refused.
 */
import { keyFingerprintText, keyIdOf, type PublicKey, parsePublicKey, publicKeyJson } from '@tallystick/core';
import { messageOf } from '../errors.ts';

export const keyRoles = ['root', 'authority', 'rehearsal'] as const;
/** What a key was made for. A rehearsal key is in no real trust root. */
export type KeyRole = (typeof keyRoles)[number];

export interface HolderKey {
  role: KeyRole;
  /** A name for people: it is in no trust root, and proves nothing. */
  holder: string;
  key: PublicKey;
}

/** Names by fingerprint (base64): a key id is short enough for somebody to make another key with it. */
export type Holders = ReadonlyMap<string, string>;

const holderRule = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/;
const lineRule = /^tallystick-(\w+)-key v1 (\S+) (\S+) (\S+) ([0-9a-f]{16})$/;

export function isHolderName(text: string): boolean {
  return holderRule.test(text);
}

/** Without a line feed. */
export function formatKeyLine({ role, holder, key }: HolderKey): string {
  const { alg, key: raw } = publicKeyJson(key);
  return `tallystick-${role}-key v1 ${holder} ${alg} ${raw} ${keyIdOf(key)}`;
}

/** Throws an Error that says what is wrong with the line, also for a key that nobody may use. */
export function parseKeyLine(line: string): HolderKey {
  const [, roleName, holder = '', alg = '', raw = '', id] = lineRule.exec(line) ?? [];
  const role = keyRoles.find((each) => each === roleName);
  if (role === undefined || !isHolderName(holder)) throw new Error('it is not the line of a public key');
  const key = parsePublicKey({ alg, key: raw }, 'key');
  if (keyIdOf(key) !== id) throw new Error(`the key id in the line of ${holder} is not the one of its key`);
  return { role, holder, key };
}

/** A list of such lines, which the reader keeps for himself: whom each key belongs to. `#` begins a comment. */
export function parseHolders(text: string): Holders {
  const holders = new Map<string, string>();
  for (const [at, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    try {
      const { holder, key } = parseKeyLine(line.trim());
      holders.set(keyFingerprintText(key), holder);
    } catch (error) {
      throw new Error(`line ${at + 1}: ${messageOf(error)}`, { cause: error });
    }
  }
  return holders;
}
