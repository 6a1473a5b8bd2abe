/**
 * C2SP tlog-policy: which cosigners, in which groups, make a quorum.
 *
 *     witness <name> <vkey> [<url>]
 *     group <name> all|any|<k> <member>…
 *     quorum <name>|none
 */
import { base64 } from '../encoding/base64.ts';
import { parseDecimal } from '../encoding/bytes.ts';
import { failingAs, IntegrityError, malformed } from '../errors.ts';
import type { SignedCheckpoint } from './checkpoint.ts';
import { checkCosignature } from './cosignature.ts';
import { noteSignatureType, parseVerifierKey, type VerifierKey } from './note.ts';

export interface PolicyWitness {
  name: string;
  vkey: VerifierKey;
  url: string | null;
}

export interface PolicyGroup {
  name: string;
  threshold: number;
  /** Names of witnesses or groups defined before. */
  members: string[];
}

export interface Policy {
  logs: VerifierKey[];
  witnesses: PolicyWitness[];
  groups: PolicyGroup[];
  /** Name of a witness or a group, or `none`. */
  quorum: string;
}

const linesMax = 256;
const membersMax = 64;

/** Parses a policy; throws MALFORMED, with the number of the line that is wrong. */
export function parsePolicy(text: string): Policy {
  if (/[^\P{Cc}\n\t]/u.test(text)) throw malformed('policy with control characters');
  const lines = text.split('\n');
  if (lines.length > linesMax) throw malformed(`policy of more than ${linesMax} lines`);
  const policy: Policy = { logs: [], witnesses: [], groups: [], quorum: '' };
  const keys = new Set<string>();
  const names = new Set<string>();
  const members = new Set<string>();
  for (const [at, line] of lines.entries()) {
    failingAs('MALFORMED', `policy, line ${at + 1}`, () => {
      const [keyword, ...rest] = line.split(/[ \t]+/).filter((word) => word !== '');
      if (keyword === undefined || keyword.startsWith('#')) return;
      if (keyword === 'log') policy.logs.push(parseLogLine(rest, keys));
      else if (keyword === 'witness') policy.witnesses.push(parseWitnessLine(rest, keys, names));
      else if (keyword === 'group') policy.groups.push(parseGroupLine(rest, names, members));
      else if (keyword === 'quorum') policy.quorum = parseQuorumLine(rest, names, policy.quorum);
      else throw malformed(`${keyword} begins no line of a policy`);
    });
  }
  if (policy.quorum === '') throw malformed('policy without a quorum');
  return policy;
}

/**
 * Checks the cosignatures on a checkpoint and returns `asOf`: the largest time T in seconds such that the
 * cosignatures made at T or later satisfy the quorum alone. Throws QUORUM_UNMET where they do not,
 * and where a known cosigner's signature is wrong. A cosignature of time 0 never counts.
 */
export async function verifyQuorum(checkpoint: SignedCheckpoint, policy: Policy): Promise<number> {
  return quorumTimeOf(policy, await cosignatureTimes(checkpoint, policy));
}

/**
 * When each cosigner of the policy that signed a checkpoint says that it did, in seconds, by name; those of time 0 are
 * left out. Throws QUORUM_UNMET where a known cosigner's signature is wrong.
 */
export async function cosignatureTimes(
  checkpoint: SignedCheckpoint,
  policy: Policy,
): Promise<Map<string, number>> {
  const times = new Map<string, number>();
  for (const witness of policy.witnesses) {
    const check = await checkCosignature(checkpoint, witness.vkey);
    if (check.is === 'invalid') {
      throw new IntegrityError('QUORUM_UNMET', `cosignature of ${witness.name} is wrong`);
    }
    if (check.is === 'valid' && check.seconds > 0) times.set(witness.name, check.seconds);
  }
  return times;
}

/** As `quorumTime`; throws QUORUM_UNMET where there is none. */
export function quorumTimeOf(policy: Policy, times: ReadonlyMap<string, number>): number {
  const asOf = quorumTime(policy, times);
  if (asOf === undefined) {
    throw new IntegrityError(
      'QUORUM_UNMET',
      `${times.size} of ${policy.witnesses.length} cosigners are no quorum`,
    );
  }
  return asOf;
}

/** The largest T such that the cosigners with a time of at least T satisfy the quorum. */
export function quorumTime(policy: Policy, times: ReadonlyMap<string, number>): number | undefined {
  const newestFirst = [...new Set(times.values())].sort((a, b) => b - a);
  return newestFirst.find((time) => {
    const present = new Set([...times].filter(([, seconds]) => seconds >= time).map(([name]) => name));
    return isQuorum(policy, present);
  });
}

/** True where the named witnesses satisfy the policy. */
export function isQuorum(policy: Policy, present: ReadonlySet<string>): boolean {
  if (policy.quorum === 'none') return true;
  const satisfied = new Set(present);
  for (const group of policy.groups) {
    const count = group.members.filter((member) => satisfied.has(member)).length;
    if (count >= group.threshold) satisfied.add(group.name);
  }
  return satisfied.has(policy.quorum);
}

/** A key wrapped twice would count twice: duplicates are by key bytes, whatever their names. */
function addKey(vkey: VerifierKey, keys: Set<string>): void {
  const id = base64(vkey.key);
  if (keys.has(id)) throw malformed('the policy lists this key twice');
  keys.add(id);
}

function addName(name: string | undefined, names: Set<string>): string {
  if (name === undefined || name === 'none' || names.has(name))
    throw malformed(name === undefined ? 'a line without a name' : `the name ${name} is taken`);
  names.add(name);
  return name;
}

function parseLogLine(words: string[], keys: Set<string>): VerifierKey {
  if (words.length < 1 || words.length > 2) throw malformed('a log line has a key, and may have an address');
  const vkey = parseVerifierKey(words[0] as string);
  if (vkey.type === noteSignatureType.ed25519Cosignature) throw malformed('a log with a witness key');
  addKey(vkey, keys);
  return vkey;
}

function parseWitnessLine(words: string[], keys: Set<string>, names: Set<string>): PolicyWitness {
  if (words.length < 2 || words.length > 3)
    throw malformed('a witness line has a name and a key, and may have an address');
  const name = addName(words[0], names);
  const vkey = parseVerifierKey(words[1] as string);
  if (vkey.type === noteSignatureType.ed25519) throw malformed('a witness with a log key');
  addKey(vkey, keys);
  return { name, vkey, url: words[2] ?? null };
}

function parseGroupLine(words: string[], names: Set<string>, members: Set<string>): PolicyGroup {
  const [name, rule, ...listed] = words;
  if (listed.length < 1 || listed.length > membersMax)
    throw malformed(`a group has 1 to ${membersMax} members`);
  for (const member of listed) {
    if (!names.has(member)) throw malformed(`no line before defines ${member}`);
    if (members.has(member)) throw malformed(`${member} is a member of a group already`);
    members.add(member);
  }
  const threshold = rule === 'all' ? listed.length : rule === 'any' ? 1 : parseDecimal(rule ?? '');
  if (threshold < 1 || threshold > listed.length)
    throw malformed(`the threshold of group ${name} is not from 1 to ${listed.length}`);
  return { name: addName(name, names), threshold, members: listed };
}

function parseQuorumLine(words: string[], names: Set<string>, earlier: string): string {
  const [name, ...rest] = words;
  if (earlier !== '') throw malformed('there is a quorum line before');
  if (name === undefined || rest.length > 0) throw malformed('a quorum line has one name');
  if (name !== 'none' && !names.has(name)) throw malformed(`no line before defines ${name}`);
  return name;
}
