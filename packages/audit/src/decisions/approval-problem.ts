/** Whether others approved what the rules of the time wanted approved, and whether they could. */
import { actsAlone, applicableRules, type Directory, effectOf, policyContentHash } from '@tallystick/gate';
import type { CauseDocument, GateCauseDocument } from '@tallystick/ledger';
import {
  type ApprovalDocument,
  approversFor,
  bindingOf,
  hasEnoughApprovals,
  isErasedCommand,
  type PolicyDocument,
  rolesAt,
  standingApprovals,
} from '@tallystick/license';
import { asChange, requestIn } from './change-problem.ts';
import type { CountOf } from './hourly-limits.ts';
import type { LoggedChanges } from './logged-commands.ts';

/**
 * Returns what is wrong, as one sentence without its period; null where nothing is.
 *
 * @param mayActAlone principals whom a configuration let act without approvals
 * @param countOf as `HourlyLimits.take` counts
 */
export function approvalProblem(
  cause: CauseDocument,
  changes: LoggedChanges,
  directory: Directory,
  mayActAlone: readonly string[],
  countOf: CountOf,
): string | null {
  const { policy } = directory;
  // The rules that came with the software of the time may have been others.
  if (policy === null || cause.v === 1) return null;
  const request = requestIn(cause, changes.documents);
  const others = changes.documents.filter((each) => each.type === 'approval' && each !== request);
  if (others.some((each) => each.type === 'approval' && !isErasedCommand(each.command)))
    return `${cause.command} changed a request for approval that it is not about`;
  if (request !== undefined)
    return requestProblem(cause, request, { policy, directory, epoch: changes.epoch });
  if (cause.command === 'approval.execute') return 'no request for approval says that it was carried out';
  if (cause.approvals !== null) return 'it names approvals, and no request for them was carried out';
  return mayActAlone.includes(cause.who.id)
    ? null
    : unapprovedProblem(cause, changes, policy, directory, countOf);
}

/** What a request is in when it was touched by a command. */
const statesAfter: Partial<Record<string, readonly string[]>> = {
  'approval.request': ['pending'],
  'approval.approve': ['pending', 'approved'],
  'approval.reject': ['rejected'],
  'approval.withdraw': ['withdrawn'],
  'approval.execute': ['executed'],
};

function requestProblem(
  { command, who, approvals, at: now }: GateCauseDocument,
  request: ApprovalDocument,
  { policy, directory, epoch }: { policy: PolicyDocument; directory: Directory; epoch: number | null },
): string | null {
  if (statesAfter[command]?.includes(request.state) !== true)
    return `the request is ${request.state} after ${command}`;
  if (command === 'approval.reject' || command === 'approval.withdraw') return null;
  if (epoch !== null && request.epoch !== epoch)
    return 'the request is bound to another epoch of the namespace';
  if (now >= request.notAfter) return `the request waited until ${request.notAfter}`;
  if (request.policy !== policyContentHash(policy) || bindingOf(request.command, request) !== request.binding)
    return 'the request is bound to another command or policy';
  const wanted = approversFor(policy.approvals, request.command)?.approvers;
  if (JSON.stringify(wanted) !== JSON.stringify(request.approvers))
    return 'the policy asks for other approvers';
  if (command === 'approval.execute') {
    const given = request.approvals.map(({ principal, credential, at }) => ({ principal, credential, at }));
    if (JSON.stringify(given) !== JSON.stringify(approvals?.by))
      return 'others approved it than its cause says';
    const known = {
      principal: (id: string) => directory.principal(id),
      credential: (id: string) => directory.credential(id),
    };
    const stand = standingApprovals(request, now, known);
    return hasEnoughApprovals({ ...request, approvals: stand })
      ? null
      : 'not as many approvals as have to stood by then';
  }
  const added = command === 'approval.approve' ? request.approvals.at(-1) : undefined;
  if (added === undefined) return null;
  if (added.principal !== who.id) return `${who.id} approved it in the name of ${added.principal}`;
  const approver = directory.principal(who.id);
  const isSo = approver !== undefined && rolesAt(approver, added.at).includes(added.role);
  return isSo ? null : `${who.id} approved it as ${added.role}, and was none`;
}

function unapprovedProblem(
  { command: type, who, at }: GateCauseDocument,
  { documents, licenses, brake, namespace }: LoggedChanges,
  policy: PolicyDocument,
  directory: Directory,
  countOf: CountOf,
): string | null {
  if (who.kind === 'bootstrap' || who.kind === 'mirror') return null;
  const principal = (id: string) => directory.principal(id);
  const changes = documents.map(asChange);
  const effect = effectOf(changes, (kind, id) => (kind === 'license' ? licenses.get(id) : principal(id)));
  const proposed = { command: { type }, changes, effect, author: who.id, principal, brake, namespace };
  const [applicable] = applicableRules(policy.approvals, proposed, countOf);
  if (applicable === undefined || actsAlone(who.id, directory.people(), at)) return null;
  const asked = applicable.rule.approvers.map(({ role, count }) => `${count} of ${role}`).join(' and ');
  const { rule, because } = applicable;
  if (because === 'what') return `${asked} had to approve ${type}, and nobody did`;
  return `${asked} had to approve more than ${rule.above?.perHour} an hour of ${type}, this was number ${countOf(rule)}, and nobody did`;
}
