/** Four eyes for trust roots, and what is found where a server had none, on a real ledger. */
import type { TrustRoot } from '@tallystick/core';
import { MemoryStore } from '@tallystick/ledger';
import { generateKeySpec, type KeystoreKey, SigningKey } from '@tallystick/signer';
import { FaultyStore, nextTrustRoot, only, signedRevision } from '@tallystick/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Custodians, publishing, unlocking, waiting } from './support/custodians.ts';
import type { Office } from './support/office.ts';

let desk: Custodians;
let office: Office;
let store: FaultyStore;

beforeAll(async () => {
  store = new FaultyStore(new MemoryStore());
  desk = await Custodians.open(store);
  office = desk.office;
});
afterAll(() => desk[Symbol.asyncDispose]());

describe('a trust root', () => {
  let root: KeystoreKey;
  let chain: TrustRoot[];

  const next = async (changes: Parameters<typeof nextTrustRoot>[3]): Promise<TrustRoot> => {
    const made = await nextTrustRoot(office, chain.at(-1) as TrustRoot, [root], changes);
    return made;
  };

  beforeAll(async () => {
    root = only(office.world.identity.keys.root);
    chain = [office.world.trust];
    await desk.rule(unlocking, publishing);
  });
  afterEach(async () => {
    chain = office.ledger.trust.versions;
  });

  it('waits, is shown, and governs from its approval on', async () => {
    const second = await next({ freshness: { offlineMax: 'P30D' } });
    expect((await desk.publish('Ada', [...chain, second], null, true)).notes.map(({ code }) => code)).toEqual(
      ['needs_approval'],
    );
    const approval = await waiting(desk.publish('Ada', [...chain, second]));
    expect(await waiting(desk.publish('Ada', [...chain, second]))).toBe(approval);
    expect(office.ledger.trust.current.version).toBe(1);
    // The versions that the log has are not stored once more.
    expect((await office.request(approval)).command['envelopes']).toHaveLength(1);
    const item = await desk.shown(approval);
    expect(item).toMatchObject({
      effect: {
        refusal: null,
        changes: [],
        trustRoots: [
          {
            version: 2,
            before: { freshness: { offlineMax: 'P90D' } },
            after: { freshness: { offlineMax: 'P30D' } },
          },
        ],
      },
    });
    await desk.approveOnly('Bea', approval);
    store.fail('append', 'did nothing');
    const execute = { type: 'approval.execute', approval } as const;
    await expect(office.ask('Ada', execute)).rejects.toMatchObject({ problem: 'not_committed' });
    expect(office.ledger.trust.current.version).toBe(1);
    await office.ask('Ada', execute);
    expect(office.ledger.trust.current.version).toBe(2);
    expect(await desk.publish('Ada', [...chain, second])).toEqual({ version: 2, logged: 0, notes: [] });
    await office.ledger.whenPublished(office.ledger.size, 10_000);
    expect(await desk.findings()).toEqual([]);
  });

  it('that another one has overtaken is refused, and changes nothing', async () => {
    const mine = await next({ freshness: { offlineMax: 'P20D' } });
    const theirs = await next({ freshness: { offlineMax: 'P10D' } });
    const [first, second] = [
      await waiting(desk.publish('Ada', [...chain, mine])),
      await waiting(desk.publish('Bea', [...chain, theirs])),
    ];
    expect((await desk.approve('Cid', second)).execution).toMatchObject({ done: true });
    expect((await desk.approve('Cid', first)).execution).toMatchObject({
      done: false,
      problem: { code: 'trust_refused' },
    });
    expect(office.ledger.trust.current.version).toBe(3);
  });

  it('is no way around a rule about revisions, where it brings one along', async () => {
    await desk.rule(unlocking);
    await desk.freeze();
    const other = new SigningKey(generateKeySpec(['authority'], 'acme'));
    const namespaces = new Map([
      ['acme', { authority: { threshold: 1, keys: [other.publicKey] }, require: new Map() }],
    ]);
    const fourth = await next({ namespaces });
    const signed = await signedRevision(office, { by: other, document: { epoch: desk.epoch + 1 } });
    const approval = await waiting(desk.publish('Ada', [...chain, fourth], signed));
    expect(desk.lock).toBe('frozen');
    const { execution } = await desk.approve('Bea', approval);
    expect(execution?.changes.map(({ type }) => type)).toEqual(['approval.executed', 'namespace.updated']);
    expect([desk.lock, office.ledger.trust.current.version]).toEqual(['open', 4]);
    desk.authority = other;
  });
});

describe('what a server lets through past the rules', () => {
  it('is found in the log', async () => {
    await office.ledger.whenPublished(office.ledger.size, 10_000);
    expect(await desk.findings()).toEqual([]);
    await desk.rule(unlocking, publishing);
    await desk.freeze();
    const { changes } = await office.ledger.reviseNamespace(await desk.unlock(), false);
    const versions = office.ledger.trust.versions;
    const more = await nextTrustRoot(office, office.ledger.trust.current, [
      only(office.world.identity.keys.root),
    ]);
    await office.ledger.publishTrust([...versions, more]);
    const index = changes[0]?.index ?? -1;
    const said = (action: string) => `1 of key-custodian had to approve ${action}, and nobody did`;
    expect(await desk.findings()).toEqual([
      { index, kind: 'approval', message: said('namespace.revise') },
      { index: expect.any(Number), kind: 'approval', message: said('trust.publish') },
    ]);
    expect(await desk.findings([office.id('Ada')])).toEqual([]);
  });
});
