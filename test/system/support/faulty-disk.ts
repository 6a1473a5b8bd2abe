/**
 * Disks that fail, for real: a small file system that runs full, a limit on the size of files, and a sync that the
 * kernel answers with EIO. Linux only.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Lets the files of a running process grow to so many bytes and no further, or, with null, as far as they like. Its
 * next write beyond that fails. Needs no privilege, and concerns that process alone.
 */
export function limitFileSize(pid: number, bytes: number | null): void {
  // The hard limit stays, so that the soft one may be lifted again by anybody.
  execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes ?? 'unlimited'}:`]);
}

/** A file system in memory with room for a few megabytes. */
export class SmallDisk implements Disposable {
  readonly directory: string;
  #fillings = 0;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** null where this process may not mount anything. */
  static mount(megabytes: number): SmallDisk | null {
    const directory = mkdtempSync(join(tmpdir(), 'tally-disk-'));
    const options = ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=700`, 'tally-test', directory];
    if (spawnSync('mount', options).status === 0) return new SmallDisk(directory);
    rmdirSync(directory);
    return null;
  }

  /** Leaves no room for another byte. */
  fill(): void {
    const file = openSync(join(this.directory, `filling-${this.#fillings++}`), 'w');
    try {
      for (const part of [Buffer.alloc(65_536), Buffer.alloc(4096)]) {
        while (tryToWrite(file, part));
      }
    } finally {
      closeSync(file);
    }
  }

  /** Gives back what `fill` took. */
  free(): void {
    for (; this.#fillings > 0; this.#fillings--)
      rmSync(join(this.directory, `filling-${this.#fillings - 1}`));
  }

  /** Whoever has files open on it must have ended. */
  [Symbol.dispose](): void {
    execFileSync('umount', [this.directory]);
    rmdirSync(this.directory);
  }
}

/** False once there is no room left. */
function tryToWrite(file: number, part: Buffer): boolean {
  try {
    return writeSync(file, part) === part.length;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
    throw error;
  }
}

/**
 * A process whose every fsync and fdatasync fails with EIO. The data is written all the same, as on a real disk. A file
 * that is written with O_DSYNC has its writes fail instead.
 */
export class FailingSync {
  readonly #tracer: ChildProcess;
  readonly #ended: Promise<unknown>;

  private constructor(tracer: ChildProcess) {
    this.#tracer = tracer;
    this.#ended = new Promise((resolve) => tracer.once('exit', resolve).once('error', resolve));
  }

  /** Null where this can be done to a process, else why not: some systems allow it to root alone. */
  static async whyImpossible(): Promise<string | null> {
    const victim = spawn('sleep', ['60'], { stdio: 'ignore' });
    try {
      await (await FailingSync.begin(victim.pid ?? 0)).end();
      return null;
    } catch (error) {
      return String(error);
    } finally {
      victim.kill('SIGKILL');
    }
  }

  /** Resolves when the first sync from now on will fail, or, with `file`, the first write to that one. */
  static async begin(pid: number, file?: string): Promise<FailingSync> {
    const calls = file === undefined ? 'fsync,fdatasync' : 'pwrite64';
    const concerned = file === undefined ? [] : ['-P', file];
    const injected = ['-e', `trace=${calls}`, '-e', `inject=${calls}:error=EIO`];
    const options = ['-f', ...injected, ...concerned, '-p', String(pid)];
    const tracer = spawn('strace', options, { stdio: ['ignore', 'ignore', 'pipe'] });
    const failing = new FailingSync(tracer);
    await new Promise<void>((resolve, reject) => {
      let said = '';
      tracer.stderr.setEncoding('utf8').on('data', (text: string) => {
        said = `${said}${text}`.slice(-10_000);
        if (said.includes('attached')) resolve();
      });
      tracer.once('error', reject).once('exit', () => reject(new Error(`strace ended: ${said}`)));
    });
    return failing;
  }

  /** Syncs work again. Does no harm where the process has ended meanwhile. */
  async end(): Promise<void> {
    // Asked to detach from a process that is dying, strace may wait for it without end, and it for strace. The kernel
    // lets go of everything when the tracer dies.
    this.#tracer.kill('SIGKILL');
    await this.#ended;
  }
}
