/** `tally custody` and `tally verify-report`: everything that happened to a license, and what proves it. */
import { type Command, Option } from 'commander';
import { writeNewFile } from '../ceremony/new-file.ts';
import type { Context } from '../context.ts';
import { CliError, usageError } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';
import { readInput } from '../files.ts';
import { asInstant } from '../flags/values.ts';
import {
  type CheckedReport,
  checkReport,
  demandProven,
  describeReport,
  exitCodeOfReport,
  missingCount,
  reportJson,
  reportPdf,
} from '../offline/custody-file.ts';
import { Session } from '../session.ts';

interface CustodyFlags {
  format: 'text' | 'json' | 'pdf';
  out?: string;
  from?: string;
  to?: string;
  withoutReads?: boolean;
  trustRoot?: string;
}

const exitCodeHelp =
  'Exit code: 0 sound; 1 sound, with something missing; 2 altered or not provable; 3 usage.';

export function registerCustody(program: Command, context: Context): void {
  const command = program
    .command('custody')
    .summary('show everything that happened to a license, with what proves it')
    .description(
      [
        'Fetch the chain of custody of a license: every change, with who asked for it and why, what allowed it, who signed ' +
          'it, and the proof that it is in the log. What comes is verified before it is shown or written.',
        '',
        exitCodeHelp,
      ].join('\n'),
    )
    .argument('<license>', 'id of a license')
    .addOption(
      new Option('--format <format>', 'json is the report itself, which tally verify-report takes')
        .choices(['text', 'json', 'pdf'])
        .default('text'),
    )
    .option(
      '--out <file>',
      'where to write it; never over another file (default: standard output; pdf needs it)',
    )
    .option('--from <instant>', 'show changes from then on in full', asInstant)
    .option('--to <instant>', 'show changes before then in full', asInstant)
    .option(
      '--without-reads',
      'leave out who read the license: what proves that tells of other requests, too, and is not for everybody',
    )
    .option('--trust-root <file>', 'what is trusted (default: that of client.json)');
  command.action(async (license: string) => {
    const session = new Session(context, command);
    const flags: CustodyFlags = command.opts();
    if (flags.format === 'pdf' && flags.out === undefined)
      throw usageError('A PDF is not written to a terminal.', 'Name a file with --out.');
    await show(session, license, flags);
  });
}

async function show(session: Session, license: string, flags: CustodyFlags): Promise<void> {
  const { context, print } = session;
  const { format, out, from, to } = flags;
  if (context.stderr.isTTY) print.say(`Fetching the report on ${license}`);
  const reads = flags.withoutReads !== true;
  const query = { reads, ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
  const { text } = await session.admin().call('license.custody', { params: { id: license }, query });
  if (context.stderr.isTTY) print.say('Verifying it');
  const report = await checkReport(new TextEncoder().encode(text), flags, session.dataFolder);
  demandAsked(report, license, flags);
  context.setExitCode(exitCodeOfReport(report.verification));
  if (out === undefined) {
    if (format === 'json' && !print.json) context.stdout.write(text);
    else print.answer(reportJson(report), () => describeReport(report, print));
    return;
  }
  const content =
    format === 'json' ? text : format === 'pdf' ? await reportPdf(report) : textFile(session, report);
  writeNewFile(out, content);
  const { sha256, verification } = report;
  const proven = demandProven(verification);
  const missing = missingCount(proven);
  print.answer({ license, path: out, format, sha256, revisions: proven.revisions.length, missing }, () => [
    `Wrote the chain of custody of ${license} to ${out}: ${proven.revisions.length} revisions, ${missing} gaps.`,
    `SHA-256 of the report: ${sha256}`,
  ]);
}

function textFile({ print }: Session, report: CheckedReport): string {
  return `${describeReport(report, print).join('\n')}\n`;
}

/** What came is what was asked for: throws CliError where it is not, or does not hold. */
function demandAsked({ verification }: CheckedReport, license: string, { from, to }: CustodyFlags): void {
  const proven = demandProven(verification);
  const isAsked = ({ at }: { at: string }): boolean =>
    (from === undefined || at >= from) && (to === undefined || at < to);
  const isRight =
    proven.license === license &&
    proven.revisions.every((revision) => revision.isShown === isAsked(revision));
  if (isRight) return;
  throw new CliError({
    exitCode: exitCodes.integrity,
    code: 'ALTERED',
    what: 'The server answered with another report than was asked for.',
    todo: 'Do not rely on it; ask those who run the server.',
  });
}

export function registerVerifyReport(program: Command, context: Context): void {
  const command = program
    .command('verify-report')
    .summary('verify a custody report, offline')
    .description(
      [
        'Verify a custody report in JSON without any network, and show what it proves.',
        '',
        exitCodeHelp,
      ].join('\n'),
    )
    .argument('<file>', 'a report; - for standard input')
    .option('--trust-root <file>', 'what is trusted (default: that of client.json)')
    .option('--pdf <file>', 'write what is proven as a PDF as well; never over another file');
  command.action(async (file: string) => {
    const session = new Session(context, command);
    const flags = command.opts<{ trustRoot?: string; pdf?: string }>();
    const report = await checkReport(await readInput(file, context), flags, session.dataFolder);
    if (flags.pdf !== undefined && report.verification.proven !== null)
      writeNewFile(flags.pdf, await reportPdf(report));
    session.print.answer(reportJson(report), () => describeReport(report, session.print));
    context.setExitCode(exitCodeOfReport(report.verification));
  });
}
