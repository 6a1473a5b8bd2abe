import { base64, domainHash, hashDomain, utf8 } from '@tallystick/core';
import type { Change, Current } from '../change.ts';
import type { Command } from '../commands.ts';
import type { Instant } from '../documents.ts';
import { ModelError } from '../errors.ts';
import type {
  ApprovalApprove,
  ApprovalExecute,
  ApprovalReject,
  ApprovalRequest,
  ApprovalWithdraw,
} from '../gate-commands.ts';
import type {
  ApprovalDocument,
  ApprovalRule,
  CredentialDocument,
  Approval as GivenApproval,
  PrincipalDocument,
} from '../gate-documents.ts';
import { hasEnoughApprovals } from '../gate-records.ts';
import { parseSignedCommand } from '../parse/signed-commands.ts';
import { actionsOf, isSignedCommand } from '../signed-commands.ts';
import { addDuration, compareDurations, compareInstants } from '../time.ts';
import { type Environment, type GateEnvironment, refuse, type View } from './decision.ts';
import { rolesAt } from './principals.ts';
import { expected, firstChange, nextChange } from './subjects.ts';

/** Four eyes: a command waits until others have approved exactly it, under exactly these rules. */

/** Of the command as JSON: with it the request has to stay a document, also once it is approved. */
const SIGNED_LENGTH_MAX = 240_000;

const bindingDomain = hashDomain('tallystick/approval/v1');

/** Decides the command that waits, as if it had been asked for now. */
export type DecideInner = (view: View, command: Command, env: Environment) => Change[];

/** What approvals are for: this command under this policy in this epoch of the namespace. */
export function bindingOf(
  command: Record<string, unknown>,
  { policy, epoch }: { policy: string; epoch: number },
): string {
  return base64(domainHash(bindingDomain, utf8(`${JSON.stringify(command)}\0${policy}\0${epoch}`)));
}

/** What the rules ask for before a command is carried out; null where none speaks of it. */
export function approversFor(
  rules: readonly ApprovalRule[],
  command: { type?: unknown; namespace?: unknown },
): Pick<ApprovalRule, 'approvers' | 'within'> | null {
  const names = actionsOf(command);
  const applicable = rules.filter(({ actions }) => names.some((name) => actions.includes(name)));
  const [first, ...others] = applicable;
  if (first === undefined) return null;
  const counts = new Map<string, number>();
  for (const { role, count } of applicable.flatMap(({ approvers }) => approvers))
    counts.set(role, Math.max(count, counts.get(role) ?? 0));
  const within = others.reduce(
    (least, { within: next }) => (compareDurations(next, least) < 0 ? next : least),
    first.within,
  );
  return { approvers: [...counts].map(([role, count]) => ({ role, count })), within };
}

/** What a command that waits changes by decision: what was signed elsewhere is put into the log behind it, as it is. */
function waitingChanges(
  decideInner: DecideInner,
  view: View,
  command: Record<string, unknown>,
  env: Environment,
): Change[] {
  if (!isSignedCommand(command)) return decideInner(view, command as unknown as Command, env);
  try {
    parseSignedCommand(command);
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    refuse('input_invalid', `${error.message}. Correct it and try again.`, { path: error.path });
  }
  if (JSON.stringify(command).length > SIGNED_LENGTH_MAX)
    refuse(
      'limit_exceeded',
      `What was signed elsewhere waits only up to ${SIGNED_LENGTH_MAX} characters. Hand in fewer versions at once.`,
      { path: '$.command' },
    );
  return [];
}

/** Stores a command that could be carried out now, were it not for the approvals. */
export function requestApproval(decideInner: DecideInner) {
  return (view: View, request: ApprovalRequest, env: Environment): Change[] => {
    const gate = gateOf(env);
    const command = request.command as unknown as Command;
    if (command.type.startsWith('approval.'))
      refuse(
        'input_invalid',
        'A request for approval waits for no approval itself. Send the command as it is.',
        { path: '$.command' },
      );
    const rule = approversFor(gate.approvals, command);
    if (rule === null)
      return refuse('approval_not_needed', `Nobody has to approve ${command.type}. Ask for it directly.`, {
        path: '$.command.type',
      });
    const customers = customersOf(view, waitingChanges(decideInner, view, request.command, env));
    const notAfter = addDuration(env.now, rule.within);
    const { principal, credential, session } = gate.actor;
    const document: ApprovalDocument = {
      v: 1,
      type: 'approval',
      ns: env.ns,
      id: env.newId('apr'),
      rev: 0,
      crit: [],
      state: 'pending',
      author: { principal, credential, session },
      command: request.command,
      why: gate.why,
      binding: bindingOf(request.command, { policy: gate.policy, epoch: env.epoch }),
      policy: gate.policy,
      epoch: env.epoch,
      approvers: rule.approvers,
      notAfter,
      approvals: [],
      rejected: null,
      ...(customers.length > 0 && { customers }),
    };
    return [firstChange('approval.created', document)];
  };
}

export function approve(view: View, command: ApprovalApprove, env: Environment): Change[] {
  const { actor } = gateOf(env);
  const current = openRequest(view, command, env);
  checkBinding(current.document, env);
  const { author, approvals } = current.document;
  if (author.principal === actor.principal)
    refuse('own_request', 'Nobody approves what they asked for themselves. Ask somebody else.');
  if (approvals.some(({ principal }) => principal === actor.principal))
    refuse('no_change', 'You have approved this request already. There is nothing to do.');
  const role = roleThatCounts(view, current.document, env);
  const { principal, credential, session } = actor;
  const given: GivenApproval = { principal, credential, session, role, at: env.now };
  const next = { ...current.document, approvals: [...approvals, given] };
  const state = hasEnoughApprovals(standing(view, next, env)) ? 'approved' : 'pending';
  return [nextChange('approval.approved', current, { state, approvals: next.approvals })];
}

/** A role of the actor's that is still wanted; its own roles, at this moment, for everything. */
function roleThatCounts(view: View, request: ApprovalDocument, env: Environment): string {
  const own = view.subject('principal', gateOf(env).actor.principal)?.document;
  const roles = own === undefined ? [] : rolesAt(own, env.now);
  const { approvals } = standing(view, request, env);
  const wanted = request.approvers.filter(
    ({ role, count }) => approvals.filter((each) => each.role === role).length < count,
  );
  const found = wanted.find(({ role }) => roles.includes(role));
  if (found !== undefined) return found.role;
  const names = wanted.map(({ role }) => role).join(', ');
  const message =
    names === ''
      ? 'This request waits for nobody any more. Have it carried out, or withdraw it.'
      : `This request waits for ${names}. Somebody with such a role has to look at it.`;
  return refuse('not_an_approver', message, { path: '$.approval' });
}

function standing(view: View, request: ApprovalDocument, { now }: Environment): ApprovalDocument {
  const known = {
    principal: (id: string) => view.subject('principal', id)?.document,
    credential: (id: string) => view.subject('credential', id)?.document,
  };
  return { ...request, approvals: standingApprovals(request, now, known) };
}

/** Those of its approvals that count at an instant: not of whoever was disabled, lost the role or its credential. */
export function standingApprovals(
  { approvals }: Pick<ApprovalDocument, 'approvals'>,
  at: Instant,
  known: {
    principal: (id: string) => PrincipalDocument | undefined;
    credential: (id: string) => CredentialDocument | undefined;
  },
): GivenApproval[] {
  return approvals.filter(({ principal, credential, role }) => {
    const approver = known.principal(principal);
    const isRevoked = known.credential(credential)?.state === 'revoked';
    return approver !== undefined && !isRevoked && rolesAt(approver, at).includes(role);
  });
}

export function rejectRequest(view: View, command: ApprovalReject, env: Environment): Change[] {
  const { actor } = gateOf(env);
  const current = openRequest(view, command, env);
  if (current.document.author.principal === actor.principal)
    refuse('own_request', 'Nobody rejects what they asked for themselves. Withdraw the request.');
  roleThatCounts(view, { ...current.document, approvals: [] }, env);
  const { principal, credential, session } = actor;
  const rejected = { principal, credential, session, why: command.reason ?? null, at: env.now };
  return [nextChange('approval.rejected', current, { state: 'rejected', rejected })];
}

export function withdrawRequest(view: View, command: ApprovalWithdraw, env: Environment): Change[] {
  const current = openRequest(view, command, env);
  return [nextChange('approval.withdrawn', current, { state: 'withdrawn' })];
}

/** The changes of the command that waits, and the record that it was carried out: together or not at all. */
export function executeRequest(decideInner: DecideInner) {
  return (view: View, command: ApprovalExecute, env: Environment): Change[] => {
    const current = openRequest(view, command, env);
    checkBinding(current.document, env);
    if (current.document.state !== 'approved' || !hasEnoughApprovals(standing(view, current.document, env)))
      refuse('not_approved', 'Not as many have approved this request as have to. See in it who is missing.', {
        path: '$.approval',
      });
    const { id, customers = [], command: stored } = current.document;
    const inner = waitingChanges(decideInner, view, stored, env);
    const others = inner.filter(({ subject }) => subject.id !== id);
    // What erases a customer erases what asks for it.
    if (others.length < inner.length)
      return [
        ...others,
        nextChange('approval.erased', current, { ...erasedCommand(current.document), state: 'executed' }),
      ];
    const made = customersOf(view, inner, { isDone: true });
    const all = [...new Set([...customers, ...made])].sort();
    const members = { state: 'executed' as const, ...(all.length > customers.length && { customers: all }) };
    return [...inner, nextChange('approval.executed', current, members)];
  };
}

/** Whom the changes are about, with those that they make where they are carried out. */
function customersOf(view: View, changes: readonly Change[], { isDone = false } = {}): string[] {
  const ids = changes.flatMap(({ rev, document }) => {
    if (document.type === 'customer') return rev > 0 || isDone ? [document.id] : [];
    if (document.type !== 'license') return [];
    const before = rev === 0 ? null : view.subject('license', document.id)?.document.customer;
    return [document.customer, before].filter((id) => id != null);
  });
  return [...new Set(ids)].sort();
}

/** What becomes of a command whose content has to go: what it was stays, and what waited has ended. */
export function erasedCommand({
  state,
  command: { type },
  policy,
  epoch,
}: ApprovalDocument): Pick<ApprovalDocument, 'state' | 'command' | 'binding'> {
  const isOpen = state === 'pending' || state === 'approved';
  const command = { type };
  // Not the hash of what it said, which could be guessed at.
  return { state: isOpen ? 'withdrawn' : state, command, binding: bindingOf(command, { policy, epoch }) };
}

/** The request that a command is about, where it still waits. */
function openRequest(
  view: View,
  { approval, expectedRev }: { approval: string; expectedRev?: number },
  env: Environment,
): Current<'approval'> {
  const current = expected(view.subject('approval', approval), 'approval', approval, expectedRev);
  const { state, notAfter } = current.document;
  if (state !== 'pending' && state !== 'approved')
    refuse('state_forbids', `The request is ${state}, which is final. Ask anew.`, { path: '$.approval' });
  if (compareInstants(env.now, notAfter) >= 0)
    refuse('state_forbids', `The request waited until ${notAfter}. Ask anew.`, { path: '$.approval' });
  return current;
}

function checkBinding({ command, binding }: ApprovalDocument, env: Environment): void {
  const { policy } = gateOf(env);
  if (bindingOf(command, { policy, epoch: env.epoch }) === binding) return;
  refuse('approval_void', 'The policy or the epoch of the namespace has changed since. Ask anew.', {
    path: '$.approval',
  });
}

function gateOf({ gate }: Environment): GateEnvironment {
  if (gate !== null) return gate;
  return refuse(
    'state_forbids',
    'Only somebody who is known can ask for this. Log in, or show a credential.',
  );
}
