/** `tally audit replay`: whether every logged change was allowed, by the policy of its time. */
import {
  type DecisionReplayOptions,
  type DecisionReplayReport,
  type RecoveryFound,
  replayDecisions,
} from '@tallystick/audit';
import { readStore } from '@tallystick/server';
import type { Command } from 'commander';
import { readPolicyFile } from '../access/policy-file.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { asInstant } from '../flags/values.ts';
import { openSystem } from '../local-system.ts';
import type { Printer } from '../output/printer.ts';
import { StepProgress } from '../output/step-progress.ts';
import { properties } from '../output/table.ts';
import { Session } from '../session.ts';

interface ReplayFlags {
  from?: string;
  to?: string;
  default?: string[];
  mayActAlone?: string[];
}

export function registerAuditReplay(audit: Command, context: Context): void {
  const command = audit
    .command('replay')
    .summary('decide every logged change again, by the policy of its time')
    .description(
      'Decide every logged change again, by the policy that was in force then and for the caller that the log knows. Reads only, and works beside a running system. The exit code is 2 when something does not fit.',
    )
    .option('--from <instant>', 'the first change to look at (default: the first)', asInstant)
    .option('--to <instant>', 'where to end (default: now)', asInstant)
    .option(
      '--default <file...>',
      'policies that came with other versions, for changes from before the log had one of its own',
    )
    .option('--may-act-alone <principal...>', 'principals whom the configuration lets act without approvals');
  command.action(async () => {
    const session = new Session(context, command);
    const { from = null, to = null, default: files = [], mayActAlone = [] } = command.opts<ReplayFlags>();
    const defaults = await Promise.all(files.map((file) => readPolicyFile(file, context)));
    const report = await replay(session, { from, to, defaults, mayActAlone });
    session.print.answer(report, () => describe(report, session.print));
    if (!report.ok) context.setExitCode(exitCodes.integrity);
  });
}

async function replay(
  { context, print, dataFolder }: Session,
  options: DecisionReplayOptions,
): Promise<DecisionReplayReport> {
  const { place, lookupOf } = await openSystem(dataFolder);
  await using store = await readStore(place);
  using progress = new StepProgress(context, print);
  return await replayDecisions(store, { ...options, lookupOf, onProgress: progress.onProgress });
}

function describe(
  { ok, findings, counts, size, recoveries }: DecisionReplayReport,
  print: Printer,
): string[] {
  return [
    ok
      ? print.style('green', 'CLEAN  Every change was allowed by the rules of its time.')
      : print.style('red', 'PROBLEM  A change was not decided as it should have been: nothing was changed.'),
    ...findings.map(({ index, kind, message }) => `${kind} at ${index}: ${message}`),
    ...recoveries.map((recovery) => print.style('yellow', recoveryLine(recovery))),
    ...properties([
      ['entries', size],
      ['changes', counts.commands],
      ['decided again', `${counts.decided}, under ${counts.policies} policies`],
      ['without a decision', counts.undecided],
      ['documents removed', counts.removed === 0 ? null : counts.removed],
      [
        'signed requests erased',
        counts.erasedRequests === 0
          ? null
          : `${counts.erasedRequests}, whose signatures nobody can check any more`,
      ],
    ]),
  ];
}

function recoveryLine({ index, at, why, principal, name, credential }: RecoveryFound): string {
  const who = name === null ? principal : `${name} (${principal ?? 'not carried out'})`;
  const how = credential === null ? '' : ` with invitation ${credential}`;
  return `let in by the authority at ${index}, ${at}: ${who} as administrator${how}${why === null ? '' : `, because: ${why}`}`;
}
