/** Gives up what was needed to start, when it is not needed any more. */
import { dirname, resolve } from 'node:path';
import type { CellFiles } from './files.ts';
import { readFlag } from './flags.ts';

/** Newer than the types of Node that are compiled against; early versions 24 do not have it. */
interface DroppablePermission {
  drop?(scope: string, reference?: string): void;
}

/**
 * From here on this process opens no file and no connection: not its keystore, its passphrase, its code or anything
 * else. It keeps what it has open, and may look at its socket. Called when the signer listens.
 */
export function closeCell(files: Pick<CellFiles, 'socket'>): void {
  const permission = process.permission as DroppablePermission | undefined;
  if (permission?.drop === undefined) return;
  const kept = dirname(resolve(files.socket));
  const granted = process.execArgv
    .filter((flag) => flag.startsWith(readFlag))
    .map((flag) => flag.slice(readFlag.length));
  for (const path of granted) if (path !== kept) permission.drop('fs.read', path);
  permission.drop('fs.write');
  permission.drop('net');
  permission.drop('addon');
}
