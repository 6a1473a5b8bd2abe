/** What a mutation did, for people. */
import type { ApprovalResult, LicenseResult, MutationResult } from '@tallystick/contract';
import type { Printer } from './printer.ts';

export function describeResult(result: MutationResult | LicenseResult, print: Printer): string[] {
  const key = 'licenseKey' in result ? result.licenseKey : undefined;
  return [
    ...result.changes.map(({ type, subject, rev, index }) => {
      const where = index === null ? '' : `, entry ${index} of the log`;
      return `${print.style('bold', type)}  ${subject.id}  revision ${rev}${where}`;
    }),
    standing(result, print),
    ...executionLines(result, print),
    ...(key === undefined
      ? []
      : [`License key: ${key}  (shown only now; whoever has it can fetch the license)`]),
    ...result.notes.filter(({ code }) => code !== 'dry_run').map(({ detail }) => detail),
  ];
}

/** What the last approval that was needed has brought about. */
function executionLines(result: MutationResult | LicenseResult | ApprovalResult, print: Printer): string[] {
  const execution = 'execution' in result ? result.execution : undefined;
  if (execution === undefined) return [];
  const { done, changes, problem } = execution;
  if (done)
    return [
      print.style('green', 'It was the last approval needed, and the command was carried out:'),
      ...changes.map(({ type, subject }) => `  ${type}  ${subject.id}`),
    ];
  const what = `It was the last approval needed, but the command was not carried out: ${problem?.detail ?? ''}`;
  return [print.style('red', what), 'The request stays approved: see tally approval execute.'];
}

function standing({ dryRun, published }: MutationResult, print: Printer): string {
  if (dryRun) return print.style('yellow', 'A dry run: nothing was changed.');
  if (published) return print.style('green', 'Durable and published.');
  return print.style('green', 'Durable: it cannot be lost. It is published with the next checkpoint.');
}
