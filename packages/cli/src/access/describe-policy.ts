/** What verbs about policies print for people. */
import type { Flip, ShadowReport } from '@tallystick/contract';
import {
  type CellChange,
  outcomeOf,
  type PolicyComparison,
  type TableFailure,
} from '@tallystick/gate/policy';
import type { Printer } from '../output/printer.ts';
import { printable, properties } from '../output/table.ts';

export function describeFailures(failures: readonly TableFailure[], cases: number, print: Printer): string[] {
  if (failures.length === 0) return [print.style('green', `PASSED  ${cases} cases are decided as expected.`)];
  return [
    print.style('red', `FAILED  ${failures.length} of ${cases} cases are decided otherwise.`),
    ...print.table(failures, [
      { title: 'LINE', value: ({ line }) => line, align: 'right' },
      { title: 'ROLES', value: ({ input }) => input.principal.roles.join(' ') || '-' },
      { title: 'ACTION', value: ({ input }) => input.action },
      { title: 'EXPECTED', value: ({ expect }) => expect },
      { title: 'DECIDED', value: ({ decision }) => outcomeOf(decision) },
      {
        title: 'BECAUSE OF',
        value: ({ decision }) => [...decision.reasons, ...decision.errors].join(', ') || '-',
      },
    ]),
  ];
}

export function describeComparison(comparison: PolicyComparison, print: Printer): string[] {
  const { policies, schema, settings, cells } = comparison;
  const isSame = policies.length + schema.removed.length + schema.added.length + settings.length === 0;
  if (isSame) return ['Nothing is different.'];
  return [
    ...policies.flatMap(({ id, before, after }) => [
      print.style('bold', `policy ${id}`),
      ...describeLines(before ?? [], after ?? [], print),
    ]),
    ...(schema.removed.length + schema.added.length === 0
      ? []
      : [print.style('bold', 'schema'), ...describeLines(schema.removed, schema.added, print)]),
    ...settings.map((name) => print.style('bold', `${name} differ`)),
    '',
    ...describeCells(cells, print),
  ];
}

function describeLines(before: readonly string[], after: readonly string[], print: Printer): string[] {
  return [
    ...before
      .filter((line) => !after.includes(line))
      .map((line) => print.style('red', `  - ${printable(line)}`)),
    ...after
      .filter((line) => !before.includes(line))
      .map((line) => print.style('green', `  + ${printable(line)}`)),
  ];
}

function describeCells(cells: readonly CellChange[], print: Printer): string[] {
  if (cells.length === 0)
    return ['No verdict changes for plain requests: without product, state, amounts, network or device.'];
  return [
    `${cells.length} verdicts change for plain requests, of a caller with all proofs of its kind or with none:`,
    ...print.table(cells, [
      { title: 'ROLE', value: ({ role }) => role },
      { title: 'KIND', value: ({ kind }) => kind },
      { title: 'PROOFS', value: ({ proofs }) => proofs },
      { title: 'ACTION', value: ({ action }) => action },
      { title: 'BEFORE', value: ({ before }) => before },
      { title: 'AFTER', value: ({ after }) => after },
    ]),
  ];
}

export function describeShadow(report: ShadowReport, print: Printer): string[] {
  const { decisions, denied, allowed, unknown, dropped, flips, from, to, policy } = report;
  const head =
    denied + allowed === 0
      ? print.style('green', 'SAME  Every decision of the span would be the same.')
      : print.style(
          'yellow',
          `FLIPS  ${allowed} of ${decisions} decisions would allow what was denied, and ${denied} deny what was allowed.`,
        );
  return [
    head,
    ...(flips.length === 0 ? [] : print.table(flips, flipColumns)),
    ...properties([
      ['candidate', policy],
      ['decisions', decisions],
      ['from', from ?? 'the beginning'],
      ['to', to ?? 'now'],
      ['dropped', dropped === 0 ? null : `${dropped}, on purpose`],
      ['unknown', unknown === 0 ? null : `${unknown}, which could not be decided again`],
    ]),
  ];
}

const flipColumns = [
  { title: 'BECOMES', value: ({ was }: Flip) => (was === 'deny' ? 'ALLOWED' : 'denied') },
  { title: 'TIMES', value: ({ times }: Flip) => times, align: 'right' as const },
  { title: 'ACTION', value: ({ action }: Flip) => action },
  { title: 'PRINCIPAL', value: ({ principal }: Flip) => principal },
  { title: 'ROLES', value: ({ roles }: Flip) => roles.join(' ') || '-' },
  { title: 'PRODUCT', value: ({ product }: Flip) => product },
  {
    title: 'LAST',
    value: ({ at, log, n }: Flip) => `${at} (${log === 'main' ? 'entry' : 'request'} ${n})`,
  },
  {
    title: 'DECIDED BY',
    value: ({ reasons, errors }: Flip) => [...reasons, ...errors].join(', ') || 'nothing permits it',
  },
  { title: 'LACKS', value: ({ lacks }: Flip) => lacks },
];
