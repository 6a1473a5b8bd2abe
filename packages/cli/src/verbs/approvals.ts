/** `tally approval`: commands that wait for others. */
import type { ApprovalItem } from '@tallystick/contract';
import type { Command } from 'commander';
import type { Client } from '../client/client.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';
import { asNatural } from '../flags/values.ts';
import { describeApproval } from '../output/approvals.ts';
import { Session } from '../session.ts';
import { type MutationVerb, registerMutation } from './mutations.ts';
import { registerHistory, registerList } from './reads.ts';

const verbs: readonly MutationVerb[] = [
  {
    command: 'approval.request',
    name: 'request',
    summary: 'ask others to approve a command that is in a file',
    argument: null,
  },
  {
    command: 'approval.approve',
    name: 'approve',
    summary: 'approve a request of somebody else; the last approval carries it out',
    argument: 'approval',
  },
  {
    command: 'approval.reject',
    name: 'reject',
    summary: 'reject a request of somebody else, for good',
    argument: 'approval',
  },
  {
    command: 'approval.withdraw',
    name: 'withdraw',
    summary: 'withdraw a request of your own, for good',
    argument: 'approval',
  },
  {
    command: 'approval.execute',
    name: 'execute',
    summary: 'carry out what was approved, where that failed before',
    argument: 'approval',
  },
];

const SECONDS_DEFAULT = 3600;
const POLL_MS = 2000;

export function registerApprovals(program: Command, context: Context): void {
  const summary = 'commands that wait for the approval of others';
  const family = program.command('approval').summary(summary).description(`${summary}.`);
  registerList(family, context, 'approval');
  registerShow(family, context);
  registerHistory(family, context, 'approval');
  for (const verb of verbs) registerMutation(family, context, verb);
  registerWait(family, context);
}

function registerShow(family: Command, context: Context): void {
  const summary = 'show a request: what it would change now, who asked and why, and what is missing';
  const command = family.command('show').summary(summary).description(`${summary}.`).argument('<approval>');
  command.action(async (id: string) => {
    const session = new Session(context, command);
    const { value } = await session.admin().call('approval.get', { params: { id } });
    session.print.answer(value, () => describeApproval(value, session.print, context.now()));
  });
}

function registerWait(family: Command, context: Context): void {
  const command = family
    .command('wait')
    .summary('wait until a request is carried out, rejected or withdrawn')
    .description(
      'Wait until a request is carried out. The exit code is 1 where it is rejected, withdrawn or too late, or approved and not carried out, and 4 where it still waits in the end.',
    )
    .argument('<approval>')
    .option('--timeout <seconds>', 'how long to wait', asNatural, SECONDS_DEFAULT);
  command.action(async (id: string) => {
    const session = new Session(context, command);
    const { timeout } = command.opts<{ timeout: number }>();
    const item = await waitFor(session.admin(), id, context, timeout * 1000);
    session.print.answer(item, () => describeApproval(item, session.print, context.now()));
    const problem = problemOf(item);
    if (problem !== null) throw problem;
  });
}

/** The request once it is over, or once the time is. What was approved is given another look before it counts as stuck. */
async function waitFor(
  client: Client,
  id: string,
  context: Context,
  timeoutMs: number,
): Promise<ApprovalItem> {
  let wasApproved = false;
  for (let waited = 0; ; waited += POLL_MS) {
    const { value } = await client.call('approval.get', { params: { id } });
    const { state, notAfter } = value.document;
    const isOpen = state === 'pending' || (state === 'approved' && !wasApproved);
    const isLate = Date.parse(notAfter) <= context.now();
    if (!isOpen || isLate || waited >= timeoutMs || context.signal.aborted) return value;
    wasApproved = state === 'approved';
    await context.sleep(POLL_MS, context.signal);
  }
}

function problemOf({ document: { id, state, notAfter } }: ApprovalItem): CliError | null {
  if (state === 'executed') return null;
  const [exitCode, todo] =
    state === 'pending'
      ? [exitCodes.unavailable, `Wait on with tally approval wait ${id}; it ends at ${notAfter}.`]
      : state === 'approved'
        ? [exitCodes.refused, `See what stands in its way with tally approval execute ${id}.`]
        : [exitCodes.refused, 'Ask anew.'];
  return new CliError({ exitCode, code: 'not_executed', what: `The request ${id} is ${state}.`, todo });
}
