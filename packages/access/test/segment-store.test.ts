import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { equalBytes, formatCheckpoint, formatNote, LogTree, leafHash } from '@tallystick/core';
import { afterAll, describe, expect, it } from 'vitest';
import { findRecords } from '../src/find-records.ts';
import { encodeAccessRecord } from '../src/record.ts';
import { openSegment, parseLeaf } from '../src/segment.ts';
import { SegmentReader } from '../src/segment-reader.ts';
import { record } from './support/records.ts';
import { newLog, openToWrite, removeLogs } from './support/scratch.ts';

afterAll(removeLogs);

const span = { from: '2026-01-01T00:00:00.000Z', to: '2027-01-01T00:00:00.000Z' };

function linesFrom(first: number, count: number): string[] {
  return Array.from({ length: count }, (_, nth) =>
    encodeAccessRecord(record({ requestId: `req-${first + nth}` })),
  );
}

/** Request ids of all records, oldest first. */
function idsOf(file: string): string[] {
  using reader = SegmentReader.open(file);
  const found: string[] = [];
  let start: number | null = 0;
  while (start !== null) {
    const page: ReturnType<typeof findRecords> = findRecords(reader, span, { start, limit: 700 });
    found.push(...page.records.map((each) => each.record.requestId));
    start = page.next;
  }
  return found;
}

describe('the file of the access log', () => {
  it('keeps records in their order, open and closed, over restarts', () => {
    const file = newLog();
    {
      using store = openToWrite(file);
      store.append(0, linesFrom(0, 3), false);
      expect(store.size).toBe(1);
      store.append(3, linesFrom(3, 2), true);
      expect(store.size).toBe(2);
      store.append(5, linesFrom(5, 1), false);
      expect(idsOf(file)).toEqual([0, 1, 2, 3, 4, 5].map((n) => `req-${n}`));
    }
    using again = openToWrite(file);
    // What was open is a segment now.
    expect([again.size, again.next, again.pending()]).toEqual([3, 6, []]);
    expect(idsOf(file)).toEqual([0, 1, 2, 3, 4, 5].map((n) => `req-${n}`));
  });

  it('closes a segment at a thousand records, or a mebibyte of lines, and commits to each', () => {
    const file = newLog();
    using store = openToWrite(file);
    store.append(0, linesFrom(0, 2500), false);
    const why = 'w'.repeat(256);
    const large = record({ who: { kind: why, id: why, credential: why, session: why }, why });
    store.append(
      2500,
      Array.from({ length: 900 }, () => encodeAccessRecord(large)),
      true,
    );
    const counts: number[] = [];
    const tree = new LogTree();
    for (const { index, leaf } of store.leaves()) {
      tree.append(leafHash(leaf));
      if (index === 0) continue;
      const { salt, bytes } = store.segment(index) ?? { salt: new Uint8Array(0), bytes: new Uint8Array(0) };
      counts.push(openSegment(parseLeaf(leaf), salt, bytes).length);
    }
    expect(counts.slice(0, 2)).toEqual([1000, 1000]);
    expect(counts.reduce((sum, count) => sum + count)).toBe(3400);
    expect(counts.length).toBeGreaterThan(3);
    expect(equalBytes(tree.root(), store.tree.root())).toBe(true);
    expect(idsOf(file)).toHaveLength(3400);
  });

  it('takes lines once, where nobody knows whether they were taken before', () => {
    const file = newLog();
    using store = openToWrite(file);
    store.append(0, linesFrom(0, 4), false);
    store.append(0, linesFrom(0, 6), false);
    store.append(2, linesFrom(2, 4), true);
    store.append(2, linesFrom(2, 4), true);
    expect(idsOf(file)).toEqual([0, 1, 2, 3, 4, 5].map((n) => `req-${n}`));
    expect(() => store.append(7, linesFrom(7, 1), false)).toThrow(/records 6 to 6 are missing/);
  });

  it('is written by one process at a time, and read beside it', () => {
    const file = newLog();
    using store = openToWrite(file);
    store.append(0, linesFrom(0, 1), false);
    expect(() => openToWrite(file)).toThrow(expect.objectContaining({ part: 'held' }));
    expect(idsOf(file)).toEqual(['req-0']);
  });

  it('keeps the newest checkpoint, and of those before it the last one of each hour', () => {
    const file = newLog();
    using store = openToWrite(file);
    const times = ['10:00:00', '10:59:59', '11:00:00', '11:00:01'];
    for (const [nth, time] of times.entries()) {
      store.append(nth, linesFrom(nth, 1), true);
      const checkpoint = { origin: 'o/access', size: store.size, root: store.tree.root() };
      const text = formatCheckpoint(checkpoint);
      const signatures = [{ name: 'o/access', id: new Uint8Array(4), signature: new Uint8Array(64) }];
      const note = formatNote({ text, signatures });
      store.saveCheckpoint({ size: store.size, note, at: `2026-11-26T${time}.000Z` });
    }
    expect(store.checkpoints().map(({ size }) => size)).toEqual([3, 5]);
  });

  it('drops old segments whole where they are published, keeps their leaves, and is opened as before', () => {
    const file = newLog();
    const day = (nth: number): string => `2026-11-${10 + nth}T10:00:00.000Z`;
    const lines = (nth: number): string[] =>
      [0, 1].map(() => encodeAccessRecord(record({ at: day(nth), requestId: `day-${nth}` })));
    {
      using store = openToWrite(file);
      for (const nth of [0, 1, 2, 3, 4])
        store.append(nth * 2, lines(nth), true, new Map([[`in-${nth}`, `input ${nth}`]]));
      const root = store.tree.root();
      const keep = (size: number): void => {
        const text = formatCheckpoint({ origin: 'log', size, root: store.tree.root(size) });
        const signatures = [{ name: 'log', id: new Uint8Array(4), signature: new Uint8Array(64) }];
        store.saveCheckpoint({ size, note: formatNote({ text, signatures }), at: day(5) });
      };
      expect(store.drop(day(4), 1, 2)).toBeNull();
      keep(4);
      for (let next: number | null = 1; next !== null; ) next = store.drop(day(4), next, 2);
      const held = (): number[] => [1, 2, 3, 4, 5].filter((at) => store.segment(at) !== undefined);
      // The last one is not published, and one at that time is not from before it.
      expect(held()).toEqual([4, 5]);
      keep(6);
      using other = new DatabaseSync(file);
      const { bytes } = other.prepare('SELECT bytes FROM segments WHERE idx = 4').get() as {
        bytes: Uint8Array;
      };
      other.prepare('UPDATE segments SET bytes = ? WHERE idx = 4').run(new Uint8Array(9));
      expect(() => store.drop(day(4), 1, 10)).toThrow('the segment of leaf 4');
      expect(held()).toEqual([4, 5]);
      other.prepare('UPDATE segments SET bytes = ? WHERE idx = 4').run(bytes);
      expect(store.drop(day(4), 1, 10)).toBeNull();
      expect(held()).toEqual([5]);
      expect([0, 1, 2, 3, 4].map((nth) => store.input(`in-${nth}`))).toEqual([
        undefined,
        undefined,
        undefined,
        undefined,
        'input 4',
      ]);
      expect(equalBytes(store.tree.root(), root)).toBe(true);
    }
    using again = openToWrite(file);
    expect([again.size, again.next]).toEqual([6, 10]);
    const find = (droppedBefore: string | null): string[] =>
      findRecords(again, { ...span, droppedBefore }, { start: 0, limit: 10 }).records.map(
        (each) => each.record.requestId,
      );
    expect(find(day(4))).toEqual(['day-4', 'day-4']);
    // What is missing and was not dropped is named.
    expect(() => find(day(2))).toThrow('the segment of leaf 3 is missing');
    expect(() => find(null)).toThrow('the segment of leaf 1 is missing');
  });

  it('finds by time, who, what and request, in pages', () => {
    const file = newLog();
    using store = openToWrite(file);
    const at = (minute: number): string => `2026-11-26T10:${String(minute).padStart(2, '0')}:00.000Z`;
    for (let minute = 0; minute < 6; minute++) {
      const id = minute % 2 === 0 ? 'prn_ada' : 'prn_bob';
      const who = { kind: 'person', id, credential: 'crd_1', session: null };
      const resource = { type: 'license', id: `lic_${minute % 3}` };
      const made = record({ at: at(minute), requestId: `req-${minute}`, who, resource });
      store.append(minute, [encodeAccessRecord(made)], minute % 2 === 1);
    }
    const find = (query: object, start = 0, limit = 10): (number | null)[] => {
      const page = findRecords(store, { ...span, ...query }, { start, limit });
      return [...page.records.map(({ n }) => n), page.next];
    };
    expect(find({ from: at(1), to: at(4) })).toEqual([1, 2, 3, null]);
    expect(find({ principal: 'prn_ada' })).toEqual([0, 2, 4, null]);
    expect(find({ resource: 'lic_1' })).toEqual([1, 4, null]);
    expect(find({ requestId: 'req-5' })).toEqual([5, null]);
    expect(find({}, 0, 4)).toEqual([0, 1, 2, 3, 4]);
    expect(find({}, 4, 4)).toEqual([4, 5, null]);
  });
});

describe('a file that somebody changed', () => {
  const tampered: [string, string, string][] = [
    ['a leaf taken out', 'DELETE FROM leaves WHERE idx = 1', 'leaf'],
    ['a leaf with other bytes', "UPDATE leaves SET leaf = CAST('{}' AS BLOB) WHERE idx = 2", 'leaf'],
    [
      'leaves that changed places',
      'UPDATE leaves SET idx = -idx WHERE idx > 0; UPDATE leaves SET idx = idx + 3 WHERE idx < 0',
      'leaf',
    ],
    ['a segment taken out', 'DELETE FROM segments WHERE idx = 2', 'segment'],
    ['another salt', 'UPDATE segments SET salt = zeroblob(32) WHERE idx = 1', 'segment'],
    ['a pending record taken out', 'DELETE FROM pending WHERE n = 4', 'record'],
    ['a pending record that is none', "UPDATE pending SET line = '{}' WHERE n = 5", 'record'],
    ['another format', 'PRAGMA user_version = 9', 'file'],
  ];

  it.each(tampered)('with %s is not written to, and says which part it is', (_, sql, part) => {
    const file = newLog();
    {
      using store = openToWrite(file);
      store.append(0, linesFrom(0, 2), true);
      store.append(2, linesFrom(2, 2), true);
      store.append(4, linesFrom(4, 2), false);
    }
    const database = new DatabaseSync(file);
    database.exec(sql);
    database.close();
    expect(() => openToWrite(file)).toThrow(expect.objectContaining({ part }));
  });
});

describe('a process that is killed', () => {
  it('leaves every record that was durable, once and in order, whenever that happens', async () => {
    const file = newLog();
    const script = fileURLToPath(new URL('./support/append-child.ts', import.meta.url));
    for (const ms of [15, 40, 65]) {
      const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script, file], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let durable = 0;
      const lines = createInterface({ input: child.stdout });
      lines.on('line', (line) => {
        durable = Number(line);
      });
      await once(lines, 'line');
      setTimeout(() => child.kill('SIGKILL'), ms);
      await once(child, 'close');
      using store = openToWrite(file);
      expect(store.next).toBeGreaterThanOrEqual(durable);
      const ids = idsOf(file);
      expect(ids).toEqual(Array.from({ length: store.next }, (_, n) => `req-${n}`));
    }
  });
});
