import type { Change } from '../change.ts';
import type { Command, CommandOf, CommandType } from '../commands.ts';
import type { LockLevel } from '../documents.ts';
import { ModelError } from '../errors.ts';
import { parseCommand } from '../parse/command.ts';
import { isDocumentSmallEnough } from '../parse/document.ts';
import { isSignedCommand } from '../signed-commands.ts';
import { amendLicense } from './amend.ts';
import { approve, executeRequest, rejectRequest, requestApproval, withdrawRequest } from './approvals.ts';
import { tightenBrake } from './brake.ts';
import { changePlan } from './change-plan.ts';
import { createCredential, expireCredential, revokeCredential } from './credentials.ts';
import { createCustomer, updateCustomer } from './customers.ts';
import { type Decision, type Environment, Refused, refuse, type View } from './decision.ts';
import { eraseCustomer, mergeCustomer } from './endings-of-customers.ts';
import { issueLicense } from './issue.ts';
import { createPlan, retirePlan, updatePlan } from './plans.ts';
import { dropAccess, publishPolicy } from './policies.ts';
import {
  assignRoles,
  createPrincipal,
  disablePrincipal,
  enablePrincipal,
  grantRole,
  updatePrincipal,
} from './principals.ts';
import { createProduct, retireProduct, updateProduct } from './products.ts';
import { renewLicense } from './renew.ts';
import { replaceLicense } from './replace.ts';
import { reinstateLicense, revokeLicense, suspendLicense } from './standing.ts';
import { reissueLicense, rekeyLicense, transferLicense } from './transfer.ts';

type Handler<T extends CommandType> = (view: View, command: CommandOf<T>, env: Environment) => Change[];

const HANDLERS: { [T in CommandType]: Handler<T> } = {
  'brake.tighten': tightenBrake,
  'product.create': createProduct,
  'product.update': updateProduct,
  'product.retire': retireProduct,
  'plan.create': createPlan,
  'plan.update': updatePlan,
  'plan.retire': retirePlan,
  'customer.create': createCustomer,
  'customer.update': updateCustomer,
  'customer.merge': mergeCustomer,
  'customer.erase': eraseCustomer,
  'license.issue': issueLicense,
  'license.amend': amendLicense,
  'license.renew': renewLicense,
  'license.change_plan': changePlan,
  'license.suspend': suspendLicense,
  'license.reinstate': reinstateLicense,
  'license.revoke': revokeLicense,
  'license.replace': replaceLicense,
  'license.transfer': transferLicense,
  'license.rekey': rekeyLicense,
  'license.reissue': reissueLicense,
  'principal.create': createPrincipal,
  'principal.update': updatePrincipal,
  'principal.assign': assignRoles,
  'principal.grant': grantRole,
  'principal.disable': disablePrincipal,
  'principal.enable': enablePrincipal,
  'credential.create': createCredential,
  'credential.expire': expireCredential,
  'credential.revoke': revokeCredential,
  'policy.publish': publishPolicy,
  'policy.drop_access': dropAccess,
  'approval.request': requestApproval(changesOf),
  'approval.approve': approve,
  'approval.reject': rejectRequest,
  'approval.withdraw': withdrawRequest,
  'approval.execute': executeRequest(changesOf),
};

/** What tightens stays possible while a namespace is read-only. */
const ALLOWED_WHEN_READ_ONLY: ReadonlySet<CommandType> = new Set([
  'license.suspend',
  'license.revoke',
  'principal.disable',
  'credential.expire',
  'credential.revoke',
  'approval.reject',
  'approval.withdraw',
  // What waits is looked at by itself, when it is asked for and when it is carried out.
  'approval.request',
  'approval.approve',
  'approval.execute',
]);

/**
 * Decides what a command changes. Pure: the same view, command and environment give the same decision. The
 * changes are to be recorded in their order, all or none. Throws only what the view or the environment throw.
 */
export function decide(view: View, command: Command, env: Environment): Decision {
  try {
    return { ok: true, changes: changesOf(view, command, env) };
  } catch (error) {
    if (error instanceof Refused) return { ok: false, refusal: error.refusal };
    throw error;
  }
}

function changesOf(view: View, command: Command, env: Environment): Change[] {
  const checked = checkInput(command);
  if (!isAboutSigned(view, checked)) checkLock(checked.type, env.lock);
  const handle = HANDLERS[checked.type] as Handler<CommandType>;
  const changes = handle(view, checked, env);
  for (const { document } of changes)
    if (!isDocumentSmallEnough(document))
      refuse('limit_exceeded', `The ${document.type} would be too large to be read back. Say less in it.`);
  return changes;
}

/** What the authority signs passes every lock, which only it loosens: so does what it takes for others to approve that. */
function isAboutSigned(view: View, command: Command): boolean {
  switch (command.type) {
    case 'approval.request':
      return isSignedCommand(command.command);
    case 'approval.approve':
    case 'approval.reject':
    case 'approval.withdraw':
    case 'approval.execute': {
      const request = view.subject('approval', command.approval)?.document;
      return request !== undefined && isSignedCommand(request.command);
    }
    default:
      return false;
  }
}

function checkInput(command: Command): Command {
  try {
    return parseCommand(command);
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    return refuse('input_invalid', `${error.message}. Correct it and try again.`, { path: error.path });
  }
}

function checkLock(type: CommandType, lock: LockLevel): void {
  if (type === 'brake.tighten') return;
  if (lock === 'open' || lock === 'heightened') return;
  if (lock === 'read-only' && ALLOWED_WHEN_READ_ONLY.has(type)) return;
  const allowed = lock === 'read-only' ? 'only suspending and revoking is possible' : 'nothing may change';
  refuse(
    'namespace_locked',
    `The namespace is locked (${lock}), so ${allowed}. Ask those who hold its authority.`,
    {
      details: { lock },
    },
  );
}
