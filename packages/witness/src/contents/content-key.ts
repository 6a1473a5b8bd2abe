/**
 * The key that documents are sealed to on their way to a mirror: X25519.
 *
 *     tallystick-content-key v1 <base64 of the 32 private bytes>
 *
 * One line, ended by LF, in a file that only its owner can read. The public half is 32 bytes in base64, and named by the
 * first 16 hexadecimal digits of `H("x25519" || 00 || public half)`.
 */
import { createPublicKey, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, writeFileSync } from 'node:fs';
import { base64, decodeBase64, domainHash, hashDomain, hex } from '@tallystick/core';
import { ConfigError, messageOf } from '../errors.ts';
import { readPrivateFile } from '../keys.ts';
import { privateKeyOf, rawPublicKey } from './hpke.ts';

export interface ContentPublicKey {
  /** 16 lower-case hexadecimal digits. */
  id: string;
  /** 32 bytes. */
  raw: Uint8Array;
}

export interface ContentKey extends ContentPublicKey {
  /** 32 bytes. */
  privateRaw: Uint8Array;
}

const header = 'tallystick-content-key v1';
const keyLength = 32;
const idDomain = hashDomain('x25519');

/** Throws IntegrityError where the text is not the base64 of 32 bytes. */
export function parseContentPublicKey(text: string): ContentPublicKey {
  return publicKeyOf(decodeBase64(text, keyLength));
}

/** Makes a new key and its file. Throws ConfigError where the file exists: a key is never written over. */
export function createContentKey(path: string): ContentPublicKey {
  const key = keyOf(new Uint8Array(randomBytes(keyLength)));
  let file: number;
  try {
    file = openSync(path, 'wx', 0o600);
  } catch (error) {
    throw new ConfigError(`cannot create the content key: ${messageOf(error)}`, { cause: error });
  }
  try {
    writeFileSync(file, `${header} ${base64(key.privateRaw)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return { id: key.id, raw: key.raw };
}

/** Reads a key file; throws ConfigError where it is missing, malformed or open to others than its owner. */
export function loadContentKey(path: string): ContentKey {
  const [, written] = /^tallystick-content-key v1 (\S+)\n$/.exec(readPrivateFile(path)) ?? [];
  try {
    return keyOf(decodeBase64(written ?? '', keyLength));
  } catch (error) {
    throw new ConfigError(`${path} is not a content key: ${messageOf(error)}`, { cause: error });
  }
}

function keyOf(privateRaw: Uint8Array): ContentKey {
  return { ...publicKeyOf(rawPublicKey(createPublicKey(privateKeyOf(privateRaw)))), privateRaw };
}

function publicKeyOf(raw: Uint8Array): ContentPublicKey {
  return { id: hex(domainHash(idDomain, raw)).slice(0, 16), raw };
}
