/** Lists and projections: every row once, and the same rows whether fed as they come or rebuilt from the log. */
import { join } from 'node:path';
import { isMapRoot } from '@tallystick/core';
import type { CheckedRevision, LicenseFilter } from '@tallystick/ledger';
import { LogState, MemoryStore, ProjectionFeeder, Projections, revisionRows } from '@tallystick/ledger';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CrashingSystem, indexKey, rowsOf } from './support/crashing-system.ts';

let system: CrashingSystem;

beforeEach(async () => {
  system = await CrashingSystem.start();
  await system.sell();
});

afterEach(async () => {
  await system[Symbol.asyncDispose]();
});

const issue = (): Promise<string> => system.make({ type: 'license.issue', plan: 'pro' });

/** Follows the cursor to the end, with something done between two pages. */
async function walk(
  filter: LicenseFilter,
  limit: number,
  between: () => Promise<unknown>,
): Promise<string[]> {
  const seen: string[] = [];
  let page: CheckedRevision[];
  do {
    page = await system.ledger.read.licenses(filter, { before: seen.at(-1) ?? '~', limit });
    seen.push(...page.map(({ content }) => content.id));
    await between();
  } while (page.length === limit);
  return seen;
}

describe('a walk over a list', () => {
  it.each([1, 7, 50])(
    'in pages of %d sees everything that was there once, however much is added',
    async (limit) => {
      const before = await Promise.all(Array.from({ length: 40 }, issue));
      const seen = await walk({}, limit, () => Promise.all([issue(), issue()]));
      expect(new Set(seen).size).toBe(seen.length);
      expect(before.every((id) => seen.includes(id))).toBe(true);
      expect(seen).toEqual([...seen].sort().reverse());
    },
  );

  it('with a filter sees what it is about, and nothing else', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, issue));
    const suspended = ids.slice(0, 9);
    for (const license of suspended)
      await system.make({ type: 'license.suspend', license, reason: 'payment' });
    expect((await walk({ state: 'suspended' }, 4, issue)).sort()).toEqual([...suspended].sort());
    expect(await walk({ state: 'revoked' }, 4, issue)).toEqual([]);
  });

  it('refuses a row that somebody altered or slipped in', async () => {
    const id = await issue();
    await system.published();
    system.projections.apply(
      [
        revisionRows({
          index: 1,
          id: neverIssued(id),
          rev: 0,
          document: (await documentOf(id)) as never,
          names: new Map(),
        }),
      ],
      [],
      system.ledger.size,
    );
    await expect(system.ledger.read.licenses({}, { before: '~', limit: 10 })).rejects.toMatchObject({
      problem: 'integrity',
    });
  });
});

/** An id beside one that exists. */
function neverIssued(id: string): string {
  return `${id.slice(0, -1)}${id.endsWith('0') ? '1' : '0'}`;
}

async function documentOf(id: string): Promise<object> {
  const current = await system.ledger.read.current(id);
  return { ...current!.document, id: neverIssued(id) };
}

describe('a map root that was altered on the disk', () => {
  beforeEach(async () => {
    await issue();
    await system.published();
    system.store.tamper = (entry) => {
      if (!isMapRoot(entry.entry)) return entry;
      const altered = Uint8Array.from(entry.entry);
      // Another digit of the milliseconds, whichever it was.
      altered[altered.length - 4] = (altered.at(-4) ?? 0) ^ 1;
      return { ...entry, entry: altered };
    };
  });

  it('is not served as a tile', async () => {
    const { size } = system.ledger;
    const tile = system.ledger.read.tile({ level: 'entries', index: 0, width: size });
    await expect(tile).rejects.toMatchObject({ problem: 'integrity' });
  });

  it('is not shown as an entry of the log', async () => {
    const entry = system.ledger.read.logEntry(system.ledger.published!.size - 1);
    await expect(entry).rejects.toMatchObject({ problem: 'integrity' });
  });
});

describe('projections', () => {
  it('rebuilt from the log are the ones that were fed as it grew', async () => {
    const customers = await Promise.all(
      Array.from({ length: 5 }, (_, nth) => system.make({ type: 'customer.create', reference: `c${nth}` })),
    );
    for (const [nth, customer] of customers.entries()) {
      const license = await system.make({ type: 'license.issue', plan: 'pro', customer }, `order-${nth}`);
      await system.make({ type: 'license.suspend', license, reason: 'payment' }, `stop-${nth}`);
    }
    await system.make({ type: 'customer.merge', customer: customers[0]!, into: customers[1]! });
    await system.make({ type: 'product.create', code: 'lite', name: 'Lite', entitlements: {} });
    await system.make({ type: 'product.retire', product: 'lite' });
    await system.published();
    // The cursor passes entries that are no records whenever something is fed next.
    expect({ ...(await rebuilt()), cursor: null }).toEqual({
      ...rowsOf(system.projectionsFile),
      cursor: null,
    });
  });

  it('rebuilt from the log free the names that were given up', async () => {
    const customer = await system.make({ type: 'customer.create', reference: 'old' });
    await system.make({ type: 'customer.update', customer, reference: 'new' });
    const license = await issue();
    await system.make({ type: 'license.rekey', license });
    await system.published();
    await system.ledger.read.licenses({}, { before: '~', limit: 1 });
    expect((await rebuilt()).names).toEqual(rowsOf(system.projectionsFile).names);
  });

  it('rebuilt from the log let a reference that was given up be taken', async () => {
    const customer = await system.make({ type: 'customer.create', reference: 'old' });
    await system.make({ type: 'customer.update', customer, reference: 'new' });
    await system.published();
    system.projections.clear();
    await system.crash();
    await system.ready();
    await system.make({ type: 'customer.create', reference: 'old' });
  });

  it('that know more than the log holds are thrown away', async () => {
    await issue();
    await system.published();
    const { size } = system.ledger;
    await system.ledger.read.licenses({}, { before: '~', limit: 1 });
    system.projections.apply([], [{ key: 'never', index: 900 }], size + 500);
    await system.crash();
    expect(system.projections.size).toBe(size);
    expect(system.projections.indexesOfRequests(['never'])).toEqual(new Map());
  });

  it('that lag behind are caught up with at the start', async () => {
    for (let count = 0; count < 5; count++) await issue();
    await system.published();
    system.projections.clear();
    await system.crash();
    await system.ready();
    expect(await system.ledger.read.licenses({}, { before: '~', limit: 10 })).toHaveLength(5);
    const retried = await system.submit({
      type: 'product.create',
      code: 'pro',
      name: 'Pro',
      entitlements: {},
    });
    expect(retried).toMatchObject({ refused: { code: 'code_taken' } });
  });
});

async function rebuilt(): Promise<Record<string, unknown[]>> {
  const file = join(system.world.directory, 'rebuilt.db');
  const store = new MemoryStore();
  const size = system.ledger.size;
  await store.append({
    size: 0,
    entries: await system.inner.entries(0, size),
    causes: await system.inner.causes(0, size),
  });
  const { trust, identity } = system.world;
  const state = await LogState.load(store, {
    genesis: trust.genesis,
    ns: identity.namespace.ns,
    pastFrom: 0,
  });
  using projections = new Projections(file);
  await new ProjectionFeeder({ store, state, projections, writer: projections, indexKey }).replay();
  return rowsOf(file);
}
