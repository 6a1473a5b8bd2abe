/** What is answered about the policy set that requests are judged by. */
import type { PolicyInForce } from '@tallystick/contract';
import { defaultPolicyDocument, policySetHash, schemaHash } from '@tallystick/gate';
import type { CheckedRevision } from '@tallystick/ledger';
import { placeInLog } from './shown-revision.ts';

/** The id of the one subject of its type. */
export const policyId = 'policies';

/** `revision` is the newest of the log; undefined where the one that comes with the software is in force. */
export function policyAnswer(revision: CheckedRevision | undefined): PolicyInForce {
  const published = revision?.current?.document;
  const isPublished = revision !== undefined && published?.type === 'policy';
  const content = isPublished ? published : defaultPolicyDocument();
  const { schema, policies, approvals, durable, sessions } = content;
  return {
    schema,
    policies,
    approvals: approvals.map(({ above, ...rule }) => ({
      ...rule,
      above: above && {
        termDays: above.termDays ?? null,
        seats: above.seats ?? null,
        perHour: above.perHour ?? null,
        ...(above.keys === undefined ? {} : { keys: above.keys }),
      },
    })),
    durable,
    sessions,
    hashes: { policy: policySetHash(content), schema: schemaHash(content) },
    revision: isPublished ? placeInLog(revision) : null,
  };
}
