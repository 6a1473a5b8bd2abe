/**
 * The OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.0.html), made from the table of routes and
 * nothing else. The same routes give the same document, byte for byte.
 */
import { z } from 'zod';
import { componentsOf, eventComponent, operationId } from './components.ts';
import { events, eventTypes } from './events.ts';
import { type ProblemCode, problemMediaType, problems } from './problems.ts';
import { bodyIsRequired, jsonMediaType, type Route, type RouteAnswer, type Zone, zones } from './route.ts';
import { routesOf } from './routes.ts';
import { problem } from './schemas/answers.ts';

export interface OpenApiDocument {
  openapi: '3.1.0';
  info: { title: string; version: string; description: string };
  tags: { name: string }[];
  /** By path, then by method in lower case. */
  paths: Record<string, Record<string, OpenApiOperation>>;
  components: {
    schemas: Record<string, JsonSchema>;
    headers: Record<string, unknown>;
    securitySchemes: Record<string, unknown>;
  };
}

export type JsonSchema = Record<string, unknown>;

export interface OpenApiOperation {
  operationId: string;
  tags: string[];
  summary: string;
  description?: string;
  security: Record<string, string[]>[];
  parameters: OpenApiParameter[];
  requestBody?: { required: boolean; description: string; content: Content };
  responses: Record<string, OpenApiResponse>;
}

interface OpenApiParameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required: boolean;
  description?: string;
  schema: JsonSchema;
}

interface OpenApiResponse {
  description: string;
  headers?: Record<string, unknown>;
  content: Content;
  /** The problems that this status may stand for. */
  'x-problem-codes'?: ProblemCode[];
}

type Content = Record<string, Record<string, unknown>>;

const headerNames: Readonly<Record<string, string>> = {
  'idempotency-key': 'Idempotency-Key',
  'tally-reason': 'Tally-Reason',
  'last-event-id': 'Last-Event-ID',
};

const securitySchemes: Readonly<Record<string, unknown>> = {
  admin: { type: 'http', scheme: 'bearer', description: 'The token of an administrator' },
  mirror: {
    type: 'http',
    scheme: 'bearer',
    description: 'A token that reads the entries and tiles of the log',
  },
};

const security: Readonly<Record<Route['auth'], Record<string, string[]>[]>> = {
  none: [],
  login: [],
  admin: [{ admin: [] }],
  mirror: [{ mirror: [] }, { admin: [] }],
};

/** The description of one listener, or of all of them together. */
export function openApiDocument(options: { zone?: Zone } = {}): OpenApiDocument {
  const served = (options.zone === undefined ? zones : [options.zone]).flatMap((zone) => routesOf(zone));
  const routes = [...new Set(served)];
  const names = componentsOf(routes);
  const paths = pathsOf(routes, names);
  const used = new Set(routes.flatMap((route) => security[route.auth].flatMap((each) => Object.keys(each))));
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tallystick',
      version: '1',
      description: 'Licenses and entitlements that nobody can forge, alter, hide or roll back unnoticed.',
    },
    tags: [...new Set(routes.map((route) => route.tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: reachable(schemasOf(names), paths),
      headers: { RetryAfter: { description: 'Seconds to wait', schema: { type: 'integer', minimum: 0 } } },
      securitySchemes: Object.fromEntries(Object.entries(securitySchemes).filter(([name]) => used.has(name))),
    },
  };
}

type Names = ReadonlyMap<z.ZodType, string>;

function pathsOf(routes: readonly Route[], names: Names): OpenApiDocument['paths'] {
  const paths: OpenApiDocument['paths'] = {};
  for (const route of routes) {
    const path = openApiPath(route.path);
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route, names) };
  }
  return paths;
}

/** `/v1/plans/:id` as `/v1/plans/{id}`. OpenAPI has no parameter that spans slashes; `{rest}` is one here. */
export function openApiPath(path: string): string {
  return path.replaceAll(/:([a-z]+)/gi, '{$1}').replace(/\*$/, '{rest}');
}

function operationOf(route: Route, names: Names): OpenApiOperation {
  return {
    operationId: operationId(route),
    tags: [route.tag],
    summary: route.summary,
    ...(route.zones.length === zones.length ? {} : { description: `Served by: ${route.zones.join(', ')}.` }),
    security: security[route.auth],
    parameters: [
      ...parametersOf(route.params, 'path'),
      ...parametersOf(route.query, 'query'),
      ...parametersOf(route.headers, 'header'),
    ],
    ...(route.body === null ? {} : { requestBody: requestBodyOf(route, route.body, names) }),
    responses: { ...answersOf(route, names), ...problemsOf(route, names) },
  };
}

function parametersOf(schema: z.ZodType, place: OpenApiParameter['in']): OpenApiParameter[] {
  // What arrives is text; what it stands for says more to a reader.
  const { properties = {} } = z.toJSONSchema(schema, { io: 'output' });
  const { required = [] } = z.toJSONSchema(schema, { io: 'input' });
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = property as JsonSchema & { description?: string };
    return {
      name: name === '*' ? 'rest' : (headerNames[name] ?? name),
      in: place,
      required: required.includes(name),
      ...(description === undefined ? {} : { description }),
      schema: rest,
    };
  });
}

function requestBodyOf(
  route: Route,
  body: z.ZodType,
  names: Names,
): NonNullable<OpenApiOperation['requestBody']> {
  return {
    required: bodyIsRequired(route),
    description: `At most ${route.bodyLimit} bytes`,
    content: { [jsonMediaType]: { schema: reference(body, names) } },
  };
}

function answersOf(route: Route, names: Names): Record<string, OpenApiResponse> {
  const answers = Object.entries<RouteAnswer>(route.answers).map(
    ([status, { description, mediaType, schema }]) => {
      const content = { schema: schema === null ? { type: 'string' } : reference(schema, names) };
      const extra = mediaType === 'text/event-stream' ? { 'x-events': eventReferences() } : {};
      return [status, { description, content: { [mediaType]: { ...content, ...extra } } }] as const;
    },
  );
  return Object.fromEntries(answers);
}

function eventReferences(): Record<string, JsonSchema> {
  const references = eventTypes.map((type) => {
    const description = `${events[type].summary}${events[type].id === null ? '' : '; it has an id'}`;
    return [type, { $ref: `${schemaPrefix}${eventComponent(type)}`, description }] as const;
  });
  return Object.fromEntries(references);
}

function problemsOf(route: Route, names: Names): Record<string, OpenApiResponse> {
  const codes = [...new Set(route.problems)].sort();
  const statuses = [...new Set(codes.map((code) => problems[code].status))].sort((a, b) => a - b);
  const responses = statuses.map((status) => {
    const here = codes.filter((code) => problems[code].status === status);
    const description = here.map((code) => `\`${code}\`: ${problems[code].title}.`).join('\n');
    const mayRetryLater = status === 429 || status === 503;
    const headers = mayRetryLater
      ? { headers: { 'Retry-After': { $ref: '#/components/headers/RetryAfter' } } }
      : {};
    const content = { [problemMediaType]: { schema: reference(problem, names) } };
    return [String(status), { description, ...headers, content, 'x-problem-codes': here }] as const;
  });
  // A route that answers a status of its own with another body says so in place of the problem.
  return Object.fromEntries(responses.filter(([status]) => route.answers[Number(status)] === undefined));
}

const schemaPrefix = '#/components/schemas/';

function reference(schema: z.ZodType, names: Names): JsonSchema {
  const name = names.get(schema);
  if (name === undefined) throw new Error('a schema of a route has no name');
  return { $ref: `${schemaPrefix}${name}` };
}

/** Every named schema as JSON Schema, with references to the others by name. */
function schemasOf(names: Names): Record<string, JsonSchema> {
  const registry = z.registry<{ id: string }>();
  for (const [schema, id] of names) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { io: 'input', uri: (id) => `${schemaPrefix}${id}` });
  // A component is known by its place, so it needs no id; the dialect is that of OpenAPI.
  const withoutIds = Object.entries<JsonSchema>(schemas).map(([name, schema]) => {
    const members = Object.entries(schema).filter(([member]) => member !== '$schema' && member !== '$id');
    return [name, Object.fromEntries(members)] as const;
  });
  return Object.fromEntries(withoutIds);
}

/** The schemas that the paths need, directly or through others, by name. */
function reachable(schemas: Record<string, JsonSchema>, paths: unknown): Record<string, JsonSchema> {
  const found = new Set<string>();
  const queue: unknown[] = [paths];
  for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
    for (const name of namesIn(node)) {
      if (found.has(name)) continue;
      found.add(name);
      queue.push(schemas[name]);
    }
  }
  return Object.fromEntries([...found].sort().map((name) => [name, schemas[name] as JsonSchema]));
}

function namesIn(node: unknown): string[] {
  const references = JSON.stringify(node).matchAll(/"\$ref":"#\/components\/schemas\/([A-Za-z]+)"/g);
  return [...references].map((match) => match[1] as string);
}
