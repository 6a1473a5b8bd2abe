import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  accessRecordings,
  bodyIsRequired,
  isRecordedFirst,
  type Route,
  routeNames,
  routes,
  routesOf,
  zones,
} from '../src/index.ts';
import { bodies } from '../src/schemas/bodies.ts';

const table = Object.entries(routes) as [string, Route][];
const mutations = table.filter(([, route]) => route.mutation);

/** The address as a router sees it: parameters have no names there. */
const shapeOf = (route: Route): string => `${route.method} ${route.path.replaceAll(/:[a-z]+/gi, ':')}`;
const memberNames = (schema: z.ZodType): string[] => Object.keys(z.toJSONSchema(schema).properties ?? {});

describe('the table of routes', () => {
  it.each(table)('%s is named as in the table', (name, route) => {
    expect(route.name).toBe(name);
  });

  it('has no two routes that a router could not tell apart', () => {
    const shapes = table.map(([, route]) => shapeOf(route));
    expect(new Set(shapes).size).toBe(shapes.length);
  });

  it.each(table)('%s describes exactly the parameters of its path', (_name, route) => {
    const inPath = [...route.path.matchAll(/:([a-z]+)|(\*)$/gi)].map((match) => match[1] ?? match[2]);
    expect(memberNames(route.params)).toEqual(inPath);
  });

  it.each(table)('%s lists each of its problems once', (_name, route) => {
    expect(new Set(route.problems).size).toBe(route.problems.length);
  });

  it.each(table)('%s has a limit exactly when it has a body', (_name, route) => {
    expect(route.bodyLimit > 0).toBe(route.body !== null);
    expect(route.problems.includes('body_too_large')).toBe(route.body !== null);
  });

  it.each(table)('%s asks for a credential unless it serves clients or operators', (_name, route) => {
    const isOpen = route.auth === 'none';
    expect(route.problems.includes('unauthorized')).toBe(!isOpen);
    const letsIn = /^\/v1\/(?:login|enrollment|recovery)(?:\/|$)/.test(route.path);
    if (route.zones.length === 1 && route.zones[0] === 'admin')
      expect(route.auth).toBe(letsIn ? 'login' : 'admin');
    if (route.path.startsWith('/log/tile/')) expect(route.auth).toBe('mirror');
  });

  it('serves every route somewhere, and nothing that changes the log outside the admin listener', () => {
    expect(table.filter(([, route]) => route.zones.length === 0)).toEqual([]);
    for (const zone of zones.filter((each) => each !== 'admin')) {
      expect(routesOf(zone).filter((route) => route.mutation)).toEqual([]);
    }
  });

  it('serves clients and operators this and no more', () => {
    const addresses = (zone: 'public' | 'ops') =>
      routesOf(zone).map((route) => `${route.method} ${route.path}`);
    expect(addresses('public').sort()).toEqual([
      'GET /log/access',
      'GET /log/checkpoint',
      'GET /log/contents/:from',
      'GET /log/tile/*',
      'GET /trust/:key',
      'GET /trust/:ns/brake/:rev',
      'GET /trust/:ns/keys',
      'GET /trust/:ns/namespace/:rev',
      'POST /v1/bundles',
    ]);
    expect(addresses('ops').sort()).toEqual(['GET /healthz', 'GET /metrics', 'GET /primary', 'GET /readyz']);
  });
});

describe('what the access log keeps', () => {
  it('is said of every route, and of no other', () => {
    expect(Object.keys(accessRecordings).sort()).toEqual([...routeNames].sort());
  });

  it('is a change of everything that changes something, which nothing else is', () => {
    const isChange = ([name, route]: [string, Route]): boolean =>
      route.mutation || ['trust.publish', 'namespace.revise', 'recovery.submit'].includes(name);
    const said = table.filter(([name]) => accessRecordings[name] === 'change');
    expect(said).toEqual(table.filter(isChange));
  });

  it('is on disk first for denials, and for what nobody thought of', () => {
    expect([isRecordedFirst('log.checkpoint', 200), isRecordedFirst(null, 404)]).toEqual([false, false]);
    expect([isRecordedFirst('log.checkpoint', 403), isRecordedFirst(null, 401)]).toEqual([true, true]);
    expect([isRecordedFirst('license.get', 200), isRecordedFirst('something.new', 200)]).toEqual([
      true,
      true,
    ]);
  });
});

describe('mutations', () => {
  it('are one for each command', () => {
    expect(mutations.map(([, route]) => String(route.command)).sort()).toEqual(Object.keys(bodies).sort());
    expect(mutations.every(([name, route]) => route.command === name)).toBe(true);
    expect(table.filter(([, route]) => !route.mutation && route.command !== null)).toEqual([]);
  });

  it.each(mutations)('%s takes a key, a reason, a dry run and a wait, and a closed body', (_name, route) => {
    expect(memberNames(route.query)).toEqual(['dryRun', 'wait', 'waitMs']);
    expect(memberNames(route.headers)).toEqual(['idempotency-key', 'tally-reason']);
    expect(z.toJSONSchema(route.body!).additionalProperties).toBe(false);
    expect(Object.keys(route.answers)).toContain('202');
  });

  it.each(mutations)('%s can say that nothing, or perhaps something, was committed', (_name, route) => {
    expect(route.problems).toEqual(
      expect.arrayContaining(['not_committed', 'outcome_unknown', 'publication_stalled', 'signer_refused']),
    );
  });

  it.each(mutations)('%s names its subject in the path unless it makes one', (_name, route) => {
    const creates = Object.keys(route.answers).includes('201');
    const isOnlyOne = /^\/v1\/(?:brake|policy)(?:\/|$)/.test(route.path);
    expect(route.path.includes('/:id')).toBe(!creates && !isOnlyOne);
    expect(memberNames(route.body!).includes('expectedRev')).toBe(!creates);
    expect(route.problems.includes('revision_conflict')).toBe(!creates);
  });

  it('need a body only where some member must be said', () => {
    const optional = mutations.filter(([, route]) => !bodyIsRequired(route)).map(([name]) => name);
    expect(optional).toContain('license.reinstate');
    expect(optional).not.toContain('license.revoke');
    expect(routeNames.length).toBe(table.length);
  });
});
