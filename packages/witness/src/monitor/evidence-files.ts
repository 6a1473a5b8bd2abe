/** Where a monitor writes what it has found: one file for each contradiction, whole or not at all, never over another. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { hex, IntegrityError, type PublicKey, sha256, type TrustRoot, utf8 } from '@tallystick/core';
import { ConfigError, messageOf } from '../errors.ts';
import { readPrivateFile } from '../keys.ts';
import { type Contradiction, encodeEvidence, jsonOf } from './evidence.ts';
import { verifyEvidence } from './verify-evidence.ts';

/** A monitor's own key, which signs evidence. */
export interface MonitorKey {
  publicKey: PublicKey;
  sign(message: Uint8Array): Uint8Array;
}

/** Makes a new Ed25519 key in a file that only its owner can read. Throws ConfigError where the file exists. */
export function createMonitorKey(path: string): MonitorKey {
  const { privateKey } = generateKeyPairSync('ed25519');
  let file: number;
  try {
    file = openSync(path, 'wx', 0o600);
  } catch (error) {
    throw new ConfigError(`cannot create the key file: ${messageOf(error)}`, { cause: error });
  }
  try {
    writeFileSync(file, String(privateKey.export({ type: 'pkcs8', format: 'pem' })));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return keyOf(privateKey);
}

/** Throws ConfigError where it is missing, none, or open to others than its owner. */
export function loadMonitorKey(path: string): MonitorKey {
  const text = readPrivateFile(path);
  try {
    const key = createPrivateKey(text);
    if (key.asymmetricKeyType !== 'ed25519') throw new Error('it is not of Ed25519');
    return keyOf(key);
  } catch (error) {
    throw new ConfigError(`${path} is not a monitor's key: ${messageOf(error)}`, { cause: error });
  }
}

function keyOf(privateKey: KeyObject): MonitorKey {
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  return {
    publicKey: { alg: 'ed25519', key: new Uint8Array(Buffer.from(x, 'base64url')) },
    sign: (message) => sign(null, message, privateKey),
  };
}

export class EvidenceFolder {
  readonly #folder: string;
  readonly #key: MonitorKey;

  constructor(folder: string, key: MonitorKey) {
    this.#folder = folder;
    this.#key = key;
  }

  /**
   * Writes it, unless it was written before, once it stands as anybody will judge it. `at` is an instant. Returns the
   * path, when it is on the disk; null where it would prove nothing.
   */
  async write(versions: readonly TrustRoot[], at: string, found: Contradiction): Promise<string | null> {
    const origin = versions[0]?.log.origin ?? '';
    const id = hex(sha256(utf8(JSON.stringify([origin, jsonOf(found)])))).slice(0, 16);
    const path = join(this.#folder, `${found.kind}-${id}.json`);
    if (existsSync(path)) return path;
    const evidence = { origin, at, by: this.#key.publicKey, found };
    const bytes = encodeEvidence(evidence, (message) => this.#key.sign(message));
    try {
      await verifyEvidence(bytes, versions);
    } catch (error) {
      if (error instanceof IntegrityError) return null;
      throw error;
    }
    mkdirSync(this.#folder, { recursive: true });
    const temporary = `${path}.new`;
    rmSync(temporary, { force: true });
    const file = openSync(temporary, 'wx', 0o644);
    try {
      writeFileSync(file, bytes);
      writeFileSync(file, '\n');
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    linkSync(temporary, path);
    rmSync(temporary);
    syncFolder(this.#folder);
    return path;
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
