/** Gives up what was needed to start, when it is not needed any more. */
import type { CellFiles } from './files.ts';
import { keptPaths, readFlag } from './flags.ts';

/** Newer than the types of Node that are compiled against; early versions 24 do not have it. */
interface DroppablePermission {
  drop?(scope: string, reference?: string): void;
}

/**
 * From here on this process opens no connection and no file but its keystore and its passphrase, which it reads anew when
 * keys were added. It keeps what it has open, a library of a token too, and may look at its socket. A log key in a service
 * leaves it the network, and the files that credentials are in. Called when the signer listens.
 */
export function closeCell(files: CellFiles): void {
  const permission = process.permission as DroppablePermission | undefined;
  if (permission?.drop === undefined) return;
  const kept = new Set(keptPaths(files));
  const granted = process.execArgv
    .filter((flag) => flag.startsWith(readFlag))
    .map((flag) => flag.slice(readFlag.length));
  for (const path of granted) if (!kept.has(path)) permission.drop('fs.read', path);
  permission.drop('fs.write');
  if (files.cloud === undefined) permission.drop('net');
  permission.drop('addon');
}
