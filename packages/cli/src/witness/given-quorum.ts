/**
 * The quorum that a new system begins with, as its vendor wrote it: k of n witnesses, and k of n replayers or one of its own.
 * It is the one shape that a ceremony can change later, so no other is taken.
 */
import {
  type CosignerMember,
  decodeUtf8,
  formatQuorum,
  makeVerifierKey,
  noteSignatureType,
  type Policy,
  type PolicyGroup,
  parsePolicy,
} from '@tallystick/core';
import { type GivenQuorum, ownCosigners, type SystemAlgorithms } from '@tallystick/server';
import type { Context } from '../context.ts';
import { messageOf, usageError } from '../errors.ts';
import { readInput } from '../files.ts';

/** Reads a tlog-policy. Throws a usage error. */
export async function readGivenQuorum(file: string, context: Context): Promise<GivenQuorum> {
  const bytes = await readInput(file, context);
  try {
    return quorumOfPolicy(parsePolicy(decodeUtf8(bytes)));
  } catch (error) {
    throw usageError(
      `${file} is no policy to begin with: ${messageOf(error)}.`,
      'Correct the file; see the page on running a witness.',
    );
  }
}

/** Throws Error with a sentence without its period. */
function quorumOfPolicy(policy: Policy): GivenQuorum {
  if (policy.logs.length > 0)
    throw new Error('it has a log line, and the key of this log is only about to be made');
  if (policy.quorum === 'none') throw new Error('its quorum is none, and nobody would watch the log');
  const quorum = hasReplayers(policy)
    ? { witnesses: groupOf(policy, 'witnesses'), replayers: groupOf(policy, 'replayers') }
    : { witnesses: groupOf(policy, policy.quorum), replayers: null };
  const members = [...quorum.witnesses.members, ...(quorum.replayers?.members ?? [])];
  const twice = members.find(({ name }, at) => members.slice(at + 1).some((other) => other.name === name));
  if (twice !== undefined)
    throw new Error(`${twice.name} counts more than once: have all of its keys in one group, with "all"`);
  const counted = new Set(members.flatMap(({ vkeys }) => vkeys));
  const idle = policy.witnesses.find(({ vkey }) => !counted.has(vkey));
  if (idle !== undefined) throw new Error(`${idle.name} is not part of its quorum`);
  return quorum;
}

/**
 * The policy of the trust root that comes of a quorum, to be looked at before. Keys that are made with the system stand in it as
 * others of their kind.
 */
export function plannedPolicy(
  { witnesses, replayers }: GivenQuorum,
  { origin, algorithms }: { origin: string; algorithms: SystemAlgorithms },
): Policy {
  const own = ownCosigners(origin, { witnesses, replayers }).map(({ name }): CosignerMember => {
    const vkeys = algorithms.map((alg) => {
      const { type, length } = standIns[alg];
      return makeVerifierKey(name, type, crypto.getRandomValues(new Uint8Array(length)));
    });
    return { name, vkeys, url: null };
  });
  return parsePolicy(
    formatQuorum({ witnesses, replayers: replayers ?? { threshold: own.length, members: own } }),
  );
}

const standIns = {
  ed25519: { type: noteSignatureType.ed25519Cosignature, length: 32 },
  'ml-dsa-44': { type: noteSignatureType.mlDsa44Cosignature, length: 1312 },
} as const;

/** As a trust root has it: both groups, and both needed. */
function hasReplayers({ groups, quorum }: Policy): boolean {
  const top = groups.find(({ name }) => name === quorum);
  const parts = ['witnesses', 'replayers'];
  return (
    top?.threshold === parts.length &&
    top.members.length === parts.length &&
    parts.every((part) => top.members.includes(part) && groups.some(({ name }) => name === part))
  );
}

/** A quorum of one witness, or of one with several keys, is a group of it alone. */
function groupOf(policy: Policy, name: string): GivenQuorum['witnesses'] {
  const group = policy.groups.find((each) => each.name === name);
  if (group === undefined || keysOf(policy, group) !== null)
    return { threshold: 1, members: [memberOf(policy, name)] };
  return { threshold: group.threshold, members: group.members.map((member) => memberOf(policy, member)) };
}

function memberOf(policy: Policy, name: string): CosignerMember {
  const group = policy.groups.find((each) => each.name === name);
  const lines =
    group === undefined ? policy.witnesses.filter((each) => each.name === name) : keysOf(policy, group);
  if (lines === null)
    throw new Error(
      `${name} is a group of several cosigners within another group, and no ceremony could change that later`,
    );
  const [url = null, ...others] = new Set(lines.map((line) => line.url));
  const vkeys = lines.map(({ vkey }) => vkey);
  const named = vkeys[0]?.name ?? name;
  if (others.length > 0) throw new Error(`the keys of ${named} have different addresses`);
  if (url !== null && !(URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)))
    throw new Error(`${url} is not an http or https address`);
  return { name: named, vkeys, url };
}

/** The lines of a group that is one cosigner with all of its keys; null for any other group. */
function keysOf(policy: Policy, { members, threshold }: PolicyGroup): Policy['witnesses'] | null {
  const lines = policy.witnesses.filter(({ name }) => members.includes(name));
  const isOne = lines.length === members.length && new Set(lines.map(({ vkey }) => vkey.name)).size === 1;
  return isOne && threshold === members.length ? lines : null;
}
