import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Launch } from '@tallystick/signer';
import type { LoadResult } from './load-generator.ts';
import type { TargetName } from './targets.ts';

const STOP_MS_MAX = 10_000;

/** A server process under test; disposing it stops it. */
export interface ServerProcess extends AsyncDisposable {
  readonly pid: number;
  /** The JSON object that the server printed when it was ready, for the caller to read its fields. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** Sends SIGTERM, after ten seconds SIGKILL, and waits for the exit. */
  readonly stop: () => Promise<void>;
}

/** Where the load goes and with what. */
export interface LoadArguments {
  readonly port: number;
  readonly target: TargetName;
  readonly token: string;
  /** Path of a JSON array of customer ids. */
  readonly customers: string;
  readonly connections: number;
  readonly seconds: number;
  readonly warmupSeconds?: number;
  readonly plan?: string;
}

function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (hasExited(child)) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  await exited;
  clearTimeout(timer);
}

/** The first line that a process prints, as a JSON object. Throws when it exits or prints something else first. */
async function firstLine(child: ChildProcess, script: string): Promise<Record<string, unknown>> {
  if (child.stdout === null) throw new Error(`${script} has no stdout`);
  const lines = createInterface({ input: child.stdout });
  const abort = new AbortController();
  try {
    const line = await Promise.race([
      once(lines, 'line', { signal: abort.signal }).then(([text]) => String(text)),
      once(lines, 'close', { signal: abort.signal }).then(() => undefined),
    ]);
    if (line === undefined) throw new Error(`${script} ended before it was ready`);
    return JSON.parse(line) as Record<string, unknown>;
  } finally {
    abort.abort();
    lines.close();
    // What the server prints later must not fill the pipe and block it.
    child.stdout.resume();
  }
}

/**
 * Starts a TypeScript file under this Node.js and waits for its one JSON line on stdout. `script` is a file URL;
 * stderr is passed through.
 */
export async function startServer(
  script: URL,
  scriptArguments: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<ServerProcess> {
  const path = fileURLToPath(script);
  return startLaunch({ command: process.execPath, args: [path, ...scriptArguments], env }, path);
}

/** Starts a process that prints a line when it is ready; `name` is for people. */
export async function startLaunch({ command, args, env }: Launch, name: string): Promise<ServerProcess> {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child, 'spawn');
  const stop = (): Promise<void> => stopProcess(child);
  try {
    const ready = await firstLine(child, name);
    return { pid: child.pid as number, ready, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** `{ token: 'x', seconds: 4 }` as `--token x --seconds 4`. */
export function commandLine(options: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

/** Runs the load generator in a process of its own. Throws when it fails; failed requests are in the result. */
export async function runLoad(load: LoadArguments): Promise<LoadResult> {
  const child = spawn(
    process.execPath,
    [
      fileURLToPath(new URL('load.ts', import.meta.url)),
      ...commandLine({
        url: `http://127.0.0.1:${load.port}`,
        target: load.target,
        token: load.token,
        customers: load.customers,
        plan: load.plan ?? 'pro',
        connections: load.connections,
        seconds: load.seconds,
        warmup: load.warmupSeconds ?? 1,
      }),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`the load generator exited with ${code}`);
  return JSON.parse(output) as LoadResult;
}

/** Throws unless every response was a 2xx: a rate with failures in it is not a measurement. */
export function requireSuccess(result: LoadResult): LoadResult {
  if (result.firstFailure !== undefined || result.connectionErrors > 0 || result.responses === 0) {
    throw new Error(
      `the load failed: statuses ${JSON.stringify(result.statuses)}, ${result.connectionErrors} broken ` +
        `connections, first failure: ${result.firstFailure ?? 'none'}`,
    );
  }
  return result;
}
