/** What somebody tries who is let in, and wants more than that: attacks that cross several parts of the gate. */
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { setTimeout as after } from 'node:timers/promises';
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
/** A license of the product that the narrowed ones are for. */
let own: string;
let early: number;
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
  const person = async (name: string, ...roles: { role: string; products?: string[]; until?: string }[]) => {
    const id = await world.principal('person', name, roles);
    who[name] = { id, shows: world.session(id, await world.account(id), 1) };
  };
  await world.made('/v1/plans', {
    product: 'other',
    code: 'other-yearly',
    name: 'Other',
    term: { length: 'P1Y' },
  });
  own = await world.made('/v1/licenses', { plan: 'other-yearly', licensee: 'Own' });
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
  const key = await world.apiKey(by('viewer').id, 'api');
  who['listener'] = { id: key.id, shows: bearing(key.token) };
  early = (await system.admin('POST', '/v1/policy', defaultPolicyDocument())).status;
  // For a time, so that the token of the folder, which makes all of this, is good until the last one.
  await person('second administrator', { role: 'administrator', until: '2099-01-01T00:00:00.000Z' });
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

/** Asks again until there is a server to answer. */
async function insist(ask: () => Promise<Reply>): Promise<Reply> {
  for (;;) {
    const reply = await ask().catch(() => null);
    if (reply !== null && reply.status < 500) return reply;
    await after(100);
  }
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

describe('what somebody may not see, in the body of a request', () => {
  const none = {
    license: 'lic_01jdzzzzzzzzzzzzzzzzzzzzzz',
    plan: 'no-such-plan',
    planId: 'pln_01jdzzzzzzzzzzzzzzzzzzzzzz',
  };
  const asks: [string, (value: string) => [string, object], () => [string, string]][] = [
    [
      'a license to succeed',
      (replaces) => ['/v1/licenses', { plan: 'other-yearly', licensee: 'x', replaces }],
      () => [ids.license, none.license],
    ],
    [
      'a license that takes over',
      (license) => [`/v1/licenses/${own}/replace`, { by: license }],
      () => [ids.license, none.license],
    ],
    [
      'a plan to change to, by its code',
      (plan) => [`/v1/licenses/${own}/change-plan`, { plan }],
      () => ['pro-yearly', none.plan],
    ],
    [
      'a plan to change to',
      (plan) => [`/v1/licenses/${own}/change-plan`, { plan }],
      () => [ids.plan, none.planId],
    ],
    [
      'an add-on',
      (plan) => [`/v1/licenses/${own}/change-plan`, { addons: [{ plan }] }],
      () => ['pro-yearly', none.plan],
    ],
    ['a plan to sell', (plan) => ['/v1/licenses', { plan, licensee: 'x' }], () => ['pro-yearly', none.plan]],
  ];
  it.each(asks)('(%s) is answered like what does not exist', async (_what, ask, values) => {
    const answers = [];
    for (const value of values()) {
      const [path, body] = ask(value);
      const { status, text } = await post('scoped', `${path}?dryRun=true`, body);
      answers.push({ status, text: text.replaceAll(value, '<it>').replace(/"requestId":"[^"]+"/, '') });
    }
    expect(answers[0]).toEqual(answers[1]);
  });
});

describe('more power than was given', () => {
  it('does not come from another key of one’s own', async () => {
    const narrow = by('narrow key');
    const asking = (more: object) => {
      const key = requestSigningKey(generateKeyPairSync('ed25519').privateKey);
      return post('narrow key', '/v1/credentials?dryRun=true', signingCredential(narrow.id, key, more), {});
    };
    for (const more of [
      {},
      { scope: { products: ['other', 'pro'] } },
      { scope: { actions: ['license.get'] } },
    ]) {
      const { status, code } = await asking(more);
      expect({ more, status, code }).toEqual({ more, status: 409, code: 'may_only_tighten' });
    }
    const alike = await asking({ scope: { products: ['other'], actions: ['license.get'] } });
    expect(alike.status, alike.text).toBe(200);
  });

  it('does not come from a role that an administrator gives itself, or one of the house', async () => {
    const { id } = by('administrator');
    const attempts: [string, object][] = [
      [`/v1/principals/${id}/assign`, { roles: [{ role: 'administrator' }, { role: 'issuer' }] }],
      [`/v1/principals/${ids.principal}/assign`, { roles: [{ role: 'bootstrap' }] }],
      ['/v1/principals', { kind: 'service', name: 'x', roles: [{ role: 'bootstrap' }] }],
      ['/v1/principals', { kind: 'service', name: 'x', roles: [{ role: 'mirror' }] }],
    ];
    for (const [path, body] of attempts) {
      const tried = await post('administrator', path, body);
      expect({ path, status: tried.status, text: tried.text }).toMatchObject({ path, status: 403 });
    }
    // A role for a while is asked of others.
    const granted = await post('administrator', `/v1/principals/${id}/grant`, {
      role: 'issuer',
      length: 'PT1H',
    });
    expect({ status: granted.status, code: granted.code }).toEqual({
      status: 409,
      code: 'approval_required',
    });
  });

  it('does not come from what one administrator does alone: a puppet, a key for somebody else, another policy', async () => {
    const policy = defaultPolicyDocument();
    const policies = policy.policies.filter(({ id }) => id !== 'administrator-does-not-sell');
    const lookup = secretTokenHash(newSecretToken('api', randomBytes));
    const attempts: [string, object][] = [
      ['/v1/principals', { kind: 'service', name: 'puppet', roles: [{ role: 'issuer' }] }],
      [`/v1/principals/${ids.principal}/assign`, { roles: [{ role: 'issuer' }] }],
      ['/v1/credentials', { principal: by('issuer').id, kind: 'api_key', name: 'mine', lookup }],
      ['/v1/policy', { ...policy, policies, despiteShadow: true }],
    ];
    for (const [path, body] of attempts) {
      const tried = await post('administrator', path, body);
      expect({ path, status: tried.status, code: tried.code }).toEqual({
        path,
        status: 409,
        code: 'approval_required',
      });
      const { approval } = tried.json['details'] as { approval: string };
      const approved = await post('administrator', `/v1/approvals/${approval}/approve`);
      expect({ path, status: approved.status }).toEqual({ path, status: 403 });
    }
  });

  it('does not come from a request that waits for approval, where one may not ask for it oneself', async () => {
    const roles = [{ role: 'administrator' }];
    for (const command of [
      { type: 'principal.assign', principal: by('viewer').id, roles },
      { type: 'principal.create', kind: 'person', name: 'puppet', roles },
      largeSale('Not mine'),
    ]) {
      const asked = await post('viewer', '/v1/approvals', { command });
      expect({ command, status: asked.status }).toEqual({ command, status: 403 });
    }
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
    const at = (name: string, verb: string) => post(name, `/v1/approvals/${approval}/${verb}`);
    const asked = await Promise.all([
      ...['second issuer', 'third issuer', 'second issuer', 'third issuer'].map((name) =>
        at(name, 'approve'),
      ),
      ...Array.from({ length: 8 }, () => at('issuer', 'execute')),
    ]);
    expect(asked.some(({ status }) => status === 200)).toBe(true);
    await Promise.all(Array.from({ length: 4 }, () => at('issuer', 'execute')));
    const sold = await world.ask(by('issuer').shows, 'GET', '/v1/licenses?limit=200');
    expect(sold.text.split('"licensee":"Race"').length - 1).toBe(1);
  });

  it('of two carry a request out once, where the server is killed while the last approval is on its way', async () => {
    const count = async (): Promise<number> => {
      const { json } = await insist(() =>
        world.ask(by('administrator').shows, 'GET', '/v1/licenses?limit=200', { headers: reason }),
      );
      return (json['items'] as unknown[]).length;
    };
    const keyed = (name: string, path: string, key: string, body: object = {}): Promise<Reply> =>
      post(name, path, body, { ...reason, 'idempotency-key': key });
    const { type: _, ...sale } = largeSale('Fourth');
    const [asked, approved] = [randomUUID(), randomUUID()];
    const before = await count();
    const waits = await keyed('issuer', '/v1/licenses', asked, sale);
    expect([waits.status, waits.code]).toEqual([409, 'approval_required']);
    const path = `/v1/approvals/${(waits.json['details'] as { approval: string }).approval}`;
    const cutOff = keyed('second issuer', `${path}/approve`, approved).catch(() => null);
    await after(5);
    world.system.kill('server');
    await cutOff;
    const again = await insist(() => keyed('second issuer', `${path}/approve`, approved));
    expect([again.status, again.json['execution']]).toMatchObject([200, { done: true, problem: null }]);
    const told = await insist(() => keyed('issuer', '/v1/licenses', asked, sale));
    expect(told.json).toMatchObject({ document: { type: 'license' }, licenseKey: expect.any(String) });
    const executed = await insist(() => keyed('second issuer', `${path}/execute`, randomUUID()));
    expect(executed.json).toMatchObject({ document: { state: 'executed' }, notes: [{ code: 'replayed' }] });
    expect(await count()).toBe(before + 1);
  });
});

describe('what is written into the log of requests and of changes', () => {
  it.each(['a%0Ab', 'a%1b%5B2Jb', 'a%00b', 'a%C2%85b'])('is no line of its own: %s', async (text) => {
    const made = await post('issuer', '/v1/customers', { name: 'Fresh' }, { 'tally-reason': text });
    expect({ status: made.status, code: made.code }).toEqual({ status: 400, code: 'malformed_request' });
    const named = await post('issuer', '/v1/customers', { name: decodeURIComponent(text) });
    expect(named.status).toBe(400);
  });
});

describe('whoever sets a system up', () => {
  it('does not lock it with a policy before anybody is in it', () => {
    expect(early).toBe(403);
  });
});

describe('somebody who is no longer let in', () => {
  async function listening(shows: Shows): Promise<{ ended: () => Promise<string>; close: () => void }> {
    const url = new URL(`${world.system.supervisor.urls.admin}/v1/events`);
    const headers = { 'user-agent': 'test' };
    const request = get(url, {
      headers: { ...headers, ...shows({ method: 'GET', url, headers, body: null }) },
    });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    response.resume();
    const end = once(response, 'close').then(() => 'ended');
    return {
      ended: () => Promise.race([end, after(3000).then(() => 'goes on')]),
      close: () => void request.destroy(),
    };
  }

  it('hears no more events: a key that is revoked, a session that is ended, somebody who is disabled', async () => {
    const key = await listening(by('listener').shows);
    const session = await listening(by('viewer').shows);
    const other = await listening(by('second issuer').shows);
    const revoked = await post('administrator', `/v1/credentials/${by('listener').id}/revoke`);
    expect(revoked.status, revoked.text).toBe(200);
    expect(await key.ended()).toBe('ended');

    const { json } = await world.ask(by('viewer').shows, 'GET', '/v1/sessions/current');
    const ended = await world.ask(
      by('administrator').shows,
      'POST',
      `/v1/sessions/${String(json['session'])}/end`,
      {
        headers: reason,
      },
    );
    expect(ended.status, ended.text).toBe(200);
    expect(await session.ended()).toBe('ended');

    const disabled = await post('administrator', `/v1/principals/${by('second issuer').id}/disable`);
    expect(disabled.status, disabled.text).toBe(200);
    expect(await other.ended()).toBe('ended');
    for (const each of [key, session, other]) each.close();
  });
});
