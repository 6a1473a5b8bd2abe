/** `tally up` as people run it: the supervisor in a process of its own, which can be killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { RealSystem } from './real-system.ts';
import { eventually } from './waiting.ts';

const main = fileURLToPath(new URL('../../../packages/cli/src/main.ts', import.meta.url));

export class TallyUp {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  #answer = '';
  /** What it wrote to standard error. */
  lines = '';

  private constructor(child: ChildProcess) {
    this.#process = child;
    this.#ended = once(child, 'exit');
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#answer += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.lines += text;
    });
  }

  /** Starts it and does not wait for anything. */
  static begin(system: Pick<RealSystem, 'layout'>): TallyUp {
    const args = [
      '--disable-warning=ExperimentalWarning',
      main,
      'up',
      '--data',
      system.layout.root,
      '--json',
    ];
    return new TallyUp(spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] }));
  }

  /** Starts it and resolves when it says that changes are taken. */
  static async start(system: Pick<RealSystem, 'layout'>): Promise<TallyUp> {
    const up = TallyUp.begin(system);
    await up.ready();
    return up;
  }

  /** Resolves when it says that changes are taken; rejects where it ends instead. */
  async ready(): Promise<void> {
    await eventually('tally up to be ready', () => this.isReady || this.#hasEnded, 50_000);
    if (!this.isReady) throw new Error(`tally up ended: ${this.lines}`);
  }

  /** True once it has printed where it listens, which it does when changes are taken. */
  get isReady(): boolean {
    return this.#answer.includes('"ops"');
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  /** As Ctrl-C does. */
  async stop(): Promise<void> {
    if (this.#hasEnded) return;
    this.#process.kill('SIGTERM');
    await this.#ended;
  }

  get #hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }
}

/** Every process that was started for a system, whoever its parent is now: its files are in its arguments. */
export function processesOf(system: RealSystem): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => `${pid} ${commandLineOf(pid)}`)
    .filter((line) => line.includes(`${system.layout.root}/`));
}

function commandLineOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    // It ended between the listing and the look at it.
    return '';
  }
}
