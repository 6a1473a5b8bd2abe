/** The passphrase of a key: from a file that only its owner can read, or typed where nobody can read along. */
import { readFileSync } from 'node:fs';
import {
  CloudKeystore,
  KeystoreError,
  type KeystoreKey,
  openSealedKeystore,
  Pkcs11Keystore,
  readCloudDescription,
  readPassphraseFile,
  readPinFile,
  readTokenDescription,
  readVaultTokenFile,
} from '@tallystick/signer';
import type { Context } from '../context.ts';
import { messageOf, usageError } from '../errors.ts';

const withoutTerminal =
  'Run it in a terminal to type it, or name a file of mode 0600 with --passphrase-file.';

/** Throws a usage error where there is neither. */
async function askPassphrase(
  context: Context,
  file: string | undefined,
  path: string,
): Promise<string | Uint8Array> {
  return file === undefined ? askTyped(context, path) : readSecret(file, readPassphraseFile);
}

async function askTyped(context: Context, path: string): Promise<string> {
  const typed = await context.ask(`Passphrase of ${path}: `, { hidden: true });
  if (typed === null) throw usageError(`The passphrase of ${path} is missing.`, withoutTerminal);
  return typed;
}

/** As `askPassphrase`, for a key that is being made: a typed one is asked for twice. */
export async function askNewPassphrase(
  context: Context,
  file: string | undefined,
  path: string,
): Promise<string | Uint8Array> {
  const first = await askPassphrase(context, file, path);
  if (file !== undefined) return first;
  const second = await context.ask('The same again: ', { hidden: true });
  if (second === first) return first;
  throw usageError('The two passphrases differ.', 'Nothing was made; run it again.');
}

/** Keys that can sign until they are disposed of. */
export interface OpenKeys extends AsyncDisposable {
  keys: readonly KeystoreKey[];
}

/**
 * Opens a sealed file, or the token or service that a description names: version 1 may have its root key there. Throws
 * a usage error where that fails.
 */
export async function openKeys(
  context: Context,
  path: string,
  secretFile: string | undefined,
): Promise<OpenKeys> {
  try {
    if (isDescription(path, 'token')) return await openToken(context, path, secretFile);
    if (isDescription(path, 'service')) return await openCloud(context, path, secretFile);
    const keys = openSealedKeystore(path, await askPassphrase(context, secretFile, path));
    return { keys, [Symbol.asyncDispose]: async () => undefined };
  } catch (error) {
    if (!(error instanceof KeystoreError)) throw error;
    throw usageError(`${path} cannot be opened: ${error.message}.`, 'Correct that; nothing was signed.');
  }
}

async function openToken(context: Context, path: string, pinFile: string | undefined): Promise<OpenKeys> {
  const description = readTokenDescription(path);
  const pin =
    pinFile === undefined
      ? await askTyped(context, `token ${description.token}`)
      : readSecret(pinFile, readPinFile);
  return Pkcs11Keystore.open(description, pin);
}

async function openCloud(context: Context, path: string, tokenFile: string | undefined): Promise<OpenKeys> {
  const description = readCloudDescription(path);
  const vaultToken =
    description.service === 'aws-kms'
      ? null
      : await askVaultToken(context, tokenFile, `a token of Vault at ${description.address}`);
  const keystore = await CloudKeystore.open(description, { vaultToken });
  return { keys: keystore.keys, [Symbol.asyncDispose]: async () => keystore[Symbol.dispose]() };
}

/** Read or typed once: a ceremony is over before a token is. */
export async function askVaultToken(
  context: Context,
  file: string | undefined,
  path: string,
): Promise<() => string> {
  const token = file === undefined ? await askTyped(context, path) : readSecret(file, readVaultTokenFile);
  return () => token;
}

/** Whether a file is a description with that member, and no sealed file. */
function isDescription(path: string, member: 'token' | 'service'): boolean {
  try {
    const json = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    return json[member] !== undefined;
  } catch {
    // Whatever it is, the reader of sealed files says what is wrong with it.
    return false;
  }
}

function readSecret<T>(file: string, read: (file: string) => T): T {
  try {
    return read(file);
  } catch (error) {
    throw usageError(`The passphrase cannot be read: ${messageOf(error)}.`, 'Correct that, or type it.');
  }
}
