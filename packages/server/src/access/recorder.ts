/** Writes down each request once its answer is known and before it is sent. */
import type { AccessRecord } from '@tallystick/access';
import {
  accessRecordings,
  isRecordedFirst,
  type ProblemCode,
  problemMediaType,
  problemOf,
  problems,
  routesOf,
  type Zone,
} from '@tallystick/contract';
import { formatInstant } from '@tallystick/core';
import type { Caller } from '@tallystick/gate';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { RequestContext } from '../http/request-context.ts';
import type { AccessClient } from './access-client.ts';

/** What is known of a request besides what it says itself. */
interface Noted {
  caller?: Caller;
  context?: RequestContext;
  code?: ProblemCode;
  why?: string | null;
}

declare module 'fastify' {
  interface FastifyRequest {
    noted: Noted | undefined;
  }
}

/** Pages and an issuer for browsers, which the contract does not describe. */
const loginSite = /^\/(?:login|issuer)(?:\/|$)/;

export class AccessRecorder {
  readonly #zone: Zone;
  readonly #access: AccessClient | null;
  readonly #addressOf: (request: FastifyRequest) => string;
  /** Names by method and path. */
  readonly #routes: ReadonlyMap<string, string>;

  /**
   * @param access null where no access log is kept
   * @param addressOf IP address of who sends a request, or for whom a proxy that is trusted says that it does
   */
  constructor(zone: Zone, access: AccessClient | null, addressOf: (request: FastifyRequest) => string) {
    this.#addressOf = addressOf;
    this.#zone = zone;
    this.#access = access;
    this.#routes = new Map(routesOf(zone).map(({ method, path, name }) => [`${method} ${path}`, name]));
  }

  /** Adds to what is known of a request. */
  note(request: FastifyRequest, noted: Noted): void {
    if (this.#access === null) return;
    // On the request itself: a weak map of requests costs the collector more than all the rest.
    request.noted = Object.assign(request.noted ?? {}, noted);
  }

  /** Has every answer of a listener recorded. One that must be recorded first and cannot be is not given. */
  attach(app: FastifyInstance): void {
    if (this.#access === null) return;
    app.decorateRequest('noted', undefined);
    app.addHook('onSend', async (request, reply, payload) => {
      const refused = await this.record(request, reply.statusCode);
      return refused === null ? payload : refuse(request, reply, refused);
    });
  }

  /** Records a request; resolves with why that is not possible where it has to be first, and null otherwise. */
  async record(request: FastifyRequest, status: number): Promise<string | null> {
    const access = this.#access;
    const { noted = {} } = request;
    const route = this.#routeOf(request);
    if (access === null || (route !== null && accessRecordings[route] === 'none')) return null;
    // What a caller may not know of is denied as if it were not there.
    const isDenied = noted.context?.verdict?.effect === 'deny';
    const isAsked = route !== null && access.isDurable(route);
    const durable = isDenied || isAsked || isRecordedFirst(route, status);
    try {
      await access.record(this.#recordOf(request, route ?? '-', status, noted), { durable });
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  #routeOf({ method, routeOptions: { url } }: FastifyRequest): string | null {
    if (url !== undefined && loginSite.test(url)) return 'login.site';
    return this.#routes.get(`${method === 'HEAD' ? 'GET' : method} ${url}`) ?? null;
  }

  #recordOf(request: FastifyRequest, route: string, status: number, noted: Noted): AccessRecord {
    const { caller = null, context, code = null, why = null } = noted;
    return {
      at: formatInstant(Date.now()),
      requestId: request.id,
      zone: this.#zone,
      route,
      method: request.method,
      status,
      code,
      who: caller && {
        kind: caller.kind,
        id: caller.principal,
        credential: caller.credential,
        session: caller.session,
      },
      address: caller?.address ?? context?.peer.address ?? this.#addressOf(request),
      resource: resourceOf(route, request.params),
      decision: context?.verdict ?? null,
      why,
    };
  }
}

/** What the path names. License keys are in no path, and so in no record. */
function resourceOf(route: string, params: unknown): AccessRecord['resource'] {
  const [id] = Object.values((params ?? {}) as Record<string, string>);
  const type = route.slice(0, route.indexOf('.'));
  return id === undefined || type === '' ? null : { type, id: String(id) };
}

/** In place of an answer that could not be recorded. */
function refuse(request: FastifyRequest, reply: FastifyReply, why: string): string {
  // What was carried out is not undone by that.
  const isDone = reply.statusCode < 400 && request.method !== 'GET' && request.method !== 'HEAD';
  const code = isDone ? 'outcome_unknown' : 'access_log_unavailable';
  reply.removeHeader('set-cookie');
  reply.code(problems[code].status).type(problemMediaType).header('retry-after', 1);
  return JSON.stringify(problemOf(code, { requestId: request.id, detail: why }));
}
