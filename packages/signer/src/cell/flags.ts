/** The flags that confine the signer's process, by Node's permission model. */
import { dirname, resolve, sep } from 'node:path';
import { type CellFiles, guardedFiles, reopenedFiles, scatteredFiles } from './files.ts';

/** Without it, a signal opens the debugger of every Node process. */
export const sigusr1Flag = '--disable-sigusr1';
export const readFlag = '--allow-fs-read=';

/** Without a warning about it on standard error, which is for alarms. */
const addonFlags = ['--allow-addons', '--disable-warning=PERM0001'];

/** What the signer asks about itself; the names of `self` are resolved by the kernel, not by Node. */
const ownProcess = ['/proc/self/limits', '/proc/self/coredump_filter'];

const known =
  /^--(?:permission|allow-fs-(?:read|write)=.+|allow-net|allow-addons|disable-sigusr1|disable-warning=(?:ExperimentalWarning|PERM0001))$/;

/** Whether a flag is one of those that `cellFlags` gives. */
export function isFlagOfCell(flag: string): boolean {
  return known.test(flag);
}

/**
 * Flags for Node: no child process, worker, WASI or debugger; reading from the given code, the signer's files and
 * their folders; writing beside the mark, the journal and the socket. The folders are read to check their modes, and given up once
 * the keys are open. Native code is let in where a token needs its library; Node's permissions do not bind it.
 *
 * Where Node can deny the network, its permission covers local sockets too: so it is allowed here, and given up once
 * the signer listens, but for a log key in a service.
 */
export function cellFlags(configFile: string, files: CellFiles, code: readonly string[]): string[] {
  const socketFolder = dirname(resolve(files.socket));
  const guarded = guardedFiles(configFile, files);
  const memory = [files.mark, files.access?.mark ?? files.mark, files.journal];
  const written = new Set([...memory.map((path) => dirname(resolve(path))), socketFolder]);
  const named = [...guarded, ...scatteredFiles(files)].filter((path) => !liesIn(socketFolder, path));
  const folders = new Set([...code, ...ownProcess, ...guarded.map((path) => dirname(path)), ...written]);
  const withNamed = new Set([...folders].filter((folder) => named.some((path) => liesIn(folder, path))));
  const plain = [...folders].filter((folder) => !withNamed.has(folder));
  const read = [...new Set(named), ...outerFirst(plain), ...outerFirst(withNamed).map(beginningWith)];
  return [
    '--disable-warning=ExperimentalWarning',
    sigusr1Flag,
    '--permission',
    ...(files.token === undefined ? [] : addonFlags),
    ...(process.allowedNodeEnvironmentFlags.has('--allow-net') ? ['--allow-net'] : []),
    ...read.map((path) => `${readFlag}${path}`),
    ...outerFirst(written).map((path) => `--allow-fs-write=${path}`),
  ];
}

/** What of the above is kept when all else is given up: a look at the socket, and what is opened anew. */
export function keptPaths(files: CellFiles): string[] {
  const socketFolder = dirname(resolve(files.socket));
  const credentials = (files.cloud?.credentialFiles ?? []).map((path) => resolve(path));
  const reopened = [...reopenedFiles(files), ...credentials];
  return [socketFolder, ...reopened.filter((path) => !liesIn(socketFolder, path))];
}

function liesIn(folder: string, path: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`);
}

/** A folder that is named after one that lies in it is not opened itself, by Node 24 and 26. */
function outerFirst(paths: Iterable<string>): string[] {
  return [...paths].sort((a, b) => a.length - b.length);
}

/**
 * A folder with all whose name begins like it. Files can be kept while their folder is given up only if they are named
 * before it, and then Node opens the folder itself only so.
 */
function beginningWith(folder: string): string {
  return folder.replace(/.$/su, '*');
}
