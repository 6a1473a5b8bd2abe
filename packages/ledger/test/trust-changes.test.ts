/** Trust roots that hand over: to another authority, to other cosigners, to other algorithms. */
import { type TrustRoot, type TrustRootContent, utf8, verifyBundle } from '@tallystick/core';
import { type LedgerParts, MemoryStore } from '@tallystick/ledger';
import { generateKeySpec, type KeystoreKey, SigningKey } from '@tallystick/signer';
import {
  FaultyStore,
  LocalCosigner,
  nextTrustRoot,
  only,
  signedRevision,
  startSigner,
  TestSystem,
} from '@tallystick/testkit';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { checkLog } from './support/check-log.ts';

let system: TestSystem;
let store: FaultyStore;
let first: TrustRoot;
let root: KeystoreKey;
/** What the signer does with a new trust root. */
let adoptTrustRoot: LedgerParts['signer']['adoptTrustRoot'] | null;

beforeEach(async () => {
  store = new FaultyStore(new MemoryStore());
  adoptTrustRoot = null;
  system = await TestSystem.start({
    store,
    wrapSigner: (signer) => ({
      ...signer,
      adoptTrustRoot: (envelopes) => adoptTrustRoot?.(envelopes) ?? signer.adoptTrustRoot(envelopes),
    }),
  });
  await system.sellPro();
  first = system.world.trust;
  root = only(system.world.identity.keys.root);
});

afterEach(async () => {
  await system[Symbol.asyncDispose]();
});

const newAuthority = (): SigningKey => new SigningKey(generateKeySpec(['authority'], 'acme'));

const under = (authority: KeystoreKey): Partial<TrustRootContent> => ({
  namespaces: new Map([
    ['acme', { authority: { threshold: 1, keys: [authority.publicKey] }, require: new Map() }],
  ]),
});

const next = (current: TrustRoot, changes: Partial<TrustRootContent>): Promise<TrustRoot> =>
  nextTrustRoot(system, current, [root], changes);

async function issue(): Promise<string> {
  const { changes } = await system.run({ type: 'license.issue', plan: 'pro-yearly' });
  await system.ledger.whenPublished((changes[0]?.index ?? 0) + 1, 5000);
  return changes[0]?.change.subject.id ?? '';
}

/** The version that governs a new license file, as a client finds it that pins version 1, or all of `pin`. */
async function versionSeen(pin: readonly TrustRoot[] = [first]): Promise<number> {
  const file = utf8(await system.ledger.bundle(await issue()));
  return (await verifyBundle(file, { pin, namespace: 'acme' })).trust.version;
}

describe('a trust root with another authority', () => {
  it('is logged in one batch before the namespace signed anew, and from then on only that authority counts', async () => {
    const authority = newAuthority();
    const second = await next(first, under(authority));
    const signed = await signedRevision(system, { by: authority });
    const size = system.ledger.size;
    const append = vi.spyOn(store.inner, 'append');
    expect(await system.ledger.publishTrust([first, second], { signed })).toBe(1);
    const at = (await system.ledger.read.revision('namespace'))?.index ?? 0;
    expect(at).toBeGreaterThan(size);
    const batch = append.mock.calls.find(([{ entries }]) => entries.some(({ index }) => index === at))?.[0];
    expect(batch?.entries.map(({ index, subject }) => [index, subject === null])).toEqual([
      [at - 1, true],
      [at, false],
    ]);
    expect(await versionSeen()).toBe(2);
    expect(await versionSeen([first, second])).toBe(2);
    await expect(system.ledger.reviseNamespace(await signedRevision(system), false)).rejects.toThrow(
      /not signed by the authority/,
    );
    await system.ledger.reviseNamespace(await signedRevision(system, { by: authority }), false);
    await system.restart({ trust: [first, second] });
    await system.ready();
    expect(await versionSeen()).toBe(2);
    await checkLog(store.inner);
  });

  it('is refused where the namespace is not signed by it, or does not follow, and as a dry run changes nothing', async () => {
    const authority = newAuthority();
    const second = await next(first, under(authority));
    const size = await store.inner.size();
    for (const [signed, why] of [
      [await signedRevision(system), /not signed by the authority/],
      [await signedRevision(system, { by: authority, document: { rev: 2 } }), /follow another revision/],
      [await signedRevision(system, { by: authority, document: { keys: [] } }), /left the list/],
    ] as const) {
      await expect(system.ledger.publishTrust([first, second], { signed })).rejects.toMatchObject({
        problem: 'namespace_refused',
        message: expect.stringMatching(why) as string,
      });
    }
    const signed = await signedRevision(system, { by: authority });
    expect(await system.ledger.publishTrust([first, second], { signed, dryRun: true })).toBe(1);
    expect(await system.ledger.publishTrust([first, await next(first, {})], { dryRun: true })).toBe(1);
    await expect(system.ledger.publishTrust([first, await next(first, {})], { signed })).rejects.toThrow(
      /submit the namespace revision by itself/,
    );
    expect((await store.inner.size()) - size).toBeLessThanOrEqual(1);
    expect(await versionSeen()).toBe(1);
  });

  it('that was kept and not logged binds the signer already, so the old authority is not logged any more', async () => {
    const authority = newAuthority();
    const second = await next(first, under(authority));
    const signed = await signedRevision(system, { by: authority });
    store.fail('append', 'did nothing');
    await expect(system.ledger.publishTrust([first, second], { signed })).rejects.toThrow();
    const stranded = async (): Promise<void> => {
      await expect(system.ledger.reviseNamespace(await signedRevision(system), false)).rejects.toMatchObject({
        problem: 'namespace_refused',
        message: expect.stringMatching(/publish it again first/) as string,
      });
      expect(await versionSeen()).toBe(1);
    };
    await stranded();
    // The signer starts anew, too, on the file that has both.
    const { world } = system;
    const keys = [...world.identity.keys.log, ...world.identity.keys.issuing, world.identity.keys.brake];
    world.signer = startSigner(keys, world, [first, second], world.now);
    await system.restart({ trust: [first, second] });
    await system.ready();
    await stranded();
    expect(await system.ledger.publishTrust([first, second], { signed })).toBe(1);
    expect(await versionSeen()).toBe(2);
  });

  it('that was kept and not logged may be replaced, where the log has overtaken what it asks for', async () => {
    const authority = { threshold: 1, keys: [only(system.world.identity.keys.authority).publicKey] };
    const from = system.ledger.size + 4;
    const require = new Map([['license', [{ from, algs: ['ed25519' as const] }]]]);
    const second = await next(first, { namespaces: new Map([['acme', { authority, require }]]) });
    store.fail('append', 'did nothing');
    await expect(system.ledger.publishTrust([first, second])).rejects.toThrow();
    while (system.ledger.size < from + 2) await versionSeen();
    await expect(system.ledger.publishTrust([first, second])).rejects.toThrow(/reaches back in the log/);
    const other = await next(first, { freshness: { offlineMax: 'P30D' } });
    expect(await system.ledger.publishTrust([first, other])).toBe(1);
    expect(await versionSeen()).toBe(2);
    await system.restart({ trust: [first, other] });
    await system.ready();
    expect(await versionSeen()).toBe(2);
  });

  it('that the signer does not take is not logged, and one that is away is not waited for', async () => {
    let kept: readonly TrustRoot[] = [];
    await system.restart({
      saveTrust: async (chain) => {
        kept = chain;
      },
    });
    await system.ready();
    const authority = newAuthority();
    const second = await next(first, under(authority));
    const signed = await signedRevision(system, { by: authority });
    const failing = (name: string) => () => Promise.reject(Object.assign(new Error('no'), { name }));
    adoptTrustRoot = failing('SignerRefused');
    await expect(system.ledger.publishTrust([first, second], { signed })).rejects.toMatchObject({
      problem: 'trust_refused',
    });
    expect(kept).toHaveLength(1);
    adoptTrustRoot = failing('SignerUnavailable');
    await expect(system.ledger.publishTrust([first, second], { signed })).rejects.toMatchObject({
      problem: 'signer_unavailable',
    });
    expect(await versionSeen()).toBe(1);
    adoptTrustRoot = null;
    expect(await system.ledger.publishTrust([first, second], { signed })).toBe(1);
    expect(await versionSeen()).toBe(2);
  });
});

describe('a trust root with other cosigners', () => {
  /** Replaces one witness and the replayer. */
  async function replaced(): Promise<{ second: TrustRoot; old: LocalCosigner[] }> {
    const { cosigners } = system.world;
    const [stays, leaves] = cosigners.witnesses as [LocalCosigner, LocalCosigner];
    const [replayer] = cosigners.replayers as [LocalCosigner];
    const witness = new LocalCosigner('witness.example/new');
    const other = new LocalCosigner('witness.example/new-replayer');
    const group = (members: LocalCosigner[]) => ({
      threshold: members.length,
      members: members.map(({ name, vkeys }) => ({ name, vkeys, url: null })),
    });
    const quorum = { witnesses: group([stays, witness]), replayers: group([other]) };
    cosigners.witnesses.push(witness);
    cosigners.replayers.push(other);
    return { second: await next(first, { quorum }), old: [leaves, replayer] };
  }

  it('reaches clients of every pin by a checkpoint that both quorums signed, long after the old one is gone', async () => {
    const { second, old } = await replaced();
    expect(await system.ledger.publishTrust([first, second])).toBe(1);
    expect(await versionSeen()).toBe(2);
    for (const each of old) each.isDown = true;
    for (let count = 0; count < 3; count++) expect(await versionSeen()).toBe(2);
    expect(await versionSeen([first, second])).toBe(2);
    await system.restart({ trust: [first, second] });
    await system.ready();
    expect(await versionSeen()).toBe(2);
    await checkLog(store.inner);
  });

  it('keeps what proves it when the same checkpoint is cosigned again by the new quorum alone', async () => {
    const { second, old } = await replaced();
    await system.ledger.publishTrust([first, second]);
    await system.ledger.whenPublished(system.ledger.size, 5000);
    const { size, note } = system.ledger.published ?? {};
    for (const each of old) each.isDown = true;
    await system.restart({ trust: [first, second], times: { ...fast, refreshMs: 20 } });
    await system.ready();
    while (system.ledger.published?.note === note) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(system.ledger.published?.size).toBe(size);
    expect(await versionSeen()).toBe(2);
  });

  it('is not published by the new quorum alone where the old one does not sign the step', async () => {
    const { second, old } = await replaced();
    await system.ledger.whenPublished(system.ledger.size, 5000);
    for (const each of old) each.isDown = true;
    await system.ledger.publishTrust([first, second]);
    const size = system.ledger.size;
    await expect(system.ledger.whenPublished(size, 200)).rejects.toThrow(/not published within/);
    for (const each of old) each.isDown = false;
    await system.ledger.whenPublished(size, 5000);
    expect(await versionSeen()).toBe(2);
  });

  it('follows another one in the same batch: the step carries the signatures of all three', async () => {
    const { second } = await replaced();
    const third = await nextTrustRoot(system, second, [root], { quorum: system.world.cosigners.quorum });
    expect(await system.ledger.publishTrust([first, second, third])).toBe(2);
    expect(await versionSeen()).toBe(3);
    expect(await versionSeen([first, second])).toBe(3);
  });
});

describe('two versions at once, the first with other cosigners', () => {
  it('go on after a restart of server and signer before anything was published under them', async () => {
    const { cosigners } = system.world;
    const witness = new LocalCosigner('witness.example/new');
    const replayer = new LocalCosigner('witness.example/new-replayer');
    const group = ({ name, vkeys }: LocalCosigner) => ({
      threshold: 1,
      members: [{ name, vkeys, url: null }],
    });
    const quorum = { witnesses: group(witness), replayers: group(replayer) };
    const former = [...cosigners.witnesses, ...cosigners.replayers];
    cosigners.witnesses.push(witness);
    cosigners.replayers.push(replayer);
    const second = await next(first, { quorum });
    const third = await next(second, { quorum, freshness: { offlineMax: 'P30D' } });
    for (const each of former) each.isDown = true;
    const versions = [first, second, third];
    expect(await system.ledger.publishTrust(versions)).toBe(2);
    const { world } = system;
    const keys = [...world.identity.keys.log, ...world.identity.keys.issuing, world.identity.keys.brake];
    world.signer = startSigner(keys, world, versions, world.now);
    await system.restart({ trust: versions });
    for (const each of former) each.isDown = false;
    await system.ready();
    expect(await versionSeen(versions)).toBe(3);
  });
});

describe('a trust root that asks for algorithms', () => {
  it('binds signer and replayers from its index on', async () => {
    const authority = { threshold: 1, keys: [only(system.world.identity.keys.authority).publicKey] };
    const from = system.ledger.size + 10;
    const require = new Map([['license', [{ from, algs: ['ed25519' as const] }]]]);
    const second = await next(first, { namespaces: new Map([['acme', { authority, require }]]) });
    expect(await system.ledger.publishTrust([first, second])).toBe(1);
    while (system.ledger.size < from + 2) expect(await versionSeen()).toBe(2);
  });
});

const fast = { intervalMs: 5, retryMs: 5, refreshMs: 60_000, promiseMs: 60_000, stallMs: 60_000 };
