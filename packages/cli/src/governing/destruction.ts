/** The destruction of a key: what stands in its way, and what is left to do about it. */
import { existsSync } from 'node:fs';
import {
  destroyedSince,
  effectiveUntil,
  keyFingerprintText,
  type NamespaceKey,
  type PublicKey,
} from '@tallystick/core';
import type { Layout } from '@tallystick/server';
import {
  type DestroyedKey,
  KeystoreError,
  openWithDestroyed,
  readPassphraseFile,
  readTokenDescription,
} from '@tallystick/signer';
import { usageError } from '../errors.ts';
import type { CurrentTrust } from './current.ts';
import { isNamed, keyIdOfFingerprint } from './revision.ts';

/** In this order: a key is called destroyed once nothing has it any more. */
export const destructionSteps = ['end', 'remove', 'release', 'state'] as const;
export type DestructionStep = (typeof destructionSteps)[number];

/** The keys on the signer's host. */
export interface KeysAtHand {
  held: readonly DestroyedKey[];
  /** Removed from the keystore before. */
  destroyed: readonly DestroyedKey[];
}

export interface Target {
  /** Fingerprint, base64. */
  id: string;
  keyid: string;
  usages: readonly string[];
  /** null where no namespace lists it. */
  listed: NamespaceKey | null;
  steps: readonly DestructionStep[];
  /** Since which log index it is stated; null where it is not. */
  since: number | null;
}

/** Opens the keystore to see what is in it. Throws a usage error. */
export function keysAtHand({ keys, secrets }: Layout): KeysAtHand {
  try {
    const passphrase = readPassphraseFile(secrets.onlinePassphrase);
    const { keys: sealed, destroyed } = openWithDestroyed(keys.online, passphrase);
    const inToken = existsSync(keys.token) ? readTokenDescription(keys.token).keys : [];
    return { held: [...sealed, ...inToken], destroyed };
  } catch (error) {
    if (!(error instanceof KeystoreError)) throw error;
    throw usageError(
      `The keystore cannot be opened: ${error.message}.`,
      'Run this on the host of the signer, as its user.',
    );
  }
}

/** What is left to do about the key of that name. Throws a usage error where it must not be destroyed. */
export function targetOf(
  name: string,
  current: CurrentTrust,
  hand: KeysAtHand,
  options: { mayStopIssuing: boolean },
): Target {
  const namespace = current.namespace.document;
  const brake = current.brake.document;
  const atHand = (keys: readonly DestroyedKey[]): DestroyedKey | undefined =>
    keys.find(({ publicKey }) => isNamed(idOf(publicKey), name));
  const held = atHand(hand.held);
  const known = held ?? atHand(hand.destroyed);
  if (known === undefined) throw unknownKey(name, namespace.keys);
  const { id } = idOf(known.publicKey);
  const keyid = keyIdOfFingerprint(id);
  if (known.ns === null) {
    throw usageError(
      `Key ${keyid} signs ${known.usages.join(', ')}: it is not a key that is destroyed by itself.`,
      'Without it the log ends. See docs/operating/destroying-a-key.md.',
    );
  }
  const listed = namespace.keys.find((key) => key.id === id) ?? null;
  const since = destroyedSince(brake, id);
  const hasEnded = listed === null || effectiveUntil(namespace, brake, listed) <= current.size;
  if (!hasEnded && known.usages.includes('brake')) {
    throw usageError(
      `Key ${keyid} signs the brake, which cannot end its own key.`,
      `End it first: tally namespace propose --end-key ${keyid}@${current.size} --out revision.json`,
    );
  }
  if (listed !== null && held !== undefined && !options.mayStopIssuing) checkOthers(listed, current, hand);
  const isNeeded: Record<DestructionStep, boolean> = {
    end: !hasEnded,
    remove: held !== undefined,
    release: true,
    state: listed !== null && !Number.isFinite(since),
  };
  return {
    id,
    keyid,
    usages: known.usages,
    listed,
    steps: destructionSteps.filter((step) => isNeeded[step]),
    since: Number.isFinite(since) ? since : null,
  };
}

function unknownKey(name: string, listed: readonly NamespaceKey[]): Error {
  return listed.some((key) => isNamed(key, name))
    ? usageError(
        `The keystore does not hold key ${name}, and never did.`,
        'Destroy it on the host that holds it: a key is called destroyed only where it was.',
      )
    : usageError(`There is no key ${name}.`, 'See tally keys list.');
}

/** Throws a usage error where the key is the only one here that is left for something it does. */
function checkOthers(
  key: NamespaceKey,
  { namespace, brake, size }: CurrentTrust,
  { held }: KeysAtHand,
): void {
  const isHeld = ({ id }: NamespaceKey): boolean => held.some(({ publicKey }) => idOf(publicKey).id === id);
  const others = namespace.document.keys.filter(
    (other) =>
      other.id !== key.id &&
      isHeld(other) &&
      effectiveUntil(namespace.document, brake.document, other) > Math.max(size, other.from),
  );
  const last = key.usages.find((usage) => !others.some(({ usages }) => usages.includes(usage)));
  if (last === undefined) return;
  throw usageError(
    `Key ${keyIdOfFingerprint(key.id)} is the only one here that is left for ${last} records.`,
    'Generate and list another one first, or say with --may-stop-issuing that this is meant.',
  );
}

function idOf(publicKey: PublicKey): { id: string } {
  return { id: keyFingerprintText(publicKey) };
}
