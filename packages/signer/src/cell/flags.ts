/** The flags that confine the signer's process, by Node's permission model. */
import { dirname, resolve } from 'node:path';
import type { CellFiles } from './files.ts';

export interface CellOptions {
  /** Lets native code in, as the library of a PKCS#11 token needs. Native code is not bound by the permission model. */
  addons?: boolean;
}

/** Without it, a signal opens the debugger of every Node process. */
export const sigusr1Flag = '--disable-sigusr1';
export const readFlag = '--allow-fs-read=';

/** What the signer asks about itself; the names of `self` are resolved by the kernel, not by Node. */
const ownProcess = ['/proc/self/limits', '/proc/self/coredump_filter'];

const known =
  /^--(?:permission|allow-fs-(?:read|write)=.+|allow-net|allow-addons|disable-sigusr1|disable-warning=ExperimentalWarning)$/;

/** Whether a flag is one of those that `cellFlags` gives. */
export function isFlagOfCell(flag: string): boolean {
  return known.test(flag);
}

/**
 * Flags for Node: no child process, worker, WASI or debugger; reading from the given code, the signer's files and
 * their folders; writing beside the mark and the socket. The folders are read to check their modes, and given up once
 * the keys are open.
 *
 * Where Node can deny the network, its permission covers local sockets too: so it is allowed here, and given up once
 * the signer listens.
 */
export function cellFlags(
  configFile: string,
  files: CellFiles,
  code: readonly string[],
  { addons = false }: CellOptions = {},
): string[] {
  const folder = (file: string): string => dirname(resolve(file));
  const written = new Set([folder(files.mark), folder(files.socket)]);
  const read = new Set([
    ...code,
    ...ownProcess,
    ...[configFile, files.keystore, files.passphraseFile].map(folder),
    ...written,
  ]);
  return [
    '--disable-warning=ExperimentalWarning',
    sigusr1Flag,
    '--permission',
    ...(addons ? ['--allow-addons'] : []),
    ...(process.allowedNodeEnvironmentFlags.has('--allow-net') ? ['--allow-net'] : []),
    ...outerFirst(read).map((path) => `${readFlag}${path}`),
    ...outerFirst(written).map((path) => `--allow-fs-write=${path}`),
  ];
}

/** A folder that is named after one that lies in it is not opened itself, by Node 24 and 26. */
function outerFirst(paths: Iterable<string>): string[] {
  return [...paths].sort((a, b) => a.length - b.length);
}
