/** A real cosigner process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** A folder with a configuration file in it. */
export class CosignerFolder implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), 'cosigner-'));

  file(name: string): string {
    return join(this.path, name);
  }

  /** Writes the configuration; `logs` and other members as given. */
  configure(members: Record<string, unknown>): void {
    const config = {
      name: 'witness.example/w1',
      listen: { host: '127.0.0.1', port: 0 },
      stateFile: 'state.db',
      keyFile: 'cosigner.key',
      ...members,
    };
    writeFileSync(this.file('config.json'), JSON.stringify(config));
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a command to its end. */
export async function runCosigner(
  folder: CosignerFolder,
  kind: string,
  verb: string,
  ...more: string[]
): Promise<Ended> {
  const child = launch(folder, kind, verb, ...more);
  const output = collect(child);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
}

export interface ServingCosigner {
  url: string;
  /** The line in which it said so. */
  said: { listening: string; metrics?: string };
  /** What it wrote to standard error so far. */
  stderr(): string;
  child: ChildProcess;
  /** Sends the signal and waits for the end. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null>;
}

/** Starts to serve; rejects with what the process said where it ended instead. */
export async function serveCosigner(folder: CosignerFolder, kind: string): Promise<ServingCosigner> {
  const child = launch(folder, kind, 'serve');
  const output = collect(child);
  const closed = once(child, 'close') as Promise<[number | null]>;
  const listening = new Promise<string>((resolve) => {
    child.stdout?.on('data', () => {
      if (output.stdout.includes('\n')) resolve(output.stdout);
    });
  });
  const line = await Promise.race([listening, closed.then(() => null)]);
  if (line === null) throw new Error(output.stderr);
  const said = JSON.parse(line) as ServingCosigner['said'];
  return {
    url: said.listening,
    said,
    stderr: () => output.stderr,
    child,
    async end(signal) {
      child.kill(signal);
      const [code] = await closed;
      return code;
    },
  };
}

function launch(folder: CosignerFolder, kind: string, verb: string, ...more: string[]): ChildProcess {
  const args = [program, kind, verb, '--config', folder.file('config.json'), ...more];
  return spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const output = { stdout: '', stderr: '' };
  child.stdout?.on('data', (part) => {
    output.stdout += String(part);
  });
  child.stderr?.on('data', (part) => {
    output.stderr += String(part);
  });
  return output;
}
