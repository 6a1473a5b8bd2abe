import { join } from 'node:path';
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
import { Journal } from '../src/journal/journal.ts';
import { noLimits } from '../src/keystore/keystore-key.ts';
import { generateKeySpec, SigningKey } from '../src/keystore/signing-key.ts';
import { Mark } from '../src/mark.ts';
import type { RecordToSign } from '../src/protocol/requests.ts';
import type { Signer } from '../src/signer.ts';
import { scratchDirectory } from './support/scratch.ts';
import { at, licenseToSign, origin, record, signerOn } from './support/signing.ts';
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

const endedAt55 = (key: NamespaceKey): NamespaceKey => ({ ...key, until: 55 });

function keysOf(signer: Signer, index: number): string[] {
  return signer.signRecords([licenseToSign()], index)[0]!.signatures.map(({ keyid }) => keyid);
}

describe('a signer that knows its namespace', () => {
  it('signs with the first listed key that is valid at the index, also after a restart', async () => {
    await adoptBoth();
    await withSigner((signer) => {
      expect(keysOf(signer, 60)).toEqual([first.keyid]);
      expect(() => signer.signRecords([licenseToSign()], 0)).toThrow(refusal('no_key'));
    });
  });

  it('hands over to the next key at the index where a brake ends the first, within one batch', async () => {
    await adoptBoth();
    const until = [{ id: keyFingerprintText(first.publicKey), index: 61 }];
    const batch = [licenseToSign(), toSign(brakeWith({ rev: 1, until })), licenseToSign()];
    const signed = await withSigner((signer) => signer.signRecords(batch, 60));
    expect(signed.map(({ signatures }) => signatures.map(({ keyid }) => keyid))).toEqual([
      [first.keyid],
      [brakeKey.keyid],
      [second.keyid],
    ]);
    await withSigner((signer) => {
      expect(keysOf(signer, 61)).toEqual([second.keyid]);
      expect(signer.describe().brakes).toMatchObject([{ rev: 1, until }]);
    });
  });

  it('signs nothing where no listed key is left, or the one that is listed is not here', async () => {
    const gone = [{ ...listed(first.publicKey), until: 40 }, listed(trust.authority.publicKey)];
    const { entry, document } = await trust.logged(namespaceWith(gone));
    await withSigner(async (signer) => {
      await signer.adopt(entry, document);
      expect(keysOf(signer, 39)).toEqual([first.keyid]);
      expect(() => signer.signRecords([licenseToSign()], 40)).toThrow(refusal('no_key'));
    });
  });

  it('keeps a key within the limits that the namespace sets it, and those of its keystore', async () => {
    const limited = (limits: Partial<KeyLimits>, rev: number) =>
      namespaceWith(
        both().keys.map((key) => ({ ...key, limits: { ...noLimits, ...limits } })),
        { rev },
      );
    const adopt = async (document: NamespaceDocument): Promise<void> => {
      const logged = await trust.logged(document);
      await withSigner((signer) => signer.adopt(logged.entry, logged.document));
    };
    const refused = refusal('limit');
    await adopt(limited({ seatsMax: 4, perMinute: 2 }, 0));
    await withSigner((signer) => {
      expect(() => signer.signRecords([licenseToSign({ seats: 5 })], 60)).toThrow(refused);
      const four = licenseToSign({ seats: 4 });
      signer.signRecords([four, four], 60);
      expect(() => signer.signRecords([four], 62)).toThrow(refused);
    });
    await adopt(limited({ termMax: 'P10D' }, 1));
    await withSigner((signer) => {
      expect(() => signer.signRecords([licenseToSign()], 60)).toThrow(refused);
    });
    const [logKey, , , firstKey] = keys;
    const strict = generateKeySpec([...issuing], 'acme', { ...noLimits, seatsMax: 3 });
    keys = [logKey!, new SigningKey({ ...strict }), firstKey!];
    const listing = [listed(keys[1]!.publicKey, { from: 0, limits: { ...noLimits, seatsMax: 9 } })];
    await adopt(namespaceWith([...limited({}, 2).keys.map(endedAt55), ...listing], { rev: 2 }));
    await withSigner((signer) => {
      expect(() => signer.signRecords([licenseToSign({ seats: 4 })], 60)).toThrow(refused);
      expect(signer.signRecords([licenseToSign({ seats: 3 })], 60)).toHaveLength(1);
    });
  });

  it('signs with ML-DSA-44 what is perpetual where the trust root demands that, and nothing else', async () => {
    trust = new TestTrust({
      require: [{ from: 10, algs: ['ed25519'], perpetual: ['ed25519', 'ml-dsa-44'] }],
    });
    const pq = new SigningKey(generateKeySpec([...issuing], 'acme', noLimits, 'ml-dsa-44'));
    const { entry, document } = await trust.logged(
      namespaceWith([listed(first.publicKey), listed(pq.publicKey), listed(second.publicKey)]),
    );
    const cases: [RecordToSign, string[]][] = [
      [licenseToSign(), [first.keyid]],
      [licenseToSign({ until: null }), [first.keyid, pq.keyid]],
      [licenseToSign({ fallback: at }), [first.keyid, pq.keyid]],
      [{ record: record('plan.created'), content: null }, [first.keyid]],
    ];
    const withoutPq = keys;
    keys = [...keys, pq];
    await withSigner(async (signer) => {
      await signer.adopt(entry, document);
      for (const [item, ids] of cases) {
        const [signed] = signer.signRecords([item], 60);
        expect(signed?.signatures.map(({ keyid }) => keyid).toSorted()).toEqual(ids.toSorted());
      }
      expect(signer.signRecords([licenseToSign({ until: null })], 9)[0]?.signatures).toHaveLength(1);
    });
    keys = withoutPq;
    await withSigner((signer) => {
      for (const [item, { length }] of cases) {
        if (length === 1) expect(signer.signRecords([item], 60)).toHaveLength(1);
        else expect(() => signer.signRecords([item], 60)).toThrow(/no ml-dsa-44 key here may sign/);
      }
    });
  });

  it('takes the namespace from its authority alone', async () => {
    const forged = await trust.logged(both(), brakeKey);
    await withSigner(async (signer) => {
      await expect(signer.adopt(forged.entry, forged.document)).rejects.toThrow(refusal('no_authority'));
      const { entry } = await trust.logged(both());
      const other = await trust.logged(namespaceWith([]));
      await expect(signer.adopt(entry, other.document)).rejects.toThrow(refusal('commitment'));
    });
  });

  it.each([
    ['drops a key', () => namespaceWith([listed(second.publicKey, { from: 50 })], { rev: 1 })],
    ['moves the beginning of one', () => namespaceWith([listed(first.publicKey, { from: 2 })], { rev: 1 })],
    ['lowers the epoch', () => namespaceWith(both().keys, { rev: 1, epoch: 0 })],
  ])('refuses a namespace that %s', async (_what, next) => {
    const { entry, document } = await trust.logged({ ...both(), epoch: 1 });
    const later = await trust.logged(next());
    await withSigner(async (signer) => {
      await signer.adopt(entry, document);
      await expect(signer.adopt(later.entry, later.document)).rejects.toThrow(refusal('loosened'));
    });
  });

  it('does not go back to an older namespace that it is shown again', async () => {
    await adoptBoth();
    const ended = both().keys.map((key) =>
      key.from === 1 && key.usages.length > 1 ? { ...key, until: 55 } : key,
    );
    const later = await trust.logged(namespaceWith(ended, { rev: 1 }));
    await withSigner((signer) => signer.adopt(later.entry, later.document));
    await adoptBoth();
    await withSigner((signer) => expect(keysOf(signer, 55)).toEqual([second.keyid]));
  });
});

describe('a brake', () => {
  const cut = () => ({ id: keyFingerprintText(first.publicKey), index: 70 });

  it('is signed only where the namespace is known', async () => {
    await withSigner((signer) => {
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
    await adoptBoth();
    const tight = brakeWith({ rev: 1, lock: 'frozen', minEpoch: 0, until: [cut()] });
    const isAboutMinimum = looser().until.length === 1 && looser().lock === 'frozen' && looser().epoch === 0;
    const before = isAboutMinimum && looser().until[0]!.index === 70 ? { ...tight, minEpoch: 1 } : tight;
    await withSigner((signer) => signer.signRecords([toSign(before)], 69));
    await withSigner((signer) => {
      expect(() => signer.signRecords([toSign(looser())], 71)).toThrow(refusal('loosened'));
      expect(() => signer.signRecords([toSign({ ...before, rev: 2 })], 71)).not.toThrow();
    });
  });

  it('that the server brings can only add to what binds', async () => {
    await adoptBoth();
    await withSigner((signer) => signer.signRecords([toSign(brakeWith({ rev: 1, until: [cut()] }))], 69));
    const brought = await trust.logged(brakeWith({ rev: 2, lock: 'heightened' }), brakeKey);
    await withSigner(async (signer) => {
      await signer.adopt(brought.entry, brought.document);
      expect(signer.describe().brakes).toMatchObject([{ rev: 2, lock: 'heightened', until: [cut()] }]);
    });
  });

  it('of another epoch, or about keys that nobody listed, that the server brings changes nothing', async () => {
    await adoptBoth();
    await withSigner((signer) =>
      signer.signRecords([toSign(brakeWith({ rev: 1, lock: 'sealed', until: [cut()] }))], 69),
    );
    const strangers = Array.from({ length: 250 }, () => new SigningKey(generateKeySpec(['license'], 'acme')));
    const unlisted = strangers.map(({ publicKey }) => ({ id: keyFingerprintText(publicKey), index: 1 }));
    for (const forged of [
      brakeWith({ rev: 2, epoch: 999 }),
      brakeWith({ rev: 9_007_199_254_740_991 }),
      brakeWith({ rev: 3, until: unlisted }),
    ]) {
      const { entry, document } = await trust.logged(forged, second);
      await withSigner((signer) => signer.adopt(entry, document));
    }
    await withSigner((signer) => {
      expect(signer.describe().brakes).toMatchObject([{ lock: 'sealed', until: [cut()] }]);
      expect(keysOf(signer, 1000)).toEqual([second.keyid]);
      const open = toSign(brakeWith({ rev: 2, lock: 'open', until: [] }));
      expect(() => signer.signRecords([open], 1001)).toThrow(refusal('loosened'));
    });
  });

  it('without its document, or with another one, is not signed', async () => {
    await adoptBoth();
    const item = toSign(brakeWith({ rev: 1, lock: 'frozen' }));
    await withSigner((signer) => {
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
    await withSigner((signer) => {
      expect(() => signer.signRecords([{ record: other, content: null }], 9)).toThrow(refusal('no_key'));
    });
  });
});

describe('a new version of the trust root', () => {
  const successor = () => new SigningKey(generateKeySpec(['authority'], 'acme'));

  it('is taken where it follows, and from then on only its authority counts', async () => {
    const authority = successor();
    const before = await trust.logged(both());
    const ended = namespaceWith([...both().keys.slice(1), { ...both().keys[0]!, until: 99 }], { rev: 1 });
    const [old, fresh] = [await trust.logged(ended), await trust.logged(ended, authority)];
    await withSigner(async (signer) => {
      await signer.adopt(before.entry, before.document);
      await expect(signer.adopt(fresh.entry, fresh.document)).rejects.toThrow(refusal('no_authority'));
      await signer.adoptTrustRoot([trust.root, trust.next(trust.root, trust.acme(authority))]);
      await expect(signer.adopt(old.entry, old.document)).rejects.toThrow(refusal('no_authority'));
      // What is known already is no reason to stop, whoever signed it.
      await signer.adopt(before.entry, before.document);
      await signer.adopt(fresh.entry, fresh.document);
      expect(keysOf(signer, 99)).toEqual([second.keyid]);
      // An older chain, brought later, takes nothing back.
      await signer.adoptTrustRoot([trust.root]);
      const later = await trust.logged({ ...ended, rev: 2 });
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
      () => [trust.root, trust.next(trust.root, trust.acme(successor()), successor())],
    ],
    [
      'that skips one',
      'no_authority',
      () => [trust.root, trust.next(trust.next(trust.root, trust.acme(successor())))],
    ],
    [
      'of another log',
      'other_log',
      () => {
        const { vkeys } = parseTrustRoot(trust.root).log;
        const moved = vkeys.map(({ type, key }) => makeVerifierKey('other.example', type, key));
        return [trust.root, trust.next(trust.root, { log: { origin: 'other.example', vkeys: moved } })];
      },
    ],
  ])('%s is refused, and the one before stays', async (_what, reason, chain) => {
    await withSigner(async (signer) => {
      await expect(signer.adoptTrustRoot(chain())).rejects.toThrow(refusal(reason));
      const { entry, document } = await trust.logged(both());
      await signer.adopt(entry, document);
    });
  });

  it('replaces no version that is known', async () => {
    await withSigner(async (signer) => {
      await signer.adoptTrustRoot([trust.root, trust.next(trust.root, trust.acme(successor()))]);
      const other = trust.next(trust.root, trust.acme(successor()));
      await expect(signer.adoptTrustRoot([trust.root, other])).rejects.toThrow(refusal('fork'));
    });
  });

  it('that asks for an algorithm lets nothing be signed without it, from its index on', async () => {
    await adoptBoth();
    const algs: KeyAlgorithm[] = ['ed25519', 'ml-dsa-44'];
    const asking = trust.acme(trust.authority, new Map([['license', [{ from: 70, algs }]]]));
    await withSigner(async (signer) => {
      expect(keysOf(signer, 60)).toEqual([first.keyid]);
      await signer.adoptTrustRoot([trust.root, trust.next(trust.root, asking)]);
      expect(keysOf(signer, 69)).toEqual([first.keyid]);
      expect(() => signer.signRecords([licenseToSign()], 70)).toThrow(refusal('no_key'));
    });
  });
});
