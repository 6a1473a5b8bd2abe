/**
 * A CONTRACT FAKE, not the server: it reads requests with the contract's own reader, decides with the license
 * model over a namespace in memory, and checks every answer against the contract's schemas before it sends it.
 * There is no log, no signature and no disk: what it says of those is made up.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type CommandType,
  commandOf,
  type ProblemCode,
  problemMediaType,
  problemOf,
  type Route,
  type RouteName,
  readRequest,
  routes,
} from '@tallystick/contract';
import { parseCommand } from '@tallystick/license';
import { FakeNamespace } from './fake-namespace.ts';

export interface Seen {
  route: string;
  idempotencyKey: string | null;
  reason: string | null;
  authorization: string | null;
  dryRun: boolean;
  body: unknown;
}

/** Answers instead of the fake; null lets the fake answer. */
export type Trouble = (
  seen: Seen,
) =>
  | { code: ProblemCode; retryAfter?: number; details?: Record<string, string> }
  | 'drop'
  | 'nonsense'
  | null;

/** The response, once it is on its way. */
type Sent = ServerResponse;

const HASH = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
const table = Object.entries(routes as unknown as Record<string, Route>);

export class ContractFake {
  readonly namespace: FakeNamespace = new FakeNamespace();
  readonly seen: Seen[] = [];
  readonly token = 'contract-fake-token';
  trouble: Trouble = () => null;
  /** What is said that requests for approval would do. */
  effect: object | null = null;
  /** What bundle routes answer, and issuing beside its own; not published where null. */
  bundle: unknown = null;
  inWork = 0;
  inWorkMax = 0;
  private readonly answers = new Map<string, { request: string; status: number; value: object }>();
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, response) => {
      void this.answer(request, response);
    });
  }

  static async start(): Promise<ContractFake> {
    const fake = new ContractFake();
    await new Promise<void>((resolve) => {
      fake.server.listen(0, '127.0.0.1', resolve);
    });
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get mutations(): Seen[] {
    return this.seen.filter(
      ({ route, dryRun }) => !dryRun && (routes as unknown as Record<string, Route>)[route]?.mutation,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
    });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.inWork += 1;
    this.inWorkMax = Math.max(this.inWorkMax, this.inWork);
    try {
      await this.route(request, response);
    } finally {
      this.inWork -= 1;
    }
  }

  private async route(request: IncomingMessage, response: ServerResponse): Promise<Sent> {
    const url = new URL(request.url ?? '/', this.url);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const found = match(request.method ?? '', url.pathname);
    if (found === null) return problem(response, 'not_found');
    const [name, route, params] = found;
    if (route.auth === 'admin' && request.headers.authorization !== `Bearer ${this.token}`)
      return problem(response, 'unauthorized');
    const read = readRequest(name, {
      params,
      query: Object.fromEntries(url.searchParams),
      headers: request.headers,
      body: text === '' ? undefined : JSON.parse(text),
    });
    if (!read.ok) return problem(response, read.problem.code, read.problem.detail, read.problem.path);
    const seen = this.note(name, request, read.value);
    // Other requests get their turn, as they would while a server waits for its disk.
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    const trouble = this.trouble(seen);
    if (trouble === 'drop') return response.destroy();
    if (trouble === 'nonsense') return response.writeHead(200, { 'content-type': 'text/html' }).end('<html>');
    if (trouble !== null)
      return problem(response, trouble.code, undefined, undefined, trouble.retryAfter, trouble.details);
    if (route.mutation) return this.mutate(response, name, route, seen, params['id'] ?? null);
    return this.read(response, name, route, params, read.value);
  }

  private toApprovers(): object {
    const names = Object.fromEntries(
      this.namespace
        .idsOf('principal')
        .map((id) => [id, this.namespace.subject('principal', id)?.document.name]),
    );
    return { names, ...(this.effect === null ? {} : { effect: this.effect }) };
  }

  private note(
    name: string,
    request: IncomingMessage,
    value: { query: unknown; headers: unknown; body: unknown },
  ): Seen {
    const headers = value.headers as Record<string, string | undefined>;
    const seen: Seen = {
      route: name,
      idempotencyKey: headers['idempotency-key'] ?? null,
      reason: headers['tally-reason'] ?? null,
      authorization: request.headers.authorization ?? null,
      dryRun: (value.query as { dryRun?: boolean }).dryRun === true,
      body: value.body,
    };
    this.seen.push(seen);
    return seen;
  }

  private mutate(
    response: ServerResponse,
    name: RouteName,
    route: Route,
    seen: Seen,
    id: string | null,
  ): Sent {
    const requestText = JSON.stringify([name, id, seen.body]);
    const earlier = seen.idempotencyKey === null ? undefined : this.answers.get(seen.idempotencyKey);
    if (earlier !== undefined) {
      if (earlier.request !== requestText) return problem(response, 'idempotency_key_reused');
      const notes = [{ code: 'replayed', detail: 'An earlier answer.' }];
      return send(response, route, earlier.status, { ...earlier.value, notes });
    }
    const command = parseCommand(commandOf(name as CommandType, id, seen.body as never));
    const decision = this.namespace.decide(command);
    if (!decision.ok) {
      const { code, message, path } = decision.refusal;
      return problem(response, code, message, path);
    }
    if (!seen.dryRun) this.namespace.apply(decision.changes);
    const at = this.namespace.now;
    const main = name === 'approval.execute' ? decision.changes.at(-1) : decision.changes[0];
    const index = (offset: number): number | null =>
      seen.dryRun ? null : this.namespace.size - decision.changes.length + offset;
    const value = {
      changes: decision.changes.map(({ type, subject, rev }, offset) => ({
        type,
        subject,
        rev,
        index: index(offset),
        leaf: seen.dryRun ? null : HASH,
        at,
      })),
      promises: [],
      document: main?.document,
      published: false,
      dryRun: seen.dryRun,
      notes: seen.dryRun ? [{ code: 'dry_run', detail: 'Nothing was changed.' }] : [],
      ...(name === 'license.issue' && !seen.dryRun ? { licenseKey: main?.companion?.key } : {}),
      ...(name === 'license.issue' && this.bundle !== null ? { bundle: this.bundle } : {}),
    };
    const status = !seen.dryRun && Object.hasOwn(route.answers, 201) ? 201 : 200;
    if (seen.idempotencyKey !== null && !seen.dryRun)
      this.answers.set(seen.idempotencyKey, { request: requestText, status, value });
    return send(response, route, status, value);
  }

  private read(
    response: ServerResponse,
    name: RouteName,
    route: Route,
    params: Record<string, string>,
    value: { query: unknown },
  ): Sent {
    if (name === 'license.bundle' || name === 'bundle.fetch') {
      return this.bundle === null
        ? problem(response, 'license_key_unknown')
        : send(response, route, 200, this.bundle);
    }
    if (name === 'log.status') return send(response, route, 200, this.namespace.status());
    const [type = '', read = ''] = name.split('.');
    if (read === 'list') {
      const { limit, cursor } = value.query as { limit: number; cursor?: string };
      const all = this.namespace.items(type);
      const from = Number(cursor ?? 0);
      const nextCursor = from + limit < all.length ? String(from + limit) : null;
      return send(response, route, 200, { items: all.slice(from, from + limit), nextCursor });
    }
    const item = this.namespace.item(type, params['id'] ?? '');
    if (item === null) return problem(response, 'subject_unknown');
    if (read === 'get') {
      return send(response, route, 200, { ...item, ...(type === 'approval' ? this.toApprovers() : {}) });
    }
    const history = [{ ...item, cause: { who: 'tester', why: null, n: 1 } }];
    return send(response, route, 200, { items: history, nextCursor: null });
  }
}

function match(method: string, path: string): [RouteName, Route, Record<string, string>] | null {
  for (const [name, route] of table) {
    const names = [...route.path.matchAll(/:(\w+)/g)].map((each) => each[1] ?? '');
    const found = new RegExp(`^${route.path.replace(/:\w+/g, '([^/]+)').replace('*', '.*')}$`).exec(path);
    if (found === null || route.method !== method) continue;
    const values = found.slice(1).map(decodeURIComponent);
    return [
      name as RouteName,
      route,
      Object.fromEntries(names.map((each, index) => [each, values[index] ?? ''])),
    ];
  }
  return null;
}

function send(response: ServerResponse, route: Route, status: number, value: unknown): Sent {
  const answer = route.answers[status];
  const result = answer?.schema?.safeParse(value);
  if (answer === undefined || result?.success !== true) {
    throw new Error(
      `the contract fake made a wrong answer for ${route.name}: ${JSON.stringify(result?.error?.issues)}`,
    );
  }
  return response.writeHead(status, { 'content-type': answer.mediaType }).end(JSON.stringify(value));
}

function problem(
  response: ServerResponse,
  code: ProblemCode,
  detail?: string,
  path?: string,
  retryAfter?: number,
  details?: Record<string, string>,
): Sent {
  const body = problemOf(code, {
    requestId: 'req-1',
    ...(detail === undefined ? {} : { detail }),
    ...(path === undefined ? {} : { path }),
    ...(details === undefined ? {} : { details }),
  });
  return response
    .writeHead(body.status, {
      'content-type': problemMediaType,
      ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
    })
    .end(JSON.stringify(body));
}
