/** The keys that a log is known by, and its lines on checkpoints. */
import {
  type Checkpoint,
  cosignedMessage,
  encodeTimestampedSignature,
  formatCheckpoint,
  logVerifierKey,
  type NoteSignature,
  u64be,
  utf8,
  type VerifierKey,
} from '@tallystick/core';
import type { KeystoreKey } from './keystore/keystore-key.ts';

/** Every log has one of Ed25519, which signs its promises as well. */
export interface LogKeys {
  ed25519: KeystoreKey;
  mlDsa44: KeystoreKey | null;
}

/** Throws where they are not the keys of one log. */
export function logKeysOf(keys: readonly KeystoreKey[]): LogKeys {
  const logKeys = keys.filter((key) => key.usages.includes('log'));
  const [ed25519, ...others] = logKeys.filter(({ publicKey }) => publicKey.alg === 'ed25519');
  const [mlDsa44 = null, ...more] = logKeys.filter(({ publicKey }) => publicKey.alg === 'ml-dsa-44');
  // Lines on checkpoints know no other algorithm of a log.
  if (logKeys.some(({ publicKey }) => publicKey.alg === 'ecdsa-p256-sha256'))
    throw new Error('a log key must be an Ed25519 key or an ML-DSA-44 key');
  if (ed25519 === undefined || others.length + more.length > 0)
    throw new Error('the keystore needs exactly one log key of Ed25519, and at most one of ML-DSA-44');
  return { ed25519, mlDsa44 };
}

export function isSameLog(a: LogKeys, b: LogKeys): boolean {
  return a.ed25519.keyid === b.ed25519.keyid && a.mlDsa44?.keyid === b.mlDsa44?.keyid;
}

/** As they stand in a trust root. */
export function verifierKeysOf({ ed25519, mlDsa44 }: LogKeys, origin: string): VerifierKey[] {
  const keys = mlDsa44 === null ? [ed25519] : [ed25519, mlDsa44];
  return keys.map(({ publicKey }) => logVerifierKey(origin, publicKey));
}

/**
 * The log's lines on a checkpoint, one of each of its keys.
 *
 * @param seconds POSIX time of the signer, which stands in the line of ML-DSA-44; nobody relies on it
 */
export function logLines(
  { ed25519, mlDsa44 }: LogKeys,
  checkpoint: Checkpoint,
  seconds: number,
): Promise<NoteSignature[]> {
  const lines = [ed25519Line(ed25519, checkpoint)];
  if (mlDsa44 !== null) lines.push(mlDsa44Line(mlDsa44, checkpoint, seconds));
  return Promise.all(lines);
}

async function ed25519Line(key: KeystoreKey, checkpoint: Checkpoint): Promise<NoteSignature> {
  const { name, id } = logVerifierKey(checkpoint.origin, key.publicKey);
  return { name, id, signature: await key.sign(utf8(formatCheckpoint(checkpoint))) };
}

async function mlDsa44Line(
  key: KeystoreKey,
  checkpoint: Checkpoint,
  seconds: number,
): Promise<NoteSignature> {
  const vkey = logVerifierKey(checkpoint.origin, key.publicKey);
  const message = cosignedMessage(vkey, formatCheckpoint(checkpoint), checkpoint, u64be(seconds));
  const signed = encodeTimestampedSignature(seconds, await key.sign(message));
  return { name: vkey.name, id: vkey.id, signature: signed };
}
