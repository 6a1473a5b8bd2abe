import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout's root folder. */
export const root: string = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** Folders that hold nothing written by hand, wherever they appear. */
const generated: ReadonlySet<string> = new Set(['node_modules', '.git', 'coverage', 'dist', '.vite']);

/** Folders that hold nothing written by hand when they stand at the root. */
const generatedAtRoot: ReadonlySet<string> = new Set(['data']);

/** One finding of a check, tied to the place where it can be put right. */
export type Problem = {
  /** Path from the root, with forward slashes. */
  readonly path: string;
  /** Line number, from 1. */
  readonly line: number;
  readonly message: string;
};

/** Every hand-written file below `folder`, as sorted paths from the root with forward slashes. */
export function listFiles(folder = ''): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (generated.has(entry.name) || generatedAtRoot.has(path)) continue;
    if (entry.isDirectory()) found.push(...listFiles(path));
    else if (entry.isFile()) found.push(path);
  }
  return found.sort();
}

/** The text of a file named by its path from the root. */
export function readText(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** The line, from 1, that holds the character at `offset`. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line += 1;
  return line;
}

/**
 * Prints each problem as `path:line message`, then one closing line, and sets the exit code to 1 when
 * there was any.
 */
export function report(problems: readonly Problem[], whenClean: string): void {
  for (const { path, line, message } of problems) console.log(`${path}:${line} ${message}`);
  console.log(problems.length === 0 ? whenClean : `${problems.length} to put right`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
