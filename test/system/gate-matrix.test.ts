/** Every route against everybody: what is answered is what the table says. */
import { type Route, type RouteName, routeNames, routes } from '@tallystick/contract';
import { deriveGateSecrets as _unused, newSecretToken } from '@tallystick/gate';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gateTable, type Ids, type Role, type Row } from './support/gate-table.ts';
import { bearing, GateWorld, type Reply, showingNothing, type Shows, signing } from './support/gate-world.ts';
import { pathOf } from './support/route-table.ts';

let world: GateWorld;
let ids: Ids;
const fresh = new Map<Role, Shows>();
const stale = new Map<Role, Shows>();
const others: Record<string, Shows> = {};

const roleNames = Object.keys({
  viewer: 0, support: 0, issuer: 0, 'product-owner': 0, 'key-custodian': 0, auditor: 0, 'incident-responder': 0, administrator: 0,
} satisfies Record<Role, number>) as Role[];

const posture = [
  'forbid(principal, action, resource)',
  'when { context has purpose && context.purpose == "managed-devices" }',
  'unless { context.device.managed && context.device.encrypted };',
];

beforeAll(async () => {
  world = await GateWorld.create();
  const { system } = world;
  const entitlements = { pdf: { type: 'boolean' } };
  const other = await world.made('/v1/products', { code: 'other', name: 'Other', entitlements });
  const product = await system.must<{ document: { id: string } }>('GET', '/v1/products/pro');
  const plan = await system.must<{ document: { id: string } }>('GET', '/v1/plans/pro-yearly');
  const customer = await world.made('/v1/customers', { name: 'Contoso' });
  const otherCustomer = await world.made('/v1/customers', { name: 'Fabrikam' });
  const license = await world.made('/v1/licenses', { plan: 'pro-yearly', customer, licensee: 'Contoso' });
  const subject = await world.principal('person', 'somebody', []);
  const credential = await world.password(subject);

  const nobody = await world.principal('person', 'nobody', []);
  others['no role'] = world.session(nobody, await world.password(nobody), 1);
  const past = await world.principal('person', 'former', [
    { role: 'issuer', until: new Date(Date.now() - 60_000).toISOString() },
  ]);
  others['a role that has ended'] = world.session(past, await world.password(past), 1);
  const scoped = await world.principal('person', 'scoped', [{ role: 'issuer', products: ['other'] }]);
  others['a role for another product'] = world.session(scoped, await world.password(scoped), 1);
  const disabled = await world.principal('person', 'disabled', [{ role: 'viewer' }]);
  others['disabled'] = world.session(disabled, await world.password(disabled), 1);
  const service = await world.principal('service', 'billing', [{ role: 'issuer' }]);
  others['service'] = bearing((await world.apiKey(service, 'api')).token);
  others['service signed'] = signing((await world.signingKey(service)).key);
  const expired = await world.apiKey(service, 'api', { notAfter: new Date(Date.now() + 1000).toISOString() });
  others['expired'] = bearing(expired.token);
  const revoked = await world.apiKey(service, 'api');
  others['revoked'] = bearing(revoked.token);
  await world.made(`/v1/credentials/${revoked.id}/revoke`, {});
  const partner = await world.principal('partner', 'reseller', [{ role: 'issuer' }]);
  others['partner'] = bearing((await world.apiKey(partner, 'partner')).token);
  others['partner signed'] = signing((await world.signingKey(partner)).key);
  others['garbage'] = bearing('nonsense');
  others['key of another system'] = bearing(newSecretToken('api', randomBytes));
  await world.made(`/v1/principals/${disabled}/disable`, {});
  for (const role of roleNames) {
    const person = await world.principal('person', role, [{ role }]);
    const password = await world.password(person);
    fresh.set(role, world.session(person, password, 1));
    stale.set(role, world.session(person, password, 6));
  }
  await world.restart();
  ids = {
    product: product.document.id, plan: plan.document.id, customer, otherCustomer, license, principal: subject, credential,
    approval: 'apr_01jdzzzzzzzzzzzzzzzzzzzzzz', session: 'ses_01jdzzzzzzzzzzzzzzzzzzzzzz',
  };
  void other;
}, 60_000);

afterAll(() => world[Symbol.asyncDispose]());

const names = routeNames;

function ask(name: RouteName, shows: Shows, headers: Record<string, string>): Promise<Reply> {
  const route = routes[name] as unknown as Route;
  const row = gateTable[name];
  const path = pathOf(route, row.id === undefined ? {} : { id: ids[row.id] }) + (row.query ?? '');
  const body = route.body === null ? {} : { body: row.body?.(ids) ?? {} };
  return world.ask(shows, route.method, path, { ...body, headers, zone: route.zones.includes('admin') ? 'admin' : (route.zones[0] ?? 'admin') });
}

const reason = { 'tally-reason': 'TICKET-1' };
const gateCodes = new Set(['unauthorized', 'forbidden', 'subject_unknown', 'reason_required', 'signature_required', 'insufficient_user_authentication']);

/** `let in`, or the code of the gate. */
function outcome({ status, code }: Reply): string {
  if (code !== null && gateCodes.has(code)) return code;
  return status < 500 ? 'let in' : `${status} ${code}`;
}

function expectedOf({ may, denied }: Row, role: Role): string {
  if (may === 'anybody' || may === 'own' || may.includes(role)) return 'let in';
  return denied === 'absent' ? 'subject_unknown' : 'forbidden';
}

async function outcomes(shows: Shows, headers: Record<string, string>): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of names) {
    const r = await ask(name, shows, headers);
    found[name] = outcome(r);
    if (process.env.G7 && r.code) found[name] += ` ${r.code}`;
  }
  return found;
}

describe('the matrix', () => {
  it.each(roleNames)('%s', async (role) => {
    const shows = fresh.get(role) ?? showingNothing;
    const expected = Object.fromEntries(names.map((name) => [name, expectedOf(gateTable[name], role)]));
    expect(await outcomes(shows, reason)).toEqual(expected);
  });
});
