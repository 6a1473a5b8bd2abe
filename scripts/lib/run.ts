import { spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { root } from './files.ts';

const binaries = join(root, 'node_modules/.bin');

/** How a program ended. A program that a signal ended, or that could not start, has code 1. */
export type Ended = { readonly code: number; readonly output: string };

export type RunOptions = {
  /** Collect the output instead of showing it. */
  readonly quiet?: boolean;
  /** Variables on top of this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Asks the program to stop. */
  readonly signal?: AbortSignal;
};

/**
 * Runs a program in the root folder without standard input, and waits for its end. With `quiet` what it
 * prints is collected in `output`; otherwise it goes to the terminal and `output` holds only the reason
 * why the program could not start. A request to stop is passed on, so that nothing outlives this process.
 */
export function run(command: string, given: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const { promise, resolve } = Promise.withResolvers<Ended>();
  const child = spawn(command, given, {
    cwd: root,
    // The installed Node stands first in the path, so that tools run on it whoever starts this script.
    env: { ...process.env, PATH: `${binaries}${delimiter}${process.env['PATH'] ?? ''}`, ...options.env },
    stdio: ['ignore', options.quiet ? 'pipe' : 'inherit', options.quiet ? 'pipe' : 'inherit'],
  });
  let output = '';
  const collect = (text: string): void => {
    output += text;
  };
  child.stdout?.setEncoding('utf8').on('data', collect);
  child.stderr?.setEncoding('utf8').on('data', collect);
  const stop = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  const abort = (): void => stop('SIGTERM');
  process.on('SIGINT', stop).on('SIGTERM', stop);
  options.signal?.addEventListener('abort', abort);
  const finish = (code: number): void => {
    process.off('SIGINT', stop).off('SIGTERM', stop);
    options.signal?.removeEventListener('abort', abort);
    resolve({ code, output });
  };
  child.on('error', (error) => {
    output += `${error.message}\n`;
    finish(1);
  });
  child.on('close', (code) => finish(code ?? 1));
  return promise;
}
