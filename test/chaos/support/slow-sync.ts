/** A disk that takes its time: every sync of some processes is delayed. Linux only. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export class SlowSync {
  readonly #tracer: ChildProcess;

  private constructor(tracer: ChildProcess) {
    this.#tracer = tracer;
  }

  /** @param delay microseconds */
  static async begin(pids: readonly number[], delay: number): Promise<SlowSync> {
    const calls = 'fsync,fdatasync';
    const options = ['-f', '-e', `trace=${calls}`, '-e', `inject=${calls}:delay_enter=${delay}`];
    const processes = pids.flatMap((pid) => ['-p', String(pid)]);
    const tracer = spawn('strace', [...options, ...processes], { stdio: ['ignore', 'ignore', 'pipe'] });
    await new Promise<void>((resolve, reject) => {
      let said = '';
      tracer.stderr.setEncoding('utf8').on('data', (text: string) => {
        said = `${said}${text}`.slice(-10_000);
        if (said.includes('attached')) resolve();
      });
      tracer.once('error', reject).once('exit', () => reject(new Error(`strace ended: ${said}`)));
    });
    return new SlowSync(tracer);
  }

  async end(): Promise<void> {
    if (this.#tracer.exitCode !== null) return;
    const ended = once(this.#tracer, 'exit');
    // The kernel lets go of everything when the tracer dies.
    this.#tracer.kill('SIGKILL');
    await ended;
  }
}
