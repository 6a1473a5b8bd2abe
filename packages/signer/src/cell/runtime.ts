/**
 * Whether this process runs as the signer must: nothing may look into it, nothing foreign is loaded into it, and its
 * memory ends up in no file.
 */
import { readFileSync } from 'node:fs';
import { url as urlOfInspector } from 'node:inspector';
import { CellError } from './cell-error.ts';
import { isFlagOfCell, sigusr1Flag } from './flags.ts';
import { isForeignVariable } from './launch-environment.ts';

/** Scopes of Node's permission model that must be shut. Asked without a path, the file scopes mean every file. */
const shutScopes = ['fs.read', 'fs.write', 'child', 'worker', 'wasi', 'inspector'] as const;

/** What is asked of a process, as it was found. */
export interface RuntimeFacts {
  /** The flags that Node was started with. */
  flags: readonly string[];
  /** Names of the environment's variables. */
  variables: readonly string[];
  /** Where a debugger may connect; undefined where none may. */
  inspectorUrl: string | undefined;
  hasPermissionModel: boolean;
  /** Those scopes that must be shut and are open. */
  openScopes: readonly string[];
  /** `/proc/self/limits`; null where it cannot be read, undefined where the system has none. */
  limits: string | null | undefined;
  /** `/proc/self/coredump_filter`; as above. */
  coreFilter: string | null | undefined;
}

/** Throws CellError where this process is not in a cell. Native code may get in only where there is a token. */
export function demandCell({ withToken }: { withToken: boolean }): void {
  const problem = runtimeProblem(observeRuntime(withToken ? shutScopes : [...shutScopes, 'addon']));
  if (problem !== null) {
    throw new CellError(
      `${problem}; "tally up" starts it rightly, docs/operating/signer-cell.md says how else`,
    );
  }
}

/** What is wrong with a process, and what to do about it; null where nothing is. */
export function runtimeProblem(facts: RuntimeFacts): string | null {
  return (
    environmentProblem(facts) ??
    debuggerProblem(facts) ??
    permissionProblem(facts) ??
    flagProblem(facts) ??
    coreProblem(facts)
  );
}

function debuggerProblem({ inspectorUrl, flags }: RuntimeFacts): string | null {
  const flag = flags.find((each) => /^--(?:inspect|debug)/.test(each));
  if (inspectorUrl === undefined && flag === undefined) return null;
  return `a debugger could read the keys (${flag ?? inspectorUrl}): start it without one`;
}

function environmentProblem({ variables }: RuntimeFacts): string | null {
  const name = variables.find(isForeignVariable);
  return name === undefined ? null : `${name} can load foreign code into it: unset ${name}`;
}

function permissionProblem({ hasPermissionModel, openScopes }: RuntimeFacts): string | null {
  if (!hasPermissionModel)
    return 'it is not confined: start it with --permission and the paths that it needs';
  const [scope] = openScopes;
  return scope === undefined ? null : `its cell is open for ${scope}: start it without that permission`;
}

function flagProblem({ flags }: RuntimeFacts): string | null {
  const foreign = flags.find((each) => !isFlagOfCell(each));
  if (foreign !== undefined) return `the flag ${foreign} has no place in its cell: start it without`;
  return flags.includes(sigusr1Flag) ? null : `a signal could open a debugger: start it with ${sigusr1Flag}`;
}

function coreProblem({ limits, coreFilter }: RuntimeFacts): string | null {
  if (limits === null || coreFilter === null) {
    return 'it cannot see whether its memory may be dumped: let it read /proc/self/limits and /proc/self/coredump_filter';
  }
  const soft = limits === undefined ? '0' : /^Max core file size +(\S+)/m.exec(limits)?.[1];
  if (soft !== '0') {
    return `a crash could write the keys to a file (core limit ${soft ?? 'unknown'}): run "ulimit -c 0" before it`;
  }
  // Where the kernel hands dumps to a program, the limit does not count, and this filter does.
  if (coreFilter !== undefined && Number.parseInt(coreFilter, 16) !== 0) {
    return 'a crash could hand the keys to a dump handler: write 0 to /proc/self/coredump_filter before it';
  }
  return null;
}

function observeRuntime(scopes: readonly string[]): RuntimeFacts {
  const { permission } = process;
  return {
    flags: process.execArgv,
    variables: Object.keys(process.env),
    inspectorUrl: urlOfInspector(),
    hasPermissionModel: permission !== undefined,
    openScopes: scopes.filter((scope) => permission?.has(scope)),
    limits: readProc('/proc/self/limits'),
    coreFilter: readProc('/proc/self/coredump_filter'),
  };
}

function readProc(path: string): string | null | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Whatever the reason: what cannot be seen does not count as right.
    return null;
  }
}
