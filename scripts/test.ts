/**
 * Runs the tests in Node and in a browser, and closes with a line of totals. Further arguments go to
 * Vitest: `npm test -- packages/core -t merkle`. With CI=true a skipped test counts as failed.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './lib/run.ts';
import { type Summary, summaryLine } from './lib/summary.ts';
import { provideSystemPackages } from './lib/system-packages.ts';

const vitest = 'node_modules/vitest/vitest.mjs';
const allProjects = ['node', 'browser'];
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

/** Returns the projects that the arguments choose, or all of them. */
function chosenProjects(given: readonly string[]): readonly string[] {
  const chosen = given.flatMap((each, index) => {
    if (each.startsWith('--project=')) return [each.slice('--project='.length)];
    return each === '--project' ? [given[index + 1] ?? ''] : [];
  });
  return chosen.length === 0 ? allProjects : allProjects.filter((each) => chosen.includes(each));
}

/** Counts a project's tests by reading their files, since they cannot run. */
async function countTests(project: string, given: readonly string[]): Promise<number> {
  const filters = given.filter((each) => !each.startsWith('-'));
  const listing = ['list', '--json', '--project', project, ...filters];
  const { code, output } = await run(process.execPath, [vitest, ...listing], { quiet: true });
  if (code !== 0) return 0;
  const listed: unknown = JSON.parse(output.slice(output.indexOf('[')));
  return Array.isArray(listed) ? listed.length : 0;
}

/** Runs Vitest and returns its totals, with at least one failure whenever it was not content. */
async function runVitest(given: readonly string[]): Promise<Summary> {
  const folder = mkdtempSync(join(tmpdir(), 'tallystick-test-'));
  try {
    const path = join(folder, 'report.json');
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${path}`];
    const { code } = await run(process.execPath, [vitest, 'run', ...reporters, ...given]);
    const summary = summarize(path);
    if (code === 0 || summary.failed > 0) return summary;
    console.log(`Vitest ended with code ${code} although no test failed; this counts as one failure.`);
    return { ...summary, failed: 1 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function summarize(path: string): Summary {
  const report = readReport(path);
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

function readReport(path: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Report;
  } catch {
    console.log('Vitest left no report.');
    return undefined;
  }
}

const given = process.argv.slice(2);
const wanted = chosenProjects(given);
const missing = await provideSystemPackages(wanted);
const unable = wanted.filter((project) => missing.some((each) => each.project === project));
let skipped = 0;
for (const project of unable) skipped += await countTests(project, given);
const exclusions = unable.map((project) => `--project=!${project}`);
const ran = await runVitest([...given, ...exclusions]);
const total: Summary = { ...ran, skipped: ran.skipped + skipped };
if (unable.length > 0)
  console.log(`Not run for want of system packages: ${unable.join(', ')} (${skipped} tests)`);
if (mustRunAll && total.skipped > 0) console.log(`CI=true: ${total.skipped} skipped tests count as failed.`);
const counted = mustRunAll ? { ...total, failed: total.failed + total.skipped, skipped: 0 } : total;
process.exitCode = counted.failed > 0 ? 1 : 0;
console.log(summaryLine(counted));
