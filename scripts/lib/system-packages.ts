import { spawnSync } from 'node:child_process';
import { findChromium } from './chromium.ts';
import { findGo } from './go.ts';
import { run } from './run.ts';

/** Something that tests need from the system rather than from npm. */
export type SystemPackage = {
  /** Name of the Debian and Ubuntu package. */
  readonly name: string;
  readonly isPresent: () => boolean;
  /** Test project that needs it; the others do not. */
  readonly project: 'browser' | 'node';
  /** Whether the whole project needs it. Otherwise some tests do, which skip themselves where it is missing. */
  readonly isNeededByAll: boolean;
};

/** To have tests use another system package, add a line. */
const systemPackages: readonly SystemPackage[] = [
  {
    name: 'chromium',
    isPresent: () => findChromium() !== undefined,
    project: 'browser',
    isNeededByAll: true,
  },
  {
    name: 'strace',
    // Tracing is Linux's: elsewhere nobody is asked to install it.
    isPresent: () => process.platform !== 'linux' || spawnSync('strace', ['-V']).status === 0,
    project: 'node',
    isNeededByAll: false,
  },
  {
    name: 'systemd',
    isPresent: () => process.platform !== 'linux' || spawnSync('systemd-analyze', ['--version']).status === 0,
    project: 'node',
    isNeededByAll: false,
  },
  {
    name: 'nftables',
    isPresent: () => process.platform !== 'linux' || spawnSync('nft', ['--version']).status === 0,
    project: 'node',
    isNeededByAll: false,
  },
  {
    name: 'softhsm2',
    // Elsewhere it has other names, and the tests of tokens are skipped.
    isPresent: () => process.platform !== 'linux' || spawnSync('softhsm2-util', ['--version']).status === 0,
    project: 'node',
    isNeededByAll: false,
  },
  {
    name: 'golang-go',
    isPresent: () => process.platform !== 'linux' || findGo() !== undefined,
    project: 'node',
    isNeededByAll: false,
  },
  {
    name: 'openssh-client',
    isPresent: () => process.platform !== 'linux' || spawnSync('ssh-agent', ['-h']).error === undefined,
    project: 'node',
    isNeededByAll: false,
  },
];

/**
 * Makes sure that the system packages of these test projects are installed, and returns those that are still
 * missing and without which a project cannot run at all. Installs by apt-get when that needs no question; otherwise
 * it says what to type.
 */
export async function provideSystemPackages(projects: readonly string[]): Promise<readonly SystemPackage[]> {
  const listMissing = (): SystemPackage[] =>
    systemPackages.filter(({ project, isPresent }) => projects.includes(project) && !isPresent());
  const missing = listMissing();
  if (missing.length === 0) return [];
  const names = missing.map(({ name }) => name);
  const prefix = await findInstaller();
  if (prefix !== undefined) await install(prefix, names);
  const left = listMissing();
  if (left.length > 0)
    console.log(`Missing: ${left.map(({ name }) => name).join(' ')}. To install:\n${advice(left)}`);
  return left.filter(({ isNeededByAll }) => isNeededByAll);
}

/** Returns the words to put before `apt-get`, or `undefined` when it is absent or would ask a question. */
async function findInstaller(): Promise<readonly string[] | undefined> {
  const succeeds = async (command: string, ...given: string[]): Promise<boolean> =>
    (await run(command, given, { quiet: true })).code === 0;
  if (!(await succeeds('apt-get', '--version'))) return undefined;
  if (process.getuid?.() === 0) return [];
  return (await succeeds('sudo', '-n', 'true')) ? ['sudo', '-n'] : undefined;
}

async function install(prefix: readonly string[], names: readonly string[]): Promise<void> {
  console.log(`Installing system packages for the tests: ${names.join(' ')}`);
  const aptGet = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq'];
  for (const action of [['update'], ['install', '-y', '--no-install-recommends', ...names]]) {
    const [command = 'env', ...given] = [...aptGet, ...action];
    const { code, output } = await run(command, given, { quiet: true });
    if (code !== 0) console.log(`apt-get ${action.join(' ')} failed:\n${output.trimEnd()}`);
  }
}

function advice(packages: readonly SystemPackage[]): string {
  const names = packages.map(({ name }) => name).join(' ');
  return `  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${names}`;
}
