/** The signer's mark as its file has it, read beside the signer that holds it. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { RealSystem } from './real-system.ts';

/** Size of the checkpoint that the mark stands at. */
export function markOnDisk({ layout }: RealSystem): number {
  const folder = mkdtempSync(join(tmpdir(), 'tally-mark-'));
  try {
    const copy = join(folder, 'mark.db');
    copyFileSync(layout.signer.mark, copy);
    const database = new DatabaseSync(copy, { readOnly: true });
    try {
      return Number((database.prepare('SELECT size FROM mark').get() as { size: number }).size);
    } finally {
      database.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
