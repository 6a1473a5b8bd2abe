/**
 * A cosigner's keys: the file they live in, and the signature lines that they make.
 *
 *     tallystick-cosigner-key v1 <name> <ed25519|ml-dsa-44> <base64 of a 32-byte seed>
 *
 * One line for each algorithm, ended by LF, in a file that only its owner can read. The seed is stored rather than PKCS#8, whose
 * form for ML-DSA is not the same in every version of Node.
 */
import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import {
  base64,
  type Checkpoint,
  cosignedMessage,
  decodeBase64,
  encodeTimestampedSignature,
  formatCheckpoint,
  formatSignatureLine,
  formatVerifierKey,
  isKeyName,
  makeVerifierKey,
  noteSignatureType,
  u64be,
  type VerifierKey,
} from '@tallystick/core';
import { ConfigError, messageOf } from './errors.ts';

/** Ed25519 makes cosignatures of note type 04, ML-DSA-44 of type 06. */
export type CosignerKeyType = 'ed25519' | 'ml-dsa-44';

/** A loaded key; the private part never leaves the closure of `cosign`. */
export interface CosignerKey {
  readonly name: string;
  readonly vkey: VerifierKey;
  /** `name+id+key`, what logs and policies are configured with. */
  readonly vkeyText: string;
  /** The note signature line, with its LF, on a checkpoint at a POSIX time in seconds. */
  cosign(checkpoint: Checkpoint, seconds: number): string;
}

/** The keys of one cosigner: one name, no algorithm twice. It signs with all of them. */
export type CosignerKeys = readonly [CosignerKey, ...CosignerKey[]];

const header = 'tallystick-cosigner-key v1';
const seedLength = 32;
/** PKCS#8 up to the seed: RFC 8410, and RFC 9881's seed-only form. */
const pkcs8Prefix: Record<CosignerKeyType, Buffer> = {
  ed25519: Buffer.from('302e020100300506032b657004220420', 'hex'),
  'ml-dsa-44': Buffer.from('3034020100300b060960864801650304031104228020', 'hex'),
};
const rawKeyLength: Record<CosignerKeyType, number> = { ed25519: 32, 'ml-dsa-44': 1312 };
const noteType = {
  ed25519: noteSignatureType.ed25519Cosignature,
  'ml-dsa-44': noteSignatureType.mlDsa44Cosignature,
} as const;

/** The key of a 32-byte seed; throws ConfigError for another length or an unusable name. */
export function keyFromSeed(name: string, seed: Uint8Array, type: CosignerKeyType = 'ed25519'): CosignerKey {
  if (!isKeyName(name)) throw new ConfigError('the cosigner name has spaces, a plus or nothing in it');
  if (seed.length !== seedLength)
    throw new ConfigError(`the seed has ${seed.length} bytes, not ${seedLength}`);
  const privateKey = createPrivateKey({
    key: Buffer.concat([pkcs8Prefix[type], seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const vkey = makeVerifierKey(name, noteType[type], rawPublicKey(privateKey, type));
  return {
    name,
    vkey,
    vkeyText: formatVerifierKey(vkey),
    cosign: (checkpoint, seconds) => cosignatureLine(vkey, privateKey, checkpoint, seconds),
  };
}

/** Whoever trusts a cosigner need not give up one of them because the other one fell. */
export const cosignerKeyTypes: readonly [CosignerKeyType, ...CosignerKeyType[]] = ['ed25519', 'ml-dsa-44'];

/**
 * Makes new keys and writes their file, readable by its owner alone. Throws ConfigError where the file exists:
 * a key is never written over.
 */
export function createKeys(
  path: string,
  name: string,
  types: readonly CosignerKeyType[] = cosignerKeyTypes,
): CosignerKeys {
  const made = types.map((type) => ({ type, seed: randomBytes(seedLength) }));
  const [first, ...others] = made.map(({ type, seed }) => keyFromSeed(name, seed, type));
  if (first === undefined) throw new ConfigError('a cosigner needs a key');
  let file: number;
  try {
    file = openSync(path, 'wx', 0o600);
  } catch (error) {
    throw new ConfigError(`cannot create the key file: ${messageOf(error)}`, { cause: error });
  }
  try {
    writeFileSync(file, made.map(({ type, seed }) => `${header} ${name} ${type} ${base64(seed)}\n`).join(''));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return [first, ...others];
}

/** Reads a key file; throws ConfigError where it is missing, malformed or open to others than its owner. */
export function loadKeys(path: string): CosignerKeys {
  const text = readPrivateFile(path);
  if (!text.endsWith('\n')) throw new ConfigError(`${path} is not a cosigner key file`);
  const [first, ...others] = text
    .slice(0, -1)
    .split('\n')
    .map((line) => parseKeyLine(line, path));
  if (first === undefined) throw new ConfigError(`${path} holds no key`);
  const types = [first, ...others].map(({ vkey }) => vkey.type);
  if (others.some(({ name }) => name !== first.name) || new Set(types).size !== types.length)
    throw new ConfigError(`${path} holds keys of several cosigners, or two of one algorithm`);
  return [first, ...others];
}

function parseKeyLine(line: string, path: string): CosignerKey {
  const [first, version, name, type, seed, ...rest] = line.split(' ');
  const isKnown = `${first} ${version}` === header && (type === 'ed25519' || type === 'ml-dsa-44');
  if (!isKnown || name === undefined || seed === undefined || rest.length > 0)
    throw new ConfigError(`${path} is not a cosigner key file`);
  let bytes: Uint8Array;
  try {
    bytes = decodeBase64(seed, seedLength);
  } catch (error) {
    throw new ConfigError(`${path} is not a cosigner key file: ${messageOf(error)}`, { cause: error });
  }
  return keyFromSeed(name, bytes, type);
}

/** Mode and content are read from one open file, so that they belong to each other. */
export function readPrivateFile(path: string): string {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    throw new ConfigError(`cannot read the key file: ${messageOf(error)}`, { cause: error });
  }
  try {
    const mode = fstatSync(file).mode & 0o777;
    if ((mode & 0o077) !== 0) {
      throw new ConfigError(`${path} has mode ${mode.toString(8)}: others than its owner can reach the key`);
    }
    return readFileSync(file, 'utf8');
  } finally {
    closeSync(file);
  }
}

function rawPublicKey(privateKey: KeyObject, type: CosignerKeyType): Uint8Array {
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  return new Uint8Array(spki.subarray(-rawKeyLength[type]));
}

function cosignatureLine(
  vkey: VerifierKey,
  privateKey: KeyObject,
  checkpoint: Checkpoint,
  seconds: number,
): string {
  // Time 0 says "no statement about time" and never counts in a quorum: such a cosignature is a broken clock's.
  if (!Number.isSafeInteger(seconds) || seconds <= 0)
    throw new RangeError(`not a time to cosign at: ${seconds}`);
  const message = cosignedMessage(vkey, formatCheckpoint(checkpoint), checkpoint, u64be(seconds));
  const signature = encodeTimestampedSignature(seconds, sign(null, message, privateKey));
  return formatSignatureLine({ name: vkey.name, id: vkey.id, signature });
}
