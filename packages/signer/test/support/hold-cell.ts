/**
 * The signer as it is, and beside it somebody who got into its process. That somebody is told in one JSON line on
 * standard input what to try, and answers with a line that says how each attempt ended.
 */
import '../../src/main.ts';
import { spawnSync } from 'node:child_process';
import { lookup } from 'node:dns';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { open as openInspector } from 'node:inspector';
import { connect, createServer } from 'node:net';
import { Worker } from 'node:worker_threads';

export interface Wishes {
  files: string[];
  /** A port of 127.0.0.1 that is served. */
  port: number;
  /** Where to bind another socket. */
  socket: string;
}

/** `succeeded`, or the code of the error. */
export interface Attempts {
  read: string[];
  write: string[];
  child: string;
  worker: string;
  inspector: string;
  socket: string;
  tcp: string;
  name: string;
  /** Scopes of the permission model that are still wholly or partly open. */
  scopes: string[];
}

const scopes = ['fs.read', 'fs.write', 'net', 'child', 'worker', 'addon', 'wasi', 'inspector'];

async function attempt(act: () => unknown): Promise<string> {
  try {
    await act();
    return 'succeeded';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

async function attemptAll({ files, port, socket }: Wishes): Promise<Attempts> {
  const each = (act: (file: string) => unknown): Promise<string[]> =>
    Promise.all(files.map((file) => attempt(() => act(file))));
  return {
    read: await each((file) => readFileSync(file)),
    write: await each((file) => writeFileSync(`${file}.new`, '')),
    child: await attempt(() => spawnSync('true')),
    worker: await attempt(() => new Worker('', { eval: true })),
    inspector: await attempt(() => openInspector(0)),
    socket: await attempt(() => once(createServer().listen(socket), 'listening')),
    tcp: await attempt(() => once(connect(port, '127.0.0.1'), 'connect')),
    name: await attempt(
      () => new Promise((found, failed) => lookup('a.example', (e) => (e ? failed(e) : found(e)))),
    ),
    scopes: scopes.filter((scope) => process.permission.has(scope)),
  };
}

async function answer(line: Buffer): Promise<void> {
  const attempts = await attemptAll(JSON.parse(line.toString()) as Wishes);
  process.stdout.write(`${JSON.stringify(attempts)}\n`);
}

process.stdin.once('data', (line: Buffer) => void answer(line));
