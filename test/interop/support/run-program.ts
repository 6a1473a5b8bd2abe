import { spawn } from 'node:child_process';

export interface ProgramEnded {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end, which `signal` brings about early. Not synchronous, since it may ask servers of this process. */
export function runProgram(
  program: string,
  given: readonly string[],
  signal?: AbortSignal,
): Promise<ProgramEnded> {
  const { promise, resolve, reject } = Promise.withResolvers<ProgramEnded>();
  const child = spawn(program, given, { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  const stop = (): void => void child.kill('SIGKILL');
  signal?.addEventListener('abort', stop);
  child.on('error', reject);
  child.on('close', (code) => {
    signal?.removeEventListener('abort', stop);
    resolve({ code, ...output });
  });
  return promise;
}
