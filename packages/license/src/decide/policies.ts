import type { Change } from '../change.ts';
import type { PolicyPublish } from '../gate-commands.ts';
import type { PolicyContent, PolicyDocument } from '../gate-documents.ts';
import { type Environment, refuse, type View } from './decision.ts';
import { nothingChanges, refuseNoChange } from './subjects.ts';

/** The one policy set of a namespace: what its principals may do. */

const ID = 'policies';

/** Publishes a policy set. Whether it is one that can be evaluated is for whoever evaluates it. */
export function publishPolicy(view: View, command: PolicyPublish, env: Environment): Change[] {
  const { schema, policies, approvals, durable, sessions } = command;
  const content: PolicyContent = { schema, policies, approvals, durable, sessions };
  const current = view.subject('policy', ID);
  const { expectedRev } = command;
  if (expectedRev !== undefined && expectedRev !== (current?.rev ?? -1)) {
    refuse(
      'revision_conflict',
      `The policy is at revision ${current?.rev ?? 'none'}. Read it again and retry.`,
      {
        path: '$.expectedRev',
      },
    );
  }
  if (new Set(policies.map(({ id }) => id)).size !== policies.length)
    refuse('input_invalid', 'Two policies have the same id. Give each one of its own.', {
      path: '$.policies',
    });
  if (current !== undefined && nothingChanges(current.document, content)) refuseNoChange(current.document);
  const rev = current === undefined ? 0 : current.rev + 1;
  const document: PolicyDocument = {
    v: 1,
    type: 'policy',
    ns: env.ns,
    id: ID,
    rev,
    crit: [],
    ...content,
    ...(command.despiteShadow === true && { despiteShadow: true }),
  };
  const type = current === undefined ? 'policy.created' : 'policy.updated';
  return [{ type, subject: { type: 'policy', id: ID }, rev, document, companion: null }];
}
