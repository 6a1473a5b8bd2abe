import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import {
  type OpenApiOperation,
  openApiDocument,
  problems,
  type Route,
  routes,
  routesOf,
  zones,
} from '../src/index.ts';
import { openApiPath } from '../src/openapi.ts';

const whole = openApiDocument();
const table = Object.entries(routes) as [string, Route][];
const operations = Object.values(whole.paths).flatMap((path) => Object.values(path));

function operationOf(route: Route): OpenApiOperation | undefined {
  return whole.paths[openApiPath(route.path)]?.[route.method.toLowerCase()];
}

/** Every object in a JSON tree, with the place where it stands. */
function* objectsIn(node: unknown, place = ''): Generator<[string, Record<string, unknown>]> {
  if (typeof node !== 'object' || node === null) return;
  if (!Array.isArray(node)) yield [place, node as Record<string, unknown>];
  for (const [name, value] of Object.entries(node)) yield* objectsIn(value, `${place}/${name}`);
}

describe('the OpenAPI document', () => {
  it.each([undefined, ...zones])('of listener %s is valid OpenAPI 3.1', async (zone) => {
    const document = openApiDocument(zone === undefined ? {} : { zone });
    const result = await new Validator().validate(
      structuredClone(document) as unknown as Record<string, unknown>,
    );
    expect(result).toMatchObject({ valid: true });
  });

  it('would be told invalid if it were', async () => {
    const { info, ...rest } = structuredClone(whole);
    const result = await new Validator().validate({ ...rest, info: { title: info.title } });
    expect(result.valid).toBe(false);
  });

  it.each(table)('has %s, with every problem that it lists', (_name, route) => {
    const operation = operationOf(route);
    expect(operation?.summary).toBe(route.summary);
    const statuses = Object.keys(operation!.responses);
    expect(statuses).toEqual(expect.arrayContaining(Object.keys(route.answers)));
    const codes = Object.values(operation!.responses).flatMap(
      (response) => response['x-problem-codes'] ?? [],
    );
    // Readiness answers 503 with a report of its own, whatever the reason.
    const listed =
      route.name === 'ready.get'
        ? route.problems.filter((code) => problems[code].status !== 503)
        : route.problems;
    expect(codes.sort()).toEqual([...listed].sort());
  });

  it('has no other operation, and no two under one id', () => {
    expect(operations).toHaveLength(table.length);
    expect(new Set(operations.map((operation) => operation.operationId)).size).toBe(table.length);
    expect(operations.every(({ operationId }) => /^[a-z][A-Za-z]+$/.test(operationId))).toBe(true);
  });

  it('refers only to what it contains, and contains only what it refers to', () => {
    for (const document of [whole, ...zones.map((zone) => openApiDocument({ zone }))]) {
      const references = [...objectsIn(document)].flatMap(([, node]) =>
        typeof node['$ref'] === 'string' ? [node['$ref']] : [],
      );
      const components = Object.keys(document.components.schemas).map(
        (name) => `#/components/schemas/${name}`,
      );
      const headers = ['#/components/headers/RetryAfter'];
      expect([...new Set(references)].sort()).toEqual([...headers, ...components].sort());
    }
  });

  it('writes no object down twice', () => {
    const places = new Map<string, string[]>();
    for (const [place, node] of objectsIn(whole.components.schemas)) {
      if (node['type'] !== 'object') continue;
      const text = JSON.stringify(node);
      places.set(text, [...(places.get(text) ?? []), place]);
    }
    expect([...places.values()].filter((each) => each.length > 1)).toEqual([]);
  });

  it('has patterns that JSON Schema validators can compile', () => {
    const patterns = [...objectsIn(whole)].flatMap(([, node]) =>
      typeof node['pattern'] === 'string' ? [node['pattern']] : [],
    );
    expect(patterns.length).toBeGreaterThan(50);
    for (const pattern of patterns) expect(() => new RegExp(pattern, 'u')).not.toThrow();
  });

  it('bounds every text, list and number that a request may carry', () => {
    const requests = Object.entries(whole.components.schemas).filter(([name]) => name.endsWith('Body'));
    expect(requests.length).toBeGreaterThan(15);
    const schemas = requests.flatMap(([, schema]) => [...objectsIn(schema)]);
    const parts = [
      'Addons',
      'CatalogInput',
      'CompanionInput',
      'GrantInput',
      'GrantsOfPlan',
      'Metadata',
      'Text',
      'TermInput',
    ];
    const shared = parts.flatMap((name) => [...objectsIn(whole.components.schemas[name])]);
    const unbounded = [...schemas, ...shared].filter(([, node]) => !isBounded(node));
    expect(unbounded).toEqual([]);
  });

  it('is the same every time', () => {
    expect(JSON.stringify(openApiDocument())).toBe(JSON.stringify(whole));
  });

  it.each(zones)('of listener %s has its routes and no others', (zone) => {
    const { paths } = openApiDocument({ zone });
    const found = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    const expected = routesOf(zone).map(
      (route) => `${route.method.toLowerCase()} ${openApiPath(route.path)}`,
    );
    expect(found.sort()).toEqual(expected.sort());
  });

  it('names schemes for exactly the credentials that a listener asks for', () => {
    expect(Object.keys(openApiDocument({ zone: 'ops' }).components.securitySchemes)).toEqual([]);
    expect(Object.keys(openApiDocument({ zone: 'public' }).components.securitySchemes)).toEqual([
      'admin',
      'mirror',
    ]);
    expect(operationOf(routes['log.tile'] as unknown as Route)?.security).toEqual([
      { mirror: [] },
      { admin: [] },
    ]);
  });
});

/** A pattern counts as a bound when nothing in it repeats without end. */
function isBounded(node: Record<string, unknown>): boolean {
  const { type, pattern } = node;
  if (type === 'array') return node['maxItems'] !== undefined;
  if (type === 'integer' || type === 'number')
    return node['minimum'] !== undefined && node['maximum'] !== undefined;
  if (type === 'object') return node['additionalProperties'] === false || node['maxProperties'] !== undefined;
  if (type !== 'string' || node['enum'] !== undefined || node['maxLength'] !== undefined) return true;
  return typeof pattern === 'string' && !/[*+]/.test(pattern.replaceAll(/\[[^\]]*\]/g, ''));
}
