/** What somebody tries who is let in, and wants more than that: attacks that cross several parts of the gate. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { get } from 'node:http';
import { type Route, routeNames, routes } from '@tallystick/contract';
import { defaultPolicyDocument, newSecretToken, secretTokenHash } from '@tallystick/gate';
import { requestSigningKey } from '@tallystick/gate/http-signature';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gateTable, type Ids } from './support/gate-table.ts';
import {
  bearing,
  GateWorld,
  type Reply,
  type Shows,
  signing,
  signingCredential,
} from './support/gate-world.ts';
import { pathOf } from './support/route-table.ts';

let world: GateWorld;
let ids: Ids;
const who: Record<string, { id: string; shows: Shows }> = {};
const reason = { 'tally-reason': 'TICKET-1' };

beforeAll(async () => {
  world = await GateWorld.create();
  const { system } = world;
  await world.made('/v1/products', {
    code: 'other',
    name: 'Other',
    entitlements: { pdf: { type: 'boolean' } },
  });
  const idOf = async (path: string) =>
    (await system.must<{ document: { id: string } }>('GET', path)).document.id;
  const product = await idOf('/v1/products/pro');
  const plan = await idOf('/v1/plans/pro-yearly');
  const customer = await world.made('/v1/customers', { name: 'Contoso' });
  const otherCustomer = await world.made('/v1/customers', { name: 'Fabrikam' });
  const license = await world.made('/v1/licenses', { plan: 'pro-yearly', customer, licensee: 'Contoso' });
  const principal = await world.principal('person', 'somebody', []);
  const credential = await world.account(principal);
  ids = { product, plan, customer, otherCustomer, license, principal, credential, approval: '', session: '' };
  world.session(principal, credential, null, (id) => {
    ids.session = id;
  });
  const person = async (name: string, ...roles: { role: string; products?: string[] }[]) => {
    const id = await world.principal('person', name, roles);
    who[name] = { id, shows: world.session(id, await world.account(id), 1) };
  };
  await person('viewer', { role: 'viewer' });
  await person('scoped', { role: 'issuer', products: ['other'] });
  await person('issuer', { role: 'issuer' });
  await person('second issuer', { role: 'issuer' });
  await person('third issuer', { role: 'issuer' });
  const machine = await world.principal('service', 'billing', [{ role: 'issuer' }]);
  const narrow = await world.signingKey(machine, { scope: { products: ['other'] } });
  who['narrow key'] = { id: machine, shows: signing(narrow.key) };
  const second = await world.signingKey(who['issuer']?.id ?? '');
  who['second credential of issuer'] = { id: who['issuer']?.id ?? '', shows: signing(second.key) };
  await person('administrator', { role: 'administrator' });
  await world.restart();
}, 120_000);

afterAll(() => world[Symbol.asyncDispose]());

function by(name: string): { id: string; shows: Shows } {
  const found = who[name];
  if (found === undefined) throw new Error(name);
  return found;
}

async function post(
  name: string,
  path: string,
  body: object = {},
  headers: Record<string, string> = reason,
): Promise<Reply> {
  return world.ask(by(name).shows, 'POST', path, { body, headers });
}

const documentOf = ({ json }: Reply) => json['document'] as Record<string, unknown> & { id: string };
const largeSale = (licensee: string) => ({
  type: 'license.issue',
  plan: 'pro-yearly',
  licensee,
  term: { until: new Date(Date.now() + 12 * 365 * 86_400_000).toISOString() },
});

async function requested(command: object, name = 'issuer'): Promise<string> {
  const asked = await post(name, '/v1/approvals', { command });
  expect(asked.status, asked.text).toBe(201);
  return documentOf(asked).id;
}

describe('what somebody may not see', () => {
  /** Another id of the same form. */
  const absent = (id: string): string => `${id.slice(0, -6)}zzzzzz`;

  it.each(['scoped', 'viewer', 'narrow key'])(
    '(%s) is answered like what does not exist, on every route that names it',
    async (name) => {
      ids.approval = ids.approval === '' ? await requested(largeSale('Hidden')) : ids.approval;
      const told: string[] = [];
      for (const routeName of routeNames) {
        const { id, seenBy, query = '', body } = gateTable[routeName];
        if (id === undefined || seenBy === null) continue;
        const route = routes[routeName] as unknown as Route;
        const ask = async (value: string) => {
          const reply = await world.ask(by(name).shows, route.method, pathOf(route, { id: value }) + query, {
            ...(route.body !== null && { body: body?.({ ...ids, [id]: value }) ?? {} }),
            headers: reason,
          });
          const text = reply.text.replaceAll(value, '<id>').replace(/"requestId":"[^"]+"/, '');
          return { status: reply.status, text, length: reply.text.length };
        };
        const [hidden, none] = [await ask(ids[id]), await ask(absent(ids[id]))];
        // What this caller may see is another matter.
        if (hidden.status < 300 || (!['scoped', 'narrow key'].includes(name) && hidden.status === 403))
          continue;
        if (JSON.stringify(hidden) !== JSON.stringify(none))
          told.push(`${routeName}: ${hidden.text} / ${none.text}`);
      }
      expect(told).toEqual([]);
    },
  );
});

describe('more power than was given', () => {
  it('does not come from another key of one’s own', async () => {
    const key = requestSigningKey(generateKeyPairSync('ed25519').privateKey);
    const made = await post('narrow key', '/v1/credentials', signingCredential(by('narrow key').id, key), {});
    expect({ status: made.status, code: made.code }).toEqual({ status: 403, code: 'forbidden' });
  });

  it('does not come from a role that an administrator gives itself, or one of the house', async () => {
    const { id } = by('administrator');
    const attempts: [string, object][] = [
      [`/v1/principals/${id}/assign`, { roles: [{ role: 'administrator' }, { role: 'issuer' }] }],
      [`/v1/principals/${id}/grant`, { role: 'issuer', length: 'PT1H' }],
      [`/v1/principals/${ids.principal}/assign`, { roles: [{ role: 'bootstrap' }] }],
      ['/v1/principals', { kind: 'service', name: 'x', roles: [{ role: 'bootstrap' }] }],
      ['/v1/principals', { kind: 'service', name: 'x', roles: [{ role: 'mirror' }] }],
    ];
    for (const [path, body] of attempts) {
      const tried = await post('administrator', path, body);
      expect({ path, status: tried.status, text: tried.text }).toMatchObject({ path, status: 403 });
    }
  });

  it('does not come from roles that are given in making somebody', async () => {
    const made = await post('administrator', '/v1/principals', {
      kind: 'service',
      name: 'puppet',
      roles: [{ role: 'issuer' }],
    });
    expect(made.text).toBe('');
  });

  it('does not come from a policy that one administrator publishes', async () => {
    const policy = defaultPolicyDocument();
    const policies = policy.policies.filter(({ id }) => id !== 'administrator-does-not-sell');
    const published = await post('administrator', '/v1/policy', { ...policy, policies });
    expect(published.text).toBe('');
  });

  it('does not come from a request that waits and was not for oneself to make', async () => {
    const command = {
      type: 'principal.assign',
      principal: by('viewer').id,
      roles: [{ role: 'administrator' }],
    };
    const asked = await post('viewer', '/v1/approvals', { command });
    expect(asked.text).toBe('');
  });
});

describe('four eyes', () => {
  it('are not two credentials of one person', async () => {
    const approval = await requested(largeSale('Own'));
    for (const name of ['issuer', 'second credential of issuer']) {
      const approved = await post(name, `/v1/approvals/${approval}/approve`);
      expect({ status: approved.status, text: approved.text }).toMatchObject({ status: 403 });
    }
  });

  it('of several at once carry a request out once', async () => {
    const approval = await requested(largeSale('Race'));
    const approvals = await Promise.all(
      ['second issuer', 'third issuer', 'second issuer'].map((name) =>
        post(name, `/v1/approvals/${approval}/approve`),
      ),
    );
    expect(approvals.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
    const executed = await Promise.all(
      Array.from({ length: 8 }, () => post('issuer', `/v1/approvals/${approval}/execute`)),
    );
    expect(executed.map(({ status }) => status).filter((status) => status === 200)).toHaveLength(1);
    const sold = await world.ask(by('issuer').shows, 'GET', '/v1/licenses?limit=200');
    expect(sold.text.split('"licensee":"Race"').length - 1).toBe(1);
  });
});

describe('what is written into the log of requests and of changes', () => {
  it.each(['a%0Ab', 'a%1b%5B2Jb', 'a%00b', '%E2%80%AE gnp.exe'])(
    'is no line of its own: %s',
    async (text) => {
      const made = await post('issuer', '/v1/customers', { name: 'Fresh' }, { 'tally-reason': text });
      expect({ status: made.status, code: made.code }).toEqual({ status: 400, code: 'malformed_request' });
      const named = await post('issuer', '/v1/customers', { name: decodeURIComponent(text) });
      expect(named.status).toBe(400);
    },
  );
});

describe('somebody who is no longer let in', () => {
  it('hears no more events', async () => {
    const key = newSecretToken('api', randomBytes);
    const made = await post('administrator', '/v1/credentials', {
      principal: by('viewer').id,
      kind: 'api_key',
      name: 'listener',
      lookup: secretTokenHash(key),
    });
    expect(made.status, made.text).toBe(201);
    const request = get(`${world.system.supervisor.urls.admin}/v1/events`, {
      headers: { authorization: `Bearer ${key}` },
    });
    const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage];
    expect(response.statusCode).toBe(200);
    response.resume();
    const ended = Promise.race([
      once(response, 'close').then(() => 'ended'),
      new Promise((r) => setTimeout(() => r('goes on'), 3000)),
    ]);
    const revoked = await post('administrator', `/v1/credentials/${documentOf(made).id}/revoke`);
    expect(revoked.status, revoked.text).toBe(200);
    expect(await ended).toBe('ended');
    request.destroy();
  });
});
