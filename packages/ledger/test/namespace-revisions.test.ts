/** Revisions of the namespace that its authority signed elsewhere: what is taken into the log, and what never is. */
import { setTimeout as after } from 'node:timers/promises';
import { encodeEnvelope, keyFingerprintText, parseRecordEntry, utf8, verifyBundle } from '@tallystick/core';
import { MemoryStore, type SignedRevision } from '@tallystick/ledger';

import { generateKeySpec, type KeystoreKey, SigningKey } from '@tallystick/signer';
import {
  FaultyStore,
  type RevisionChanges,
  signedRevision,
  startSigner,
  TestSystem,
} from '@tallystick/testkit';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { checkLog } from './support/check-log.ts';

const dayMs = 86_400_000;
let system: TestSystem;
let store: FaultyStore;
let authority: KeystoreKey;

beforeEach(async () => {
  store = new FaultyStore(new MemoryStore());
  system = await TestSystem.start({ store });
  await system.sellPro();
  authority = system.world.identity.keys.authority[0] as KeystoreKey;
});

afterEach(async () => {
  await system[Symbol.asyncDispose]();
});

function revision(changes: RevisionChanges = {}): Promise<SignedRevision> {
  return signedRevision(system, { by: authority, ...changes });
}

function submit(signed: SignedRevision, dryRun = false): ReturnType<TestSystem['ledger']['reviseNamespace']> {
  return system.ledger.reviseNamespace(signed, dryRun);
}

describe('a revision that its authority signed', () => {
  it('is logged with a promise, governs, and outlives a restart', async () => {
    const { changes, promises, repeated } = await submit(await revision());
    expect(changes).toMatchObject([{ change: { type: 'namespace.updated' }, current: { rev: 1 } }]);
    expect(promises).toHaveLength(1);
    expect(repeated).toBe(false);
    await system.run({ type: 'license.issue', plan: 'pro-yearly' });
    await system.restart();
    await system.ready();
    expect(system.ledger.governing.namespace).toMatchObject({ rev: 1, name: 'Acme Inc' });
    expect(await system.ledger.read.history('namespace', 99, 1)).toMatchObject([
      { cause: { who: { kind: 'person', id: 'ada' }, command: 'namespace.update' } },
    ]);
    await checkLog(store.inner);
  });

  it('is found again when it is submitted twice, also at the same time', async () => {
    const signed = await revision();
    const outcomes = await Promise.all([submit(signed), submit(signed)]);
    expect(outcomes.map(({ repeated }) => repeated)).toEqual([false, true]);
    expect(outcomes[0]?.changes[0]?.index).toBe(outcomes[1]?.changes[0]?.index);
  });

  it('may have been signed a week before the newest entry, and not earlier', async () => {
    await expect(submit(await revision({ at: -7 * dayMs - 60_000 }))).rejects.toThrow(/more than a week ago/);
    await submit(await revision({ at: -7 * dayMs + 60_000 }));
    await system.run({ type: 'license.issue', plan: 'pro-yearly' });
  });

  it('by a clock that is ahead leaves no time that runs backwards, also over a restart', async () => {
    await submit(await revision({ at: 4 * 60_000 }));
    await system.run({ type: 'license.issue', plan: 'pro-yearly' });
    await system.ledger.whenPublished(system.ledger.size, 5000);
    await checkLog(store.inner);
    await submit(await revision({ at: 4.5 * 60_000, document: { name: 'Acme Corp' } }));
    await system.restart();
    await system.ready();
    await system.run({ type: 'license.issue', plan: 'pro-yearly' });
    await checkLog(store.inner);
  });

  it('changes nothing as a dry run', async () => {
    const size = await store.inner.size();
    expect((await submit(await revision(), true)).changes).toMatchObject([{ index: null, leaf: null }]);
    expect(system.ledger.governing.namespace.rev).toBe(0);
    expect((await store.inner.size()) - size).toBeLessThanOrEqual(1);
  });

  it('lets a key sign from its index on, whose licenses verify', async () => {
    const [, first] = system.ledger.governing.namespace.keys;
    expect(first?.usages).toContain('license');
    const until = system.ledger.size + 10;
    const keys = system.ledger.governing.namespace.keys.map((key, nth) =>
      nth === 0 ? { ...key, until } : key,
    );
    await submit(await revision({ document: { keys } }));
    const signers = new Map<number, string | undefined>();
    for (let count = 0; count < 15; count++) {
      const { changes } = await system.run({ type: 'license.issue', plan: 'pro-yearly' });
      const [change] = changes;
      await system.ledger.whenPublished((change?.index ?? 0) + 1, 5000);
      const bundle = utf8(await system.ledger.bundle(change?.change.subject.id ?? ''));
      await verifyBundle(bundle, { pin: [system.world.trust], namespace: 'acme' });
      const stored = await store.inner.entry(change?.index ?? 0);
      const entry = parseRecordEntry(stored?.entry ?? new Uint8Array(0));
      signers.set(change?.index ?? 0, entry.envelope.signatures[0]?.keyid);
    }
    const of = (isLate: boolean) =>
      new Set([...signers].filter(([index]) => index >= until === isLate).map(([, keyid]) => keyid));
    expect([of(false).size, of(true).size]).toEqual([1, 1]);
    expect(of(false)).not.toEqual(of(true));
  });
});

describe('a revision is refused, and nothing changes,', () => {
  const keys = () => system.ledger.governing.namespace.keys;
  const stranger = () => new SigningKey(generateKeySpec(['license'], 'acme'));
  const cases: [string, RegExp, () => Promise<SignedRevision>][] = [
    ['signed by somebody else', /not signed by the authority/, () => revision({ by: stranger() })],
    ['of another namespace', /not a revision of the namespace/, () => revision({ record: { ns: 'other' } })],
    ['that opens a chain', /not a revision/, () => revision({ record: { type: 'namespace.created' } })],
    ['about another subject', /not a revision/, () => revision({ record: { subject: new Uint8Array(32) } })],
    ['that skips a revision', /follow another revision/, () => revision({ document: { rev: 2 } })],
    [
      'that follows another entry',
      /follow another revision/,
      () => revision({ record: { prev: new Uint8Array(32).fill(1) } }),
    ],
    ['that drops a key', /left the list/, () => revision({ document: { keys: keys().slice(1) } })],
    [
      'that moves the beginning of a key',
      /changed its range/,
      () => revision({ document: { keys: keys().map((key) => ({ ...key, from: 0 })) } }),
    ],
    [
      'that ends the brake key before the newest brake, with which every file would fail',
      /ends the brake key before the newest brake, which is at index 2.*end the key at 3 or later/,
      () => {
        const ended = keys().map((key) => (key.usages.includes('brake') ? { ...key, until: 2 } : key));
        return revision({ document: { keys: ended } });
      },
    ],
    ['of a lower epoch', /epoch|safe integer|count/, () => revision({ document: { epoch: -1 } })],
    ['from the future', /five minutes ahead/, () => revision({ at: 6 * 60_000 })],
    [
      'with a key that nobody holds',
      /which the signer does not hold/,
      () => {
        const id = keyFingerprintText(stranger().publicKey);
        return revision({ document: { keys: [...keys(), { ...keys()[0]!, id, from: 10_000 }] } });
      },
    ],
    [
      'with a key that is valid from the past',
      /from an index that has passed/,
      () => {
        const id = keyFingerprintText(stranger().publicKey);
        return revision({ document: { keys: [...keys(), { ...keys()[0]!, id, from: 2 }] } });
      },
    ],
    [
      'whose document was exchanged',
      /not the one that was signed/,
      async () => ({
        ...(await revision()),
        document: (await revision({ document: { name: 'Evil' } })).document,
      }),
    ],
    [
      'whose cause was exchanged',
      /the cause is not the one/,
      async () => ({ ...(await revision()), cause: { salt: new Uint8Array(32), document: utf8('{}') } }),
    ],
    [
      'that fits no tile',
      /65535 bytes/,
      async () => {
        const signed = await revision();
        const { envelope } = parseRecordEntry(signed.entry);
        const padding = { keyid: 'x', sig: new Uint8Array(50_000) };
        const entry = encodeEnvelope({ ...envelope, signatures: [...envelope.signatures, padding] });
        return { ...signed, entry };
      },
    ],
    ['that is no record', /record/, async () => ({ ...(await revision()), entry: utf8('{}') })],
    ['without a document', /document/, async () => ({ ...(await revision()), document: new Uint8Array(0) })],
  ];
  it.each(cases)('%s', async (_what, why, make) => {
    const signed = await make();
    await expect(submit(signed)).rejects.toMatchObject({
      problem: 'namespace_refused',
      message: expect.stringMatching(why) as string,
    });
    expect(system.ledger.governing.namespace.rev).toBe(0);
    await system.run({ type: 'license.issue', plan: 'pro-yearly' });
    await checkLog(store.inner);
  });

  it('that ends the key which signed the newest brake, where another brake key stays', async () => {
    const { world } = system;
    const spare = new SigningKey(generateKeySpec(['brake'], 'acme'));
    world.identity.keys.issuing.push(spare);
    const { log, issuing, brake, lease } = world.identity.keys;
    world.signer = startSigner([...log, ...issuing, brake, lease], world, [world.trust], world.now);
    await system.restart();
    await system.ready();
    const from = system.ledger.size + 10;
    const listed = keys().find((key) => key.usages.includes('brake'));
    if (listed === undefined) throw new Error('no brake key');
    const id = keyFingerprintText(spare.publicKey);
    await submit(await revision({ document: { keys: [...keys(), { ...listed, id, from }] } }));
    while (system.ledger.size < from) await system.run({ type: 'license.issue', plan: 'pro-yearly' });
    const braked = await system.run({ type: 'brake.tighten', lock: 'heightened' });
    const newest = braked.changes[0]?.index ?? 0;
    const ending = (until: number) => keys().map((key) => (key.id === listed.id ? { ...key, until } : key));
    await expect(submit(await revision({ document: { keys: ending(newest) } }))).rejects.toThrow(
      /ends the brake key before the newest brake/,
    );
    await submit(await revision({ document: { keys: ending(newest + 1) } }));
    const { changes } = await system.run({ type: 'license.issue', plan: 'pro-yearly' });
    await system.ledger.whenPublished(system.ledger.size, 5000);
    const bundle = utf8(await system.ledger.bundle(changes[0]?.change.subject.id ?? ''));
    await verifyBundle(bundle, { pin: [world.trust], namespace: 'acme' });
  });

  it('that was superseded by another one', async () => {
    const old = await revision();
    await submit(await revision({ document: { name: 'Acme Corp' } }));
    await expect(submit(old)).rejects.toThrow(/follow another revision/);
  });
});

describe('a signer that is away when a revision is logged', () => {
  it('signs nothing more before it has the new namespace', async () => {
    let isAway = false;
    const order: string[] = [];
    const other = await TestSystem.start({
      store: new MemoryStore(),
      wrapSigner: (signer) => ({
        ...signer,
        signBatch: async (batch) => {
          order.push('sign');
          return signer.signBatch(batch);
        },
        adopt: async (entry, document) => {
          order.push(isAway ? 'away' : 'adopt');
          if (isAway) throw Object.assign(new Error('away'), { name: 'SignerUnavailable' });
          await signer.adopt(entry, document);
        },
      }),
    });
    await other.sellPro();
    await system[Symbol.asyncDispose]();
    system = other;
    authority = other.world.identity.keys.authority[0] as KeystoreKey;
    isAway = true;
    order.length = 0;
    const revised = submit(await revision());
    await vi.waitUntil(() => order.length >= 2);
    const issued = other.run({ type: 'license.issue', plan: 'pro-yearly' });
    await after(100);
    expect(order.every((what) => what === 'away')).toBe(true);
    isAway = false;
    await Promise.all([revised, issued]);
    expect(order.slice(order.indexOf('adopt'))).toEqual(['adopt', 'sign']);
  });

  it('signs nothing either where the log is stopped before it is back', async () => {
    let isAway = false;
    let signed = 0;
    const other = await TestSystem.start({
      wrapSigner: (signer) => ({
        ...signer,
        signBatch: async (batch) => {
          signed += 1;
          return signer.signBatch(batch);
        },
        adopt: (entry, document) =>
          isAway
            ? Promise.reject(Object.assign(new Error('away'), { name: 'SignerUnavailable' }))
            : signer.adopt(entry, document),
      }),
    });
    await other.sellPro();
    await system[Symbol.asyncDispose]();
    system = other;
    authority = other.world.identity.keys.authority[0] as KeystoreKey;
    isAway = true;
    const before = signed;
    const revised = submit(await revision());
    const issued = other.run({ type: 'license.issue', plan: 'pro-yearly' });
    const outcome = issued.then(
      () => 'issued',
      () => 'refused',
    );
    await after(20);
    await Promise.all([other.ledger[Symbol.asyncDispose](), revised.catch(() => null)]);
    expect(await outcome).toBe('refused');
    expect(signed).toBe(before);
  });

  it('and then refuses it stops the log, which says so', async () => {
    let refuses = false;
    const other = await TestSystem.start({
      wrapSigner: (signer) => ({
        ...signer,
        adopt: (entry, document) =>
          refuses ? Promise.reject(new Error('another authority')) : signer.adopt(entry, document),
      }),
    });
    await other.sellPro();
    await system[Symbol.asyncDispose]();
    system = other;
    authority = other.world.identity.keys.authority[0] as KeystoreKey;
    refuses = true;
    await submit(await revision());
    expect(other.events).toContainEqual({
      type: 'alarm',
      error: expect.objectContaining({
        message: 'the signer has not taken the namespace yet: another authority',
      }) as Error,
    });
    expect(other.ledger.mutations).toMatchObject({
      problem: 'signer_refused',
      message: expect.stringMatching(/does not take the namespace/) as string,
    });
    await expect(other.run({ type: 'license.issue', plan: 'pro-yearly' })).rejects.toThrow(/does not take/);
  });
});

describe('a disk that fails under a revision', () => {
  it.each(['did nothing', 'did everything'] as const)('and %s leaves one truth', async (kind) => {
    const signed = await revision();
    store.fail('append', kind);
    const outcome = await submit(signed).then(
      () => 'logged',
      () => 'failed',
    );
    expect(outcome).toBe(kind === 'did everything' ? 'logged' : 'failed');
    expect(system.ledger.governing.namespace.rev).toBe(kind === 'did everything' ? 1 : 0);
    await submit(signed);
    expect(system.ledger.governing.namespace.rev).toBe(1);
    await checkLog(store.inner);
  });

  it('and cannot be read while the signer waits for the revision does not stop the log', async () => {
    store.onDone = (operation) => {
      if (operation === 'append') store.fail('entry', 'did nothing', { times: 3 });
    };
    await submit(await revision());
    store.onDone = null;
    expect(system.ledger.mutations).toBeNull();
    await system.run({ type: 'license.issue', plan: 'pro-yearly' });
    expect(system.world.mark.document('acme', 'namespace')).toEqual(
      new Uint8Array(utf8(JSON.stringify(system.ledger.governing.namespace))),
    );
  });
});
