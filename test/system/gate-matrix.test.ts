/** Every route against everybody who may come: what is answered is what the table says, and a new route needs a row. */
import { randomBytes } from 'node:crypto';
import { type Route, type RouteName, routeNames, routes } from '@tallystick/contract';
import { defaultPolicyDocument, newSecretToken } from '@tallystick/gate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { everyRole, gateTable, type Ids, type Role, type Row } from './support/gate-table.ts';
import { bearing, GateWorld, type Reply, type Shows, showingNothing, signing } from './support/gate-world.ts';
import { pathOf } from './support/route-table.ts';

type Target = Role | 'anybody' | 'unsigned';

let world: GateWorld;
let ids: Omit<Ids, 'session'>;
/** Sessions that may be ended, each once: one for each role, and for whoever else does. */
const sessions = new Map<Target, string>();
/** People with one role each, who have proven that they are there a minute ago, or six minutes ago. */
const fresh = new Map<Role, Shows>();
const stale = new Map<Role, Shows>();
const known: Record<string, Shows> = {};

beforeAll(async () => {
  world = await GateWorld.create();
  await makeSubjects();
  await makeStrangers();
  await makePeople();
  await world.restart();
  const more = { term: { until: new Date(Date.now() + 12 * 365 * 86_400_000).toISOString() } };
  const command = { type: 'license.issue', plan: 'pro-yearly', licensee: 'Contoso', ...more };
  const asked = await world.ask(known['asker'] ?? showingNothing, 'POST', '/v1/approvals', {
    body: { command },
    headers: reason,
  });
  expect(asked.status, asked.text).toBe(201);
  ids = { ...ids, approval: (asked.json['document'] as { id: string }).id };
}, 120_000);

afterAll(() => world[Symbol.asyncDispose]());

const reason = { 'tally-reason': 'TICKET-1' };
const of = (role: Role, all = fresh): Shows => all.get(role) ?? showingNothing;

async function makeSubjects(): Promise<void> {
  const { system } = world;
  await world.made('/v1/products', {
    code: 'other',
    name: 'Other',
    entitlements: { pdf: { type: 'boolean' } },
  });
  const idOf = async (path: string) =>
    (await system.must<{ document: { id: string } }>('GET', path)).document.id;
  const customer = await world.made('/v1/customers', { name: 'Contoso' });
  const principal = await world.principal('person', 'somebody', []);
  const credential = await world.account(principal);
  const targets: Target[] = [...everyRole, 'anybody', 'unsigned'];
  for (const target of targets) world.session(principal, credential, null, (id) => sessions.set(target, id));
  ids = {
    product: await idOf('/v1/products/pro'),
    plan: await idOf('/v1/plans/pro-yearly'),
    customer,
    otherCustomer: await world.made('/v1/customers', { name: 'Fabrikam' }),
    license: await world.made('/v1/licenses', { plan: 'pro-yearly', customer, licensee: 'Contoso' }),
    principal,
    credential,
    approval: '',
  };
}

/** Those who are not let in, or may nothing. */
async function makeStrangers(): Promise<void> {
  const service = await world.principal('service', 'billing', [{ role: 'issuer' }]);
  known['a service with a key'] = bearing((await world.apiKey(service, 'api')).token);
  const soon = new Date(Date.now() + 1000).toISOString();
  known['a key that has ended'] = bearing((await world.apiKey(service, 'api', { notAfter: soon })).token);
  const revoked = await world.apiKey(service, 'api');
  await world.made(`/v1/credentials/${revoked.id}/revoke`, {});
  known['a revoked key'] = bearing(revoked.token);
  const elsewhere = await world.apiKey(service, 'api', { scope: { networks: ['10.9.0.0/16'] } });
  known['a key for another network'] = bearing(elsewhere.token);
  known['a key of another system'] = bearing(newSecretToken('api', randomBytes));
  known['nonsense'] = bearing('nonsense');
  known['nothing'] = showingNothing;
  const custodian = await world.principal('service', 'custodian', [
    { role: 'key-custodian' },
    { role: 'incident-responder' },
  ]);
  known['a custodian that does not sign'] = bearing((await world.apiKey(custodian, 'api')).token);
  known['a custodian that signs'] = signing((await world.signingKey(custodian)).key);
  const partner = await world.principal('partner', 'reseller', [{ role: 'issuer' }]);
  known['a partner that does not sign'] = bearing((await world.apiKey(partner, 'partner')).token);
  known['a partner that signs'] = signing((await world.signingKey(partner)).key);
}

async function makePeople(): Promise<void> {
  const person = async (name: string, roles: Parameters<GateWorld['principal']>[2]) => {
    const id = await world.principal('person', name, roles);
    return { id, session: world.session(id, await world.account(id), 1) };
  };
  known['somebody without a role'] = (await person('nobody', [])).session;
  const past = new Date(Date.now() - 60_000).toISOString();
  known['a role that has ended'] = (await person('former', [{ role: 'issuer', until: past }])).session;
  known['a role for another product'] = (
    await person('scoped', [{ role: 'issuer', products: ['other'] }])
  ).session;
  known['asker'] = (await person('asker', [{ role: 'issuer' }])).session;
  const disabled = await person('disabled', [{ role: 'viewer' }]);
  await world.made(`/v1/principals/${disabled.id}/disable`, {});
  known['somebody who was disabled'] = disabled.session;
  // The administrator comes last: after that the token that all of this is done with opens nothing.
  for (const role of everyRole) {
    const id = await world.principal('person', role, [{ role }]);
    const account = await world.account(id);
    fresh.set(role, world.session(id, account, 1));
    stale.set(role, world.session(id, account, 6));
  }
}

function ask(
  name: RouteName,
  shows: Shows,
  headers: Record<string, string>,
  target: Target = 'anybody',
): Promise<Reply> {
  const route = routes[name] as unknown as Route;
  const { id, query = '', body } = gateTable[name];
  const all: Ids = { ...ids, session: sessions.get(target) ?? '' };
  const path = pathOf(route, id === undefined ? {} : { id: all[id] }) + query;
  return world.ask(shows, route.method, path, {
    ...(route.body !== null && { body: body?.(all) ?? {} }),
    headers,
    zone: route.zones.includes('admin') ? 'admin' : (route.zones[0] ?? 'admin'),
  });
}

const refusals: ReadonlySet<string> = new Set([
  'unauthorized',
  'forbidden',
  'subject_unknown',
  'reason_required',
  'signature_required',
  'insufficient_user_authentication',
]);

/** `let in`, whatever came of the request then, or the code of the gate. */
function outcome(name: RouteName, { status, code }: Reply): string {
  if (code !== null && refusals.has(code)) return code;
  // What cannot be read has not come to the gate.
  const isJudged = status < 500 && (status !== 400 || isOpen(gateTable[name]));
  return isJudged ? 'let in' : `${status} ${code}`;
}

interface Who {
  roles: readonly Role[];
  kind: 'person' | 'service' | 'partner';
}

function may({ may: whom, people = [], isWithheldFromPartners }: Row, { roles, kind }: Who): boolean {
  if (whom === 'anybody' || whom === 'own') return true;
  if (kind === 'partner' && isWithheldFromPartners === true) return false;
  const all = kind === 'person' ? [...whom, ...people] : whom;
  return all.some((role) => roles.includes(role));
}

function expected(name: RouteName, who: Who): string {
  const row = gateTable[name];
  if (may(row, who)) return 'let in';
  const isHidden = row.seenBy !== null && !may(row.seenBy === 'itself' ? row : gateTable[row.seenBy], who);
  return isHidden ? 'subject_unknown' : 'forbidden';
}

type Expected = (name: RouteName, row: Row) => string;

/** Asks for all of these routes, and compares all at once: a table that is wrong shows where. */
async function compare(
  shows: Shows,
  headers: Record<string, string>,
  wanted: Expected,
  { target, among = routeNames }: { target?: Target; among?: readonly RouteName[] } = {},
): Promise<void> {
  const found: Record<string, string> = {};
  for (const name of among) found[name] = outcome(name, await ask(name, shows, headers, target));
  expect(found).toEqual(Object.fromEntries(among.map((name) => [name, wanted(name, gateTable[name])])));
}

const needing = (need: Row['needs'][number], role: Role): RouteName[] =>
  routeNames.filter((name) => {
    const row = gateTable[name];
    return row.needs.includes(need) && may(row, { roles: [role], kind: 'person' });
  });

const isOpen = ({ may: whom }: Row): boolean => whom === 'anybody';

it('has a row for every route, and none for others', () => {
  expect(Object.keys(gateTable).sort()).toEqual([...routeNames].sort());
});

describe.each(everyRole)('somebody who is %s', (role) => {
  it('gets to what the role is for, and to nothing else', async () => {
    await compare(of(role), reason, (name) => expected(name, { roles: [role], kind: 'person' }), {
      target: role,
    });
  });

  it('says why wherever something changes', async () => {
    await compare(of(role), {}, () => 'reason_required', { among: needing('reason', role) });
  });

  it('proves to be there wherever much is at stake', async () => {
    const among = needing('step-up', role);
    await compare(of(role, stale), reason, () => 'insufficient_user_authentication', { among });
  });
});

describe('whoever is not known', () => {
  it.each([
    'nothing',
    'nonsense',
    'a key that has ended',
    'a revoked key',
    'a key for another network',
    'a key of another system',
    'somebody who was disabled',
  ])('with %s gets to what is open alone', async (what) => {
    await compare(known[what] ?? showingNothing, reason, (_name, row) =>
      isOpen(row) ? 'let in' : 'unauthorized',
    );
  });

  it('as whoever set the system up gets to nothing more, once there is an administrator', async () => {
    const bootstrap = bearing(world.system.client.token);
    await compare(bootstrap, reason, (_name, row) => (isOpen(row) ? 'let in' : 'unauthorized'));
  });
});

describe('whoever is known and has no role here', () => {
  it.each(['somebody without a role', 'a role that has ended', 'a role for another product'])(
    '(%s) gets to what is its own alone',
    async (what) => {
      const nobody: Who = { roles: [], kind: 'person' };
      await compare(known[what] ?? showingNothing, reason, (name) => expected(name, nobody));
    },
  );

  it('as a mirror reads the log', async () => {
    const mirror = bearing(world.system.mirrorToken);
    await compare(mirror, reason, (name, row) =>
      isOpen(row) || name === 'log.tile' ? 'let in' : 'forbidden',
    );
  });
});

describe('services and partners', () => {
  const issuer: Who = { roles: ['issuer'], kind: 'service' };
  const partner: Who = { roles: ['issuer'], kind: 'partner' };
  const custodian: Who = { roles: ['key-custodian', 'incident-responder'], kind: 'service' };
  const isMutation = (name: RouteName): boolean => routes[name].method !== 'GET';

  it('need no reason', async () => {
    await compare(known['a service with a key'] ?? showingNothing, {}, (name) => expected(name, issuer));
  });

  it('sign wherever much is at stake', async () => {
    const unsigned = known['a custodian that does not sign'] ?? showingNothing;
    const signed = known['a custodian that signs'] ?? showingNothing;
    await compare(
      unsigned,
      {},
      (name, row) =>
        may(row, custodian) && row.needs.includes('step-up')
          ? 'signature_required'
          : expected(name, custodian),
      { target: 'unsigned' },
    );
    await compare(signed, {}, (name) => expected(name, custodian));
  });

  it('of others sign whatever changes something', async () => {
    const unsigned = known['a partner that does not sign'] ?? showingNothing;
    await compare(unsigned, {}, (name, row) =>
      isMutation(name) && !isOpen(row) ? 'signature_required' : expected(name, partner),
    );
    await compare(known['a partner that signs'] ?? showingNothing, {}, (name) => expected(name, partner));
  });
});

describe('a listener of another zone', () => {
  it.each(['public', 'ops'] as const)('(%s) knows no administrator', async (zone) => {
    for (const name of routeNames) {
      const route = routes[name] as unknown as Route;
      if (route.zones.includes(zone)) continue;
      const { status, code } = await world.ask(of('administrator'), route.method, pathOf(route), { zone });
      expect({ name, status, code }).toEqual({ name, status: 404, code: 'not_found' });
    }
  });
});

describe('a policy that asks for managed devices', () => {
  const lines = [
    'forbid(principal, action, resource)',
    'when { context has purpose && context.purpose == "from-afar" }',
    'unless { context.device.managed && context.device.encrypted };',
  ];

  it('keeps everybody out whose device nothing is known of, from everything', async () => {
    const policy = defaultPolicyDocument();
    const policies = [...policy.policies, { id: 'managed-devices', lines }].sort((a, b) =>
      a.id < b.id ? -1 : 1,
    );
    const published = await world.ask(of('administrator'), 'POST', '/v1/policy', {
      body: { ...policy, policies, despiteShadow: true },
      headers: reason,
    });
    expect(published.status, published.text).toBe(200);
    const headers = { ...reason, 'tally-purpose': 'from-afar', 'x-device-managed': 'true' };
    for (const role of ['issuer', 'administrator'] as const) {
      await compare(of(role), headers, (_name, row) => {
        if (isOpen(row)) return 'let in';
        return row.seenBy === null ? 'forbidden' : 'subject_unknown';
      });
      await compare(of(role), reason, (name) => expected(name, { roles: [role], kind: 'person' }), {
        among: ['license.get', 'principal.get'],
      });
    }
  });
});
