import { keyFingerprintText } from '@tallystick/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { Governed, keysOf } from './support/governed.ts';
import { brakeWith, namespaceWith, toSign } from './support/trust.ts';

const refusal = (reason: string): unknown => expect.objectContaining({ name: 'SignerRefusal', reason });

let acme: Governed;

beforeEach(() => {
  acme = new Governed();
});

describe('a destroyed key', () => {
  const id = () => keyFingerprintText(acme.first.publicKey);
  const ended = () => brakeWith({ rev: 1, until: [{ id: id(), index: 60 }] });
  const stated = () => ({ ...ended(), rev: 2, destroyed: [{ id: id(), index: 61 }] });

  async function endFirst(): Promise<void> {
    await acme.adoptBoth();
    await acme.withSigner((signer) => signer.signRecords([toSign(ended())], 60));
  }

  function removeFirst(): void {
    acme.keys = acme.keys.filter((key) => key !== acme.first);
  }

  it('is not called that while the signer holds it', async () => {
    await endFirst();
    await acme.withSigner((signer) => {
      expect(() => signer.signRecords([toSign(stated())], 61)).toThrow(refusal('key_held'));
      expect(signer.describe().brakes).toMatchObject([{ rev: 1 }]);
    });
    removeFirst();
    await acme.withSigner((signer) => expect(signer.signRecords([toSign(stated())], 61)).toHaveLength(1));
  });

  it('is not called that from an index on that has not come, nor by a brake that drops another one', async () => {
    await endFirst();
    removeFirst();
    await acme.withSigner((signer) => {
      expect(() => signer.signRecords([toSign(stated())], 60)).toThrow(refusal('loosened'));
      signer.signRecords([toSign(stated())], 61);
      expect(() => signer.signRecords([toSign({ ...ended(), rev: 3 })], 62)).toThrow(refusal('loosened'));
    });
    const released = await acme.trust.logged({ ...acme.both(), rev: 1, epoch: 1 });
    await acme.withSigner(async (signer) => {
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
    await acme.withSigner((signer) => signer.signRecords([toSign(stated())], 61));
    const released = await acme.trust.logged({ ...acme.both(), rev: 1, epoch: 1 });
    await acme.withSigner((signer) => signer.adopt(released.entry, released.document));
    acme.keys = [...acme.keys, acme.first];
    await acme.withSigner((signer) => {
      expect(acme.returned).toEqual([acme.first.keyid]);
      expect(signer.describe().keys.map(({ key }) => key)).not.toContain(acme.first.publicKey.key);
      expect(signer.describe().destroyed).toMatchObject([
        { key: acme.first.publicKey.key, usages: acme.first.usages },
      ]);
      expect(keysOf(signer, 62)).toEqual([acme.second.keyid]);
      signer.replaceKeys(acme.keys);
      expect(keysOf(signer, 62)).toEqual([acme.second.keyid]);
    });
  });

  it('is not believed in of a server that no brake key signed for, whether the key is here or not', async () => {
    await endFirst();
    for (const epoch of [0, 999]) {
      const forged = await acme.trust.logged({ ...stated(), rev: 5, epoch }, acme.second);
      await acme.withSigner(async (signer) => {
        await signer.adopt(forged.entry, forged.document);
        expect(signer.describe().brakes[0]).not.toHaveProperty('destroyed');
      });
      removeFirst();
    }
  });

  it('keeps its index, whatever a server brings', async () => {
    await endFirst();
    removeFirst();
    await acme.withSigner((signer) => signer.signRecords([toSign(stated())], 61));
    for (const by of [acme.second, acme.brakeKey]) {
      const earlier = await acme.trust.logged(
        { ...stated(), rev: 5, destroyed: [{ id: id(), index: 60 }] },
        by,
      );
      await acme.withSigner((signer) => signer.adopt(earlier.entry, earlier.document));
    }
    await acme.withSigner((signer) =>
      expect(signer.describe().brakes).toMatchObject([{ destroyed: stated().destroyed }]),
    );
  });

  it('is believed in of a server that brings a signed brake, also of an epoch that has passed', async () => {
    await acme.adoptBoth();
    removeFirst();
    const released = await acme.trust.logged({ ...acme.both(), rev: 1, epoch: 1 });
    const logged = await acme.trust.logged(stated(), acme.brakeKey);
    await acme.withSigner(async (signer) => {
      await signer.adopt(released.entry, released.document);
      await signer.adopt(logged.entry, logged.document);
    });
    const dropped = toSign(brakeWith({ rev: 3, epoch: 1 }));
    await acme.withSigner((signer) =>
      expect(() => signer.signRecords([dropped], 63)).toThrow(refusal('loosened')),
    );
  });

  it('is not believed in of a brake key that has ended, nor before the key itself has', async () => {
    await acme.adoptBoth();
    removeFirst();
    const early = await acme.trust.logged(
      { ...stated(), until: [], destroyed: [{ id: id(), index: 0 }] },
      acme.brakeKey,
    );
    await acme.withSigner(async (signer) => {
      await signer.adopt(early.entry, early.document);
      expect(signer.describe().brakes[0] ?? {}).not.toHaveProperty('destroyed');
    });
    const [one, two, brake] = acme.both().keys;
    const without = namespaceWith([one!, two!, { ...brake!, until: 0 }], { rev: 1 });
    const revised = await acme.trust.logged(without);
    const late = await acme.trust.logged(stated(), acme.brakeKey);
    await acme.withSigner(async (signer) => {
      await signer.adopt(revised.entry, revised.document);
      await signer.adopt(late.entry, late.document);
      expect(signer.describe().brakes[0] ?? {}).not.toHaveProperty('destroyed');
    });
  });

  it('is let go of by a signer that hears of it while it holds it', async () => {
    await endFirst();
    const logged = await acme.trust.logged(stated(), acme.brakeKey);
    await acme.withSigner(async (signer) => {
      await signer.adopt(logged.entry, logged.document);
      expect(acme.returned).toEqual([acme.first.keyid]);
      expect(signer.describe().keys.map(({ key }) => key)).not.toContain(acme.first.publicKey.key);
    });
  });
});
