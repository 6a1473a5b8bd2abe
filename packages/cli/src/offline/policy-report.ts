/** What a policy asks for and what it tolerates, in operators: for people and for programs. */
import {
  type CountedTwice,
  countedTwice,
  operatorOfName,
  operatorsMax,
  type Policy,
  type PolicyTolerance,
  policyOfGroup,
  toleranceOf,
} from '@tallystick/core';
import type { Printer } from '../output/printer.ts';
import { printable } from '../output/table.ts';

export interface PolicyReport {
  quorum: string;
  groups: { name: string; threshold: number; members: string[] }[];
  cosigners: ReportedCosigner[];
  /** Of the quorum, and of the groups that it is made of. null where there are too many operators to try all choices. */
  tolerance: { group: string; tolerates: PolicyTolerance | null }[];
  warnings: PolicyWarning[];
}

interface ReportedCosigner {
  name: string;
  operator: string;
  /** Algorithms of its keys. */
  keys: string[];
  url: string | null;
}

export interface PolicyWarning {
  code:
    | 'no_quorum'
    | 'operator_alone'
    | 'operator_alone_in_group'
    | 'counts_twice'
    | 'two_histories'
    | 'operator_needed'
    | 'not_computed';
  message: string;
}

/** `owners` has operators by the name of the cosigner's keys, where that name does not say whose it is. */
export function policyReport(policy: Policy, owners: ReadonlyMap<string, string> = new Map()): PolicyReport {
  const operatorOf = (name: string): string => owners.get(name) ?? operatorOfName(name);
  const parts = policy.groups.find(({ name }) => name === policy.quorum)?.members ?? [];
  const groups = parts.filter((part) => policy.groups.some(({ name }) => name === part));
  const tolerance = [policy.quorum, ...(isComposed(policy) ? groups : [])].map((group) => ({
    group,
    tolerates: toleranceOf(group === policy.quorum ? policy : policyOfGroup(policy, group), operatorOf),
  }));
  const twice = countedTwice(policy, operatorOf);
  return {
    quorum: policy.quorum,
    groups: policy.groups.filter(({ name }) => !isCosigner(policy, name)),
    cosigners: cosignersOf(policy, operatorOf),
    tolerance,
    warnings: warningsOf(policy, tolerance, twice),
  };
}

/** A quorum of witnesses and replayers is made of groups; one of cosigners with two keys each is not. */
function isComposed(policy: Policy): boolean {
  const { groups, quorum } = policy;
  const members = groups.find(({ name }) => name === quorum)?.members ?? [];
  return members.some((member) => groups.some(({ name }) => name === member) && !isCosigner(policy, member));
}

/** A group that is one cosigner with its keys. */
function isCosigner({ groups, witnesses }: Policy, name: string): boolean {
  const members = groups.find((group) => group.name === name)?.members ?? [];
  const keys = members.map((member) => witnesses.find((each) => each.name === member)?.vkey.name);
  return keys.length > 0 && keys.every((key) => key !== undefined && key === keys[0]);
}

function cosignersOf({ witnesses }: Policy, operatorOf: (name: string) => string): ReportedCosigner[] {
  return [...new Set(witnesses.map(({ vkey }) => vkey.name))].map((name) => {
    const own = witnesses.filter(({ vkey }) => vkey.name === name);
    const keys = own.map(({ vkey }) => vkey.alg);
    return { name, operator: operatorOf(name), keys, url: own[0]?.url ?? null };
  });
}

function warningsOf(
  { quorum }: Policy,
  tolerance: PolicyReport['tolerance'],
  twice: readonly CountedTwice[],
): PolicyWarning[] {
  if (quorum === 'none')
    return [{ code: 'no_quorum', message: 'It asks for nobody: the log can show any history to anybody.' }];
  const [whole, ...parts] = tolerance;
  if (whole?.tolerates == null) {
    const message = `More than ${operatorsMax} operators: what they tolerate was not computed.`;
    return [{ code: 'not_computed', message }];
  }
  const { sufficient, splitMin, necessary } = whole.tolerates;
  return [
    ...sufficient.map((operator): PolicyWarning => {
      return { code: 'operator_alone', message: `${operator} alone is a quorum.` };
    }),
    ...parts.flatMap(({ group, tolerates }) =>
      (tolerates?.sufficient ?? [])
        .filter((operator) => !sufficient.includes(operator))
        .map((operator): PolicyWarning => {
          return {
            code: 'operator_alone_in_group',
            message: `${operator} alone is all that ${group} needs.`,
          };
        }),
    ),
    ...twice.map(({ operator, group, members }): PolicyWarning => {
      const message = `${operator} counts ${members.length} times in ${group}: ${members.join(', ')}.`;
      return { code: 'counts_twice', message };
    }),
    ...(splitMin === 0
      ? [
          {
            code: 'two_histories' as const,
            message:
              'Two sets of operators who share nobody are enough each: two histories need nobody who cheats.',
          },
        ]
      : []),
    ...necessary.map((operator): PolicyWarning => {
      return { code: 'operator_needed', message: `Without ${operator} nothing is published.` };
    }),
  ];
}

export function describePolicy(report: PolicyReport, print: Printer): string[] {
  return [
    ...print.table(report.cosigners, [
      { title: 'COSIGNER', value: ({ name }) => name },
      { title: 'OPERATOR', value: ({ operator }) => operator },
      { title: 'KEYS', value: ({ keys }) => keys.join(' ') },
      { title: 'ADDRESS', value: ({ url }) => url },
    ]),
    '',
    ...report.groups.map(({ name, threshold, members }) => {
      const rule = threshold === members.length ? 'all' : `any ${threshold}`;
      const isQuorum = name === report.quorum ? ': that is the quorum' : '';
      return printable(`${name} is ${rule} of ${members.join(', ')}${isQuorum}`);
    }),
    '',
    ...toleranceLines(report),
    ...report.warnings.map(({ message }) => `${print.style('yellow', 'Warning:')} ${printable(message)}`),
  ];
}

/** A line for the quorum, and one for each group that it is made of. */
export function toleranceLines({ tolerance }: Pick<PolicyReport, 'tolerance'>): string[] {
  return tolerance.flatMap(({ group, tolerates }) => {
    if (tolerates === null || tolerates.quorumMin === null || tolerates.splitMin === null) return [];
    const { operators, quorumMin, absentMax, splitMin } = tolerates;
    const colluding = Math.max(quorumMin - 1, 0);
    return printable(
      `${group}: ${operators.length} ${operators.length === 1 ? 'operator' : 'operators'}; ` +
        `it takes ${quorumMin} to forge a quorum, so ${upTo(colluding)} may collude; ` +
        `two histories take ${splitMin === 0 ? 'nobody who signs both' : `${splitMin} who sign both`}; ` +
        `${upTo(Math.max(absentMax, 0))} may be away`,
    );
  });
}

function upTo(count: number): string {
  return count === 0 ? 'nobody' : `any ${count}`;
}
