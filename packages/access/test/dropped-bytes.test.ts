/** What was dropped of the access log is in no byte of its file. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { formatCheckpoint, formatNote } from '@tallystick/core';
import { afterAll, expect, it } from 'vitest';
import { encodeAccessRecord } from '../src/record.ts';
import { record } from './support/records.ts';
import { newLog, openToWrite, removeLogs } from './support/scratch.ts';

afterAll(removeLogs);

const day = (nth: number): string => `2026-11-${10 + nth}T10:00:00.000Z`;

it('holds nothing of segments that were dropped, also of the first ones that it had', () => {
  const file = newLog();
  const dropped: Uint8Array[] = [];
  {
    using store = openToWrite(file);
    // More than a page of them, so that their table outgrows its first one.
    for (let nth = 0; nth < 120; nth++) {
      const line = record({ at: day(Math.floor(nth / 12)), requestId: randomBytes(100).toString('hex') });
      store.append(nth, [encodeAccessRecord(line)], true);
    }
    for (let at = 1; at <= 96; at++) dropped.push(store.segment(at)!.bytes.slice(0, 100));
    const { size } = store;
    const text = formatCheckpoint({ origin: 'log', size, root: store.tree.root() });
    const signatures = [{ name: 'log', id: new Uint8Array(4), signature: new Uint8Array(64) }];
    store.saveCheckpoint({ size, note: formatNote({ text, signatures }), at: day(10) });
    expect(store.drop(day(8), 1, 1000)).toBeNull();
    expect([store.segment(96), store.segment(97) === undefined]).toEqual([undefined, false]);
  }
  const bytes = readFileSync(file);
  expect(dropped.filter((each) => bytes.includes(Buffer.from(each)))).toEqual([]);
});
