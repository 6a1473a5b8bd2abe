/** `tally audit signer`: whether the signer's journal and the log explain each other. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { auditSigner, type Incident, type SignerAuditReport } from '@tallystick/audit';
import { readStore } from '@tallystick/server';
import { type JournalPosition, Mark, MarkError } from '@tallystick/signer';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { usageError } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';
import { openSystem } from '../local-system.ts';
import type { Printer } from '../output/printer.ts';
import { StepProgress } from '../output/step-progress.ts';
import { properties } from '../output/table.ts';
import { Session } from '../session.ts';
import { registerAuditReplay } from './audit-replay.ts';

interface AuditFlags {
  all?: boolean;
  signer?: string[];
}

export function registerAudit(program: Command, context: Context): void {
  const audit = program.command('audit').summary('check what was signed and allowed against what was logged');
  registerAuditReplay(audit, context);
  const command = audit
    .command('signer')
    .summary("check the signer's journal against the log, both ways")
    .description(
      "Check the signer's journal: its chain, that the signer signed every record of the log, and that everything it " +
        'signed is in the log or accounted for. Reads only, and works beside a running system. The exit code is 2 ' +
        'when there is an incident.',
    )
    .option('--all', 'go on behind the first incident, and list up to 100')
    .option(
      '--signer <folder...>',
      'where the journal and mark.db are; of a log that several signers share, the folders of all of them (default: signer/ in the data folder)',
    );
  command.action(async () => {
    const session = new Session(context, command);
    const report = await check(session, command.opts<AuditFlags>());
    session.print.answer(report, () => describe(report, session.print));
    if (!report.ok) context.setExitCode(exitCodes.integrity);
  });
}

async function check(session: Session, flags: AuditFlags): Promise<SignerAuditReport> {
  const { context, print } = session;
  const { layout, place, origin } = await openSystem(session.dataFolder);
  const folders = flags.signer?.map((folder) => ({
    journal: join(folder, 'journal'),
    mark: join(folder, 'mark.db'),
  }));
  const [first, ...others] = (folders ?? [layout.signer]).map(({ journal, mark }) => {
    if (!existsSync(journal)) {
      throw usageError(
        `There is no journal at ${journal}.`,
        'A signer makes one at its start; where it has a folder of its own, name that with --signer.',
      );
    }
    return { journal, known: readPosition(mark, origin) };
  });
  if (first === undefined) throw usageError('--signer names no folder.', 'Name one, or leave it out.');
  await using store = await readStore(place);
  using progress = new StepProgress(context, print);
  const report = await auditSigner(
    { store, origin, ...first, others },
    { all: flags.all === true, onProgress: progress.onProgress },
  );
  const unread =
    "The end of the journal was not compared with the signer's mark: a running signer keeps it to itself.";
  return [first, ...others].some(({ known }) => known === null)
    ? { ...report, skipped: [...report.skipped, unread] }
    : report;
}

/** null while a signer holds the mark, and where there is none or it remembers no journal. */
function readPosition(file: string, origin: string): JournalPosition | null {
  try {
    using mark = Mark.open(file, origin);
    return mark.journal;
  } catch (error) {
    if (error instanceof MarkError) return null;
    throw error;
  }
}

function describe(report: SignerAuditReport, print: Printer): string[] {
  const { ok, incidents, counts, journal, others, size, published, skipped } = report;
  const verdict = ok
    ? print.style('green', 'CLEAN  Journal and log explain each other.')
    : print.style('red', 'INCIDENT  Journal and log do not explain each other: nothing was changed.');
  return [
    verdict,
    ...incidents.map((incident) => describeIncident(incident, others.length > 0)),
    ...properties([
      ['entries', `${size}, published up to ${published ?? 'nothing yet'}`],
      ...[journal, ...others].flatMap(({ file, lines, from, head }): [string, string][] => [
        ['journal', `${others.length > 0 ? `${file}, ` : ''}${lines} lines, answers from entry ${from} on`],
        ['head', head],
      ]),
      [
        'records',
        `${counts.signed} signed, ${counts.adopted} adopted, ${counts.earlier} from before the journal`,
      ],
      ['in flight', counts.pending],
      ['abandoned', counts.abandoned],
      ['checkpoints', counts.checkpoints],
      ['promises', counts.promises],
      ['refusals', counts.refused],
      ['starts', counts.starts],
    ]),
    ...report.abandoned.map(
      ({ at, cause, index, count }) => `abandoned ${at}: ${count} from entry ${index} on (${cause})`,
    ),
    ...report.refusals.map(
      ({ at, request, reason, count, message }) =>
        `refused ${at}: ${request} (${reason}) ${count} times: ${message}`,
    ),
    ...skipped,
  ];
}

function describeIncident(
  { kind, journal, line, index, at, message }: Incident,
  isOfSeveral: boolean,
): string {
  const where = [
    isOfSeveral ? journal : null,
    line === null ? null : `line ${line}`,
    index === null ? null : `entry ${index}`,
    at === null ? null : at,
  ].filter((each) => each !== null);
  return `${kind}${where.length === 0 ? '' : ` at ${where.join(', ')}`}: ${message}`;
}
