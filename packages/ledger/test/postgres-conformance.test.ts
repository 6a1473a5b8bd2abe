/** On a server of its own, or on that of `TALLYSTICK_TEST_POSTGRES`, in schemas that are dropped again. */
import { randomUUID } from 'node:crypto';
import { PostgresServer } from '@tallystick/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostgresStore, StoreConflict, StoreFenced, StoreLocked } from '../src/index.ts';
import { batchAt } from './support/store-batches.ts';
import { describeStore } from './support/store-conformance.ts';

let server: PostgresServer | null = null;
let schema = '';

beforeAll(async () => {
  if (process.env.TALLYSTICK_TEST_POSTGRES === undefined) server = await PostgresServer.start();
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
});

function url(): string {
  const made = new URL(process.env.TALLYSTICK_TEST_POSTGRES ?? server?.url() ?? '');
  made.searchParams.set('schema', schema);
  if (!made.searchParams.has('durability')) made.searchParams.set('durability', 'single-node');
  return made.href;
}

const options = () => ({ url: url(), holder: randomUUID() });

async function create(): Promise<PostgresStore> {
  schema = `tally_${randomUUID().replaceAll('-', '_')}`;
  return PostgresStore.create(options());
}

const remove = () => PostgresStore.drop({ url: url() });

describeStore('the store on PostgreSQL', { create, reopen: () => PostgresStore.open(options()), remove });

describe('a store on PostgreSQL', () => {
  it('refuses a second writer, until the first one is closed', async () => {
    const first = await create();
    await expect(PostgresStore.open(options())).rejects.toThrow(StoreLocked);
    await first.append(batchAt(0));
    await first[Symbol.asyncDispose]();
    await using second = await PostgresStore.open(options());
    expect(await second.size()).toBe(3);
    await remove();
  });

  it('is fenced for good by whoever takes it over, in every way of writing', async () => {
    await using first = await create();
    await first.append(batchAt(0));
    await using second = await PostgresStore.open({ ...options(), takeOver: true });
    await expect(first.append(batchAt(3))).rejects.toThrow(StoreFenced);
    await expect(first.saveCheckpoint({ size: 3, note: 'n', at: 'a' })).rejects.toThrow(StoreFenced);
    await expect(first.shred([0])).rejects.toThrow(StoreFenced);
    await expect(first.size()).rejects.toThrow(/another server .* stopped for good/);
    await second.append(batchAt(3));
    expect(await second.entries(0, 10)).toEqual([...batchAt(0).entries, ...batchAt(3).entries]);
    expect(await second.checkpoint()).toBeUndefined();
    await remove();
  });

  it('can be read beside its writer, and a reader cannot write', async () => {
    await using writer = await create();
    await writer.append(batchAt(0));
    await using reader = await PostgresStore.read({ url: url() });
    expect(await reader.entries(0, 10)).toEqual(batchAt(0).entries);
    await writer.append(batchAt(3));
    expect(await reader.size()).toBe(6);
    await expect(reader.append(batchAt(6))).rejects.not.toBeInstanceOf(StoreConflict);
    expect(await writer.size()).toBe(6);
    await remove();
  });

  it('is not made where a schema is, nor opened where there is none', async () => {
    await (await create())[Symbol.asyncDispose]();
    await expect(PostgresStore.create(options())).rejects.toThrow('there is a schema');
    await remove();
    await expect(PostgresStore.open(options())).rejects.toThrow('there is no store in this schema');
    await expect(PostgresStore.read({ url: url() })).rejects.toThrow('does not answer');
  });
});
