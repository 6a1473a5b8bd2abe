/** What an erasure removes is in no byte of the store's files, and neither is what a store of the version before kept of it. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { utf8 } from '@tallystick/core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Projections, SqliteStore } from '../src/index.ts';
import { causeAt, entryAt } from './support/store-batches.ts';

/** More than a page of them, so that each table outgrows its first one. */
const count = 60;
let file = '';

beforeEach(() => {
  file = join(mkdtempSync(join(tmpdir(), 'tally-bytes-')), 'store.db');
});
afterEach(() => rmSync(join(file, '..'), { recursive: true }));

const documentOf = (index: number): string => `document of ${index}.`.padEnd(900, '-');
const requestOf = (index: number): string => `request of ${index}.`.padEnd(900, '-');

async function fill(store: SqliteStore): Promise<void> {
  for (let index = 0; index < count; index++) {
    const entry = entryAt(index);
    const content = { ...entry.content!, document: utf8(documentOf(index)) };
    const signed = { salt: utf8('salt'), bytes: utf8(requestOf(index)) };
    const causes = [{ ...causeAt(index), signed }];
    await store.append({ size: index, entries: [{ ...entry, content }], causes });
  }
}

/** What is in the file of the rows below `end`. */
function left(end: number): string[] {
  const bytes = readFileSync(file);
  const said = Array.from({ length: end }, (_, index) => [`document of ${index}.`, `request of ${index}.`]);
  return said.flat().filter((text) => bytes.includes(text));
}

it('holds nothing of what was removed, also of the first rows that it had', async () => {
  const store = SqliteStore.create(file);
  await fill(store);
  await store.shred(Array.from({ length: count / 2 }, (_, index) => index));
  await store[Symbol.asyncDispose]();
  expect(left(count / 2)).toEqual([]);
  expect(left(count)).toHaveLength(count);
});

it('holds nothing of what was replaced', async () => {
  await using store = SqliteStore.create(file);
  await fill(store);
  async function* again() {
    const entry = entryAt(3);
    yield { ...entry, cause: { ...causeAt(3), signed: { salt: utf8('salt'), bytes: utf8('another') } } };
  }
  await store.restore(again());
  await store.shred([40]);
  expect(left(5)).not.toContain('document of 3.');
  expect(left(5)).not.toContain('request of 3.');
});

it('is written anew where a version before may have left something', async () => {
  {
    await using store = SqliteStore.create(file);
    await fill(store);
  }
  const before = new DatabaseSync(file);
  before.exec('PRAGMA secure_delete=OFF; DROP TABLE signed_requests; PRAGMA user_version=1');
  before.exec('UPDATE contents SET salt = NULL, document = NULL WHERE idx < 30');
  before.close();
  expect(left(30)).not.toEqual([]);
  await SqliteStore.open(file)[Symbol.asyncDispose]();
  expect(left(30)).toEqual([]);
  await using store = SqliteStore.open(file);
  expect(Buffer.from((await store.entry(30))!.content!.document!).toString()).toBe(documentOf(30));
});

it('keeps no names in what a killed process had written of its lists and removed', () => {
  const crashed = `${file}.crashed`;
  new Projections(file)[Symbol.dispose]();
  const killed = new DatabaseSync(file);
  killed.exec('PRAGMA secure_delete=ON');
  killed.exec("INSERT INTO customers VALUES ('cus_1', 'erika-7', 'active')");
  killed.exec("UPDATE customers SET reference = NULL, state = 'erased'");
  for (const end of ['', '-wal']) copyFileSync(file + end, crashed + end);
  killed.close();
  const holds = (): boolean => ['', '-wal'].some((end) => readFileSync(crashed + end).includes('erika-7'));
  expect(holds()).toBe(true);
  const opened = new Projections(crashed);
  expect(holds()).toBe(false);
  opened[Symbol.dispose]();
});
