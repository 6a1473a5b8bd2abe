/**
 * Runs benchmarks and writes their sections of `bench/results.md`.
 *
 *     npm run bench -- [name…] [--rounds 3] [--seconds 4] [--connections 64] [--directory DIR] [--list] [--dry]
 *
 * Without names it runs all of them. `--directory` picks the disk (default: the temporary directory), `--dry`
 * prints without writing.
 */
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Bench, BenchContext } from './bench.ts';
import { describeEnvironment, measureDisk } from './environment.ts';
import { type ResultSection, renderSection, replaceSection } from './results.ts';

const BENCHES = new URL('benches/', import.meta.url);
const RESULTS = new URL('results.md', import.meta.url);
const SUFFIX = '.bench.ts';

type RunOptions = Pick<BenchContext, 'rounds' | 'seconds' | 'connections'> & { readonly directory: string };

/** The table of benchmarks is the folder itself: a file registers its bench by being there. */
function benchNames(): string[] {
  const files = readdirSync(BENCHES).filter((file) => file.endsWith(SUFFIX));
  return files.map((file) => file.slice(0, -SUFFIX.length)).toSorted();
}

async function loadBench(name: string): Promise<Bench> {
  const module = (await import(new URL(name + SUFFIX, BENCHES).href)) as { readonly bench: Bench };
  if (module.bench.name !== name) throw new Error(`${name}${SUFFIX} calls its bench ${module.bench.name}`);
  return module.bench;
}

/** Runs one bench in a fresh directory, which is removed whatever happens. */
async function runBench(bench: Bench, options: RunOptions, now: () => Date): Promise<ResultSection> {
  const directory = mkdtempSync(join(options.directory, 'tallystick-bench-'));
  try {
    const measuredAt = now();
    const environment = describeEnvironment(directory);
    const diskBefore = measureDisk(directory);
    const { rounds, seconds, connections } = options;
    const log = (line: string): void => console.error(`[${bench.name}] ${line}`);
    const blocks = await bench.run({
      directory,
      environment,
      disk: diskBefore,
      rounds,
      seconds,
      connections,
      log,
    });
    const diskAfter = measureDisk(directory);
    return { name: bench.name, title: bench.title, measuredAt, environment, diskBefore, diskAfter, blocks };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function readResults(): string {
  try {
    return readFileSync(RESULTS, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** Replaces the file in one step, so that an interrupted run cannot lose other benches' results. */
function writeSection(section: ResultSection): void {
  const draft = new URL(`${RESULTS.href}.draft`);
  writeFileSync(draft, replaceSection(readResults(), section));
  renameSync(draft, RESULTS);
}

function positiveInteger(text: string, name: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`--${name} must be a positive integer, not ${text}`);
  return value;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '4' },
      connections: { type: 'string', default: '64' },
      directory: { type: 'string', default: tmpdir() },
      list: { type: 'boolean', default: false },
      dry: { type: 'boolean', default: false },
    },
  });
  const known = benchNames();
  if (values.list) {
    console.log(known.join('\n'));
    return;
  }
  const unknown = positionals.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new Error(`no such bench: ${unknown.join(', ')}; there are: ${known.join(', ')}`);
  const options: RunOptions = {
    rounds: positiveInteger(values.rounds, 'rounds'),
    seconds: positiveInteger(values.seconds, 'seconds'),
    connections: positiveInteger(values.connections, 'connections'),
    directory: values.directory,
  };
  for (const name of positionals.length > 0 ? positionals : known) {
    const section = await runBench(await loadBench(name), options, () => new Date());
    console.log(renderSection(section));
    if (!values.dry) writeSection(section);
  }
}

await main();
