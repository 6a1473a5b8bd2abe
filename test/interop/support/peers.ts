/**
 * The programs of others that these tests run: built from test/interop/go, which pins them, into a folder that git does
 * not see. Whoever comes first builds; the others wait. A crash leaves at most a folder that nobody reads.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { arch, setPriority } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findGo, type Go } from '../../../scripts/lib/go.ts';

export interface Peers {
  /** A witness, of filippo.io/torchwood. */
  litewitness: string;
  /** A log and its witness client, of github.com/transparency-dev/tessera. */
  posixOneshot: string;
  /** A checker of logs, of the same. */
  fsck: string;
  /** Ours, of golang.org/x/mod/sumdb. */
  sumdb: string;
  /** What was built, and with what. */
  versions: string;
}

const goModule = fileURLToPath(new URL('../go', import.meta.url));
const cache = fileURLToPath(new URL('../../../node_modules/.cache/tallystick-interop', import.meta.url));
const pinned = ['filippo.io/torchwood', 'github.com/transparency-dev/tessera', 'golang.org/x/mod'];

/** What go.mod asks for at least. Debian 12 has 1.19, which can fetch this one as it fetches any module. */
const minorMin = 25;
const toolchain = '1.26.8';

/** What runs for a second need not be optimized, and compiles a third faster. */
const buildFlags = ['-trimpath', '-ldflags=-s -w', '-gcflags=all=-N -l'] as const;

const lockTryMs = 200;
/** Behind the tests that run meanwhile. */
const niceness = 10;

/** What is missing here to run them, as a sentence with the command that helps; null where nothing is. */
function missingForPeers(): string | null {
  const missing = [
    ...(findGo() === undefined ? ['golang-go'] : []),
    ...(spawnSync('ssh-agent', ['-h']).error === undefined ? [] : ['openssh-client']),
  ];
  if (missing.length === 0) return null;
  const names = missing.join(' ');
  return `needs ${names}: sudo apt-get update && sudo apt-get install -y --no-install-recommends ${names}`;
}

/** The programs, built where they are not yet; null where this machine lacks what it takes, which it says. */
export async function providePeers(): Promise<Peers | null> {
  const missing = missingForPeers();
  const go = findGo();
  if (missing !== null || go === undefined) {
    console.log(
      `Skipped: the tests with programs of others. They are built with Go; this machine ${missing}`,
    );
    return null;
  }
  const folder = join(cache, sourceHash());
  if (!existsSync(folder)) {
    using _lock = await lockBuilds();
    if (!existsSync(folder)) await build(go, folder);
  }
  const program = (name: string): string => join(folder, name);
  return {
    litewitness: program('litewitness'),
    posixOneshot: program('posix-oneshot'),
    fsck: program('fsck'),
    sumdb: program('sumdb'),
    versions: readFileSync(join(folder, 'versions.txt'), 'utf8').trim(),
  };
}

/** Over everything that decides what is built. */
function sourceHash(): string {
  const hash = createHash('sha256').update(`${toolchain} ${arch()} ${buildFlags.join(' ')}`);
  for (const path of globSync(['go.mod', 'go.sum', '*/*.go'], { cwd: goModule }).sort())
    hash.update(`\0${path}\0`).update(readFileSync(join(goModule, path)));
  return hash.digest('hex').slice(0, 16);
}

/** A lock that dies with the process that holds it. */
async function lockBuilds(): Promise<Disposable> {
  mkdirSync(cache, { recursive: true });
  const database = new DatabaseSync(join(cache, 'lock.db'), { timeout: 0 });
  for (;;) {
    try {
      database.exec('BEGIN EXCLUSIVE');
      return { [Symbol.dispose]: () => database.close() };
    } catch (error) {
      if (!/locked/.test(String(error))) throw error;
      await after(lockTryMs);
    }
  }
}

async function build(go: Go, folder: string): Promise<void> {
  const command = go.major > 1 || go.minor >= minorMin ? go.command : await fetchToolchain(go);
  const made = mkdtempSync(join(cache, 'building-'));
  try {
    await runGo(command, ['build', ...buildFlags, '-o', `${made}/`, 'tool', './sumdb']);
    const listed = await runGo(command, ['list', '-m', ...pinned]);
    const lines = [(await runGo(command, ['version'])).trim(), ...listed.trim().split('\n')];
    writeFileSync(join(made, 'versions.txt'), `${lines.join(', ')}\n`);
    renameSync(made, folder);
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    throw error;
  }
}

/** A newer Go comes as a module, which the older one checks against the checksum database. */
async function fetchToolchain(go: Go): Promise<string> {
  const platform = `${process.platform}-${arch() === 'x64' ? 'amd64' : arch()}`;
  const wanted = `golang.org/toolchain@v0.0.1-go${toolchain}.${platform}`;
  const { Dir } = JSON.parse(await runGo(go.command, ['mod', 'download', '-json', wanted], cache)) as {
    Dir: string;
  };
  // An older Go unpacks a module as files that nobody executes.
  for (const path of globSync(['bin/*', 'pkg/tool/*/*'], { cwd: Dir })) chmodSync(join(Dir, path), 0o755);
  return join(Dir, 'bin/go');
}

function runGo(command: string, given: readonly string[], cwd = goModule): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  // What the machine sets of its own must not lead to other versions than the pinned ones.
  const env = {
    ...process.env,
    GOTOOLCHAIN: 'local',
    GOFLAGS: '-buildvcs=false',
    GOWORK: 'off',
    CGO_ENABLED: '0',
  };
  const child = spawn(command, given, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  if (child.pid !== undefined) setPriority(child.pid, niceness);
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  child.on('error', reject);
  child.on('close', (code) => {
    if (code === 0) resolve(output.stdout);
    else
      reject(new Error(`go ${given.join(' ')} ended with code ${code}:\n${output.stderr}${output.stdout}`));
  });
  return promise;
}
