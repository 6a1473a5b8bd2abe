/** Reads who may use the system from the log, each document checked against it. */
import { Directory } from '@tallystick/gate';
import type { ListedType } from '@tallystick/ledger';
import type { ServedLog } from '../served-log.ts';

const pageSize = 500;
const types: readonly ListedType[] = ['principal', 'credential'];
/** Greater than every id. */
const newest = '\u{10ffff}';

/**
 * Lists come from projections, which somebody may have taken a row from: whoever is missing here is not let in. The policy
 * has an id that everybody knows, and so cannot be missing. Throws what reading throws.
 */
export async function loadDirectory(
  log: Pick<ServedLog, 'read'>,
  directory: Directory = new Directory(),
): Promise<Directory> {
  for (const type of types) {
    for (let before = newest; ; ) {
      const page = await log.read.listed(type, {}, { before, limit: pageSize });
      for (const { current } of page) if (current !== null) directory.apply(current.document);
      const last = page.at(-1);
      if (page.length < pageSize || last === undefined) break;
      before = last.content.id;
    }
  }
  const policy = await log.read.current('policies');
  if (policy !== undefined) directory.apply(policy.document);
  return directory;
}
