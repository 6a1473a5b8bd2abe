/**
 * Where each route is served, written down a second time, by hand: the contract says it, and this is what it is held
 * against. A new route needs a row here, or the tests of the zones and of the gate do not compile.
 */
import type { Route, RouteName, Zone } from '@tallystick/contract';

const clientsToo: readonly Zone[] = ['public', 'admin'];
const clients: readonly Zone[] = ['public'];
const admin: readonly Zone[] = ['admin'];
const ops: readonly Zone[] = ['ops'];

export const zonesOfRoutes: Record<RouteName, readonly Zone[]> = {
  'log.checkpoint': clientsToo,
  'log.tile': clientsToo,
  'log.contents': clientsToo,
  'trust.get': clientsToo,
  'trust.keys': clientsToo,
  'trust.namespace': clientsToo,
  'trust.brake': clientsToo,
  'bundle.fetch': clients,
  'metrics.get': ops,
  'health.get': ops,
  'ready.get': ops,
  'primary.get': ops,
  'trust.publish': admin,
  'namespace.revise': admin,
  'brake.tighten': admin,
  'product.create': admin,
  'product.list': admin,
  'product.get': admin,
  'product.history': admin,
  'product.update': admin,
  'product.retire': admin,
  'plan.create': admin,
  'plan.list': admin,
  'plan.get': admin,
  'plan.history': admin,
  'plan.update': admin,
  'plan.retire': admin,
  'customer.create': admin,
  'customer.list': admin,
  'customer.get': admin,
  'customer.history': admin,
  'customer.update': admin,
  'customer.merge': admin,
  'customer.erase': admin,
  'license.issue': admin,
  'license.list': admin,
  'license.get': admin,
  'license.history': admin,
  'license.bundle': admin,
  'license.custody': admin,
  'license.amend': admin,
  'license.renew': admin,
  'license.change_plan': admin,
  'license.suspend': admin,
  'license.reinstate': admin,
  'license.revoke': admin,
  'license.replace': admin,
  'license.transfer': admin,
  'license.rekey': admin,
  'license.reissue': admin,
  'approval.approve': admin,
  'approval.execute': admin,
  'approval.reject': admin,
  'approval.request': admin,
  'approval.withdraw': admin,
  'credential.create': admin,
  'credential.expire': admin,
  'credential.revoke': admin,
  'policy.get': admin,
  'policy.history': admin,
  'policy.publish': admin,
  'principal.assign': admin,
  'principal.create': admin,
  'principal.disable': admin,
  'principal.enable': admin,
  'principal.grant': admin,
  'principal.update': admin,
  'principal.list': admin,
  'principal.get': admin,
  'principal.history': admin,
  'credential.list': admin,
  'credential.get': admin,
  'credential.history': admin,
  'approval.list': admin,
  'approval.get': admin,
  'approval.history': admin,
  'session.list': admin,
  'login.describe': admin,
  'login.password': admin,
  'enrollment.begin': admin,
  'enrollment.finish': admin,
  'session.current': admin,
  'session.end': admin,
  'log.status': admin,
  'log.entry': admin,
  'event.stream': admin,
  'access.list': admin,
  'openapi.get': admin,
};

/** What stands in a path where a test asks for nothing in particular. */
const samples: Readonly<Record<string, string>> = {
  id: 'lic_01',
  ns: 'acme',
  rev: '1',
  key: '1',
  index: '0',
  from: '0',
};

/** A path that the route serves, with the given parameters or any. */
export function pathOf({ path }: Pick<Route, 'path'>, params: Readonly<Record<string, string>> = {}): string {
  const filled = path.replaceAll(/:([a-z]+)/gi, (_all, name: string) => params[name] ?? samples[name] ?? 'x');
  return filled.replace('*', params['*'] ?? '0/000');
}
