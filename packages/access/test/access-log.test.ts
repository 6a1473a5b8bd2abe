import { setTimeout as after } from 'node:timers/promises';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { AccessLog, type AccessLogOptions, type AccessSink } from '../src/access-log.ts';
import { findRecords } from '../src/find-records.ts';
import type { SegmentStore } from '../src/segment-store.ts';
import { record } from './support/records.ts';
import { newLog, openToWrite, removeLogs } from './support/scratch.ts';

afterAll(removeLogs);

/** A real file, with a disk in front of it that may fail, before or after it did its work. */
class Disk implements AccessSink {
  readonly store: SegmentStore = openToWrite(newLog());
  writes = 0;
  fails: 'before' | 'after' | null = null;

  async append(first: number, lines: readonly string[], closes: boolean): Promise<void> {
    this.writes += 1;
    await after(1);
    if (this.fails === 'before') throw new Error('the disk is full');
    this.store.append(first, lines, closes);
    if (this.fails === 'after') throw new Error('the sync failed');
  }

  ids(): string[] {
    const all = { from: '2000-01-01T00:00:00.000Z', to: '2100-01-01T00:00:00.000Z' };
    return findRecords(this.store, all, { start: 0, limit: 10_000 }).records.map(
      (each) => each.record.requestId,
    );
  }
}

function logOn(disk: Disk, options: Partial<AccessLogOptions> = {}): AccessLog {
  return new AccessLog(disk, { first: disk.store.next, now: () => Date.now(), ...options });
}

const later = { durable: false };
const now = { durable: true };

describe('the access log', () => {
  it('has a durable record on disk when it says so, with all that came before it', async () => {
    const disk = new Disk();
    await using log = logOn(disk);
    await log.record(record({ requestId: 'a' }), later);
    expect(disk.ids()).toEqual([]);
    await log.record(record({ requestId: 'b' }), now);
    expect(disk.ids()).toEqual(['a', 'b']);
    expect(log.status).toMatchObject({ trouble: null, records: 2, waiting: 0, oldestAt: null });
  });

  it('has many durable records share a write', async () => {
    const disk = new Disk();
    await using log = logOn(disk);
    const ids = Array.from({ length: 200 }, (_, n) => `r${n}`);
    await Promise.all(ids.map((requestId) => log.record(record({ requestId }), now)));
    expect(disk.ids()).toEqual(ids);
    expect(disk.writes).toBeLessThan(5);
  });

  it('closes a segment in time, though nothing asks for it, and tells what a crash would take until then', async () => {
    const disk = new Disk();
    await using log = logOn(disk, { segmentMs: 30 });
    await log.record(record({ requestId: 'a' }), later);
    expect(log.status).toMatchObject({ waiting: 1, oldestAt: expect.any(Number) });
    await log.record(record({ requestId: 'b' }), now);
    expect(disk.store.size).toBe(1);
    await vi.waitFor(() => expect([disk.store.size, disk.ids()]).toEqual([2, ['a', 'b']]), 5000);
  });

  it('closes a segment when it is full', async () => {
    const disk = new Disk();
    await using log = logOn(disk, { segmentMs: 60_000 });
    for (let n = 0; n < 1000; n++) await log.record(record({ requestId: `r${n}` }), later);
    await log.record(record({ requestId: 'last' }), now);
    expect(disk.store.size).toBe(2);
    expect(disk.ids()).toHaveLength(1001);
  });

  it.each(['before', 'after'] as const)(
    'keeps each record once where the disk fails %s it wrote',
    async (when) => {
      const disk = new Disk();
      const told: (string | null)[] = [];
      const onTrouble = (trouble: Error | null): void => void told.push(trouble?.message ?? null);
      await using log = logOn(disk, { segmentMs: 30, onTrouble });
      disk.fails = when;
      await log.record(record({ requestId: 'a' }), later);
      await expect(log.record(record({ requestId: 'b' }), now)).rejects.toThrow(
        /the access log cannot be written/,
      );
      expect(log.status.trouble).toMatch(/disk|sync/);
      disk.fails = null;
      await vi.waitFor(() => expect(log.status).toMatchObject({ trouble: null, waiting: 0 }), 5000);
      expect(disk.ids()).toEqual(['a', 'b']);
      expect(told).toEqual([expect.any(String), null]);
    },
  );

  it('keeps no more than its bound while nothing can be written, and records how many are missing', async () => {
    const disk = new Disk();
    await using log = logOn(disk, { segmentMs: 30, waitingMax: 5 });
    disk.fails = 'before';
    for (let n = 0; n < 8; n++) await log.record(record({ requestId: `r${n}` }), later);
    await expect(log.record(record({ requestId: 'denied' }), now)).rejects.toThrow(/cannot be written/);
    expect(log.status).toMatchObject({ waiting: 5, lost: 4 });
    disk.fails = null;
    await vi.waitFor(() => expect(log.status).toMatchObject({ trouble: null, waiting: 0 }), 5000);
    await log.record(record({ requestId: 'r9' }), now);
    expect(disk.ids()).toEqual(['r0', 'r1', 'r2', 'r3', 'r4', '', 'r9']);
    const all = { from: '2000-01-01T00:00:00.000Z', to: '2100-01-01T00:00:00.000Z' };
    const gap = findRecords(disk.store, all, { start: 5, limit: 1 }).records[0]?.record;
    expect(gap).toMatchObject({ route: 'access.gap', resource: { type: 'records', id: '4' } });
  });
});
