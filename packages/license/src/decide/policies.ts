import type { Change, Current } from '../change.ts';
import type { PolicyDropAccess, PolicyPublish } from '../gate-commands.ts';
import type { PolicyContent, PolicyDocument } from '../gate-documents.ts';
import { compareInstants } from '../time.ts';
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
  checkRevision(current, expectedRev);
  if (new Set(policies.map(({ id }) => id)).size !== policies.length)
    refuse('input_invalid', 'Two policies have the same id. Give each one of its own.', {
      path: '$.policies',
    });
  if (current !== undefined && nothingChanges(current.document, content)) refuseNoChange(current.document);
  const dropped = current?.document.accessDroppedBefore;
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
    // What is gone stays gone.
    ...(dropped !== undefined && { accessDroppedBefore: dropped }),
  };
  const type = current === undefined ? 'policy.created' : 'policy.updated';
  return [{ type, subject: { type: 'policy', id: ID }, rev, document, companion: null }];
}

/** Says in the policy, which both threads of every server follow, from when on access logs keep what was asked. */
export function dropAccess(
  view: View,
  { before, expectedRev }: PolicyDropAccess,
  env: Environment,
): Change[] {
  const current = view.subject('policy', ID);
  checkRevision(current, expectedRev);
  if (current === undefined)
    return refuse('state_forbids', 'The log has no policy yet. It gets one with its first administrator.');
  // What was said of that publication is not said of this.
  const { despiteShadow: _, ...document } = current.document;
  if (compareInstants(before, env.now) > 0)
    refuse('input_invalid', 'Only what was asked by now can be dropped. Name a time that has passed.', {
      path: '$.before',
    });
  const dropped = document.accessDroppedBefore;
  if (dropped !== undefined && compareInstants(before, dropped) <= 0)
    refuse('no_change', `Records from before ${dropped} are dropped already. There is nothing to do.`);
  const rev = current.rev + 1;
  const next: PolicyDocument = { ...document, rev, accessDroppedBefore: before };
  const subject = { type: 'policy', id: ID } as const;
  return [{ type: 'policy.updated', subject, rev, document: next, companion: null }];
}

function checkRevision(current: Current<'policy'> | undefined, expectedRev: number | undefined): void {
  if (expectedRev === undefined || expectedRev === (current?.rev ?? -1)) return;
  refuse(
    'revision_conflict',
    `The policy is at revision ${current?.rev ?? 'none'}. Read it again and retry.`,
    { path: '$.expectedRev' },
  );
}
