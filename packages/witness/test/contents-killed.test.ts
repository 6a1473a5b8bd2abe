/** A mirror of documents that was killed after it removed what was erased, and before its file's write-ahead log was emptied. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { ContentStore } from '../src/contents/content-store.ts';

it('leaves nothing of it once the mirror runs again', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tally-killed-'));
  const [file, crashed] = [join(folder, 'contents.db'), join(folder, 'crashed.db')];
  const genesis = new Uint8Array(32);
  ContentStore.open(file, genesis, 'key')[Symbol.dispose]();
  const killed = new DatabaseSync(file);
  killed.exec('PRAGMA secure_delete=ON');
  killed.exec(
    "INSERT INTO batches VALUES (1, 1, x'00'); INSERT INTO parts VALUES (2, 1, CAST('sealed to the mirror' AS BLOB))",
  );
  killed.exec('DELETE FROM parts');
  for (const end of ['', '-wal']) copyFileSync(file + end, crashed + end);
  killed.close();
  const holds = (): boolean =>
    ['', '-wal'].some((end) => readFileSync(crashed + end).includes('sealed to the mirror'));
  expect(holds()).toBe(true);
  const opened = ContentStore.open(crashed, genesis, 'key');
  expect(holds()).toBe(false);
  opened[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});
