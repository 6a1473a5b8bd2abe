/** Each listener serves the routes of its zone and no others, and tells nobody that those exist. */
import { type Route, routeNames, routes, type Zone, zones } from '@tallystick/contract';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, noLimits, RealSystem } from './support/real-system.ts';
import { pathOf, zonesOfRoutes } from './support/route-table.ts';

let system: RealSystem;
const bodyBytesMax = { public: 2000, admin: 3000, ops: 500 } as const;

beforeAll(async () => {
  const limits = Object.fromEntries(
    zones.map((zone) => [zone, { ...noLimits[zone], bodyBytesMax: bodyBytesMax[zone] }]),
  );
  system = await RealSystem.start({ algorithms: ['ed25519'], server: { limits } });
  await system.ready();
});

afterAll(() => system[Symbol.asyncDispose]());

const all = routeNames.map((name) => routes[name] as unknown as Route);
const methodsOf = ({ method }: Route): string[] => [method, 'HEAD', 'OPTIONS'];

interface Asking {
  headers?: Record<string, string>;
  body?: string;
}

async function ask(zone: Zone, method: string, path: string, init: Asking = {}): Promise<Answer> {
  const headers = { authorization: `Bearer ${system.client.token}`, ...init.headers };
  const signal = AbortSignal.timeout(5000);
  const response = await fetch(`${system.supervisor.urls[zone]}${path}`, {
    method,
    signal,
    ...init,
    headers,
  });
  const isStream = response.headers.get('content-type') === 'text/event-stream';
  if (isStream) await response.body?.cancel();
  const text = isStream ? '' : await response.text();
  return { status: response.status, headers: response.headers, text, json: null };
}

/** All that a caller sees, but for what differs between any two requests. */
function seen({ status, headers, text }: Answer): object {
  const changing = ['date', 'x-ratelimit-remaining', 'x-ratelimit-reset'];
  return {
    status,
    headers: [...headers].filter(([name]) => !changing.includes(name)),
    text: text.replace(/"requestId":"[0-9a-f-]{36}"/, ''),
  };
}

describe('the table of zones', () => {
  it('is what the contract says of every route', () => {
    const contract = Object.fromEntries(all.map(({ name, zones: served }) => [name, served]));
    expect(contract).toEqual(zonesOfRoutes);
  });

  it('has no route that answers without a credential beside those of clients and operators', () => {
    const open = all.filter(({ auth }) => auth === 'none').map(({ name }) => name);
    expect(
      open.filter((name) => zonesOfRoutes[name as keyof typeof zonesOfRoutes].join() === 'admin'),
    ).toEqual([]);
  });
});

describe.each([...zones])('the %s listener', (zone) => {
  const own = all.filter(({ zones: served }) => served.includes(zone));
  const foreign = all.filter(({ zones: served }) => !served.includes(zone));
  const ownPaths = new Set(own.map(({ path }) => path));

  it('answers for each of its own routes, and names their methods', async () => {
    for (const route of own) {
      const body = route.body === null ? {} : { body: '{}', headers: { 'content-type': 'application/json' } };
      await ask(zone, route.method, pathOf(route), body);
      const wrong = await ask(zone, 'DELETE', pathOf(route));
      expect({ route: route.name, status: wrong.status, allow: wrong.headers.get('allow') }).toEqual({
        route: route.name,
        status: 405,
        allow: expect.stringContaining(route.method),
      });
    }
    const metrics = (await system.ops('/metrics')).text;
    const answered = (route: Route) => metrics.includes(`zone="${zone}",route="${route.name}"`);
    // A stream is counted when it ends.
    expect(own.filter((route) => !answered(route)).map(({ name }) => name)).toEqual(
      zone === 'admin' ? ['event.stream'] : [],
    );
    expect(foreign.filter(answered)).toEqual([]);
  });

  it('answers every route of another zone exactly like a path that is none, whoever asks and however', async () => {
    const nowhere = new Map<string, object>();
    for (const route of foreign) {
      if (ownPaths.has(route.path)) continue;
      for (const method of methodsOf(route)) {
        for (const authorization of ['', `Bearer ${system.client.token}`]) {
          const headers = { authorization };
          const kind = `${method} ${authorization}`;
          const absent = nowhere.get(kind) ?? seen(await ask(zone, method, '/nowhere/at/all', { headers }));
          nowhere.set(kind, absent);
          const answer = await ask(zone, method, pathOf(route), { headers });
          expect({ route: route.name, method, ...seen(answer) }).toEqual({
            route: route.name,
            method,
            ...absent,
            status: 404,
          });
        }
      }
    }
  });

  it('takes no longer body than its own limit, on its routes and elsewhere', async () => {
    const { path } = own.find(({ body }) => body !== null) ?? { path: '/nowhere' };
    const post = (length: number) =>
      ask(zone, 'POST', path, {
        body: JSON.stringify({ x: 'x'.repeat(length - 8) }),
        headers: { 'content-type': 'application/json' },
      });
    expect((await post(bodyBytesMax[zone])).status).not.toBe(413);
    expect((await post(bodyBytesMax[zone] + 1)).status).toBe(413);
  });
});
