/** A folder for the temporary files of a run of tests: in memory, where there is plenty of it. */
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where Linux keeps files in memory, which others than root may execute as a rule. */
const memoryFolder = '/dev/shm';
/** Bytes: several times what a whole run has there at once, with what its processes need. */
const memoryBytesMin = { folder: 4 * 1024 ** 3, free: 8 * 1024 ** 3 } as const;

/**
 * Tests make files durable all the time, and none looks at a power cut: what was written outlives a killed process in memory as
 * well. Where there is plenty of that, they do not wait for a disk. `TMPDIR` has its way.
 */
function parentOfRuns(): string {
  if (process.env['TMPDIR'] !== undefined || !isMemory(memoryFolder)) return tmpdir();
  const { bavail, bsize } = statfsSync(memoryFolder);
  const isRoomy = bavail * bsize >= memoryBytesMin.folder && freemem() >= memoryBytesMin.free;
  return isRoomy ? memoryFolder : tmpdir();
}

/** Whether a folder is mounted as memory, and programs in it can be started. */
function isMemory(folder: string): boolean {
  try {
    const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
    return mounts.some((mount) => {
      const [, place, type, options = ''] = mount.split(' ');
      return place === folder && type === 'tmpfs' && !options.split(',').includes('noexec');
    });
  } catch {
    // Not Linux.
    return false;
  }
}

/** The folder of a run is named after its process, so that what a killed one left is known. */
const runPrefix = 'tallystick-test-';

function dropLeftovers(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = new RegExp(`^${runPrefix}(\\d+)-`).exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) remove(join(parent, name));
  }
}

/** Has `use` work in a new folder, which goes with it, however it ends. */
export async function withRunFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const parent = parentOfRuns();
  if (parent === memoryFolder) dropLeftovers(parent);
  const folder = mkdtempSync(join(parent, `${runPrefix}${process.pid}-`));
  // As the system's own: some tests become another user.
  chmodSync(folder, 0o1777);
  try {
    return await use(folder);
  } finally {
    remove(folder);
  }
}

/** What is mounted in a folder keeps it there, and is no reason for a run not to begin or end. */
function remove(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch (error) {
    console.log(`${folder} cannot be removed: ${error instanceof Error ? error.message : String(error)}`);
  }
}
