/** Whether the files that the signer lives by are its own, and nobody else's to read or change. */
import { lstatSync, type Stats } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { CellError } from './cell-error.ts';

/** The part of the signer's configuration that names files. */
export interface CellFiles {
  socket: string;
  keystore: string;
  passphraseFile: string;
  mark: string;
  /** Who may connect: the signer's own user, or also the group that it runs as. */
  socketFor?: SocketAudience;
}

export type SocketAudience = 'owner' | 'group';

/** A file or folder as it was found, its link not followed. */
export interface FileFacts {
  kind: 'file' | 'folder' | 'socket' | 'symbolic link' | 'special file';
  /** Permission bits. */
  mode: number;
  uid: number;
}

export interface FileDemand {
  path: string;
  kind: 'file' | 'folder';
  /** Permission bits of group and others that may be set. */
  shared: number;
}

/** Throws CellError for the first file or folder of the signer that is not its user's alone. */
export function demandOwnFiles(configFile: string, files: CellFiles): void {
  const uid = process.geteuid?.();
  // Without users there are no modes to ask for.
  if (uid === undefined) return;
  for (const demand of fileDemands(configFile, files)) {
    const facts = observeFile(demand.path);
    // A file that is missing is reported by whoever needs it, in its own words.
    const isMissing = facts === null && demand.kind === 'folder';
    const missing = isMissing ? `there is no folder ${demand.path}: run mkdir -m 700 ${demand.path}` : null;
    const problem = facts === null ? missing : fileProblem(demand, facts, uid);
    if (problem !== null) throw new CellError(problem);
  }
}

/** What is asked of each file of the signer and of the folder that it lies in. */
export function fileDemands(configFile: string, files: CellFiles): FileDemand[] {
  const own = [configFile, files.passphraseFile, files.keystore, files.mark].map((path) => resolve(path));
  const folders = new Set(own.map((path) => dirname(path)));
  const socketFolder = dirname(resolve(files.socket));
  const shared = files.socketFor === 'group' && !folders.has(socketFolder) ? 0o050 : 0;
  return [
    ...own.map((path): FileDemand => ({ path, kind: 'file', shared: 0 })),
    ...[...folders].map((path): FileDemand => ({ path, kind: 'folder', shared: 0 })),
    { path: socketFolder, kind: 'folder', shared },
  ];
}

/** What is wrong with a file, and what to do about it; null where nothing is. `uid` is the signer's user. */
export function fileProblem(
  { path, kind, shared }: FileDemand,
  facts: FileFacts,
  uid: number,
): string | null {
  if (facts.kind !== kind) {
    return `${path} is a ${facts.kind} where the signer needs a ${kind}: name the ${kind} itself in its configuration`;
  }
  if (facts.uid !== uid && facts.uid !== 0) {
    return `${path} belongs to user ${facts.uid}, and the signer runs as ${uid}: run chown ${uid} ${path}, and ask who could change it`;
  }
  if ((facts.mode & 0o077 & ~shared) !== 0) {
    const wanted = kind === 'folder' ? '700' : '600';
    return `${path} has mode ${facts.mode.toString(8)}, so that others than its owner can reach it: run chmod ${wanted} ${path}, and ask who could`;
  }
  return null;
}

/** null where there is nothing at that path. */
export function observeFile(path: string): (FileFacts & { inode: bigint }) | null {
  const stats = lstatSync(path, { throwIfNoEntry: false, bigint: true });
  if (stats === undefined) return null;
  return { kind: kindOf(stats), mode: Number(stats.mode & 0o777n), uid: Number(stats.uid), inode: stats.ino };
}

function kindOf(
  stats: Pick<Stats, 'isFile' | 'isDirectory' | 'isSocket' | 'isSymbolicLink'>,
): FileFacts['kind'] {
  if (stats.isSymbolicLink()) return 'symbolic link';
  if (stats.isSocket()) return 'socket';
  if (stats.isDirectory()) return 'folder';
  return stats.isFile() ? 'file' : 'special file';
}
