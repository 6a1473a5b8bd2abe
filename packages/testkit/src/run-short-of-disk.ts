/** Runs code as on a disk that becomes full in the middle of a file. */
import { spawnSync } from 'node:child_process';

/**
 * Runs a module of TypeScript in a process of its own in which no file gets longer than `blocks` of 512 bytes: as on a full disk, a
 * write that goes beyond takes what still fits, and the next one fails. Returns what it wrote to its standard error.
 *
 * @param given what `process.argv` has behind the program
 */
export function runShortOfDisk(blocks: number, code: string, ...given: string[]): string {
  const limited = `ulimit -f ${blocks}; exec "$@"`;
  const node = [process.execPath, '--input-type=module-typescript', '--eval', code, '--', ...given];
  const { stderr, error } = spawnSync('sh', ['-c', limited, 'sh', ...node], { encoding: 'utf8' });
  if (error !== undefined) throw error;
  return stderr;
}
