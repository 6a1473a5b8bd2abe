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
  /** The log of requests that it signs as well: its name, and the mark of that. */
  access?: { origin: string; mark: string };
  /** Of what it signed and refused. Made where it is missing. */
  journal: string;
  /** Public: whoever else changed it would name other authorities. */
  trustRoot: string;
  /** Where the log key is in a PKCS#11 token. */
  token?: { description: string; pinFile: string };
  /** Where it is in a service: its description, and what credentials are read from, anew as they change. */
  cloud?: { description: string; credentialFiles: string[] };
  /** Whom the socket's mode lets through: the signer's own user, or also the group that it runs as. */
  socketFor?: SocketAudience;
  /** Who of that group is served beside the signer's own user: names in /etc/passwd, or ids. */
  socketUsers?: (string | number)[];
}

export type SocketAudience = 'owner' | 'group';

/** Where names of users are looked up. Node has no other way to do that. */
export const usersFile = '/etc/passwd';

/** A file or folder as it was found, its link not followed. */
export interface FileFacts {
  kind: 'file' | 'folder' | 'socket' | 'symbolic link' | 'special file';
  /** Permission bits. */
  mode: number;
  uid: number;
}

/** With what tells it from another of the same name. */
export interface FoundFile extends FileFacts {
  inode: bigint;
  device: bigint;
}

/** The id that files of this process have; 0, as all files, where the system has no users. */
export function ownUser(): number {
  return process.geteuid?.() ?? 0;
}

export interface FileDemand {
  path: string;
  kind: 'file' | 'folder';
  /** Permission bits of group and others that may be set. */
  shared: number;
}

/** Throws CellError for the first file or folder of the signer that is not its user's alone. */
export function demandOwnFiles(configFile: string, files: CellFiles): void {
  demand(fileDemands(configFile, files));
}

/** The same of the files that are opened anew while the signer runs. Their folders are out of its sight by then. */
export function demandReopenedFiles(files: CellFiles): void {
  demand(reopenedFiles(files).map(ownFile));
}

/** What the signer opens again when it is told that its keys are others now: the files of these names, then. */
export function reopenedFiles({ keystore, passphraseFile }: CellFiles): string[] {
  return [keystore, passphraseFile].map((path) => resolve(path));
}

/** Files whose folders are looked at as well. */
export function guardedFiles(configFile: string, files: CellFiles): string[] {
  const { mark, journal, access } = files;
  const memory = [mark, ...(access === undefined ? [] : [access.mark]), journal];
  return [configFile, ...reopenedFiles(files), ...memory].map((path) => resolve(path));
}

/** Files that may lie anywhere. */
export function scatteredFiles({ trustRoot, token, cloud, socketUsers = [] }: CellFiles): string[] {
  const ofToken = token === undefined ? [] : [token.description, token.pinFile];
  const ofCloud = cloud === undefined ? [] : [cloud.description, ...cloud.credentialFiles];
  const ofUsers = socketUsers.some((user) => typeof user === 'string') ? [usersFile] : [];
  return [trustRoot, ...ofToken, ...ofCloud, ...ofUsers].map((path) => resolve(path));
}

/** What is asked of each file of the signer, and of the folders that most of them lie in. */
export function fileDemands(configFile: string, files: CellFiles): FileDemand[] {
  const own = guardedFiles(configFile, files);
  const folders = new Set(own.map((path) => dirname(path)));
  const socketFolder = dirname(resolve(files.socket));
  const shared = files.socketFor === 'group' && !folders.has(socketFolder) ? 0o050 : 0;
  const { trustRoot, token, cloud } = files;
  const open = [trustRoot, token?.description, cloud?.description].filter((path) => path !== undefined);
  return [
    ...own.map(ownFile),
    ...(token === undefined ? [] : [ownFile(token.pinFile)]),
    // Everybody may read these.
    ...open.map((path): FileDemand => ({ path: resolve(path), kind: 'file', shared: 0o044 })),
    ...[...folders].map((path): FileDemand => ({ path, kind: 'folder', shared: 0 })),
    { path: socketFolder, kind: 'folder', shared },
  ];
}

function ownFile(path: string): FileDemand {
  return { path: resolve(path), kind: 'file', shared: 0 };
}

function demand(demands: readonly FileDemand[]): void {
  const uid = process.geteuid?.();
  // Without users there are no modes to ask for.
  if (uid === undefined) return;
  for (const each of demands) {
    const facts = observeFile(each.path);
    // A file that is missing is reported by whoever needs it, in its own words.
    const isMissing = facts === null && each.kind === 'folder';
    const missing = isMissing ? `there is no folder ${each.path}: run mkdir -m 700 ${each.path}` : null;
    const problem = facts === null ? missing : fileProblem(each, facts, uid);
    if (problem !== null) throw new CellError(problem);
  }
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
    const wanted = (kind === 'folder' ? 0o700 : 0o600) | (shared & 0o044);
    const can = (shared & 0o044) === 0o044 ? 'change' : 'reach';
    return `${path} has mode ${facts.mode.toString(8)}, so that others than its owner can ${can} it: run chmod ${wanted.toString(8)} ${path}, and ask who could`;
  }
  return null;
}

/** null where there is nothing at that path. */
export function observeFile(path: string): FoundFile | null {
  const stats = lstatSync(path, { throwIfNoEntry: false, bigint: true });
  if (stats === undefined) return null;
  return {
    kind: kindOf(stats),
    mode: Number(stats.mode & 0o7777n),
    uid: Number(stats.uid),
    inode: stats.ino,
    device: stats.dev,
  };
}

function kindOf(
  stats: Pick<Stats, 'isFile' | 'isDirectory' | 'isSocket' | 'isSymbolicLink'>,
): FileFacts['kind'] {
  if (stats.isSymbolicLink()) return 'symbolic link';
  if (stats.isSocket()) return 'socket';
  if (stats.isDirectory()) return 'folder';
  return stats.isFile() ? 'file' : 'special file';
}
