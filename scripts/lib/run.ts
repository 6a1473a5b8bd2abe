import { spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { root } from './files.ts';

const binaries = join(root, 'node_modules/.bin');

/** How a program ended. A program that a signal ended, or that could not start, has code 1. */
export type Ended = { readonly code: number; readonly output: string };

/**
 * Runs a program in the root folder without standard input, and waits for its end. With `quiet` what it
 * prints is collected in `output`; otherwise it goes to the terminal and `output` holds only the reason
 * why the program could not start. A request to stop is passed on, so that nothing outlives this process.
 */
export function run(
  command: string,
  given: readonly string[],
  options: { readonly quiet?: boolean; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Ended> {
  const { promise, resolve } = Promise.withResolvers<Ended>();
  const child = spawn(command, given, {
    cwd: root,
    // The installed Node stands first in the path, so that tools run on it whoever starts this script.
    env: { ...process.env, PATH: `${binaries}${delimiter}${process.env['PATH'] ?? ''}`, ...options.env },
    stdio: ['ignore', options.quiet ? 'pipe' : 'inherit', options.quiet ? 'pipe' : 'inherit'],
  });
  let output = '';
  const collect = (chunk: Buffer): void => {
    output += chunk.toString('utf8');
  };
  child.stdout?.on('data', collect);
  child.stderr?.on('data', collect);
  const stop = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  const finish = (code: number): void => {
    process.off('SIGINT', stop).off('SIGTERM', stop);
    resolve({ code, output });
  };
  child.on('error', (error) => {
    output += `${error.message}\n`;
    finish(1);
  });
  child.on('close', (code) => finish(code ?? 1));
  return promise;
}
