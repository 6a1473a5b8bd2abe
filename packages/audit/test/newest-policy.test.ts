/** What the main log says was dropped of access logs, where somebody can write its rows. */
import {
  documentCommitment,
  encodeEnvelope,
  encodeRecord,
  leafHash,
  parseRecordEntry,
  utf8,
} from '@tallystick/core';
import { defaultPolicyDocument } from '@tallystick/gate';
import type { StoredEntry } from '@tallystick/ledger';
import { TestSystem } from '@tallystick/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newestPolicy } from '../src/index.ts';

const dropped = '2026-01-01T00:00:00.000Z';
const later = '2026-06-01T00:00:00.000Z';
let system: TestSystem;
let policyAt: number;

beforeAll(async () => {
  system = await TestSystem.start();
  await system.run({ type: 'policy.publish', ...defaultPolicyDocument() });
  const { changes } = await system.run({ type: 'policy.drop_access', before: dropped });
  policyAt = changes[0]?.index ?? -1;
  await system.ledger.whenPublished(policyAt + 1, 10_000);
});
afterAll(() => system[Symbol.asyncDispose]());

type Store = TestSystem['world']['store'];

/** The store with some of its methods replaced. */
function storeWith(replaced: Partial<Store>): Store {
  const { store } = system.world;
  return new Proxy(store, {
    get: (_, name) => {
      const value: unknown = Reflect.get(name in replaced ? replaced : store, name);
      return typeof value === 'function' ? (value.bind(store) as unknown) : value;
    },
  });
}

async function droppedBefore(store: Store): Promise<string | undefined> {
  const { trust } = system.world;
  const policy = await newestPolicy(store, { genesis: trust.genesis, ns: 'acme', chain: [trust] });
  return policy?.accessDroppedBefore;
}

/** The newest policy as whoever dropped more would have it, which nobody signed. */
async function madeUp(): Promise<StoredEntry> {
  const stored = await system.world.store.entry(policyAt);
  if (stored?.content?.document == null || stored.content.salt === null) throw new Error('no policy');
  const policy = JSON.parse(Buffer.from(stored.content.document).toString()) as object;
  const document = utf8(JSON.stringify({ ...policy, accessDroppedBefore: later }));
  const { record, envelope } = parseRecordEntry(stored.entry);
  const payload = encodeRecord({ ...record, doc: documentCommitment(stored.content.salt, document) });
  const entry = encodeEnvelope({ ...envelope, payload });
  return { ...stored, entry, leaf: leafHash(entry), content: { ...stored.content, document } };
}

it('is what its newest policy says', async () => {
  expect(await droppedBefore(system.world.store)).toBe(dropped);
});

it('is not what somebody writes over that, with or without its leaf', async () => {
  const { store } = system.world;
  const forged = await madeUp();
  const entry: Store['entry'] = async (index) => (index === policyAt ? forged : store.entry(index));
  await expect(droppedBefore(storeWith({ entry }))).rejects.toThrow('not the one that was published');
  const leaves: Store['leaves'] = async (from, limit) =>
    (await store.leaves(from, limit)).map((row) =>
      row.index === policyAt ? { ...row, leaf: forged.leaf } : row,
    );
  await expect(droppedBefore(storeWith({ entry, leaves }))).rejects.toThrow(
    'the main log is not the one that was published',
  );
});

it('is not what somebody appends', async () => {
  const { store } = system.world;
  const size = await store.size();
  const forged = { ...(await madeUp()), index: size };
  const found = await droppedBefore(
    storeWith({
      size: async () => size + 1,
      entry: async (index) => (index === size ? forged : store.entry(index)),
      leaves: async (from, limit) => [
        ...(await store.leaves(from, limit)),
        ...(from + limit > size ? [{ ...forged, rev: 9 }] : []),
      ],
    }),
  );
  expect(found).toBe(dropped);
});

it('is nothing under a checkpoint that cosigners did not sign, or of a log that is cut short', async () => {
  const { store } = system.world;
  const checkpoint: Store['checkpoint'] = async (size) => {
    const saved = await store.checkpoint(size);
    return saved && { ...saved, note: saved.note.split('\n').slice(0, 5).join('\n').concat('\n') };
  };
  await expect(droppedBefore(storeWith({ checkpoint }))).rejects.toThrow('the newest checkpoint');
  const leaves: Store['leaves'] = async (from, limit) =>
    (await store.leaves(from, limit)).filter(({ index }) => index < 3);
  await expect(droppedBefore(storeWith({ leaves }))).rejects.toThrow('has no entry 3');
});
