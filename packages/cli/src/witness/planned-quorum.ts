/** What `tally init --policy` looks at before it makes anything: who would have to cosign, what that tolerates, who answers. */
import type { GivenQuorum, SystemAlgorithms } from '@tallystick/server';
import type { Context } from '../context.ts';
import { unreachable, usageError } from '../errors.ts';
import { describePolicy, type PolicyReport, policyReport } from '../offline/policy-report.ts';
import type { Printer } from '../output/printer.ts';
import { printable } from '../output/table.ts';
import { type AskedCosigner, askCosigners } from './ask-cosigners.ts';
import { plannedPolicy, readGivenQuorum } from './given-quorum.ts';

export interface PolicyFlags {
  policy?: string;
  allowUnreachable: boolean;
}

export interface PlannedQuorum {
  quorum: GivenQuorum;
  report: PolicyReport;
  /** Those that run elsewhere. */
  cosigners: AskedCosigner[];
}

/** null where no policy is given. Throws CliError for one that cannot be used, and where none of its cosigners answers. */
export async function planQuorum(
  { policy, allowUnreachable }: PolicyFlags,
  system: { origin: string; algorithms: SystemAlgorithms },
  context: Context,
): Promise<PlannedQuorum | null> {
  if (policy === undefined) {
    if (!allowUnreachable) return null;
    throw usageError('There is nobody who could be unreachable.', 'Give --policy with --allow-unreachable.');
  }
  const quorum = await readGivenQuorum(policy, context);
  const elsewhere = [...quorum.witnesses.members, ...(quorum.replayers?.members ?? [])];
  const cosigners = await askCosigners(elsewhere, context.signal);
  if (!allowUnreachable && cosigners.every(({ answers }) => !answers)) {
    throw unreachable(
      `Nobody who would have to cosign answers: ${cosigners.map(problemText).join('; ')}.`,
      'Correct the addresses, or see that they run; --allow-unreachable makes the system all the same.',
    );
  }
  return { quorum, report: policyReport(plannedPolicy(quorum, system)), cosigners };
}

export function describeQuorum({ report, cosigners }: PlannedQuorum, print: Printer): string[] {
  const away = cosigners.filter(({ answers }) => !answers);
  return [
    ...describePolicy(report, print),
    ...away.map(
      (cosigner) =>
        `${print.style('yellow', 'Warning:')} ${printable(problemText(cosigner))}: it does not answer.`,
    ),
  ];
}

/** What those who run the cosigners have to do. `accessKey` is that of the log of requests. */
export function stepsForCosigners({ quorum }: PlannedQuorum, trustRoot: string, accessKey: string): string[] {
  const { replayers } = quorum;
  return [
    'Nothing is published before its quorum cosigns. Send whoever runs a witness the trust root, for both logs:',
    '',
    `  tally witness add-log --from ${trustRoot}`,
    `  tally witness add-log --vkey ${accessKey}`,
    '',
    ...(replayers === null ? [] : ['Replayers need the mirror token, too: see running-a-mirror.md.', '']),
  ];
}

function problemText({ name, problem }: AskedCosigner): string {
  return `${name} (${problem})`;
}
