import { MemoryStore, StoreConflict } from '@tallystick/ledger';
import { beforeEach, describe, expect, it } from 'vitest';
import { type StoreTrouble, troubleOf, WatchedStore } from '../src/ledger-thread/watched-store.ts';

/** As node:sqlite throws it. */
function sqliteError(errcode: number, message: string): Error {
  return Object.assign(new Error(message), { code: 'ERR_SQLITE_ERROR', errcode });
}

const full = sqliteError(13, 'database or disk is full');
const failedSync = sqliteError(1034, 'disk I/O error');

/** A store whose writes fail as the test says. */
class FailingStore extends MemoryStore {
  error: Error | null = null;

  override async saveCheckpoint(...given: Parameters<MemoryStore['saveCheckpoint']>): Promise<void> {
    if (this.error !== null) throw this.error;
    await super.saveCheckpoint(...given);
  }
}

let inner: FailingStore;
let store: WatchedStore;
let told: (StoreTrouble | null)[];
const write = (): Promise<void> =>
  store.saveCheckpoint({ size: 1, note: 'n', at: '2026-01-01T00:00:00.000Z' });

beforeEach(() => {
  inner = new FailingStore();
  told = [];
  store = new WatchedStore(inner, (trouble) => told.push(trouble));
});

describe('what a disk did', () => {
  it.each([
    ['a full disk', 13, 'database or disk is full', false, /is full: no change is taken until it has room/],
    ['a write that failed', 778, 'disk I/O error', false, /takes no more data.*full or failing/],
    [
      'a file system that became read-only',
      8,
      'attempt to write a readonly database',
      false,
      /takes no more/,
    ],
    ['a sync that failed', 1034, 'disk I/O error', true, /did not confirm.*same idempotency key/],
    ['a sync of a folder that failed', 1290, 'disk I/O error', true, /did not confirm/],
    ['an index of the write-ahead log that cannot grow', 4874, 'disk I/O error', true, /did not confirm/],
  ])('is told of %s', (_what, errcode, message, isOutcomeUnknown, words) => {
    const trouble = troubleOf(sqliteError(errcode, message));
    expect(trouble).toMatchObject({ isOutcomeUnknown });
    expect(trouble?.message).toMatch(words);
  });

  it.each([
    ['another error of SQLite', sqliteError(1555, 'UNIQUE constraint failed')],
    ['an error of ours', new StoreConflict('log has 3 entries, not 4')],
    ['what is no error', null],
  ])('is not what %s is about', (_what, error) => {
    expect(troubleOf(error)).toBeNull();
  });
});

describe('a watched store', () => {
  it('tells once when writing begins to fail, and once when it works again', async () => {
    inner.error = full;
    for (let tries = 0; tries < 3; tries++)
      await expect(write()).rejects.toMatchObject({ name: 'StoreTrouble' });
    expect(told).toEqual([expect.objectContaining({ cause: full })]);
    expect(store.trouble).toMatchObject({ isOutcomeUnknown: false });
    inner.error = null;
    for (let tries = 0; tries < 3; tries++) await write();
    expect(told.slice(1)).toEqual([null]);
    expect(store.trouble).toBeNull();
  });

  it('tells again when it fails in another way', async () => {
    for (const error of [full, failedSync]) {
      inner.error = error;
      await expect(write()).rejects.toMatchObject({ cause: error });
    }
    expect(told.map((trouble) => trouble?.isOutcomeUnknown)).toEqual([false, true]);
  });

  it('passes on what is not about the disk', async () => {
    const leaf = new Uint8Array(32);
    const entry = { index: 4, leaf, subject: null, rev: 0, entry: leaf, content: null };
    await expect(store.append({ size: 4, entries: [entry], causes: [] })).rejects.toThrow(StoreConflict);
    expect(told).toEqual([]);
  });
});
