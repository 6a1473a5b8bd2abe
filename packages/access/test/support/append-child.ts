/** Writes records until it is killed: node append-child.ts <file>. Prints the number behind the last durable one. */
import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { encodeAccessRecord } from '../../src/record.ts';
import { SegmentStore } from '../../src/segment-store.ts';
import { record } from './records.ts';

const [file = ''] = process.argv.slice(2);
const store = SegmentStore.openToWrite(file, { random: randomBytes });
for (let turn = 0; ; turn++) {
  const first = store.next;
  const lines = Array.from({ length: 3 }, (_, nth) =>
    encodeAccessRecord(record({ requestId: `req-${first + nth}` })),
  );
  store.append(first, lines, turn % 5 === 4);
  writeSync(1, `${store.next}\n`);
}
