/** The quorum of a trust root as k of n witnesses and k of n replayers: the one shape that people can review. */
import { formatQuorum, parseJson, type QuorumContent, type TrustRoot } from '@tallystick/core';
import { refusal } from './refusal.ts';

/** Throws a refusal for a quorum of another shape, such as groups within groups. */
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
  const members = quorum.witnesses.filter((each) => group?.members.includes(each.name));
  return { threshold: group?.threshold ?? 0, members };
}
