/** A cosigner that does not belong to the system: a process of its own, in a folder of its own. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { SystemDescription } from '@tallystick/server';
import type { RealSystem } from './real-system.ts';

const main = fileURLToPath(import.meta.resolve('@tallystick/witness/main'));

export class RealCosigner {
  /** One an algorithm. */
  readonly vkeys: readonly string[];
  readonly #kind: 'witness' | 'replayer';
  readonly #folder: string = mkdtempSync(join(tmpdir(), 'tally-cosigner-'));
  readonly #config: object;
  #process: ChildProcess | null = null;
  #port = 0;

  /** Configures one for the log of a system, and makes its keys. */
  constructor(kind: 'witness' | 'replayer', system: RealSystem) {
    this.#kind = kind;
    const { layout, client } = system;
    const { origin, logVkeys, genesis } = JSON.parse(
      readFileSync(layout.system, 'utf8'),
    ) as SystemDescription;
    const [logUrl, trustUrl] = [`${client.publicUrl}/log`, `${client.publicUrl}/trust`];
    const source = { logUrl, trustUrl, tokenFile: layout.secrets.mirrorToken, genesis };
    const log = { origin, vkeys: logVkeys, ...(kind === 'replayer' && source) };
    const files = { stateFile: 'state.db', keyFile: 'cosigner.key' };
    this.#config = { name: `${kind}.example/new`, ...files, logs: [log] };
    const args = [main, kind, 'init', '--config', this.#writeConfig()];
    const made = JSON.parse(execFileSync(process.execPath, args).toString()) as { vkeys: string[] };
    this.vkeys = made.vkeys;
  }

  /** Starts it, at the address that it had before; its address. */
  async start(): Promise<string> {
    const args = [main, this.#kind, 'serve', '--config', this.#writeConfig()];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#process = child;
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const url = (JSON.parse(line) as { listening: string }).listening;
    this.#port = Number(new URL(url).port);
    return url;
  }

  /** Ends it at once, without asking. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true });
  }

  #writeConfig(): string {
    const file = join(this.#folder, 'config.json');
    const listen = { host: '127.0.0.1', port: this.#port };
    writeFileSync(file, JSON.stringify({ ...this.#config, listen }));
    return file;
  }
}
