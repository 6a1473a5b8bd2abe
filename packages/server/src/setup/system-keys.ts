/**
 * The keys of a new system, and where they stay: in two sealed files, or the weightier ones in a PKCS#11 token, or the
 * log key alone in a service.
 */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  CloudKeystore,
  createSealedKeystore,
  type KeySpec,
  KeystoreError,
  makePassphrase,
  Pkcs11Keystore,
  readCloudDescription,
  readPinFile,
  readVaultTokenFile,
  type SigningUsage,
  writeCloudDescription,
  writeTokenDescription,
} from '@tallystick/signer';
import {
  generateIdentityKeys,
  type IdentityKeys,
  keysInMemory,
  onlineKeys,
  type SystemAlgorithms,
} from './identity.ts';
import type { Layout } from './layout.ts';

/** A token that is there and has a user PIN. */
export interface TokenOptions {
  /** Path of the PKCS#11 module. */
  module: string;
  label: string;
  /** Holds the user PIN, mode 0600; the running signer reads it, too. */
  pinFile: string;
}

/** A log key that a service has already. */
export interface CloudLogKey {
  /** File that describes it. */
  description: string;
  /** For Vault: holds a token, mode 0600; the running signer reads it, too. */
  vaultTokenFile?: string;
}

export interface SystemKeys extends AsyncDisposable {
  keys: IdentityKeys;
  /** Writes what opens them again. */
  write(layout: Layout): void;
  /** Takes back what was made outside the system's folder. */
  discard(): Promise<void>;
}

/** Makes all keys of a system; throws KeystoreError. */
export function makeSystemKeys({
  ns,
  origin,
  algorithms,
  perpetual,
  token,
  cloud,
}: {
  ns: string;
  origin: string;
  algorithms?: SystemAlgorithms;
  perpetual?: SystemAlgorithms;
  token?: TokenOptions;
  cloud?: CloudLogKey;
}): Promise<SystemKeys> {
  const specs = generateIdentityKeys(ns, algorithms, perpetual);
  if (cloud !== undefined) return makeKeysBesideCloud(specs, cloud);
  return token === undefined ? makeSealedKeys(specs) : makeTokenKeys(specs, ns, origin, token);
}

async function makeSealedKeys(specs: IdentityKeys<KeySpec>): Promise<SystemKeys> {
  const { root, authority } = specs;
  return {
    keys: keysInMemory(specs),
    write({ keys, secrets }) {
      seal(keys.offline, secrets.offlinePassphrase, [...root, ...authority]);
      seal(keys.online, secrets.onlinePassphrase, onlineKeys(specs));
    },
    async discard() {},
    async [Symbol.asyncDispose]() {},
  };
}

/**
 * Root, authority and log keys in the token, as far as it has their algorithm. Issuing keys are in memory when they
 * sign, and so sealed here.
 */
async function makeTokenKeys(
  specs: IdentityKeys<KeySpec>,
  ns: string,
  origin: string,
  { module, label, pinFile }: TokenOptions,
): Promise<SystemKeys> {
  const pin = readPinFile(pinFile);
  const keystore = await Pkcs11Keystore.open({ module: resolve(module), token: label, keys: [] }, pin);
  const generate = (usage: SigningUsage, keyNs: string | null): ReturnType<Pkcs11Keystore['generateKey']> =>
    keystore.generateKey({ label: `tally ${usage} ${origin}`, alg: 'ed25519', usages: [usage], ns: keyNs });
  try {
    const root = await generate('root', null);
    const authority = await generate('authority', ns);
    const log = await generate('log', null);
    // Nothing of what the token has made in its own way is used.
    const inMemory = (held: KeySpec[]): KeySpec[] => held.filter(({ alg }) => alg !== 'ed25519');
    const sealed = {
      ...specs,
      root: inMemory(specs.root),
      authority: inMemory(specs.authority),
      log: inMemory(specs.log),
    };
    const offline = [...sealed.root, ...sealed.authority];
    const more = keysInMemory(sealed);
    return {
      keys: {
        ...more,
        root: [root, ...more.root],
        authority: [authority, ...more.authority],
        log: [log, ...more.log],
      },
      write({ keys, secrets }) {
        writeTokenDescription(keys.offlineToken, keystore.describe([root, authority]));
        writeTokenDescription(keys.token, keystore.describe([log]));
        if (offline.length > 0) seal(keys.offline, secrets.offlinePassphrase, offline);
        seal(keys.online, secrets.onlinePassphrase, onlineKeys(sealed));
      },
      discard: () => keystore.destroyKeys(),
      [Symbol.asyncDispose]: () => keystore[Symbol.asyncDispose](),
    };
  } catch (error) {
    await Promise.allSettled([keystore.destroyKeys()]);
    await keystore[Symbol.asyncDispose]();
    throw error;
  }
}

/** All but the log's Ed25519 key, sealed. The log key is tried, since nothing is signed with it before the first change. */
async function makeKeysBesideCloud(
  specs: IdentityKeys<KeySpec>,
  { description: file, vaultTokenFile }: CloudLogKey,
): Promise<SystemKeys> {
  const description = readCloudDescription(file);
  const vaultToken = vaultTokenFile === undefined ? null : () => readVaultTokenFile(vaultTokenFile);
  const keystore = await CloudKeystore.open(description, { vaultToken });
  try {
    const [log, ...others] = keystore.keys;
    const isLogKey = log?.publicKey.alg === 'ed25519' && log.usages.join() === 'log';
    if (log === undefined || !isLogKey || others.length > 0)
      throw new KeystoreError(`${file} does not describe one Ed25519 key for --usage log: describe it again`);
    await keystore.tryKeys();
    const sealed = { ...specs, log: specs.log.filter(({ alg }) => alg !== 'ed25519') };
    const { root, authority } = sealed;
    const more = keysInMemory(sealed);
    return {
      keys: { ...more, log: [log, ...more.log] },
      write({ keys, secrets }) {
        writeCloudDescription(keys.cloud, description);
        seal(keys.offline, secrets.offlinePassphrase, [...root, ...authority]);
        seal(keys.online, secrets.onlinePassphrase, onlineKeys(sealed));
      },
      async discard() {},
      [Symbol.asyncDispose]: async () => keystore[Symbol.dispose](),
    };
  } catch (error) {
    keystore[Symbol.dispose]();
    throw error;
  }
}

/** A keystore under a passphrase of its own, which lies beside. */
function seal(keystoreFile: string, passphraseFile: string, keys: readonly KeySpec[]): void {
  const passphrase = makePassphrase();
  createSealedKeystore(keystoreFile, passphrase, keys);
  writeSecret(passphraseFile, passphrase);
}

/** Writes a new file for its owner alone. */
export function writeSecret(file: string, text: string): void {
  writeFileSync(file, text, { mode: 0o600, flag: 'wx' });
}
