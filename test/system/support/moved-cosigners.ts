/** The cosigners of a system, moved out of it as the operating pages say: to an address of their own each. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePort, type SystemDescription } from '@tallystick/server';
import type { RealSystem } from './real-system.ts';

const main = fileURLToPath(import.meta.resolve('@tallystick/witness/main'));

export class MovedCosigners implements AsyncDisposable {
  /** Addresses by name. */
  readonly addresses: Record<string, string> = {};
  readonly #processes: ChildProcess[] = [];

  /**
   * Of a system that is stopped.
   *
   * @param logUrl where replayers find the public listener of whichever server writes
   */
  static async move(system: RealSystem, logUrl: string): Promise<MovedCosigners> {
    const moved = new MovedCosigners();
    const { layout } = system;
    const { origin, logVkeys, genesis, cosigners } = JSON.parse(
      readFileSync(layout.system, 'utf8'),
    ) as SystemDescription;
    const elsewhere = join(system.directory, 'elsewhere');
    mkdirSync(elsewhere, { mode: 0o700 });
    for (const { name, folder, kind } of cosigners) {
      const target = join(elsewhere, folder);
      renameSync(layout.cosigner(folder).directory, target);
      const source = {
        logUrl: `${logUrl}/log`,
        trustUrl: `${logUrl}/trust`,
        tokenFile: layout.secrets.mirrorToken,
      };
      const log = { origin, vkeys: logVkeys, ...(kind === 'replayer' && { ...source, genesis }) };
      const listen = { host: '127.0.0.1', port: await freePort() };
      const config = { name, listen, stateFile: 'state.db', keyFile: 'cosigner.key', logs: [log] };
      const file = join(target, 'cosigner.json');
      writeFileSync(file, JSON.stringify(config));
      moved.addresses[name] = await moved.#serve(kind, file);
    }
    return moved;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#processes) {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
  }

  async #serve(kind: string, config: string): Promise<string> {
    const args = [main, kind, 'serve', '--config', config];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#processes.push(child);
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    return (JSON.parse(line) as { listening: string }).listening;
  }
}
