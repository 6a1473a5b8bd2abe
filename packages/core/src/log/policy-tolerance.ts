/**
 * What a policy tolerates, counted in people who run cosigners instead of in keys: two keys of one operator are one
 * will, and one power cut.
 */
import { isQuorum, type Policy } from './policy.ts';

export interface PolicyTolerance {
  /** Who has a key that counts, in the order of the policy. */
  operators: string[];
  /**
   * The fewest operators who together are a quorum; null where all of them are none. One fewer may collude in any
   * choice, and have no quorum among themselves.
   */
  quorumMin: number | null;
  /** The most operators who may be away, whoever they are, and the others still are a quorum. Negative where nobody may. */
  absentMax: number;
  /**
   * The fewest operators who have to sign two histories for both to have a quorum; 0 where two can come about among
   * honest ones. null where there is no quorum at all.
   */
  splitMin: number | null;
  /** Operators of whom every one alone is a quorum. */
  sufficient: string[];
  /** Operators without whom there is no quorum. */
  necessary: string[];
}

/** An operator who holds more than one of the members that a group counts. */
export interface CountedTwice {
  operator: string;
  group: string;
  members: string[];
}

/** Above so many operators, nothing is computed: every choice of them is looked at. */
export const operatorsMax = 16;

/**
 * The operator of a cosigner, as its key name says: C2SP has key names be addresses without a scheme, and what stands
 * before the first slash is whose address it is, in which upper and lower case are the same.
 */
export function operatorOfName(name: string): string {
  return (name.split('/', 1)[0] ?? name).toLowerCase();
}

/**
 * Computes exactly what a policy tolerates. `operatorOf` tells whose a witness is, by the name of its key. Returns
 * null for more than `operatorsMax` operators.
 */
export function toleranceOf(
  policy: Policy,
  operatorOf: (keyName: string) => string = operatorOfName,
): PolicyTolerance | null {
  const counted = countedWitnesses(policy);
  const operators = [...new Set(counted.map(({ vkey }) => operatorOf(vkey.name)))];
  if (operators.length > operatorsMax) return null;
  const namesOf = operators.map((operator) =>
    counted.filter(({ vkey }) => operatorOf(vkey.name) === operator).map(({ name }) => name),
  );
  const everybody = 2 ** operators.length - 1;
  const quorums = new Uint8Array(everybody + 1);
  for (let chosen = 0; chosen <= everybody; chosen++)
    quorums[chosen] = isQuorum(
      policy,
      new Set(namesOf.flatMap((names, at) => (has(chosen, at) ? names : []))),
    )
      ? 1
      : 0;
  const isEnough = (chosen: number): boolean => quorums[chosen] === 1;
  const minimal = minimalOf(quorums, operators.length);
  const sizes = minimal.map(countBits);
  return {
    operators,
    quorumMin: minimal.length === 0 ? null : Math.min(...sizes),
    absentMax: absentMax(isEnough, operators.length),
    splitMin: minimal.length === 0 ? null : splitMin(minimal),
    sufficient: operators.filter((_, at) => isEnough(1 << at)),
    necessary: operators.filter((_, at) => !isEnough(everybody & ~(1 << at))),
  };
}

/** Groups that count several members of one operator, other than a group that is one cosigner with its keys. */
export function countedTwice(
  policy: Policy,
  operatorOf: (keyName: string) => string = operatorOfName,
): CountedTwice[] {
  const owners = new Map<string, Set<string>>();
  for (const { name, vkey } of policy.witnesses) owners.set(name, new Set([operatorOf(vkey.name)]));
  const twice: CountedTwice[] = [];
  for (const { name, members, threshold } of policy.groups) {
    const ofMembers = members.map((member) => ({ member, by: owners.get(member) ?? new Set<string>() }));
    const everybody = new Set(ofMembers.flatMap(({ by }) => [...by]));
    owners.set(name, everybody);
    // Who has to sign with every key does not count for more by having several.
    if (threshold === members.length) continue;
    for (const operator of everybody) {
      const own = ofMembers.filter(({ by }) => by.has(operator) && by.size === 1).map(({ member }) => member);
      if (own.length > 1) twice.push({ operator, group: name, members: own });
    }
  }
  return twice;
}

/** The same policy, with one of its groups or witnesses as its quorum. Throws RangeError for a name that it lacks. */
export function policyOfGroup(policy: Policy, name: string): Policy {
  if (![...policy.groups, ...policy.witnesses].some((each) => each.name === name))
    throw new RangeError(`the policy has no group ${name}`);
  return { ...policy, quorum: name };
}

/**
 * What a quorum asks of witnesses alone: of a log that nobody can replay. `quorum` is of a trust root, which has a group of
 * that name.
 */
export function witnessPolicy(quorum: Policy): Policy {
  const policy = policyOfGroup(quorum, 'witnesses');
  return { ...policy, witnesses: countedWitnesses(policy) };
}

/** Whoever the quorum does not reach may be there or not. */
function countedWitnesses({ witnesses, groups, quorum }: Policy): Policy['witnesses'] {
  const reached = new Set([quorum]);
  for (const { name, members } of [...groups].reverse())
    if (reached.has(name)) for (const member of members) reached.add(member);
  return witnesses.filter(({ name }) => reached.has(name));
}

/** Quorums that nobody can be left out of. */
function minimalOf(quorums: Uint8Array, operators: number): number[] {
  const minimal: number[] = [];
  for (let chosen = 0; chosen < quorums.length; chosen++) {
    if (quorums[chosen] !== 1) continue;
    let isMinimal = true;
    for (let at = 0; at < operators && isMinimal; at++)
      if (has(chosen, at) && quorums[chosen & ~(1 << at)] === 1) isMinimal = false;
    if (isMinimal) minimal.push(chosen);
  }
  return minimal;
}

function absentMax(isEnough: (chosen: number) => boolean, operators: number): number {
  const everybody = 2 ** operators - 1;
  let fewest = operators + 1;
  for (let away = 0; away <= everybody; away++)
    if (!isEnough(everybody & ~away)) fewest = Math.min(fewest, countBits(away));
  return Math.min(fewest - 1, operators);
}

/** Each history needs a quorum, and an honest operator signs one of them: whoever is in both has to cheat. */
function splitMin(minimal: readonly number[]): number {
  let fewest = Number.POSITIVE_INFINITY;
  for (const [at, one] of minimal.entries())
    for (let other = at; other < minimal.length; other++)
      fewest = Math.min(fewest, countBits(one & (minimal[other] ?? 0)));
  return fewest;
}

function has(chosen: number, at: number): boolean {
  return (chosen & (1 << at)) !== 0;
}

function countBits(chosen: number): number {
  let count = 0;
  for (let rest = chosen; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}
