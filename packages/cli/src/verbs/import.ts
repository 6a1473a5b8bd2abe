/** `tally import`: customers and licenses from a CSV file. */
import { type Command, InvalidArgumentError } from 'commander';
import { patientRetries } from '../client/retry.ts';
import type { Context } from '../context.ts';
import { usageError } from '../errors.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { readText } from '../files.ts';
import { asNatural } from '../flags/values.ts';
import { type ImportOptions, type ImportSummary, importFile } from '../import/import-file.ts';
import { dryRunReport } from '../import/journal.ts';
import { outcomes } from '../import/row-importer.ts';
import type { Printer } from '../output/printer.ts';
import { properties } from '../output/table.ts';
import { Session } from '../session.ts';

interface ImportFlags {
  mapping: string;
  resume?: boolean;
  dryRun?: boolean;
  concurrency: number;
  report: string;
  licenses?: string;
  reason?: string;
}

const CONCURRENCY_DEFAULT = 64;
const CONCURRENCY_MAX = 1_024;

export function registerImport(program: Command, context: Context): void {
  const command = program
    .command('import')
    .summary('import customers and licenses from a CSV file')
    .description(
      [
        'Import customers and licenses from a CSV file, through a mapping that says which column means what.',
        '',
        'It may be run again at any time: what was imported is found again, and nothing is made twice.',
      ].join('\n'),
    )
    .argument('<file.csv>')
    .requiredOption('--mapping <mapping.yaml>', 'which column means what')
    .option('--resume', 'go on where an earlier run ended, instead of looking at every row again')
    .option('--dry-run', 'check every row and import nothing')
    .option('--concurrency <number>', 'rows in work at the same time', readConcurrency, CONCURRENCY_DEFAULT)
    .option(
      '--report <file.jsonl>',
      'where to write the rows that were refused, and why',
      'import-report.jsonl',
    )
    .option('--reason <text>', 'why, for the log')
    .option('--licenses <file.jsonl>', 'where to write the licenses that were made, with their license keys');
  command.action(async (file: string) => {
    await importRows(new Session(context, command), file, command.opts());
  });
}

async function importRows(session: Session, file: string, flags: ImportFlags): Promise<void> {
  if (flags.dryRun === true && flags.resume === true) {
    throw usageError('A dry run cannot be resumed.', 'Leave out --resume or --dry-run.');
  }
  const { context, print } = session;
  const mappingText = await readText(flags.mapping, context);
  const options: ImportOptions = {
    file,
    mappingPath: flags.mapping,
    mappingText,
    report: flags.dryRun === true ? dryRunReport(flags.report) : flags.report,
    licenses: flags.dryRun === true ? null : (flags.licenses ?? null),
    concurrency: flags.concurrency,
    dryRun: flags.dryRun === true,
    resume: flags.resume === true,
  };
  const { summary, error } = await importFile(
    options,
    session.admin({ retry: patientRetries, reason: flags.reason }),
    context,
    (line) => print.say(line),
  );
  if (error === null) {
    print.answer(summary, () => describeSummary(summary, print));
    context.setExitCode(exitCodeOf(summary));
    return;
  }
  if (!print.json) for (const line of describeSummary(summary, print)) print.say(line);
  const done = `Rows up to ${summary.done} of ${summary.rows} are done;`;
  const approval = error.options.details?.['approval'];
  throw error.ending(
    approval === undefined
      ? `${done} run it again with --resume to go on.`
      : `${done} wait with tally approval wait ${approval}, then run it again with --resume to go on.`,
  );
}

function exitCodeOf({ counts }: ImportSummary): ExitCode {
  return counts.refused + counts.incomplete === 0 ? exitCodes.ok : exitCodes.refused;
}

function describeSummary(summary: ImportSummary, print: Printer): string[] {
  const { counts, done, rows, seconds, rowsPerSecond, report, licenses } = summary;
  const failed = counts.refused + counts.incomplete;
  const shown = outcomes.filter((outcome) => counts[outcome] > 0);
  return [
    ...(summary.dryRun ? [print.style('yellow', 'A dry run: nothing was imported.')] : []),
    ...properties([
      ['rows', `${done} of ${rows}`],
      ...shown.map((outcome): [string, number] => [outcome, counts[outcome]]),
      ['time', `${seconds.toFixed(1)} s, ${rowsPerSecond} rows/s`],
      ['report', failed === 0 ? null : report],
      ['licenses', licenses],
    ]),
  ];
}

function readConcurrency(text: string): number {
  const number = asNatural(text);
  if (number >= 1 && number <= CONCURRENCY_MAX) return number;
  throw new InvalidArgumentError(`Give a number from 1 to ${CONCURRENCY_MAX}.`);
}
