/** Taking a lock writes: a disk that has no room must not be told as another process that has to be found and ended. */
import { join } from 'node:path';
import { AccessLogError, SegmentStore } from '@tallystick/access';
import { SqliteStore, StoreLocked } from '@tallystick/ledger';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SmallDisk } from './support/faulty-disk.ts';

const random = (length: number): Uint8Array => new Uint8Array(length);
const probe = SmallDisk.mount(1);
probe?.[Symbol.dispose]();

let disk: SmallDisk;

beforeEach(() => {
  const mounted = SmallDisk.mount(1);
  if (mounted === null) throw new Error('nothing can be mounted any more');
  disk = mounted;
});

afterEach(() => disk[Symbol.dispose]());

function thrownBy(work: () => unknown): Error {
  try {
    work();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('nothing was thrown');
}

describe.skipIf(probe === null)('a lock on a disk without room', () => {
  it('is not said to be held by another server', async () => {
    const file = join(disk.directory, 'ledger.db');
    await SqliteStore.create(file)[Symbol.asyncDispose]();
    disk.fill();
    const error = thrownBy(() => SqliteStore.open(file));
    expect(error).not.toBeInstanceOf(StoreLocked);
    expect(error).toMatchObject({ message: 'database or disk is full', errcode: 13 });
    disk.free();
    await SqliteStore.open(file)[Symbol.asyncDispose]();
  });

  it('is not said to be held by another process that writes the access log', () => {
    const file = join(disk.directory, 'access.db');
    SegmentStore.create(file, random(10));
    disk.fill();
    const error = thrownBy(() => SegmentStore.openToWrite(file, { random }));
    expect(error).not.toBeInstanceOf(AccessLogError);
    expect(error).toMatchObject({ message: 'database or disk is full', errcode: 13 });
    disk.free();
    SegmentStore.openToWrite(file, { random })[Symbol.dispose]();
  });
});
