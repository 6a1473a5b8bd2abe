import { join } from 'node:path';
import { AwsKmsServer, SoftHsm, softHsmModule, VaultServer } from '@tallystick/testkit';
import { afterEach, describe, vi } from 'vitest';
import {
  type CloudPlace,
  readCloudDescription,
  writeCloudDescription,
} from '../src/keystore/cloud-description.ts';
import { CloudKeystore, describeCloudKey } from '../src/keystore/cloud-keystore.ts';
import { makePassphrase } from '../src/keystore/key-derivation.ts';
import type { SigningUsage } from '../src/keystore/keystore-key.ts';
import { noLimits } from '../src/keystore/keystore-key.ts';
import type { TokenAlgorithm } from '../src/keystore/pkcs11-algorithms.ts';
import { Pkcs11Keystore } from '../src/keystore/pkcs11-keystore.ts';
import { createSealedKeystore, openSealedKeystore } from '../src/keystore/sealed-file.ts';
import { generateKeySpec, type SigningAlgorithm } from '../src/keystore/signing-key.ts';
import { readTokenDescription, writeTokenDescription } from '../src/keystore/token-description.ts';
import {
  describeKeystore,
  type KeystoreUnderTest,
  type OpenKeystore,
} from './support/keystore-conformance.ts';
import { scratchDirectory } from './support/scratch.ts';

/** Those that people choose are the subject of sealed-file.test.ts. */
const made = makePassphrase();

function sealedFile(alg: SigningAlgorithm): KeystoreUnderTest {
  const file = join(scratchDirectory(), 'keys.sealed');
  const open = async (passphrase: string): Promise<OpenKeystore> => ({
    keys: openSealedKeystore(file, passphrase),
    close: async () => {},
  });
  return {
    create: async (wanted) =>
      createSealedKeystore(
        file,
        made,
        wanted.map(({ usages, ns }) => generateKeySpec(usages, ns, noLimits, alg)),
      ),
    open: () => open(made),
    openWithWrongSecret: () => open(makePassphrase()),
  };
}

function tokenOf(alg: TokenAlgorithm): KeystoreUnderTest {
  const directory = scratchDirectory();
  const hsm = SoftHsm.create(directory);
  const file = join(directory, 'token.json');
  const open = async (pin: string): Promise<OpenKeystore> => {
    const keystore = await Pkcs11Keystore.open(readTokenDescription(file), pin);
    return { keys: keystore.keys, close: () => keystore[Symbol.asyncDispose]() };
  };
  return {
    async create(wanted) {
      const empty = { module: hsm.module, token: hsm.label, keys: [] };
      await using keystore = await Pkcs11Keystore.open(empty, hsm.pin);
      for (const { usages, ns } of wanted)
        await keystore.generateKey({ label: `tally ${usages.join(' ')}`, alg, usages, ns });
      writeTokenDescription(file, keystore.describe());
    },
    open: () => open(hsm.pin),
    openWithWrongSecret: () => open('161803'),
  };
}

const servers: AsyncDisposable[] = [];

/** Keys that a service has already are described one by one, and the descriptions put together. */
async function describeAll(
  place: CloudPlace,
  wanted: readonly { id: string; usages: SigningUsage[]; ns: string | null }[],
  vaultToken: (() => string) | null,
): Promise<string> {
  const keys = [];
  for (const each of wanted) keys.push(...(await describeCloudKey(place, each, { vaultToken })).keys);
  const file = join(scratchDirectory(), 'cloud.json');
  writeCloudDescription(file, { ...place, keys });
  return file;
}

async function openCloud(file: string, vaultToken: (() => string) | null): Promise<OpenKeystore> {
  const keystore = await CloudKeystore.open(readCloudDescription(file), { vaultToken });
  return { keys: keystore.keys, close: async () => keystore[Symbol.dispose]() };
}

function awsKms(alg: TokenAlgorithm): KeystoreUnderTest {
  let file: string;
  return {
    async create(wanted) {
      const server = await AwsKmsServer.start();
      servers.push(server);
      for (const [name, value] of Object.entries(server.environment)) vi.stubEnv(name, value);
      const place = { service: 'aws-kms', region: server.region, endpoint: server.http.url } as const;
      const named = wanted.map((each) => ({ ...each, id: server.createKey(alg) }));
      file = await describeAll(place, named, null);
    },
    open: () => openCloud(file, null),
    openWithWrongSecret() {
      vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'another secret');
      return openCloud(file, null);
    },
    ...(alg === 'ed25519' && { messageMax: 4096 }),
  };
}

function vault(alg: TokenAlgorithm): KeystoreUnderTest {
  let file: string;
  return {
    async create(wanted) {
      const server = await VaultServer.start();
      servers.push(server);
      const { mount, http } = server;
      const place = {
        service: 'vault-transit',
        address: http.url,
        mount,
        namespace: null,
        ca: null,
      } as const;
      const named = wanted.map((each) => ({ ...each, id: `tally-${each.usages.join('-')}` }));
      for (const { id } of named) server.createKey(id, alg);
      file = await describeAll(place, named, () => server.token);
    },
    open: () => openCloud(file, () => 'hvs.tests'),
    openWithWrongSecret: () => openCloud(file, () => 'hvs.other'),
  };
}

afterEach(async () => {
  vi.unstubAllEnvs();
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
});

describeKeystore('a sealed file with Ed25519 keys', () => sealedFile('ed25519'));
describeKeystore('a sealed file with ML-DSA-44 keys', () => sealedFile('ml-dsa-44'));
describeKeystore('AWS KMS with Ed25519 keys', () => awsKms('ed25519'));
describeKeystore('AWS KMS with P-256 keys', () => awsKms('ecdsa-p256-sha256'));
describeKeystore('Vault with Ed25519 keys', () => vault('ed25519'));
describeKeystore('Vault with P-256 keys', () => vault('ecdsa-p256-sha256'));

describe.skipIf(softHsmModule === null)('in SoftHSM', () => {
  describeKeystore('a token with Ed25519 keys', () => tokenOf('ed25519'));
  describeKeystore('a token with P-256 keys', () => tokenOf('ecdsa-p256-sha256'));
});
