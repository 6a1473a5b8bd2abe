/** `tally access log`: who asked for what, and whether what is kept of it is whole. */
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as after } from 'node:timers/promises';
import { AccessLogError, type AccessLogReport, SegmentReader, verifyAccessLog } from '@tallystick/access';
import { newestPolicy } from '@tallystick/audit';
import type { AccessItem, AccessPage } from '@tallystick/contract';
import { type Checkpoint, parseSignedCheckpoint, utf8 } from '@tallystick/core';
import { beginAccessLogAgain, readStore, type SystemDescription } from '@tallystick/server';
import { Mark, MarkError } from '@tallystick/signer';
import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { CliError, messageOf, usageError } from '../../errors.ts';
import { exitCodes } from '../../exit-codes.ts';
import { asInstant, asNatural } from '../../flags/values.ts';
import { type LocalSystem, openSystem } from '../../local-system.ts';
import { describeResult } from '../../output/results.ts';
import { StepProgress } from '../../output/step-progress.ts';
import { type Column, properties } from '../../output/table.ts';
import { Session } from '../../session.ts';

export function registerAccessLog(access: Command, context: Context): void {
  const log = access.command('log').summary('the log that is kept of requests');
  registerList(log, context);
  registerVerify(log, context);
  registerDrop(log, context);
  registerBeginAgain(log, context);
}

interface ListFlags {
  from: string;
  to?: string;
  principal?: string;
  resource?: string;
  request?: string;
  limit: number;
}

const PAGE_LENGTH = 200;

function registerList(parent: Command, context: Context): void {
  const command = parent
    .command('list')
    .summary('list requests, oldest first')
    .description(
      'List what was asked of the server in a span of time, by whom, and what became of it. Listing is recorded as well.',
    )
    .requiredOption('--from <instant>', 'not before', asInstant)
    .option('--to <instant>', 'before (default: now)', asInstant)
    .option('--principal <id>', 'only what this one asked')
    .option('--resource <id>', 'only what is about this one')
    .option('--request <id>', 'only this request')
    .option('--limit <number>', 'at most so many', asNatural, 50);
  command.action(async () => {
    const session = new Session(context, command);
    const { limit, to = new Date(context.now()).toISOString(), ...query } = command.opts<ListFlags>();
    const page = await readPages(session, { ...query, to }, limit);
    session.print.answer(page, () => session.print.table(page.items, columns));
    if (page.droppedBefore !== null && query.from < page.droppedBefore && !session.print.json)
      session.print.say(`Records from before ${page.droppedBefore} were dropped on purpose`);
    if (page.nextCursor !== null && !session.print.json)
      session.print.say(
        `There are more than these ${page.items.length}: raise --limit, or name a shorter span`,
      );
  });
}

async function readPages(
  session: Session,
  query: Omit<ListFlags, 'limit' | 'to'> & { to: string },
  wanted: number,
): Promise<AccessPage> {
  const items: AccessItem[] = [];
  let droppedBefore: string | null = null;
  let cursor: string | null = null;
  do {
    const limit = Math.max(1, Math.min(PAGE_LENGTH, wanted - items.length));
    const more: { cursor?: string } = cursor === null ? {} : { cursor };
    const { value } = await session.admin().call('access.list', { query: { ...query, limit, ...more } });
    items.push(...value.items);
    cursor = value.nextCursor;
    droppedBefore = value.droppedBefore;
  } while (cursor !== null && items.length < wanted);
  return { items, nextCursor: cursor, droppedBefore };
}

const columns: readonly Column<AccessItem>[] = [
  { title: 'NUMBER', value: ({ n }) => n, align: 'right' },
  { title: 'AT', value: ({ record }) => record.at },
  { title: 'WHO', value: ({ record }) => record.who?.id ?? null },
  { title: 'FROM', value: ({ record }) => record.address },
  { title: 'ROUTE', value: ({ record }) => record.route },
  { title: 'WHAT', value: ({ record }) => record.resource?.id ?? null },
  { title: 'STATUS', value: ({ record }) => record.status, align: 'right' },
  { title: 'CODE', value: ({ record }) => record.code },
];

interface Verified extends AccessLogReport {
  ok: true;
  file: string;
  /** What could not be looked at. */
  skipped: string[];
}

function registerVerify(parent: Command, context: Context): void {
  const command = parent
    .command('verify')
    .summary('check that the access log is whole and the one that was signed')
    .description(
      "Check the access log in the data folder: whose it is, its leaves, the records that they commit to, its checkpoints with the signatures of its key and of the witnesses, and its signer's mark. Reads only, and works beside a running system. Names the first thing that does not fit; the exit code is 2 then.",
    )
    .option('--file <file>', 'another file, such as one that was kept aside');
  command.action(async () => {
    const session = new Session(context, command);
    const report = await verify(session, command.opts<{ file?: string }>().file);
    session.print.answer(report, () => describe(report, session));
  });
}

async function verify(session: Session, other: string | undefined): Promise<Verified> {
  const { context, print } = session;
  const system = await openSystem(session.dataFolder);
  const { layout, chain } = system;
  const { access } = JSON.parse(readFileSync(layout.system, 'utf8')) as SystemDescription;
  if (access === undefined)
    throw usageError('This system keeps no access log yet.', 'It begins one at its next start.');
  const file = other ?? layout.access;
  const mark = other === undefined ? readMark(layout.signer.accessMark, access.origin) : null;
  using progress = new StepProgress(context, print);
  try {
    using reader = openReader(file, mark);
    const total = reader.size;
    const origin = other === undefined ? access.origin : originOf(reader, access.origin);
    const droppedBefore = await droppedBeforeOf(system);
    const report = await verifyAccessLog(reader, { origin, chain, mark, droppedBefore }, (index) => {
      if (index % 64 === 0) progress.onProgress({ step: 'leaves', done: index, total });
    });
    const unread = "The signer's mark was not compared: a running signer keeps it to itself.";
    return { ok: true, file, ...report, skipped: mark === null && other === undefined ? [unread] : [] };
  } catch (error) {
    if (!(error instanceof AccessLogError)) throw error;
    throw new CliError({
      exitCode: exitCodes.integrity,
      code: 'integrity',
      what: `The access log does not fit (${error.part}): ${error.message}.`,
      todo: 'Keep the file as it is, and find out who could write it: see docs/operating/access-log.md.',
    });
  }
}

/** How long a server may take to publish what it just logged, and how often that is looked at, in milliseconds. */
const publicationMs = 3000;
const pollMs = 100;

/** From when on access logs keep what was asked, as the published main log says. */
async function droppedBeforeOf(system: LocalSystem): Promise<string | null> {
  await using store = await readStore(system.place);
  // A running server drops as soon as that is logged, and publishes it a moment later.
  const size = await store.size();
  for (let waited = 0; waited < publicationMs; waited += pollMs) {
    if (((await store.checkpoint())?.size ?? 0) >= size) break;
    await after(pollMs);
  }
  try {
    return (await newestPolicy(store, system))?.accessDroppedBefore ?? null;
  } catch (error) {
    const why = messageOf(error);
    throw new CliError({
      exitCode: exitCodes.integrity,
      code: 'integrity',
      what: `Whether anything was dropped on purpose cannot be told: ${why}.`,
      todo: 'Run tally fsck, and find out who could write the main log.',
    });
  }
}

/** A log that is missing is as short as one can be. */
function openReader(file: string, mark: Checkpoint | null): SegmentReader {
  if (existsSync(file)) return SegmentReader.open(file);
  const signed = mark === null ? '' : `, and its signer signed ${mark.size} leaves`;
  throw new AccessLogError('tail', `${file} is missing${signed}`);
}

/** Name of a log that was kept aside, as its own newest checkpoint has it. */
function originOf(reader: SegmentReader, usual: string): string {
  const saved = reader.checkpoint();
  return saved === undefined ? usual : parseSignedCheckpoint(utf8(saved.note)).origin;
}

/** null while a signer holds it. */
function readMark(file: string, origin: string): Checkpoint | null {
  try {
    using mark = Mark.open(file, origin);
    return mark.checkpoint;
  } catch (error) {
    if (error instanceof MarkError) return null;
    throw error;
  }
}

function describe(report: Verified, session: Session): string[] {
  const { records, open, leaves, checkpoints, published, asOf, origin, skipped, dropped, droppedUpTo } =
    report;
  return [
    session.print.style('green', 'CLEAN  The access log is whole.'),
    ...properties([
      ['log', origin],
      ['records', open === 0 ? records : `${records}, and ${open} that no leaf commits to yet`],
      ['dropped', dropped === 0 ? null : `${dropped} of them, on purpose, the last of ${droppedUpTo}`],
      ['leaves', `${leaves}, published up to ${published}`],
      ['checkpoints', checkpoints],
      ['cosigned', asOf === null ? 'not yet' : new Date(asOf * 1000).toISOString()],
    ]),
    ...skipped,
  ];
}

interface DropFlags {
  before: string;
  reason?: string;
  dryRun?: boolean;
  idempotencyKey?: string;
}

function registerDrop(parent: Command, context: Context): void {
  const command = parent
    .command('drop')
    .summary('drop what was asked before a time, on purpose and for good')
    .description(
      'Drop the content of old segments of the access log, of every server of this log. Their leaves stay, so that what remains verifies, and verify and custody reports say what was dropped. It is a change in the main log, with who and why, and waits for the approval of another administrator unless the policy says otherwise. The configuration of a server says what may not be dropped yet.',
    )
    .requiredOption('--before <instant>', 'segments that are wholly from before then go', asInstant)
    .option('--reason <text>', 'why, for the log')
    .option('--dry-run', 'say whether it would be done and change nothing')
    .option('--idempotency-key <key>', 'makes it safe to repeat the command (default: a random UUID)');
  command.action(async () => {
    const session = new Session(context, command);
    const { before, reason, dryRun = false, idempotencyKey = context.newKey() } = command.opts<DropFlags>();
    const { value } = await session
      .admin()
      .call('policy.drop_access', {
        query: dryRun ? { dryRun } : { wait: 'published' },
        body: { before },
        idempotencyKey,
        ...(reason === undefined ? {} : { reason }),
      })
      .catch((error: unknown) => {
        throw error instanceof CliError ? error.withIdempotencyKey(idempotencyKey) : error;
      });
    session.print.answer(value, () => describeResult(value, session.print));
  });
}

function registerBeginAgain(parent: Command, context: Context): void {
  const command = parent
    .command('begin-again')
    .summary('begin another access log where the one before is lost')
    .description(
      'Begin another access log of a stopped system, under the next name. The file and the mark of the one before are kept beside. For a log whose newest file is gone for good: an older one put back is noticed, and nothing is written into it. Witnesses that run elsewhere have to be told of the new name.',
    )
    .option('--dry-run', 'say what would happen and change nothing');
  command.action(async () => {
    const session = new Session(context, command);
    const { dryRun = false } = command.opts<{ dryRun?: boolean }>();
    const system = await openSystem(session.dataFolder);
    demandStopped(system);
    const begun = beginAccessLogAgain(system.layout, { dryRun });
    session.print.answer({ ...begun, dryRun }, () => [
      `${dryRun ? 'Would begin' : 'Began'} ${begun.after}${begun.before === null ? '' : ` in the place of ${begun.before}`}.`,
      dryRun ? 'A dry run: nothing was changed.' : 'Start the system, and look at /readyz.',
    ]);
  });
}

function demandStopped({ layout, origin }: LocalSystem): void {
  try {
    Mark.open(layout.signer.mark, origin)[Symbol.dispose]();
  } catch (error) {
    throw usageError(
      `The mark of its signer cannot be opened: ${messageOf(error)}.`,
      'Stop the system first.',
    );
  }
}
