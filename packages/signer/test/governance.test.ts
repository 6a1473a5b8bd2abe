import {
  type KeyAlgorithm,
  type KeyLimits,
  keyFingerprintText,
  makeVerifierKey,
  type NamespaceDocument,
  type NamespaceKey,
  parseTrustRoot,
} from '@tallystick/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { noLimits } from '../src/keystore/keystore-key.ts';
import { generateKeySpec, SigningKey } from '../src/keystore/signing-key.ts';
import type { RecordToSign } from '../src/protocol/requests.ts';
import { Governed, issuing, keysOf } from './support/governed.ts';
import { at, licenseToSign, record } from './support/signing.ts';
import { brakeWith, listed, namespaceWith, TestTrust, toSign } from './support/trust.ts';

const refusal = (reason: string): unknown => expect.objectContaining({ name: 'SignerRefusal', reason });

let acme: Governed;

beforeEach(() => {
  acme = new Governed();
});

const endedAt55 = (key: NamespaceKey): NamespaceKey => ({ ...key, until: 55 });

describe('a signer that knows its namespace', () => {
  it('signs with the first listed key that is valid at the index, also after a restart', async () => {
    await acme.adoptBoth();
    await acme.withSigner((signer) => {
      expect(keysOf(signer, 60)).toEqual([acme.first.keyid]);
      expect(() => signer.signRecords([licenseToSign()], 0)).toThrow(refusal('no_key'));
    });
  });

  it('hands over to the next key at the index where a brake ends the first, within one batch', async () => {
    await acme.adoptBoth();
    const until = [{ id: keyFingerprintText(acme.first.publicKey), index: 61 }];
    const batch = [licenseToSign(), toSign(brakeWith({ rev: 1, until })), licenseToSign()];
    const signed = await acme.withSigner((signer) => signer.signRecords(batch, 60));
    expect(signed.map(({ signatures }) => signatures.map(({ keyid }) => keyid))).toEqual([
      [acme.first.keyid],
      [acme.brakeKey.keyid],
      [acme.second.keyid],
    ]);
    await acme.withSigner((signer) => {
      expect(keysOf(signer, 61)).toEqual([acme.second.keyid]);
      expect(signer.describe().brakes).toMatchObject([{ rev: 1, until }]);
    });
  });

  it('signs nothing where no listed key is left, or the one that is listed is not here', async () => {
    const gone = [{ ...listed(acme.first.publicKey), until: 40 }, listed(acme.trust.authority.publicKey)];
    const { entry, document } = await acme.trust.logged(namespaceWith(gone));
    await acme.withSigner(async (signer) => {
      await signer.adopt(entry, document);
      expect(keysOf(signer, 39)).toEqual([acme.first.keyid]);
      expect(() => signer.signRecords([licenseToSign()], 40)).toThrow(refusal('no_key'));
    });
  });

  it('keeps a key within the limits that the namespace sets it, and those of its keystore', async () => {
    const limited = (limits: Partial<KeyLimits>, rev: number) =>
      namespaceWith(
        acme.both().keys.map((key) => ({ ...key, limits: { ...noLimits, ...limits } })),
        { rev },
      );
    const adopt = async (document: NamespaceDocument): Promise<void> => {
      const logged = await acme.trust.logged(document);
      await acme.withSigner((signer) => signer.adopt(logged.entry, logged.document));
    };
    const refused = refusal('limit');
    await adopt(limited({ seatsMax: 4, perMinute: 2 }, 0));
    await acme.withSigner((signer) => {
      expect(() => signer.signRecords([licenseToSign({ seats: 5 })], 60)).toThrow(refused);
      const four = licenseToSign({ seats: 4 });
      signer.signRecords([four, four], 60);
      expect(() => signer.signRecords([four], 62)).toThrow(refused);
    });
    await adopt(limited({ termMax: 'P10D' }, 1));
    await acme.withSigner((signer) => {
      expect(() => signer.signRecords([licenseToSign()], 60)).toThrow(refused);
    });
    const [logKey, , , firstKey] = acme.keys;
    const strict = generateKeySpec([...issuing], 'acme', { ...noLimits, seatsMax: 3 });
    acme.keys = [logKey!, new SigningKey({ ...strict }), firstKey!];
    const listing = [listed(acme.keys[1]!.publicKey, { from: 0, limits: { ...noLimits, seatsMax: 9 } })];
    await adopt(namespaceWith([...limited({}, 2).keys.map(endedAt55), ...listing], { rev: 2 }));
    await acme.withSigner((signer) => {
      expect(() => signer.signRecords([licenseToSign({ seats: 4 })], 60)).toThrow(refused);
      expect(signer.signRecords([licenseToSign({ seats: 3 })], 60)).toHaveLength(1);
    });
  });

  it('signs with ML-DSA-44 what is perpetual where the trust root demands that, and nothing else', async () => {
    acme.trust = new TestTrust({
      require: [{ from: 10, algs: ['ed25519'], perpetual: ['ed25519', 'ml-dsa-44'] }],
    });
    const pq = new SigningKey(generateKeySpec([...issuing], 'acme', noLimits, 'ml-dsa-44'));
    const { entry, document } = await acme.trust.logged(
      namespaceWith([listed(acme.first.publicKey), listed(pq.publicKey), listed(acme.second.publicKey)]),
    );
    const cases: [RecordToSign, string[]][] = [
      [licenseToSign(), [acme.first.keyid]],
      [licenseToSign({ until: null }), [acme.first.keyid, pq.keyid]],
      [licenseToSign({ fallback: at }), [acme.first.keyid, pq.keyid]],
      [{ record: record('plan.created'), content: null }, [acme.first.keyid]],
    ];
    const withoutPq = acme.keys;
    acme.keys = [...acme.keys, pq];
    await acme.withSigner(async (signer) => {
      await signer.adopt(entry, document);
      for (const [item, ids] of cases) {
        const [signed] = signer.signRecords([item], 60);
        expect(signed?.signatures.map(({ keyid }) => keyid).toSorted()).toEqual(ids.toSorted());
      }
      expect(signer.signRecords([licenseToSign({ until: null })], 9)[0]?.signatures).toHaveLength(1);
    });
    acme.keys = withoutPq;
    await acme.withSigner((signer) => {
      for (const [item, { length }] of cases) {
        if (length === 1) expect(signer.signRecords([item], 60)).toHaveLength(1);
        else expect(() => signer.signRecords([item], 60)).toThrow(/no ml-dsa-44 key here may sign/);
      }
    });
  });

  it('takes the namespace from its authority alone', async () => {
    const forged = await acme.trust.logged(acme.both(), acme.brakeKey);
    await acme.withSigner(async (signer) => {
      await expect(signer.adopt(forged.entry, forged.document)).rejects.toThrow(refusal('no_authority'));
      const { entry } = await acme.trust.logged(acme.both());
      const other = await acme.trust.logged(namespaceWith([]));
      await expect(signer.adopt(entry, other.document)).rejects.toThrow(refusal('commitment'));
    });
  });

  it.each([
    ['drops a key', () => namespaceWith([listed(acme.second.publicKey, { from: 50 })], { rev: 1 })],
    [
      'moves the beginning of one',
      () => namespaceWith([listed(acme.first.publicKey, { from: 2 })], { rev: 1 }),
    ],
    ['lowers the epoch', () => namespaceWith(acme.both().keys, { rev: 1, epoch: 0 })],
  ])('refuses a namespace that %s', async (_what, next) => {
    const { entry, document } = await acme.trust.logged({ ...acme.both(), epoch: 1 });
    const later = await acme.trust.logged(next());
    await acme.withSigner(async (signer) => {
      await signer.adopt(entry, document);
      await expect(signer.adopt(later.entry, later.document)).rejects.toThrow(refusal('loosened'));
    });
  });

  it('does not go back to an older namespace that it is shown again', async () => {
    await acme.adoptBoth();
    const ended = acme
      .both()
      .keys.map((key) => (key.from === 1 && key.usages.length > 1 ? { ...key, until: 55 } : key));
    const later = await acme.trust.logged(namespaceWith(ended, { rev: 1 }));
    await acme.withSigner((signer) => signer.adopt(later.entry, later.document));
    await acme.adoptBoth();
    await acme.withSigner((signer) => expect(keysOf(signer, 55)).toEqual([acme.second.keyid]));
  });
});

describe('a brake', () => {
  const cut = () => ({ id: keyFingerprintText(acme.first.publicKey), index: 70 });

  it('is signed only where the namespace is known', async () => {
    await acme.withSigner((signer) => {
      expect(() => signer.signRecords([toSign(brakeWith({ rev: 1, lock: 'frozen' }))], 9)).toThrow(
        refusal('no_key'),
      );
    });
  });

  it.each([
    ['a looser lock', () => brakeWith({ rev: 2, lock: 'open', until: [cut()] })],
    ['a smaller minimum', () => brakeWith({ rev: 2, lock: 'frozen', until: [cut()], minEpoch: 0 })],
    [
      'a later end',
      () => brakeWith({ rev: 2, lock: 'frozen', until: [{ ...cut(), index: 71 }], minEpoch: 0 }),
    ],
    ['no end', () => brakeWith({ rev: 2, lock: 'frozen' })],
    ['another epoch', () => brakeWith({ rev: 2, epoch: 7, lock: 'frozen', until: [cut()] })],
  ])('with %s than one signed before is refused, also after a restart', async (_what, looser) => {
    await acme.adoptBoth();
    const tight = brakeWith({ rev: 1, lock: 'frozen', minEpoch: 0, until: [cut()] });
    const isAboutMinimum = looser().until.length === 1 && looser().lock === 'frozen' && looser().epoch === 0;
    const before = isAboutMinimum && looser().until[0]!.index === 70 ? { ...tight, minEpoch: 1 } : tight;
    await acme.withSigner((signer) => signer.signRecords([toSign(before)], 69));
    await acme.withSigner((signer) => {
      expect(() => signer.signRecords([toSign(looser())], 71)).toThrow(refusal('loosened'));
      expect(() => signer.signRecords([toSign({ ...before, rev: 2 })], 71)).not.toThrow();
    });
  });

  it('that the server brings can only add to what binds', async () => {
    await acme.adoptBoth();
    await acme.withSigner((signer) =>
      signer.signRecords([toSign(brakeWith({ rev: 1, until: [cut()] }))], 69),
    );
    const brought = await acme.trust.logged(brakeWith({ rev: 2, lock: 'heightened' }), acme.brakeKey);
    await acme.withSigner(async (signer) => {
      await signer.adopt(brought.entry, brought.document);
      expect(signer.describe().brakes).toMatchObject([{ rev: 2, lock: 'heightened', until: [cut()] }]);
    });
  });

  it('of another epoch, or about keys that nobody listed, that the server brings changes nothing', async () => {
    await acme.adoptBoth();
    await acme.withSigner((signer) =>
      signer.signRecords([toSign(brakeWith({ rev: 1, lock: 'sealed', until: [cut()] }))], 69),
    );
    const strangers = Array.from({ length: 250 }, () => new SigningKey(generateKeySpec(['license'], 'acme')));
    const unlisted = strangers.map(({ publicKey }) => ({ id: keyFingerprintText(publicKey), index: 1 }));
    for (const forged of [
      brakeWith({ rev: 2, epoch: 999 }),
      brakeWith({ rev: 9_007_199_254_740_991 }),
      brakeWith({ rev: 3, until: unlisted }),
    ]) {
      const { entry, document } = await acme.trust.logged(forged, acme.second);
      await acme.withSigner((signer) => signer.adopt(entry, document));
    }
    await acme.withSigner((signer) => {
      expect(signer.describe().brakes).toMatchObject([{ lock: 'sealed', until: [cut()] }]);
      expect(keysOf(signer, 1000)).toEqual([acme.second.keyid]);
      const open = toSign(brakeWith({ rev: 2, lock: 'open', until: [] }));
      expect(() => signer.signRecords([open], 1001)).toThrow(refusal('loosened'));
    });
  });

  it('without its document, or with another one, is not signed', async () => {
    await acme.adoptBoth();
    const item = toSign(brakeWith({ rev: 1, lock: 'frozen' }));
    await acme.withSigner((signer) => {
      expect(() => signer.signRecords([{ ...item, content: null }], 9)).toThrow(refusal('commitment'));
      const other = toSign(brakeWith({ rev: 1, lock: 'sealed' })).content;
      expect(() => signer.signRecords([{ ...item, content: other }], 9)).toThrow(refusal('commitment'));
      const { record: asked, content } = toSign(brakeWith({ rev: 2, lock: 'frozen' }));
      expect(() => signer.signRecords([{ record: { ...asked, rev: 1 }, content }], 9)).toThrow(
        refusal('malformed'),
      );
    });
  });

  it('of a namespace that the trust root does not name is refused', async () => {
    const other = record('brake.updated', { ns: 'other', rev: 1, prev: new Uint8Array(32) });
    await acme.withSigner((signer) => {
      expect(() => signer.signRecords([{ record: other, content: null }], 9)).toThrow(refusal('no_key'));
    });
  });
});

describe('a new version of the trust root', () => {
  const successor = () => new SigningKey(generateKeySpec(['authority'], 'acme'));

  it('is taken where it follows, and from then on only its authority counts', async () => {
    const authority = successor();
    const before = await acme.trust.logged(acme.both());
    const ended = namespaceWith([...acme.both().keys.slice(1), { ...acme.both().keys[0]!, until: 99 }], {
      rev: 1,
    });
    const [old, fresh] = [await acme.trust.logged(ended), await acme.trust.logged(ended, authority)];
    await acme.withSigner(async (signer) => {
      await signer.adopt(before.entry, before.document);
      await expect(signer.adopt(fresh.entry, fresh.document)).rejects.toThrow(refusal('no_authority'));
      await signer.adoptTrustRoot([
        acme.trust.root,
        acme.trust.next(acme.trust.root, acme.trust.acme(authority)),
      ]);
      await expect(signer.adopt(old.entry, old.document)).rejects.toThrow(refusal('no_authority'));
      // What is known already is no reason to stop, whoever signed it.
      await signer.adopt(before.entry, before.document);
      await signer.adopt(fresh.entry, fresh.document);
      expect(keysOf(signer, 99)).toEqual([acme.second.keyid]);
      // An older chain, brought later, takes nothing back.
      await signer.adoptTrustRoot([acme.trust.root]);
      const later = await acme.trust.logged({ ...ended, rev: 2 });
      await expect(signer.adopt(later.entry, later.document)).rejects.toThrow(refusal('no_authority'));
    });
  });

  it.each<[string, string, () => Uint8Array[]]>([
    [
      'of another history',
      'fork',
      () => {
        const other = new TestTrust();
        return [other.root, other.next(other.root)];
      },
    ],
    [
      'signed by somebody else',
      'no_authority',
      () => [acme.trust.root, acme.trust.next(acme.trust.root, acme.trust.acme(successor()), successor())],
    ],
    [
      'that skips one',
      'no_authority',
      () => [
        acme.trust.root,
        acme.trust.next(acme.trust.next(acme.trust.root, acme.trust.acme(successor()))),
      ],
    ],
    [
      'of another log',
      'other_log',
      () => {
        const { vkeys } = parseTrustRoot(acme.trust.root).log;
        const moved = vkeys.map(({ type, key }) => makeVerifierKey('other.example', type, key));
        return [
          acme.trust.root,
          acme.trust.next(acme.trust.root, { log: { origin: 'other.example', vkeys: moved } }),
        ];
      },
    ],
  ])('%s is refused, and the one before stays', async (_what, reason, chain) => {
    await acme.withSigner(async (signer) => {
      await expect(signer.adoptTrustRoot(chain())).rejects.toThrow(refusal(reason));
      const { entry, document } = await acme.trust.logged(acme.both());
      await signer.adopt(entry, document);
    });
  });

  it('replaces one that no quorum has signed under, and none that one has', async () => {
    await acme.withSigner(async (signer) => {
      await signer.adoptTrustRoot([
        acme.trust.root,
        acme.trust.next(acme.trust.root, acme.trust.acme(successor())),
      ]);
      const authority = successor();
      const other = acme.trust.next(acme.trust.root, acme.trust.acme(authority));
      await signer.adoptTrustRoot([acme.trust.root, other]);
      const logged = await acme.trust.logged(acme.both(), authority);
      await signer.adopt(logged.entry, logged.document);
    });
    acme.hear(2);
    await acme.withSigner(async (signer) => {
      const third = acme.trust.next(acme.trust.root, acme.trust.acme(successor()));
      await expect(signer.adoptTrustRoot([acme.trust.root, third])).rejects.toThrow(refusal('fork'));
    });
  });

  it('that asks for an algorithm lets nothing be signed without it, from its index on', async () => {
    await acme.adoptBoth();
    const algs: KeyAlgorithm[] = ['ed25519', 'ml-dsa-44'];
    const asking = acme.trust.acme(acme.trust.authority, new Map([['license', [{ from: 70, algs }]]]));
    await acme.withSigner(async (signer) => {
      expect(keysOf(signer, 60)).toEqual([acme.first.keyid]);
      await signer.adoptTrustRoot([acme.trust.root, acme.trust.next(acme.trust.root, asking)]);
      expect(keysOf(signer, 69)).toEqual([acme.first.keyid]);
      expect(() => signer.signRecords([licenseToSign()], 70)).toThrow(refusal('no_key'));
    });
  });
});
