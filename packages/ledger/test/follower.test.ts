/** A server that follows a log which another one writes: what it shows, what it notices, and how it takes over. */
import { createHmac } from 'node:crypto';
import { setTimeout as after } from 'node:timers/promises';
import { type PublicKey, type TrustRoot, utf8, verifyBundle } from '@tallystick/core';
import {
  Follower,
  type FollowerParts,
  type Ledger,
  MemoryStore,
  Projections,
  type StoredCheckpoint,
  type StoredEntry,
  StoreUnavailable,
} from '@tallystick/ledger';
import { nextTrustRoot, SecondServer, TestSystem } from '@tallystick/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkLog } from './support/check-log.ts';

class SharedStore extends MemoryStore {
  signed: { size: number; note: string } | undefined;
  /** Shows an entry as somebody altered it. */
  altered: { index: number; entry: Uint8Array } | null = null;
  /** What somebody who writes rows has put in the newest checkpoint's place. */
  forged: StoredCheckpoint | null = null;

  override async checkpoint(size?: number): Promise<StoredCheckpoint | undefined> {
    return this.forged ?? super.checkpoint(size);
  }

  override async entry(index: number): Promise<StoredEntry | undefined> {
    const stored = await super.entry(index);
    return stored && this.altered?.index === index ? { ...stored, entry: this.altered.entry } : stored;
  }
}

let store: SharedStore;
let system: TestSystem;
let follower: Follower | null;
let troubles: (Error | null)[];
let saved: (readonly TrustRoot[])[];
const ended: (() => Promise<void>)[] = [];

const signer = {
  saveSigned: async (signed: { size: number; note: string }): Promise<void> => {
    store.signed = signed;
  },
};

beforeEach(async () => {
  store = new SharedStore();
  system = await TestSystem.start({ store });
  await system.restart(signer);
  await system.ready();
  await system.sellPro();
  follower = null;
  troubles = [];
  saved = [];
});

afterEach(async () => {
  await follower?.[Symbol.asyncDispose]();
  for (const end of ended.splice(0).reverse()) await end();
  await system[Symbol.asyncDispose]();
});

function parts(overrides: Partial<FollowerParts> = {}): FollowerParts {
  const projections = new Projections(':memory:');
  return {
    store,
    projections,
    projectionWriter: projections,
    trust: [system.world.trust],
    saveTrust: async (chain) => void saved.push(chain),
    ns: 'acme',
    keys: { all: system.world.signer.describe().keys as PublicKey[] },
    indexKey: (key) => createHmac('sha256', 'test').update(key).digest('base64'),
    intervalMs: 5,
    onPublished: () => {},
    onTrouble: (error) => void troubles.push(error),
    ...overrides,
  };
}

async function issue(): Promise<{ id: string; index: number }> {
  const { changes } = await system.run({ type: 'license.issue', plan: 'pro-yearly' });
  const [change] = changes;
  return { id: change?.change.subject.id ?? '', index: change?.index ?? 0 };
}

async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; !isSo(); tries++) {
    if (tries > 2000) throw new Error('it did not come about');
    await after(2);
  }
}

async function versionOf(file: string): Promise<number> {
  return (await verifyBundle(utf8(file), { pin: [system.world.trust], namespace: 'acme' })).trust.version;
}

describe('a log that is followed', () => {
  it('is shown as far as it is published, and its license files verify', async () => {
    const first = await issue();
    await system.ledger.whenPublished(first.index + 1, 5000);
    follower = await Follower.open(parts());
    expect(await versionOf(await follower.bundle(first.id))).toBe(1);
    const second = await issue();
    await system.ledger.whenPublished(second.index + 1, 5000);
    await until(() => (follower?.size ?? 0) > second.index);
    expect((await follower.read.current(second.id))?.document.id).toBe(second.id);
    expect(await versionOf(await follower.bundle(second.id))).toBe(1);
    const listed = await follower.read.licenses({}, { before: '\u{10ffff}', limit: 10 });
    expect(listed.map(({ content }) => content.id)).toEqual([second.id, first.id]);
    expect(troubles).toEqual([]);
  });

  it('is not shown further than that, because what is not published may not stay', async () => {
    follower = await Follower.open(parts());
    for (const cosigner of system.world.cosigners.witnesses) cosigner.isDown = true;
    const { id, index } = await issue();
    await after(50);
    expect(follower.size).toBeLessThanOrEqual(index);
    expect(await follower.read.current(id)).toBeUndefined();
    for (const cosigner of system.world.cosigners.witnesses) cosigner.isDown = false;
    await until(() => (follower?.size ?? 0) > index);
    expect((await follower.read.current(id))?.document.id).toBe(id);
  });

  const claims: [string, (size: number) => Partial<StoredCheckpoint>][] = [
    ['reach far beyond the log', (size) => ({ size: size + 1000 })],
    ['are of another size than they say', (size) => ({ size })],
  ];
  it.each(claims)('is not shown further by checkpoints that %s', async (_case, claim) => {
    // Of an earlier size: both its signatures and its name for the log are right.
    const { note = '', at = '' } = (await store.checkpoint()) ?? {};
    const before = await issue();
    await system.ledger.whenPublished(before.index + 1, 5000);
    follower = await Follower.open(parts());
    for (const cosigner of system.world.cosigners.witnesses) cosigner.isDown = true;
    const { id, index } = await issue();
    store.forged = { size: index + 1, note, at, ...claim(index + 1) };
    await until(() => follower?.trouble !== null || follower.size > index);
    expect(follower.size).toBeLessThanOrEqual(index);
    await expect(follower.read.current(id)).rejects.toMatchObject({ problem: 'integrity' });
  });

  it('hands out no license file that lacks the public key of a signature in it', async () => {
    const { id, index } = await issue();
    await system.ledger.whenPublished(index + 1, 5000);
    follower = await Follower.open(parts({ keys: { all: [] } }));
    await expect(follower.bundle(id)).rejects.toMatchObject({
      problem: 'overloaded',
      message: expect.stringContaining('public key') as string,
    });
  });

  it('raises no alarm over what was erased and waits for its checkpoint', async () => {
    const created = await system.run({ type: 'customer.create', reference: 'erika', name: 'Erika' });
    const [change] = created.changes;
    const customer = change?.change.subject.id ?? '';
    await system.ledger.whenPublished((change?.index ?? 0) + 1, 5000);
    follower = await Follower.open(parts());
    const page = { before: '\u{10ffff}', limit: 10 };
    for (const cosigner of system.world.cosigners.witnesses) cosigner.isDown = true;
    await system.run({ type: 'customer.erase', customer });
    while ((await store.entry(change?.index ?? 0))?.content?.document !== null) await after(2);
    const waiting = { problem: 'not_published_yet' };
    await expect(follower.read.revision(customer)).rejects.toMatchObject(waiting);
    await expect(follower.read.customers({}, page)).rejects.toMatchObject(waiting);
    for (const cosigner of system.world.cosigners.witnesses) cosigner.isDown = false;
    await until(() => (follower?.size ?? 0) > (change?.index ?? 0) + 2);
    expect((await follower.read.customers({}, page)).length).toBe(1);
  });

  it('says when the database has fallen behind what was seen of it', async () => {
    const old = await store.checkpoint();
    const { index } = await issue();
    await system.ledger.whenPublished(index + 1, 5000);
    follower = await Follower.open(parts());
    store.forged = old ?? null;
    await until(() => follower?.trouble !== null);
    expect(follower.trouble).toMatchObject({ problem: 'log_behind' });
    store.forged = null;
    await until(() => follower?.trouble === null);
  });

  it('brings a new version of its trust root along that could not be read at first', async () => {
    const failing = new Set<number>();
    const { size } = (await store.checkpoint()) ?? { size: 0 };
    const flaky = new Proxy(store, {
      get: (target, name: keyof SharedStore): unknown => {
        const member: unknown = target[name];
        if (name !== 'entry') return member instanceof Function ? (member.bind(target) as unknown) : member;
        return async (index: number): Promise<StoredEntry | undefined> => {
          if (index < size || failing.has(index)) return target.entry(index);
          failing.add(index);
          throw new StoreUnavailable('PostgreSQL does not answer', false);
        };
      },
    });
    follower = await Follower.open(parts({ store: flaky }));
    const { trust, identity } = system.world;
    const second = await nextTrustRoot(system, trust, identity.keys.root, {
      expires: '2041-01-01T00:00:00.000Z',
    });
    await system.ledger.publishTrust([trust, second]);
    await until(() => follower?.trust.current.version === 2);
    expect(failing.size).toBeGreaterThan(0);
    const { index } = await issue();
    await until(() => (follower?.size ?? 0) > index);
    expect(saved.at(-1)?.length).toBe(2);
  });

  it('brings new versions of its trust root along, while it is followed and to who comes later', async () => {
    follower = await Follower.open(parts());
    const { trust, identity } = system.world;
    const second = await nextTrustRoot(system, trust, identity.keys.root, {
      expires: '2041-01-01T00:00:00.000Z',
    });
    await system.ledger.publishTrust([trust, second]);
    const { id, index } = await issue();
    await until(() => (follower?.size ?? 0) > index);
    expect(follower.trust.current.version).toBe(2);
    expect(saved.at(-1)?.length).toBe(2);
    expect(await versionOf(await follower.bundle(id))).toBe(2);
    await follower[Symbol.asyncDispose]();
    follower = await Follower.open(parts());
    expect(follower.trust.current.version).toBe(2);
  });

  it('is not served where the store holds something else than was signed', async () => {
    follower = await Follower.open(parts());
    const { id, index } = await issue();
    await system.ledger.whenPublished(index + 1, 5000);
    const { size } = system.ledger.published ?? { size: 0 };
    const other = await store.entry(size - 1);
    const forged = Uint8Array.from(other?.entry ?? []);
    forged[forged.length - 3] = (forged[forged.length - 3] ?? 0) ^ 1;
    await until(() => (follower?.size ?? 0) >= size);
    expect(await follower.bundle(id)).toContain(id);
    const next = await issue();
    store.altered = { index: next.index + 1, entry: forged };
    await until(() => follower?.trouble !== null);
    await expect(follower.bundle(id)).rejects.toMatchObject({ problem: 'integrity' });
    await expect(follower.read.current(id)).rejects.toMatchObject({ problem: 'integrity' });
    store.altered = null;
  });
});

describe('taking a log over', () => {
  async function takeOver(isShared = true): Promise<Ledger> {
    if (follower === null) throw new Error('nobody follows');
    const second = await SecondServer.prepare(system.world, { isShared });
    ended.push(() => second[Symbol.asyncDispose]());
    return second.takeOver({ ...signer, ...(await follower.stop()), signed: store.signed });
  }

  it('goes on where the other server ended, with what was durable there, published or not', async () => {
    follower = await Follower.open(parts());
    const published = await issue();
    await system.ledger.whenPublished(published.index + 1, 5000);
    for (const cosigner of system.world.cosigners.replayers) cosigner.isDown = true;
    // Its checkpoint is signed and one witness has it when the server dies.
    const durable = await issue();
    await until(() => (store.signed?.size ?? 0) > durable.index);
    await system.ledger[Symbol.asyncDispose]();
    for (const cosigner of system.world.cosigners.replayers) cosigner.isDown = false;
    const ledger = await takeOver();
    await ledger.whenPublished(durable.index + 1, 5000);
    await until(() => ledger.mutations === null);
    const sold = await ledger.submit({
      command: { type: 'license.issue', plan: 'pro-yearly' },
      cause: { who: { kind: 'test', id: 'test' }, why: null },
      request: null,
      dryRun: false,
    });
    if ('refused' in sold) throw new Error(sold.refused.message);
    await ledger.whenPublished((sold.changes[0]?.index ?? 0) + 1, 5000);
    for (const id of [published.id, durable.id, sold.changes[0]?.change.subject.id ?? ''])
      expect(await versionOf(await ledger.bundle(id))).toBe(1);
    await checkLog(store);
  });

  it('is refused on a database that lost what was seen of it, and says so', async () => {
    const { index } = await issue();
    await system.ledger.whenPublished(index + 1, 5000);
    follower = await Follower.open(parts());
    await system.ledger[Symbol.asyncDispose]();
    const { size } = follower;
    const [leaves, entry, checkpoint] = [
      store.leaves.bind(store),
      store.entry.bind(store),
      store.checkpoint.bind(store),
    ];
    store.size = async () => index;
    store.leaves = async (from, limit) => leaves(from, Math.max(0, Math.min(limit, index - from)));
    store.entry = async (at) => (at < index ? entry(at) : undefined);
    store.checkpoint = async () => checkpoint(index);
    store.signed = undefined;
    const ledger = await takeOver();
    expect(size).toBeGreaterThan(index);
    expect(ledger.mutations).toMatchObject({ problem: 'log_behind' });
  });

  it('needs nothing but what is published where the last signed checkpoint was not kept', async () => {
    const { index } = await issue();
    await system.ledger.whenPublished(index + 1, 5000);
    follower = await Follower.open(parts());
    await system.ledger[Symbol.asyncDispose]();
    store.signed = undefined;
    const ledger = await takeOver();
    await until(() => ledger.mutations === null);
  });

  it('is refused to a signer that is not set up for it: a mark that is behind is an alarm there', async () => {
    follower = await Follower.open(parts());
    const { index } = await issue();
    await system.ledger.whenPublished(index + 1, 5000);
    await system.ledger[Symbol.asyncDispose]();
    await expect(takeOver(false)).rejects.toMatchObject({ reason: 'not_shared' });
  });
});
