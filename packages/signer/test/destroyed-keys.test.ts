import { join } from 'node:path';
import { keyFingerprintText } from '@tallystick/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { Journal } from '../src/journal/journal.ts';
import { generateKeySpec, SigningKey } from '../src/keystore/signing-key.ts';
import { Mark } from '../src/mark.ts';
import type { Signer } from '../src/signer.ts';
import { scratchDirectory } from './support/scratch.ts';
import { at, licenseToSign, origin, signerOn } from './support/signing.ts';
import { brakeWith, listed, namespaceWith, TestTrust, toSign } from './support/trust.ts';

const issuing = ['product', 'plan', 'customer', 'license'] as const;
const refusal = (reason: string): unknown => expect.objectContaining({ name: 'SignerRefusal', reason });

let trust: TestTrust;
let file: string;
let first: SigningKey;
let second: SigningKey;
let brakeKey: SigningKey;
let keys: SigningKey[];

beforeEach(() => {
  trust = new TestTrust();
  file = join(scratchDirectory(), 'mark.db');
  Mark.create(file, origin);
  first = new SigningKey(generateKeySpec([...issuing], 'acme'));
  second = new SigningKey(generateKeySpec([...issuing], 'acme'));
  brakeKey = new SigningKey(generateKeySpec(['brake'], 'acme'));
  // The keystore's order is not the namespace's.
  keys = [new SigningKey(generateKeySpec(['log'], null)), second, brakeKey, first];
});

/** Runs with a signer that was started anew on what the one before left behind. */
async function withSigner<T>(work: (signer: Signer) => T | Promise<T>): Promise<T> {
  using mark = Mark.open(file, origin);
  await using journal = Journal.open(`${file}.journal`, mark, () => Date.parse(at));
  return await work(signerOn(mark, keys, { trust, journal }));
}

const both = () =>
  namespaceWith([
    listed(first.publicKey),
    listed(second.publicKey, { from: 50 }),
    listed(brakeKey.publicKey, { usages: ['brake'] }),
  ]);

async function adoptBoth(): Promise<void> {
  const { entry, document } = await trust.logged(both());
  await withSigner((signer) => signer.adopt(entry, document));
}

function keysOf(signer: Signer, index: number): string[] {
  return signer.signRecords([licenseToSign()], index)[0]!.signatures.map(({ keyid }) => keyid);
}

describe('a destroyed key', () => {
  const id = () => keyFingerprintText(first.publicKey);
  const ended = () => brakeWith({ rev: 1, until: [{ id: id(), index: 60 }] });
  const stated = () => ({ ...ended(), rev: 2, destroyed: [{ id: id(), index: 61 }] });

  async function endFirst(): Promise<void> {
    await adoptBoth();
    await withSigner((signer) => signer.signRecords([toSign(ended())], 60));
  }

  function removeFirst(): void {
    keys = keys.filter((key) => key !== first);
  }

  it('is not called that while the signer holds it', async () => {
    await endFirst();
    await withSigner((signer) => {
      expect(() => signer.signRecords([toSign(stated())], 61)).toThrow(refusal('key_held'));
      expect(signer.describe().brakes).toMatchObject([{ rev: 1 }]);
    });
    removeFirst();
    await withSigner((signer) => expect(signer.signRecords([toSign(stated())], 61)).toHaveLength(1));
  });

  it('is not called that from an index on that has not come, nor by a brake that drops another one', async () => {
    await endFirst();
    removeFirst();
    await withSigner((signer) => {
      expect(() => signer.signRecords([toSign(stated())], 60)).toThrow(refusal('loosened'));
      signer.signRecords([toSign(stated())], 61);
      expect(() => signer.signRecords([toSign({ ...ended(), rev: 3 })], 62)).toThrow(refusal('loosened'));
    });
    const released = await trust.logged({ ...both(), rev: 1, epoch: 1 });
    await withSigner(async (signer) => {
      await signer.adopt(released.entry, released.document);
      const dropped = brakeWith({ rev: 3, epoch: 1 });
      expect(() => signer.signRecords([toSign(dropped)], 63)).toThrow(refusal('loosened'));
      const { destroyed } = stated();
      expect(signer.signRecords([toSign({ ...dropped, destroyed })], 63)).toHaveLength(1);
    });
  });

  it('that comes back with a keystore from a backup is not used, in no epoch, and is told of', async () => {
    await endFirst();
    removeFirst();
    await withSigner((signer) => signer.signRecords([toSign(stated())], 61));
    const released = await trust.logged({ ...both(), rev: 1, epoch: 1 });
    await withSigner((signer) => signer.adopt(released.entry, released.document));
    keys = [...keys, first];
    await withSigner((signer) => {
      expect(signer.returnedKeys).toEqual([first.keyid]);
      expect(signer.describe().keys.map(({ key }) => key)).not.toContain(first.publicKey.key);
      expect(signer.describe().destroyed).toMatchObject([{ key: first.publicKey.key, usages: first.usages }]);
      expect(keysOf(signer, 62)).toEqual([second.keyid]);
      signer.replaceKeys(keys);
      expect(keysOf(signer, 62)).toEqual([second.keyid]);
    });
  });

  it('is not believed in of a server that no brake key signed for, whether the key is here or not', async () => {
    await endFirst();
    for (const epoch of [0, 999]) {
      const forged = await trust.logged({ ...stated(), rev: 5, epoch }, second);
      await withSigner(async (signer) => {
        await signer.adopt(forged.entry, forged.document);
        expect(signer.describe().brakes[0]).not.toHaveProperty('destroyed');
      });
      removeFirst();
    }
  });

  it('keeps its index, whatever a server brings', async () => {
    await endFirst();
    removeFirst();
    await withSigner((signer) => signer.signRecords([toSign(stated())], 61));
    for (const by of [second, brakeKey]) {
      const earlier = await trust.logged({ ...stated(), rev: 5, destroyed: [{ id: id(), index: 60 }] }, by);
      await withSigner((signer) => signer.adopt(earlier.entry, earlier.document));
    }
    await withSigner((signer) =>
      expect(signer.describe().brakes).toMatchObject([{ destroyed: stated().destroyed }]),
    );
  });

  it('is believed in of a server that brings a signed brake, also of an epoch that has passed', async () => {
    await adoptBoth();
    removeFirst();
    const released = await trust.logged({ ...both(), rev: 1, epoch: 1 });
    const logged = await trust.logged(stated(), brakeKey);
    await withSigner(async (signer) => {
      await signer.adopt(released.entry, released.document);
      await signer.adopt(logged.entry, logged.document);
    });
    const dropped = toSign(brakeWith({ rev: 3, epoch: 1 }));
    await withSigner((signer) =>
      expect(() => signer.signRecords([dropped], 63)).toThrow(refusal('loosened')),
    );
  });
});
