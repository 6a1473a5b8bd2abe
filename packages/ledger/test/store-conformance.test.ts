import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import type { Readable } from 'node:stream';
import { setTimeout as after } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryStore, SqliteStore, StoreConflict, StoreLocked, ThreadedStore } from '../src/index.ts';
import { batchAt, causeAt, entriesPerBatch } from './support/store-batches.ts';
import { describeStore } from './support/store-conformance.ts';

let folder = '';
const fileOf = (): string => join(folder, 'store.db');

function makeFolder(): void {
  folder = mkdtempSync(join(tmpdir(), 'tally-store-'));
}

function removeFolder(): void {
  rmSync(folder, { recursive: true, force: true });
}

describeStore('the store in memory', {
  create: async () => new MemoryStore(),
  reopen: null,
  remove: async () => {},
});

describeStore('the store on SQLite', {
  create: async () => {
    makeFolder();
    return SqliteStore.create(fileOf());
  },
  reopen: async () => SqliteStore.open(fileOf()),
  remove: async () => removeFolder(),
});

describeStore('the store on SQLite that a thread writes', {
  create: async () => {
    makeFolder();
    await SqliteStore.create(fileOf())[Symbol.asyncDispose]();
    return ThreadedStore.open(fileOf());
  },
  reopen: () => ThreadedStore.open(fileOf()),
  remove: async () => removeFolder(),
});

/** A process that appends, with the sizes that it was told were durable. */
class Appender {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  /** The log's size by the last append that returned. */
  acknowledged = 0;
  errors = '';
  readonly #ended: Promise<unknown>;
  #begun: () => void = () => {};
  readonly begun: Promise<void>;

  constructor(file: string) {
    const script = new URL('support/append-child.ts', import.meta.url).pathname;
    this.#child = spawn(process.execPath, [script, file], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.begun = new Promise((resolve) => {
      this.#begun = resolve;
    });
    this.#ended = once(this.#child, 'close');
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.acknowledged = Number(line);
      this.#begun();
    });
    this.#child.stderr.on('data', (text: Buffer) => {
      this.errors += text.toString();
    });
  }

  /** Ends it as a power cut would, and waits for all that it said. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  async ended(): Promise<void> {
    await this.#ended;
  }
}

describe('a store on SQLite', () => {
  beforeEach(makeFolder);
  afterEach(removeFolder);

  it('refuses a second writer in the same process, until the first one is closed', async () => {
    const first = SqliteStore.create(fileOf());
    expect(() => SqliteStore.open(fileOf())).toThrow(StoreLocked);
    await first[Symbol.asyncDispose]();
    await using second = SqliteStore.open(fileOf());
    expect(await second.size()).toBe(0);
  });

  it('refuses a writer in another process', async () => {
    await using store = SqliteStore.create(fileOf());
    const other = new Appender(fileOf());
    await other.ended();
    expect(other.errors).toContain('StoreLocked');
    expect(await store.size()).toBe(0);
  });

  it('is locked by another process, and free once that was killed', async () => {
    await SqliteStore.create(fileOf())[Symbol.asyncDispose]();
    const other = new Appender(fileOf());
    await other.begun;
    expect(() => SqliteStore.open(fileOf())).toThrow(StoreLocked);
    await other.kill();
    await using store = SqliteStore.open(fileOf());
    expect(await store.size()).toBeGreaterThanOrEqual(other.acknowledged);
  });

  it('can be read beside its writer, and a reader cannot write', async () => {
    await using writer = SqliteStore.create(fileOf());
    await writer.append(batchAt(0));
    await using reader = SqliteStore.open(fileOf(), { readOnly: true });
    expect(await reader.entries(0, 10)).toEqual(batchAt(0).entries);
    await writer.append(batchAt(3));
    expect(await reader.size()).toBe(6);
    await expect(reader.append(batchAt(6))).rejects.not.toBeInstanceOf(StoreConflict);
    expect(await writer.size()).toBe(6);
  });

  it('of the version before is read as it is, and brought to this one by who opens it for writing', async () => {
    const written = SqliteStore.create(fileOf());
    await written.append(batchAt(0));
    await written[Symbol.asyncDispose]();
    const database = new DatabaseSync(fileOf());
    database.exec('DROP TABLE signed_requests; PRAGMA user_version = 1');
    database.close();
    const cause = { ...causeAt(0, entriesPerBatch), signed: null };
    const reader = SqliteStore.open(fileOf(), { readOnly: true });
    expect([await reader.causes(0, 9), await reader.entries(0, 9)]).toEqual([[cause], batchAt(0).entries]);
    await reader[Symbol.asyncDispose]();
    const writer = SqliteStore.open(fileOf());
    for (const size of [3, 6]) await writer.append(batchAt(size));
    await writer[Symbol.asyncDispose]();
    await using again = SqliteStore.open(fileOf(), { readOnly: true });
    expect(await again.causes(0, 9)).toEqual([cause, ...batchAt(3).causes, ...batchAt(6).causes]);
    expect(batchAt(6).causes[0]?.signed).not.toBeNull();
  });

  it('is not made where a file is, nor opened where there is none', async () => {
    expect(() => SqliteStore.open(fileOf())).toThrow('there is no store');
    await SqliteStore.create(fileOf())[Symbol.asyncDispose]();
    expect(() => SqliteStore.create(fileOf())).toThrow('exists already');
  });

  it('holds whole batches, and each that was acknowledged, after every kill -9', async () => {
    await SqliteStore.create(fileOf())[Symbol.asyncDispose]();
    let appended = 0;
    for (let round = 0; round < 10; round++) {
      const appender = new Appender(fileOf());
      await appender.begun;
      await after(5 + round * 7);
      await appender.kill();
      expect(appender.errors).toBe('');
      await using store = SqliteStore.open(fileOf());
      const size = await store.size();
      expect([appender.acknowledged, appender.acknowledged + entriesPerBatch]).toContain(size);
      const entries = await store.entries(0, size + 1);
      const expected = Array.from({ length: size / entriesPerBatch }, (_, nth) =>
        batchAt(nth * entriesPerBatch),
      );
      expect(entries).toEqual(expected.flatMap((batch) => batch.entries));
      expect(await store.causes(0, size + 1)).toEqual(expected.flatMap(({ causes }) => causes));
      expect(size).toBeGreaterThanOrEqual(appended);
      appended = size;
    }
    expect(appended).toBeGreaterThan(0);
  });
});
