/** The context of a real process: its streams, its environment, its clock, and SIGINT. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { setTimeout as after } from 'node:timers/promises';
import type { WriteStream } from 'node:tty';
import type { Context, Sink } from './context.ts';
import { interrupted } from './errors.ts';
import { exitCodes } from './exit-codes.ts';

export function processContext(setExitCode: (code: number) => void): Context {
  return {
    stdout: sinkOf(process.stdout),
    stderr: sinkOf(process.stderr),
    env: process.env,
    signal: interruption(),
    now: () => Date.now(),
    newKey: () => randomUUID(),
    readStdin,
    ask,
    openBrowser,
    sleep,
    setExitCode,
  };
}

/** Signals that come as close as this are one: a terminal and the launcher may both send it. */
const SAME_SIGNAL_MS = 500;

/** Aborted by the first SIGINT or SIGTERM, so that a command can end in order; a later one ends it at once. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  let abortedAt = 0;
  const onSignal = (): void => {
    if (controller.signal.aborted && Date.now() - abortedAt > SAME_SIGNAL_MS)
      process.exit(exitCodes.interrupted);
    if (controller.signal.aborted) return;
    abortedAt = Date.now();
    controller.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return controller.signal;
}

function sinkOf(stream: WriteStream): Sink {
  let hasReader = true;
  // A reader that has seen enough, such as head, closes the pipe. What the command does and how it ends stay as they
  // are: a script that asks for both would otherwise take a bad license for a good one.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    hasReader = false;
  });
  return {
    write: (text) => {
      if (hasReader) stream.write(text);
    },
    isTTY: stream.isTTY === true,
    columns: stream.isTTY === true ? stream.columns : null,
  };
}

async function readStdin(): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function ask(question: string, { hidden }: { hidden: boolean }): Promise<string | null> {
  if (process.stdin.isTTY !== true) return null;
  const { stderr } = process;
  if (hidden) stderr.write(question);
  // The line editor echoes what is typed into whatever it is given as its output.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const editor = createInterface({ input: process.stdin, output: hidden ? nowhere : stderr, terminal: true });
  const abandoned = new AbortController();
  editor.on('SIGINT', () => abandoned.abort());
  editor.on('close', () => abandoned.abort());
  try {
    return await editor.question(hidden ? '' : question, { signal: abandoned.signal });
  } catch {
    // It ends early for one reason: Ctrl-C or Ctrl-D.
    throw interrupted();
  } finally {
    editor.close();
    if (hidden) stderr.write('\n');
  }
}

const openers: Readonly<Partial<Record<NodeJS.Platform, string>>> = {
  linux: 'xdg-open',
  darwin: 'open',
  win32: 'explorer',
};

function openBrowser(url: string): Promise<boolean> {
  const opener = openers[process.platform];
  const { DISPLAY: x11, WAYLAND_DISPLAY: wayland } = process.env;
  const hasScreen = process.platform !== 'linux' || x11 !== undefined || wayland !== undefined;
  if (opener === undefined || !hasScreen) return Promise.resolve(false);
  return new Promise((resolve) => {
    // Its own errors would be written between the lines of this command.
    const child = spawn(opener, [url], { stdio: 'ignore', detached: true });
    child.once('error', () => resolve(false));
    child.once('spawn', () => resolve(true));
    child.unref();
  });
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await after(ms, undefined, { signal });
  } catch {
    // The only reason for which a timer ends early is the signal.
    throw interrupted();
  }
}
