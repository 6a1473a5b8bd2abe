/**
 * Who may do what, written down by hand for every route: what the server answers is held against this. A new route needs
 * a row, or this does not compile. It says what the policy that comes with Tallystick is for (docs/operating/access-policies.md),
 * and not how it says it.
 */
import type { RouteName } from '@tallystick/contract';
import { defaultPolicyDocument, type defaultRoles } from '@tallystick/gate';

export type Role = (typeof defaultRoles)[number];

/** Subjects that the requests of the table are about. */
export interface Ids {
  product: string;
  plan: string;
  customer: string;
  otherCustomer: string;
  license: string;
  principal: string;
  credential: string;
  approval: string;
  session: string;
}

export interface Row {
  /** `anybody` needs no credential, `own` is for whoever is let in. */
  may: readonly Role[] | 'anybody' | 'own';
  /** What people have to add. A reason is for everything that changes something. */
  needs: readonly ('reason' | 'step-up')[];
  /** Who may besides, if it is a person and no program. */
  people?: readonly Role[];
  /** For everybody but partners, who may not make things stricter for others. */
  isWithheldFromPartners?: true;
  /**
   * What reads the subject of the path. Who may not do that is told that there is no such thing, whatever is asked for;
   * null where nothing is named, or nothing is hidden.
   */
  seenBy: RouteName | 'itself' | null;
  /** Subject of the path. */
  id?: keyof Ids;
  query?: string;
  body?: (ids: Ids) => object;
}

export const everyRole: readonly Role[] = [
  'viewer',
  'support',
  'issuer',
  'product-owner',
  'key-custodian',
  'auditor',
  'incident-responder',
  'content-mirror',
  'administrator',
];
/** A mirror reads documents for keeping them, and nothing that is for people. */
const readers: readonly Role[] = everyRole.filter((role) => role !== 'content-mirror');
const inspectors: readonly Role[] = ['auditor', 'administrator', 'incident-responder'];
const approvers: readonly Role[] = ['issuer', 'product-owner', 'key-custodian', 'administrator'];
const administrator: readonly Role[] = ['administrator'];
const containing: readonly Role[] = ['administrator', 'incident-responder'];
const owners: readonly Role[] = ['product-owner'];
const issuers: readonly Role[] = ['issuer'];
const custodians: readonly Role[] = ['key-custodian'];

type Named = Exclude<keyof Ids, 'otherCustomer' | 'session'>;

const open: Row = { may: 'anybody', needs: [], seenBy: null };
const reads = (id?: Named): Row => ({
  may: readers,
  needs: [],
  seenBy: id === undefined ? null : 'itself',
  ...(id && { id }),
});
const inspects = (id?: Named): Row => ({ ...reads(id), may: inspectors });
const dryRun = '?dryRun=true';
const text = 'AAAA';
const later = new Date(Date.now() + 400 * 86_400_000).toISOString();
const soon = new Date(Date.now() + 3_600_000).toISOString();

const changes = (may: readonly Role[], id?: Named, body: Row['body'] = () => ({})): Row => ({
  ...reads(id),
  may,
  needs: ['reason'],
  seenBy: id === undefined ? null : `${id}.get`,
  query: dryRun,
  body,
});
const sensitive = (row: Row): Row => ({ ...row, needs: ['reason', 'step-up'] });

export const gateTable: Record<RouteName, Row> = {
  'log.checkpoint': open,
  'log.access': open,
  'trust.get': open,
  'trust.keys': open,
  'trust.namespace': open,
  'trust.brake': open,
  'bundle.fetch': { ...open, body: () => ({ licenseKey: 'x' }) },
  'metrics.get': open,
  'health.get': open,
  'ready.get': open,
  'primary.get': open,
  'recovery.describe': open,
  'recovery.submit': { ...open, body: () => ({}) },
  'login.describe': open,
  'login.password': { ...open, body: () => ({}) },
  'enrollment.begin': { ...open, body: () => ({}) },
  'enrollment.finish': { ...open, body: () => ({}) },

  'log.tile': reads(),
  'log.contents': { ...reads(), may: ['content-mirror'], query: '?to=1' },
  'log.status': reads(),
  'log.entry': reads(),
  'event.stream': reads(),
  'access.list': { ...reads(), may: ['auditor'], query: `?from=${soon}&to=${later}` },
  'openapi.get': reads(),

  'trust.publish': sensitive(changes(custodians, undefined, () => ({ envelopes: [text] }))),
  'namespace.revise': sensitive(
    changes(custodians, undefined, () => ({
      entry: text,
      document: text,
      cause: { salt: text, document: text },
    })),
  ),
  'brake.tighten': sensitive(
    changes(['key-custodian', 'incident-responder'], undefined, () => ({ lock: 'heightened' })),
  ),

  'product.list': reads(),
  'product.get': reads('product'),
  'product.history': reads('product'),
  'product.create': changes(owners, undefined, () => ({ code: 'fresh', name: 'Fresh' })),
  'product.update': changes(owners, 'product', () => ({ name: 'Other' })),
  'product.retire': changes(owners, 'product'),
  'plan.list': reads(),
  'plan.get': reads('plan'),
  'plan.history': reads('plan'),
  'plan.create': changes(owners, undefined, ({ product }) => ({ product, code: 'fresh', name: 'Fresh' })),
  'plan.update': changes(owners, 'plan', () => ({ name: 'Other' })),
  'plan.retire': changes(owners, 'plan'),
  'customer.list': reads(),
  'customer.get': reads('customer'),
  'customer.history': reads('customer'),
  'customer.create': changes(issuers, undefined, () => ({ name: 'Fresh' })),
  'customer.update': changes(issuers, 'customer', () => ({ name: 'Other' })),
  'customer.merge': changes(issuers, 'customer', ({ otherCustomer }) => ({ into: otherCustomer })),
  'customer.erase': sensitive(changes(administrator, 'customer')),

  'license.list': reads(),
  'license.get': reads('license'),
  'license.history': reads('license'),
  'license.bundle': { ...reads('license'), may: ['support', 'issuer', 'auditor'], seenBy: null },
  'license.custody': { ...reads('license'), may: ['auditor'], seenBy: null },
  'license.issue': changes(issuers, undefined, ({ plan }) => ({ plan, licensee: 'Contoso' })),
  'license.amend': changes(issuers, 'license', () => ({ licensee: 'Other' })),
  // Longer than support may.
  'license.renew': changes(issuers, 'license', () => ({ length: 'P1Y' })),
  'license.change_plan': changes(issuers, 'license', ({ plan }) => ({ plan })),
  'license.suspend': {
    ...changes(['support', 'issuer', 'incident-responder'], 'license', () => ({ reason: 'payment' })),
    isWithheldFromPartners: true,
  },
  'license.reinstate': changes(['support', 'issuer'], 'license'),
  'license.revoke': changes(issuers, 'license', () => ({ reason: 'refund' })),
  'license.replace': changes(issuers, 'license'),
  'license.transfer': changes(issuers, 'license', ({ otherCustomer }) => ({ customer: otherCustomer })),
  'license.rekey': changes(issuers, 'license'),
  'license.reissue': changes(issuers, 'license'),

  'principal.list': inspects(),
  'principal.get': inspects('principal'),
  'principal.history': inspects('principal'),
  'principal.create': sensitive(changes(administrator, undefined, () => ({ kind: 'person', name: 'Fresh' }))),
  'principal.update': sensitive(changes(administrator, 'principal', () => ({ name: 'Other' }))),
  'principal.assign': sensitive(
    changes(administrator, 'principal', () => ({ roles: [{ role: 'support' }] })),
  ),
  'principal.grant': sensitive(
    changes(administrator, 'principal', () => ({ role: 'support', length: 'PT1H' })),
  ),
  'principal.enable': sensitive(changes(administrator, 'principal')),
  'principal.disable': sensitive(changes(containing, 'principal')),

  'credential.list': inspects(),
  'credential.get': inspects('credential'),
  'credential.history': inspects('credential'),
  'credential.create': sensitive(
    changes(administrator, undefined, ({ principal }) => ({
      principal,
      kind: 'api_key',
      name: 'fresh',
      lookup: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
    })),
  ),
  'credential.expire': sensitive(changes(containing, 'credential', () => ({ notAfter: soon }))),
  'credential.revoke': sensitive(changes(containing, 'credential')),

  'policy.get': inspects(),
  'policy.history': inspects(),
  'policy.shadow': {
    ...reads(),
    may: administrator,
    isWithheldFromPartners: true,
    body: () => {
      const { schema, policies } = defaultPolicyDocument();
      return { schema, policies };
    },
  },
  'policy.publish': sensitive(changes(administrator, undefined, defaultPolicyDocument)),
  'policy.drop_access': sensitive(
    changes(administrator, undefined, () => ({ before: '2026-01-01T00:00:00.000Z' })),
  ),

  'approval.list': { ...inspects(), people: approvers },
  'approval.get': { ...inspects('approval'), people: approvers },
  'approval.history': inspects('approval'),
  // As the command that waits.
  'approval.request': changes(issuers, undefined, ({ plan }) => ({
    command: { type: 'license.issue', plan, licensee: 'Contoso', term: { until: later } },
  })),
  'approval.withdraw': changes([], 'approval'),
  'approval.execute': { ...changes([], 'approval'), people: approvers },
  'approval.approve': { ...sensitive(changes([], 'approval')), people: approvers },
  'approval.reject': { ...changes([], 'approval'), people: approvers },

  'session.list': { may: 'own', needs: [], seenBy: null },
  'session.current': { may: 'own', needs: [], seenBy: null },
  // Whose session it is, and that it is, is nobody else's business.
  'session.end': { ...inspects(), id: 'session', may: containing, seenBy: 'itself' },
};
