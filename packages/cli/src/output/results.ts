/** What a mutation did, for people. */
import type { LicenseResult, MutationResult } from '@tallystick/contract';
import type { Printer } from './printer.ts';

export function describeResult(result: MutationResult | LicenseResult, print: Printer): string[] {
  const key = 'licenseKey' in result ? result.licenseKey : undefined;
  return [
    ...result.changes.map(({ type, subject, rev, index }) => {
      const where = index === null ? '' : `, entry ${index} of the log`;
      return `${print.style('bold', type)}  ${subject.id}  revision ${rev}${where}`;
    }),
    standing(result, print),
    ...(key === undefined
      ? []
      : [`License key: ${key}  (shown only now; whoever has it can fetch the license)`]),
    ...result.notes.filter(({ code }) => code !== 'dry_run').map(({ detail }) => detail),
  ];
}

function standing({ dryRun, published }: MutationResult, print: Printer): string {
  if (dryRun) return print.style('yellow', 'A dry run: nothing was changed.');
  if (published) return print.style('green', 'Durable and published.');
  return print.style('green', 'Durable: it cannot be lost. It is published with the next checkpoint.');
}
