/** What every keystore does, whatever holds its keys: each implementation runs this suite. */

import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { isSignedBy, keyIdOf, utf8 } from '@tallystick/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KeystoreError } from '../../src/keystore/keystore-error.ts';
import type { KeystoreKey, SigningUsage } from '../../src/keystore/keystore-key.ts';

export interface OpenKeystore {
  keys: readonly KeystoreKey[];
  close(): Promise<void>;
}

/** A kind of keystore, on a fresh folder or token for each test. */
export interface KeystoreUnderTest {
  /** Makes one with these keys, and leaves it closed. */
  create(keys: readonly { usages: SigningUsage[]; ns: string | null }[]): Promise<void>;
  open(): Promise<OpenKeystore>;
  /** With another passphrase, PIN, token or credentials than the right one. */
  openWithWrongSecret(): Promise<OpenKeystore>;
  /** Bytes of the longest message that it signs, where there is a limit. */
  messageMax?: number;
}

const wanted: { usages: SigningUsage[]; ns: string | null }[] = [
  { usages: ['log'], ns: null },
  { usages: ['root'], ns: null },
  { usages: ['authority'], ns: 'acme' },
];

const spki = {
  ed25519: Buffer.from('302a300506032b6570032100', 'hex'),
  'ecdsa-p256-sha256': Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex'),
  'ml-dsa-44': Buffer.from('30820532300b06096086480165030403110382052100', 'hex'),
};
const signatureLength = { ed25519: 64, 'ecdsa-p256-sha256': 64, 'ml-dsa-44': 2420 };

/** The key as OpenSSL takes it, so that signatures are checked by code that is not ours. */
function keyObject({ publicKey }: KeystoreKey): KeyObject {
  const der = Buffer.concat([spki[publicKey.alg], publicKey.key]);
  return createPublicKey({ key: der, format: 'der', type: 'spki' });
}

/** Whether OpenSSL and our own verifier both take the signature, or both do not. */
export async function isValid(
  key: KeystoreKey,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const isHashed = key.publicKey.alg === 'ecdsa-p256-sha256';
  const encoded = { key: keyObject(key), dsaEncoding: 'ieee-p1363' } as const;
  const byOpenSsl = verify(isHashed ? 'sha256' : null, message, encoded, signature);
  const byCore = await isSignedBy(key.publicKey, message, signature);
  expect(byCore).toBe(byOpenSsl);
  return byOpenSsl;
}

export function describeKeystore(name: string, make: () => KeystoreUnderTest): void {
  describe(`${name}, as every keystore,`, () => {
    let keystore: KeystoreUnderTest;
    let opened: OpenKeystore | null = null;

    const open = async (): Promise<readonly KeystoreKey[]> => {
      opened = await keystore.open();
      return opened.keys;
    };
    const close = async (): Promise<void> => {
      await opened?.close();
      opened = null;
    };

    afterEach(close);

    beforeEach(async () => {
      keystore = make();
      await keystore.create(wanted);
    });

    it('gives back its keys in order, with what each is for', async () => {
      const shown = (await open()).map(({ keyid, usages, ns, limits }) => ({ keyid, usages, ns, limits }));
      await close();
      const again = await open();
      expect(again.map(({ keyid, usages, ns, limits }) => ({ keyid, usages, ns, limits }))).toEqual(shown);
      expect(shown.map(({ usages, ns }) => ({ usages, ns }))).toEqual(wanted);
      expect(again.map(({ publicKey }) => keyIdOf(publicKey))).toEqual(shown.map(({ keyid }) => keyid));
      expect(new Set(shown.map(({ keyid }) => keyid)).size).toBe(wanted.length);
    });

    it.each([1, 63, 1000, 4095, 100_000])('signs %d bytes, valid under that key alone', async (length) => {
      const keys = await open();
      const message = new Uint8Array(length).fill(7);
      for (const key of keys) {
        if (length > (keystore.messageMax ?? Number.POSITIVE_INFINITY)) {
          const refused = (async () => key.sign(message))();
          await expect(refused).rejects.toMatchObject({ name: 'KeystoreError' });
          await expect(refused).rejects.toThrow(/at most [\d,]+ bytes/);
          continue;
        }
        const signature = await key.sign(message);
        expect(signature).toHaveLength(signatureLength[key.publicKey.alg]);
        for (const other of keys) expect(await isValid(other, message, signature)).toBe(other === key);
        expect(await isValid(key, new Uint8Array([...message, 0]), signature)).toBe(false);
      }
    });

    it('signs 64 messages at the same time, each with its own signature', async () => {
      const keys = await open();
      const asked = Array.from({ length: 64 }, (_, nth) => {
        const key = keys[nth % keys.length] as KeystoreKey;
        return { key, message: utf8(`message ${nth}`) };
      });
      const signatures = await Promise.all(asked.map(async ({ key, message }) => key.sign(message)));
      for (const [nth, { key, message }] of asked.entries())
        expect(await isValid(key, message, signatures[nth] as Uint8Array)).toBe(true);
    });

    it('stays shut for a wrong secret, and says so in a sentence', async () => {
      const opening = keystore.openWithWrongSecret();
      await expect(opening).rejects.toThrow(/wrong|does not take/);
      await expect(opening).rejects.toBeInstanceOf(KeystoreError);
    });
  });
}
