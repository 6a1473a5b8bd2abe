/** On a server of its own, or on that of `TALLYSTICK_TEST_POSTGRES`, in schemas that are dropped again. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { localhostCertificate, PostgresServer, TestAuthority } from '@tallystick/testkit';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StoreConflict, type StoredEntry, StoreFenced, StoreLocked } from '../src/index.ts';
import { PostgresStore } from '../src/store/postgres/index.ts';
import { batchAt, causeAt, entriesPerBatch } from './support/store-batches.ts';
import { describeStore } from './support/store-conformance.ts';

let server: PostgresServer | null = null;
let schema = '';
const folder = mkdtempSync(join(tmpdir(), 'tally-postgres-'));

beforeAll(async () => {
  if (process.env.TALLYSTICK_TEST_POSTGRES === undefined) server = await PostgresServer.start();
});

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await server?.[Symbol.asyncDispose]();
});

function pem(text: string): string {
  const path = join(folder, `${randomUUID()}.pem`);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

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

  it('is put right as a whole or not at all, and taken over only behind that', async () => {
    const { entries } = batchAt(0);
    await using store = await create();
    await store.append({ size: 0, entries: entries.slice(0, 1), causes: [] });
    const stopped = async function* (): AsyncGenerator<StoredEntry> {
      // More than one statement takes.
      for (let at = 0; at < 300; at += entriesPerBatch) yield* batchAt(at).entries;
      throw new Error('the mirror went away');
    };
    await expect(store.restore(stopped())).rejects.toThrow('the mirror went away');
    expect([await store.size(), await store.entries(0, 9)]).toEqual([1, entries.slice(0, 1)]);
    let taking: Promise<PostgresStore> = Promise.reject(new Error('nobody came'));
    taking.catch(() => {});
    const slow = async function* (): AsyncGenerator<StoredEntry> {
      yield* entries;
      taking = PostgresStore.open({ ...options(), takeOver: true });
      expect(await Promise.race([taking, after(200, 'waits')])).toBe('waits');
    };
    await store.restore(slow());
    await using other = await taking;
    expect(await other.entries(0, 9)).toEqual(entries);
    await expect(store.restore(stopped())).rejects.toThrow(StoreFenced);
    await remove();
  });

  it.each([
    ['deleted rows at its end', 'DELETE FROM leaves WHERE idx > 3; UPDATE fence SET size = 4', 4],
    ['added rows behind its end', "INSERT INTO leaves VALUES (6, '\\x00', NULL, 0)", 7],
    ['altered the fence', 'UPDATE fence SET size = 5', 6],
  ])('counts its rows anew where somebody has %s', async (_what, sql, size) => {
    await using store = await create();
    await store.append(batchAt(0));
    await store.append(batchAt(3));
    const client = new Client({ connectionString: url().split('?')[0] ?? '' });
    await client.connect();
    await client.query(`SET search_path = ${schema}; ${sql}`);
    await client.end();
    await expect(store.append(batchAt(6))).rejects.toThrow(StoreConflict);
    expect(await store.size()).toBe(size);
    await remove();
  });

  it('of the version before is read as it is, and brought to this one by who opens it for writing', async () => {
    const written = await create();
    await written.append(batchAt(0));
    await written[Symbol.asyncDispose]();
    const client = new Client({ connectionString: url().split('?')[0] ?? '' });
    await client.connect();
    await client.query(
      `SET search_path = ${schema}; DROP TABLE signed_requests; UPDATE fence SET format = 1`,
    );
    await client.end();
    const cause = { ...causeAt(0, entriesPerBatch), signed: null };
    await using reader = await PostgresStore.read(options());
    expect([await reader.causes(0, 9), await reader.strayRows?.()]).toEqual([[cause], []]);
    await using writer = await PostgresStore.open(options());
    for (const size of [3, 6]) await writer.append(batchAt(size));
    const causes = [cause, ...batchAt(3).causes, ...batchAt(6).causes];
    expect([await writer.causes(0, 9), await reader.causes(0, 9)]).toEqual([causes, causes]);
    await remove();
  });

  it('tells which rows belong to nothing', async () => {
    await using writer = await create();
    await writer.append(batchAt(0));
    await using reader = await PostgresStore.read(options());
    expect(await reader.strayRows?.()).toEqual([]);
    const client = new Client({ connectionString: url().split('?')[0] ?? '' });
    await client.connect();
    await client.query(`INSERT INTO ${schema}.signed_requests VALUES (99, '', ''), (1, '', '')`);
    await client.query(`INSERT INTO ${schema}.entries VALUES (3, ''), (-1, '')`);
    await client.query(`INSERT INTO ${schema}.contents (idx, id, cause) VALUES (3, 'cus_0', 3)`);
    await client.end();
    expect(await reader.strayRows?.()).toEqual([
      { table: 'entries', index: -1 },
      { table: 'signed_requests', index: 1 },
      { table: 'contents', index: 3 },
      { table: 'entries', index: 3 },
      { table: 'signed_requests', index: 99 },
    ]);
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

  it.skipIf(process.env.TALLYSTICK_TEST_POSTGRES !== undefined)(
    'is reached over TLS where the certificate is of that server, and not otherwise',
    async () => {
      await (await create())[Symbol.asyncDispose]();
      const sslrootcert = (await server?.serveTls(localhostCertificate)) ?? '';
      const over = (host: string, members: object, role = 'tally') => {
        const { port, search } = new URL(url());
        const all = new URLSearchParams({ ...Object.fromEntries(new URLSearchParams(search)), ...members });
        return PostgresStore.read({ url: `postgres://${role}@${host}:${port}/postgres?${all}` });
      };
      for (const host of ['127.0.0.1', 'localhost'])
        await (await over(host, { sslmode: 'verify-full', sslrootcert }))[Symbol.asyncDispose]();
      await (await over('127.0.0.1', { sslmode: 'require' }))[Symbol.asyncDispose]();
      const strange = over('127.0.0.2', { sslmode: 'verify-full', sslrootcert });
      await expect(strange).rejects.toThrow("127.0.0.2 is not in the cert's list");
      await expect(over('127.0.0.1', { sslmode: 'verify-full' })).rejects.toThrow('self-signed certificate');

      const authority = new TestAuthority();
      await server?.addCertifiedRole('certified', authority.cert);
      const withCertificate = (shown: { cert: string; key: string } | null) => {
        const files = shown === null ? {} : { sslcert: pem(shown.cert), sslkey: pem(shown.key) };
        return over('127.0.0.1', { sslmode: 'verify-full', sslrootcert, ...files }, 'certified');
      };
      await (await withCertificate(authority.issue({ name: 'certified' })))[Symbol.asyncDispose]();
      const wrong = [
        null,
        authority.issue({ name: 'another' }),
        new TestAuthority().issue({ name: 'certified' }),
      ];
      for (const shown of wrong)
        await expect(withCertificate(shown)).rejects.toThrow(/certificate|does not answer/);
      await remove();
    },
  );

  it('is not made where a schema is, nor opened where there is none', async () => {
    await (await create())[Symbol.asyncDispose]();
    await expect(PostgresStore.create(options())).rejects.toThrow('there is a schema');
    await remove();
    await expect(PostgresStore.open(options())).rejects.toThrow('there is no store in this schema');
    await expect(PostgresStore.read({ url: url() })).rejects.toThrow('does not answer');
  });
});
