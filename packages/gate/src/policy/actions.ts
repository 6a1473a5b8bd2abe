/**
 * The table of actions: what a policy can speak of. One row for each route that asks who is calling and for each
 * command; a test holds it against the contract and the license model, so that neither gets one without a row.
 */
import type { ResourceType } from './input.ts';

/** Groups of actions, for policies to speak of many at once. */
export const actionGroups = {
  /** Everyday reads: catalog, customers, licenses, the log. */
  read: 'reads of the catalog, customers, licenses and the log',
  /** What a mirror fetches. */
  mirror: 'what a mirror of the log fetches',
  /** Apart from those: the token of a mirror opens none of it. */
  copy: 'documents that mirrors keep, sealed to them',
  /** Files that leave the house. */
  export: 'license files and reports that are handed out',
  /** Who may do what. */
  inspect: 'reads of principals, credentials, policies, approvals and sessions',
  /** Who did and saw what. */
  evidence: 'reads of the access log and of the chain of custody',
  /** Everything that puts a record into the log. */
  change: 'everything that changes something',
  catalog: 'changes of products and plans',
  customer: 'changes of customers',
  /** What gives somebody a right, or a better one. */
  entitle: 'changes that give a license, or more of it',
  /** What takes a right away. */
  curtail: 'suspending and revoking licenses',
  /** What only makes everything stricter. */
  tighten: 'what only makes things stricter: locks, suspensions, ends of credentials and sessions',
  govern: 'changes of the namespace and of the trust root',
  /** Administration of access. */
  admin: 'changes of principals, credentials, policies and sessions',
  /** What may give roles to somebody. */
  assign: 'changes that may give or take roles',
  credential: 'changes of credentials',
  approve: 'judging a request for approval',
  ask: 'asking for approval',
  sensitive: 'what a stolen session or key must not be enough for',
} as const;
export type ActionGroup = keyof typeof actionGroups;

export interface ActionRow {
  resource: ResourceType;
  groups: readonly ActionGroup[];
}

const row = (resource: ResourceType, ...groups: ActionGroup[]): ActionRow => ({ resource, groups });
const reads = (name: string, resource: ResourceType, group: ActionGroup): Record<string, ActionRow> => ({
  [`${name}.list`]: row(resource, group),
  [`${name}.get`]: row(resource, group),
  [`${name}.history`]: row(resource, group),
});

const catalog: Record<string, ActionRow> = {
  ...reads('product', 'Product', 'read'),
  'product.create': row('Product', 'change', 'catalog'),
  'product.update': row('Product', 'change', 'catalog'),
  'product.retire': row('Product', 'change', 'catalog'),
  ...reads('plan', 'Plan', 'read'),
  'plan.create': row('Plan', 'change', 'catalog'),
  'plan.update': row('Plan', 'change', 'catalog'),
  'plan.retire': row('Plan', 'change', 'catalog'),
  ...reads('customer', 'Customer', 'read'),
  'customer.create': row('Customer', 'change', 'customer'),
  'customer.update': row('Customer', 'change', 'customer'),
  'customer.merge': row('Customer', 'change', 'customer'),
  'customer.erase': row('Customer', 'change', 'sensitive'),
};

const entitle = row('License', 'change', 'entitle');
const licenses: Record<string, ActionRow> = {
  ...reads('license', 'License', 'read'),
  'license.bundle': row('License', 'export'),
  'license.custody': row('License', 'evidence', 'export'),
  'license.issue': entitle,
  'license.amend': entitle,
  'license.renew': entitle,
  'license.change_plan': entitle,
  'license.reinstate': entitle,
  'license.replace': entitle,
  'license.transfer': entitle,
  'license.rekey': entitle,
  'license.reissue': entitle,
  'license.suspend': row('License', 'change', 'curtail', 'tighten'),
  'license.revoke': row('License', 'change', 'curtail'),
};

const service: Record<string, ActionRow> = {
  'log.checkpoint': row('Log', 'read', 'mirror'),
  'log.tile': row('Log', 'read', 'mirror'),
  'log.contents': row('Log', 'copy'),
  'log.access': row('Log', 'read', 'mirror'),
  'trust.get': row('Namespace', 'read', 'mirror'),
  'trust.keys': row('Namespace', 'read', 'mirror'),
  'trust.namespace': row('Namespace', 'read', 'mirror'),
  'trust.brake': row('Brake', 'read', 'mirror'),
  'log.status': row('Log', 'read'),
  'log.entry': row('Log', 'read'),
  'event.stream': row('Log', 'read'),
  'openapi.get': row('Log', 'read'),
  'access.list': row('Log', 'evidence'),
};

const governing: Record<string, ActionRow> = {
  'namespace.revise': row('Namespace', 'change', 'govern', 'sensitive'),
  'trust.publish': row('Namespace', 'change', 'govern', 'sensitive'),
  'brake.tighten': row('Brake', 'change', 'tighten', 'sensitive'),
};

const administer = row('Principal', 'change', 'admin', 'sensitive');
const assign = row('Principal', 'change', 'admin', 'assign', 'sensitive');
const access: Record<string, ActionRow> = {
  ...reads('principal', 'Principal', 'inspect'),
  'principal.create': assign,
  'principal.update': assign,
  'principal.assign': assign,
  'principal.grant': assign,
  'principal.enable': administer,
  'principal.disable': row('Principal', 'change', 'admin', 'tighten', 'sensitive'),
  ...reads('credential', 'Credential', 'inspect'),
  'credential.create': row('Credential', 'change', 'admin', 'credential', 'sensitive'),
  // No route: what an invitation is for, and nothing else.
  'credential.enroll': row('Credential', 'change', 'credential'),
  'credential.expire': row('Credential', 'change', 'admin', 'credential', 'tighten', 'sensitive'),
  'credential.revoke': row('Credential', 'change', 'admin', 'credential', 'tighten', 'sensitive'),
  'policy.get': row('Policy', 'inspect'),
  'policy.history': row('Policy', 'inspect'),
  'policy.shadow': row('Policy', 'admin'),
  'policy.publish': row('Policy', 'change', 'admin', 'sensitive'),
  'policy.drop_access': row('Policy', 'change', 'admin', 'sensitive'),
  ...reads('approval', 'Approval', 'inspect'),
  'approval.request': row('Approval', 'change', 'ask'),
  'approval.withdraw': row('Approval', 'change', 'ask'),
  'approval.execute': row('Approval', 'change', 'ask'),
  'approval.approve': row('Approval', 'change', 'approve', 'sensitive'),
  'approval.reject': row('Approval', 'change', 'approve'),
  'session.list': row('Session', 'inspect'),
  'session.current': row('Session', 'inspect'),
  'session.end': row('Session', 'admin', 'tighten'),
};

export const actions: Readonly<Record<string, ActionRow>> = {
  ...catalog,
  ...licenses,
  ...service,
  ...governing,
  ...access,
};
export const actionNames: readonly string[] = Object.keys(actions);
