/**
 * Runs the tests in Node and in a browser, and closes with a line of totals. Further arguments go to
 * Vitest: `npm test -- packages/core -t merkle`. With CI=true a skipped test counts as failed.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { providePeers } from '../test/interop/support/peers.ts';
import { run } from './lib/run.ts';
import { withRunFolder } from './lib/run-folder.ts';
import { type Summary, summaryLine } from './lib/summary.ts';
import { provideSystemPackages } from './lib/system-packages.ts';

const vitest = 'node_modules/vitest/vitest.mjs';
const allProjects = ['node', 'shared', 'browser'];
const endAfterReportMsMax = 20_000;
const reportName = 'report.json';
const mustRunAll = process.env['CI'] === 'true';

/** The parts of Vitest's JSON report that the totals need. */
type Report = {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
};

/** Where it is Node, that is two projects: what tests share in one of them, they do not in the other. */
function withShared(given: readonly string[]): readonly string[] {
  return namedProjects(given).includes('node') ? [...given, '--project=shared'] : given;
}

/** Returns the projects that the arguments choose, or all of them. */
function chosenProjects(given: readonly string[]): readonly string[] {
  const named = namedProjects(given);
  return named.length === 0 ? allProjects : allProjects.filter((each) => named.includes(each));
}

function namedProjects(given: readonly string[]): readonly string[] {
  return given.flatMap((each, index) => {
    if (each.startsWith('--project=')) return [each.slice('--project='.length)];
    return each === '--project' ? [given[index + 1] ?? ''] : [];
  });
}

/** What programs of others leave among temporary files, which the folder of a run takes with it. */
const foreign = /^\.?(?:org\.chromium|com\.google|playwright)/i;

/** Counts a project's tests by reading their files, since they cannot run. */
function countTests(project: string, given: readonly string[]): Promise<number> {
  const filters = given.filter((each) => !each.startsWith('-'));
  return withRunFolder(async (folder) => {
    const path = join(folder, reportName);
    const listing = ['list', `--json=${path}`, '--project', project, ...filters];
    const { code } = await run(process.execPath, [vitest, ...listing], { quiet: true });
    const listed: unknown = code === 0 ? readJson(path) : undefined;
    return Array.isArray(listed) ? listed.length : 0;
  });
}

/**
 * Runs Vitest and returns its totals, with at least one failure whenever it was not content. What is temporary lies in a
 * folder of the run: it goes with it, however the run ends, and what a test forgot there is seen.
 */
function runVitest(given: readonly string[]): Promise<Summary> {
  return withRunFolder(async (folder) => {
    const path = join(folder, reportName);
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${path}`];
    const overdue = new AbortController();
    const watch = setInterval(() => stopWhenOverdue(path, overdue), 1000);
    const { code } = await run(process.execPath, [vitest, 'run', ...reporters, ...given], {
      signal: overdue.signal,
      env: { TMPDIR: folder },
    });
    clearInterval(watch);
    const summary = withoutLitter(summarize(path), folder);
    if (code === 0 || summary.failed > 0) return summary;
    console.log(`Vitest ended with code ${code} although no test failed; this counts as one failure.`);
    return { ...summary, failed: 1 };
  });
}

/**
 * A process that a test left behind keeps the output of its worker open, and Vitest then waits for ever
 * after its report is written.
 */
function stopWhenOverdue(path: string, overdue: AbortController): void {
  const writtenMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  if (writtenMs === undefined || Date.now() - writtenMs < endAfterReportMsMax || overdue.signal.aborted)
    return;
  console.log('Vitest has reported but does not end; a test left a process behind.');
  overdue.abort();
}

/** Counts what was left in the folder as one failure, and names it. */
function withoutLitter(summary: Summary, folder: string): Summary {
  const left = readdirSync(folder).filter((name) => name !== reportName && !foreign.test(name));
  if (left.length === 0) return summary;
  console.log(
    `Tests left ${left.length} temporary files behind, which counts as one failure: ${left.join(', ')}`,
  );
  return { ...summary, failed: summary.failed + 1 };
}

function summarize(path: string): Summary {
  const report = readJson(path) as Report | undefined;
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
  // A file that does not load, or whose hooks fail, has no failed test to show for it.
  const brokenFiles = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((each) => each.status === 'failed'),
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenFiles.length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    console.log('Vitest left no report.');
    return undefined;
  }
}

// Most tests start processes of ours, which read and compile the same modules: that is half of what a start costs.
process.env['NODE_COMPILE_CACHE'] ??= resolve('node_modules/.cache/compile');
const given = withShared(process.argv.slice(2));
const wanted = chosenProjects(given);
const missing = await provideSystemPackages(wanted);
// What the last tests of a whole run need takes most of a minute to build. Where that fails, they say so.
if (given.length === 0 && wanted.includes('node')) providePeers().catch(() => undefined);
const unable = wanted.filter((project) => missing.some((each) => each.project === project));
let skipped = 0;
for (const project of unable) skipped += await countTests(project, given);
const exclusions = unable.map((project) => `--project=!${project}`);
const nothing: Summary = { passed: 0, failed: 0, skipped: 0 };
const ran = unable.length < wanted.length ? await runVitest([...given, ...exclusions]) : nothing;
const total: Summary = { ...ran, skipped: ran.skipped + skipped };
if (unable.length > 0)
  console.log(`Not run for want of system packages: ${unable.join(', ')} (${skipped} tests)`);
if (mustRunAll && total.skipped > 0) console.log(`CI=true: ${total.skipped} skipped tests count as failed.`);
// A project that cannot run is a failure even if it has no tests yet.
const strictlyFailed = Math.max(total.skipped, unable.length);
const counted = mustRunAll ? { ...total, failed: total.failed + strictlyFailed, skipped: 0 } : total;
process.exitCode = counted.failed > 0 ? 1 : 0;
console.log(summaryLine(counted));
