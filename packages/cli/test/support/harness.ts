/** Runs command lines as a terminal would, without one. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Context } from '../../src/context.ts';
import { run } from '../../src/program.ts';
import type { ContractFake } from './contract-fake.ts';

export interface Ran {
  code: number;
  out: string;
  err: string;
  /** Standard output as JSON. */
  json: () => unknown;
}

export interface RunOptions {
  env?: Record<string, string>;
  stdin?: string;
  isTTY?: boolean;
  columns?: number;
  signal?: AbortSignal;
  now?: number;
  /** Told of what goes to standard error, as it goes. */
  onLine?: (text: string) => void;
  /** What is typed at prompts, in order; without it there is no terminal to type at. */
  typed?: string[];
}

export class Harness {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'tally-cli-'));
  /** What the command slept for, in milliseconds, without sleeping. */
  readonly slept: number[] = [];
  private keys = 0;

  constructor(fake: ContractFake | null) {
    if (fake !== null)
      this.connect({ adminUrl: fake.url, publicUrl: fake.url, token: fake.token, namespace: 'acme' });
  }

  connect(clientFile: object): void {
    this.write('client.json', JSON.stringify(clientFile));
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, content: string | Uint8Array): string {
    writeFileSync(this.path(name), content);
    return this.path(name);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  async run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const written: { out: string[]; err: string[] } = { out: [], err: [] };
    const terminal = { isTTY: options.isTTY === true, columns: options.columns ?? null };
    const context = (setExitCode: (code: number) => void): Context => ({
      stdout: { ...terminal, write: (text) => void written.out.push(text) },
      stderr: {
        ...terminal,
        write: (text) => {
          written.err.push(text);
          options.onLine?.(text);
        },
      },
      env: { TALLY_DATA: this.folder, ...options.env },
      signal: options.signal ?? new AbortController().signal,
      now: () => options.now ?? Date.now(),
      newKey: () => `key-${++this.keys}`,
      readStdin: async () => new TextEncoder().encode(options.stdin ?? ''),
      ask: async (question) => {
        written.err.push(question);
        return options.typed?.shift() ?? null;
      },
      openBrowser: async () => false,
      sleep: async (ms) => void this.slept.push(ms),
      setExitCode,
    });
    const code = await run(args, context);
    const [out, err] = [written.out.join(''), written.err.join('')];
    return { code, out, err, json: () => JSON.parse(out) as unknown };
  }
}
