/** A store in the place of one of which all is lost. */
import { renameSync, rmSync } from 'node:fs';
import { type MendableStore, SqliteStore } from '@tallystick/ledger';
import type { RepairReport } from './report.ts';

/**
 * Repairs an empty store that is made beside `storeFile`, and puts it there once it is whole; a dry run leaves nothing. Throws
 * what `repair` throws, and leaves nothing then either.
 */
export async function repairNewStore(
  storeFile: string,
  { dryRun }: { dryRun: boolean },
  repair: (store: MendableStore) => Promise<RepairReport>,
): Promise<RepairReport> {
  const partial = `${storeFile}.partial`;
  removeStore(partial);
  try {
    const report = await repairEmpty(partial, repair);
    if (!dryRun) renameSync(partial, storeFile);
    return report;
  } finally {
    removeStore(partial);
  }
}

async function repairEmpty(
  file: string,
  repair: (store: MendableStore) => Promise<RepairReport>,
): Promise<RepairReport> {
  await using store = SqliteStore.create(file);
  return await repair(store);
}

function removeStore(file: string): void {
  for (const end of ['', '-wal', '-shm', '.lock']) rmSync(`${file}${end}`, { force: true });
}
