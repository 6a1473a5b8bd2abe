import { join } from 'node:path';
import { SoftHsm, softHsmModule } from '@tallystick/testkit';
import { describe } from 'vitest';
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
        'correct horse battery staple',
        wanted.map(({ usages, ns }) => generateKeySpec(usages, ns, noLimits, alg)),
      ),
    open: () => open('correct horse battery staple'),
    openWithWrongSecret: () => open('correct horse battery stapler'),
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

describeKeystore('a sealed file with Ed25519 keys', () => sealedFile('ed25519'));
describeKeystore('a sealed file with ML-DSA-44 keys', () => sealedFile('ml-dsa-44'));

describe.skipIf(softHsmModule === null)('in SoftHSM', () => {
  describeKeystore('a token with Ed25519 keys', () => tokenOf('ed25519'));
  describeKeystore('a token with P-256 keys', () => tokenOf('ecdsa-p256-sha256'));
});
