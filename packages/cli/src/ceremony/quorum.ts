/**
 * The quorum of a trust root as k of n witnesses and k of n replayers, each with all of its keys: the one shape that
 * people can review.
 */
import {
  type CosignerMember,
  formatQuorum,
  type Policy,
  parseJson,
  type QuorumContent,
  type TrustRoot,
} from '@tallystick/core';
import { refusal } from './refusal.ts';

/** Throws a refusal for a quorum of another shape, such as groups of several operators within groups. */
export function quorumOf(trust: TrustRoot): QuorumContent {
  const content = { witnesses: groupOf(trust, 'witnesses'), replayers: groupOf(trust, 'replayers') };
  const { quorum } = parseJson(trust.envelope.payload, new Set(['quorum'])) as { quorum: string };
  if (formatQuorum(content) === quorum) return content;
  throw refusal(
    `The quorum of version ${trust.version} is more than some of the witnesses and some of the replayers.`,
    'A ceremony takes no such quorum, because nobody could say in a line what it tolerates.',
  );
}

function groupOf({ quorum }: TrustRoot, name: string): QuorumContent['witnesses'] {
  const group = quorum.groups.find((each) => each.name === name);
  const members = (group?.members ?? []).map((member) => memberOf(quorum, member));
  return { threshold: group?.threshold ?? 0, members };
}

/** A cosigner of several keys is a group of its own. */
function memberOf({ witnesses, groups }: Policy, name: string): CosignerMember {
  const keys = groups.find((group) => group.name === name)?.members ?? [name];
  const own = witnesses.filter((each) => keys.includes(each.name));
  return { name, vkeys: own.map(({ vkey }) => vkey), url: own[0]?.url ?? null };
}
