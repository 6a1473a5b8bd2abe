/** `tally status`: the state of the log, its quorum and its signer. */
import type { LogStatus } from '@tallystick/contract';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { type ExitCode, exitCodeOfProblem, exitCodes } from '../exit-codes.ts';
import { gateKeyLack } from '../governing/gate-key.ts';
import type { Printer } from '../output/printer.ts';
import { properties } from '../output/table.ts';
import { Session } from '../session.ts';

export function registerStatus(program: Command, context: Context): void {
  const command = program
    .command('status')
    .summary('show the state of the log, its quorum and its signer')
    .description(
      'Show the state of the log, its quorum and its signer. The exit code is 2 when the log is not the one that was signed, and else 4 when changes are refused, as by a server that follows a log which another one writes, the signer is away, or the log is late.',
    );
  command.action(async () => {
    const session = new Session(context, command);
    const { value } = await session.admin().call('log.status');
    const lack = gateKeyLack(value.namespace.gateFrom, value.size);
    session.print.answer(value, () => [
      ...describeStatus(value, session.print, context.now()),
      ...(lack === null ? [] : ['', lack]),
    ]);
    context.setExitCode(exitCodeOfStatus(value, context.now()));
  });
}

/**
 * Whether changes can be made and are published in time, and if not, whether that may pass. A single cosigner that is away may
 * be no harm.
 */
export function exitCodeOfStatus(
  { signer, pending, mutations }: Pick<LogStatus, 'signer' | 'pending' | 'mutations'>,
  nowMs: number,
): ExitCode {
  const reasons = mutations.reasons.map(({ code }) => exitCodeOfProblem(code));
  if (reasons.includes(exitCodes.integrity)) return exitCodes.integrity;
  const isInTime = pending.publishBy === null || Date.parse(pending.publishBy) >= nowMs;
  return mutations.ready && signer.connected && isInTime ? exitCodes.ok : exitCodes.unavailable;
}

function describeStatus(status: LogStatus, print: Printer, nowMs: number): string[] {
  const { namespace, origin, size, published, pending, signer, quorum, mutations } = status;
  const isLate = pending.publishBy !== null && Date.parse(pending.publishBy) < nowMs;
  const lines = properties([
    ['log', origin],
    ['namespace', `${namespace.ns} (${namespace.mode}), epoch ${namespace.epoch}, lock ${namespace.lock}`],
    ['entries', `${size} durable`],
    [
      'published',
      published === null ? 'nothing yet' : `${published.size} entries, current as of ${published.asOf}`,
    ],
    ['root', published?.root ?? null],
    ['server', serverText(status)],
    ['changes', mutations.ready ? 'taken' : `refused: ${mutations.reasons[0]?.detail ?? ''}`],
    ['pending', pendingText(pending, isLate)],
    ['approvals', approvalsText(status)],
    ...edgeRows(status),
    ['publishing', pending.trouble === null ? null : `fails: ${pending.trouble}`],
    [
      'signer',
      signer.connected ? `connected${signer.mark === null ? '' : `, mark at ${signer.mark.size}`}` : 'away',
    ],
  ]);
  const members = print.table(quorum, [
    { title: 'COSIGNER', value: ({ name }) => name },
    { title: 'GROUP', value: ({ group }) => group },
    { title: 'STATE', value: ({ state }) => state },
    { title: 'LAST COSIGNED', value: ({ lastSeenAt }) => lastSeenAt },
    { title: 'ERROR', value: ({ lastError }) => lastError },
  ]);
  return [...lines, '', ...members];
}

/** Without a second person four eyes are two. */
function approvalsText({ approvals: { people, bind } }: LogStatus): string {
  if (bind) return `rules bind (${people} active people)`;
  return people === 0 ? 'rules bind nobody yet' : 'rules bind nobody: this system has one person';
}

function edgeRows({ edge }: LogStatus): [string, string | null][] {
  const { networks, trustedProxies, trustDomains } = edge;
  return [
    ['networks', networks.join(', ') || null],
    ['proxies', trustedProxies === 0 ? null : `${trustedProxies} believed`],
    ['trust domains', trustDomains.join(', ') || null],
  ];
}

/** The address of another server that writes is in the reason for which this one takes no changes. */
function serverText({ writes, mutations }: LogStatus): string {
  if (writes) return 'writes this log';
  const follows = mutations.reasons[0]?.code === 'standby';
  return follows ? 'follows this log, which another one writes' : 'does not write this log at the moment';
}

function pendingText({ count, oldestAt, publishBy }: LogStatus['pending'], isLate: boolean): string {
  if (count === 0) return 'none';
  const due = publishBy === null ? '' : `, promised by ${publishBy}${isLate ? ' — LATE' : ''}`;
  return `${count}${oldestAt === null ? '' : ` since ${oldestAt}`}${due}`;
}
