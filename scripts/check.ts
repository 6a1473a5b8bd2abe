/** Runs every check that is not a test, as many at once as there are cores, and shows the output of those that fail. */
import { availableParallelism } from 'node:os';
import { run } from './lib/run.ts';
import { summaryLine } from './lib/summary.ts';

type Step = { readonly name: string; readonly command: readonly [string, ...string[]] };

const steps: readonly Step[] = [
  { name: 'layers', command: [process.execPath, 'scripts/layers.ts'] },
  { name: 'tidy', command: [process.execPath, 'scripts/tidy.ts'] },
  { name: 'types', command: ['tsc', '-p', '.'] },
  { name: 'biome', command: ['biome', 'ci', '--colors=off', '.'] },
  { name: 'oxlint', command: ['oxlint', '--type-aware', '--deny-warnings'] },
  { name: 'knip', command: ['knip', '--no-progress'] },
];

async function runStep({ name, command: [program, ...given] }: Step): Promise<boolean> {
  const startMs = performance.now();
  const { code, output } = await run(program, given, {
    quiet: true,
    env: { NO_COLOR: '1', FORCE_COLOR: '0' },
  });
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name.padEnd(8)} ${seconds.padStart(5)} s`);
  if (code !== 0) console.log(output.trimEnd());
  return code === 0;
}

let passed = 0;
const waiting = [...steps];

async function runWaiting(): Promise<void> {
  for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
    if (await runStep(step)) passed += 1;
  }
}

await Promise.all(Array.from({ length: availableParallelism() }, runWaiting));
const failed = steps.length - passed;
process.exitCode = failed === 0 ? 0 : 1;
console.log(summaryLine({ passed, failed, skipped: 0 }));
