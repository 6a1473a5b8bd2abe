/**
 * The Cedar policies that come with Tallystick. What each role may do, and why, is in
 * docs/operating/access-policies.md; the decision tables beside the tests say it cell by cell.
 */

import type { PolicyText } from '@tallystick/license';

/** Terms that a support desk may extend, and sales that take more than a session or a key; in days and seats. */
const SUPPORT_DAYS_MAX = 31;
const SALE_DAYS_MAX = 1830;
const SALE_SEATS_MAX = 1000;

const beyond = (name: string, max: number): string =>
  `(context has ${name} && (context.${name} < 0 || context.${name} > ${max}))`;
const largeSale = [
  beyond('termDays', SALE_DAYS_MAX),
  beyond('extendsDays', SALE_DAYS_MAX),
  beyond('seats', SALE_SEATS_MAX),
].join('\n  || ');

const anyRole = (...roles: string[]): string =>
  roles.map((role) => `principal in Role::"${role}"`).join('\n  || ');
const isPerson = 'principal.kind == Kind::"person"';
const isMachine = '(principal.kind == Kind::"service" || principal.kind == Kind::"partner")';
const isOwnCredential = '(resource.own && action in Action::"credential")';

/** The tokens of a system's folder: their roles mean nothing on anybody else. */
const internal: Record<string, string> = {
  bootstrap: `permit(principal in Role::"bootstrap", action, resource)
when { principal.kind == Kind::"bootstrap" };`,
  mirror: `permit(principal in Role::"mirror", action in Action::"mirror", resource)
when { principal.kind == Kind::"mirror" };`,
};

const roles: Record<string, string> = {
  'everyone-reads': `permit(principal, action in Action::"read", resource)
when {
  ${anyRole('viewer', 'support', 'issuer', 'product-owner', 'key-custodian', 'auditor', 'incident-responder', 'administrator')}
};`,
  'sales-export': `permit(principal, action == Action::"license.bundle", resource)
when {
  ${anyRole('support', 'issuer')}
};`,
  'access-is-seen': `permit(principal, action in Action::"inspect", resource)
when {
  ${anyRole('auditor', 'administrator', 'incident-responder')}
};`,
  'auditor-reads': `permit(principal in Role::"auditor", action in [Action::"evidence", Action::"export"], resource);`,
  'support-suspends': `permit(
  principal in Role::"support",
  action in [Action::"license.suspend", Action::"license.reinstate"],
  resource
);`,
  'support-extends': `permit(principal in Role::"support", action == Action::"license.renew", resource)
when {
  context has extendsDays && context.extendsDays >= 0 && context.extendsDays <= ${SUPPORT_DAYS_MAX}
};`,
  'issuer-sells': `permit(
  principal in Role::"issuer",
  action in [Action::"entitle", Action::"curtail", Action::"customer"],
  resource
);`,
  'product-owner-keeps-catalog': `permit(principal in Role::"product-owner", action in Action::"catalog", resource);`,
  'key-custodian-governs': `permit(
  principal in Role::"key-custodian",
  action in [Action::"govern", Action::"brake.tighten"],
  resource
);`,
  'incident-responder-tightens': `permit(principal in Role::"incident-responder", action in Action::"tighten", resource);`,
  'content-mirror-copies': `permit(principal in Role::"content-mirror", action in Action::"copy", resource);`,
  'administrator-administers': `permit(
  principal in Role::"administrator",
  action in [Action::"admin", Action::"customer.erase"],
  resource
);`,
};

/** What everybody may do about what is theirs, and how four eyes come together. */
const own: Record<string, string> = {
  'own-access': `permit(
  principal,
  action in [
    Action::"principal.get",
    Action::"credential.list", Action::"credential.get",
    Action::"session.list", Action::"session.current", Action::"session.end",
    Action::"approval.list", Action::"approval.get"
  ],
  resource
)
when { resource.own };`,
  'own-credentials': `permit(principal, action in Action::"credential", resource)
when { resource.own };`,
  'own-grant-when-approved': `permit(principal, action == Action::"principal.grant", resource)
when { ${isPerson} && resource.own && context.approved };`,
  'own-requests': `permit(principal, action in Action::"ask", resource)
when { resource.own };`,
  approvers: `permit(
  principal,
  action in [Action::"approve", Action::"approval.list", Action::"approval.get", Action::"approval.execute"],
  resource
)
when {
  ${isPerson}
}
when {
  ${anyRole('issuer', 'product-owner', 'key-custodian', 'administrator')}
};`,
};

/** What no role outweighs. */
const rules: Record<string, string> = {
  'admin-zone': `forbid(principal, action, resource)
unless {
  context.zone == Zone::"admin" || action in [Action::"mirror", Action::"copy"]
};`,
  'mirrors-mirror': `forbid(principal, action, resource)
when { principal.kind == Kind::"mirror" }
unless { action in Action::"mirror" };`,
  'people-give-a-reason': `forbid(principal, action in Action::"change", resource)
when { ${isPerson} && !context.reason };`,
  'people-step-up': `forbid(principal, action in Action::"sensitive", resource)
when { ${isPerson} && !context.stepUp }
unless { ${isOwnCredential} && action in Action::"tighten" };`,
  'people-step-up-for-large-sales': `forbid(principal, action in Action::"entitle", resource)
when { ${isPerson} && !context.stepUp }
when {
  ${largeSale}
};`,
  'machines-sign': `forbid(principal, action in Action::"sensitive", resource)
when { ${isMachine} && !context.signed }
unless { ${isOwnCredential} };`,
  'machines-sign-large-sales': `forbid(principal, action in Action::"entitle", resource)
when { ${isMachine} && !context.signed }
when {
  ${largeSale}
};`,
  'partners-sign': `forbid(principal, action in Action::"change", resource)
when { principal.kind == Kind::"partner" && !context.signed };`,
  'partners-do-not-administer': `forbid(principal, action in [Action::"admin", Action::"govern", Action::"tighten"], resource)
when { principal.kind == Kind::"partner" && !resource.own };`,
  'a-bearer-makes-no-credential': `forbid(principal, action == Action::"credential.create", resource)
when { context.strength < 2 }
unless { principal.kind == Kind::"bootstrap" };`,
  'administrator-does-not-sell': `forbid(principal in Role::"administrator", action in Action::"entitle", resource);`,
  'nobody-changes-own-roles': `forbid(principal, action in Action::"assign", resource)
when { resource.own && !context.rolesChanged.isEmpty() }
unless { action == Action::"principal.grant" };`,
  'nobody-assigns-to-oneself': `forbid(principal, action in [Action::"principal.assign", Action::"principal.enable"], resource)
when { resource.own };`,
  'nobody-grants-to-oneself-alone': `forbid(principal, action == Action::"principal.grant", resource)
when { resource.own && !context.approved };`,
  'internal-roles-stay-internal': `forbid(principal, action in Action::"assign", resource)
when { context.rolesChanged.containsAny(["bootstrap", "mirror"]) };`,
  'nobody-approves-alone': `forbid(principal, action in Action::"approve", resource)
when { resource.own };`,
};

/** Sorted by id. */
export const defaultPolicies: readonly PolicyText[] = Object.entries({
  ...internal,
  ...roles,
  ...own,
  ...rules,
})
  .map(([id, text]) => ({ id, lines: text.split('\n') }))
  .sort((one, other) => (one.id < other.id ? -1 : 1));
