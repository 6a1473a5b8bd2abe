/** How the signer is started, so that it finds itself in its cell. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { codeFolders } from './code-folders.ts';
import type { CellFiles } from './files.ts';
import { cellFlags } from './flags.ts';
import { launchEnvironment } from './launch-environment.ts';

/** What to spawn; the process that results is the signer itself, with no other in between. */
export interface Launch {
  command: string;
  args: string[];
  env: NodeJS.ProcessEnv;
}

const signerMain = join(import.meta.dirname, '..', 'main.ts');

/** Neither can be set from within Node, and both are kept by the process that follows. */
const withoutCores =
  'ulimit -c 0; if [ -w /proc/self/coredump_filter ]; then echo 0 > /proc/self/coredump_filter; fi; exec "$@"';

/** @param main another program than the signer's, for tests of the cell */
export function signerLaunch(configFile: string, files: CellFiles, main: string = signerMain): Launch {
  const withToken = files.token !== undefined;
  const withCloud = files.cloud !== undefined;
  // The library of a token may have to reach its device over the network, and a service is there.
  const isolation = withToken || withCloud ? [] : networkIsolation();
  const flags = cellFlags(configFile, files, codeFolders({ withToken, withCloud }));
  const node = [process.execPath, ...flags, main, configFile];
  return {
    command: '/bin/sh',
    args: ['-c', withoutCores, 'sh', ...isolation, ...node],
    env: launchEnvironment(process.env),
  };
}

let isolationFound: readonly string[] | undefined;

/**
 * Words before a command that give it a network of its own, without any interface; none where this user may not do
 * that. Sockets in the file system are reached all the same.
 */
export function networkIsolation(): readonly string[] {
  const asRoot = ['unshare', '--net', '--'];
  const asUser = ['unshare', '--user', '--map-current-user', '--net', '--'];
  isolationFound ??= (process.platform === 'linux' ? [asRoot, asUser] : []).find(worksHere) ?? [];
  return isolationFound;
}

function worksHere([command = '', ...args]: string[]): boolean {
  return spawnSync(command, [...args, 'true'], { stdio: 'ignore' }).status === 0;
}
