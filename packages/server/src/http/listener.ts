/** One zone's listener: the contract's routes of that zone, and no others. */
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import {
  accessRecordings,
  type ProblemCode,
  problemMediaType,
  problemOf,
  problems,
  type Route,
  type RouteName,
  readRequest,
  routesOf,
  type Zone,
} from '@tallystick/contract';
import { decodeUtf8, messageOf } from '@tallystick/core';
import { type Asked, actions } from '@tallystick/gate';
import fastify, {
  type ConnectionError,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import type { AccessClient } from '../access/access-client.ts';
import { AccessRecorder } from '../access/recorder.ts';
import type { ServerConfig } from '../config.ts';
import type { ContentExport } from '../contents/content-export.ts';
import type { Gate } from '../gate.ts';
import type { LedgerClient } from '../ledger-thread/ledger-client.ts';
import { ServiceProblem } from '../ledger-thread/service-problem.ts';
import type { OpenLogin } from '../login/open-login.ts';
import type { Metrics } from '../metrics.ts';
import type { ShadowRuns } from '../shadow/shadow-runs.ts';
import { authenticate } from './authenticate.ts';
import { challengeOf } from './challenge.ts';
import type { EventStreams } from './event-streams.ts';
import { type Answer, type Handler, handlers } from './handlers.ts';
import { parseJsonBody } from './json-body.ts';
import { createZoneServer } from './listener-tls.ts';
import { serveLogin } from './login-site.ts';
import { type Peer, RequestContext } from './request-context.ts';
import { decorateWithParts, keepBody, partsOf } from './request-parts.ts';
import { securityHeaders } from './security-headers.ts';
import { UnderWay } from './under-way.ts';
import { limitRequests } from './zone-limits.ts';

export interface ListenerParts {
  config: ServerConfig;
  ledger: LedgerClient;
  metrics: Metrics;
  streams: EventStreams;
  gate: Gate;
  /** null where no access log is kept. */
  access: AccessClient | null;
  login: OpenLogin;
  contents: ContentExport;
  shadows: ShadowRuns;
  logger: FastifyBaseLogger;
}

/** Requests that may wait for the ledger at once; more are told to come back. */
const inFlightMax = 12_000;
const retryAfterSeconds = 1;
/** Milliseconds for what is under way when a listener is to end. */
const underWayMsMax = 2000;
const times = { requestTimeout: 60_000, keepAliveTimeout: 72_000 } as const;

export async function createListener(zone: Zone, parts: ListenerParts): Promise<FastifyInstance> {
  const addressOf = (request: FastifyRequest): string => parts.gate.authenticator.addressOf(partsOf(request));
  const recorder = new AccessRecorder(zone, parts.access, addressOf);
  const fail = (request: FastifyRequest, reply: FastifyReply, problem: ServiceProblem): FastifyReply => {
    recorder.note(request, { code: problem.code });
    if (problems[problem.code].status === 401)
      reply.header('www-authenticate', challengeOf(problem.code, parts.gate.directory));
    return sendProblem(request, reply, problem);
  };
  const { listeners, limits } = parts.config;
  const underWay = new UnderWay();
  const app = fastify({
    serverFactory: (handle) => createZoneServer(listeners[zone].tls, times, underWay.watch(handle)),
    bodyLimit: limits[zone].bodyBytesMax,
    loggerInstance: parts.logger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    frameworkErrors: (_error, request, reply) => {
      const detail = 'the path is too long, or not UTF-8 that is percent-encoded; correct it';
      fail(request, reply, new ServiceProblem('malformed_request', detail));
    },
    clientErrorHandler: answerBrokenRequest,
    // When what is under way has been answered, below; what comes meanwhile gets a problem as everything does.
    forceCloseConnections: true,
    return503OnClosing: false,
    // References of customers stand percent-encoded in paths.
    routerOptions: { maxParamLength: 2400 },
  });
  decorateWithParts(app);
  app.addHook('preClose', () => underWay.finish(underWayMsMax));
  app.addHook('onRequest', (request, reply, next) => {
    reply.headers(securityHeaders);
    next(refusalAtOnce(request, underWay));
  });
  await limitRequests(
    app,
    limits[zone],
    (request) => parts.gate.authenticator.allowanceOf(partsOf(request)),
    addressOf,
  );
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    keepBody(request, body as Buffer);
    const coding = request.headers['content-encoding'] ?? 'identity';
    if (coding.toLowerCase() !== 'identity') {
      const detail = 'a body is read as it stands; send it without Content-Encoding';
      done(new ServiceProblem('unsupported_media_type', detail));
      return;
    }
    try {
      // Strictly: a reader that replaces what is not UTF-8 reads something that nobody wrote.
      done(null, body.length === 0 ? undefined : parseJsonBody(decodeUtf8(body as Buffer)));
    } catch (error) {
      done(new ServiceProblem('malformed_request', `the body is not JSON: ${messageOf(error)}`, '$'));
    }
  });
  // Before there are routes: those take it as it is by then.
  app.setErrorHandler((error, request, reply) => fail(request, reply, asProblem(error, request)));
  recorder.attach(app);
  for (const route of routesOf(zone)) addRoute(app, zone, route, parts, recorder);
  const allowed = allowedMethods(zone);
  app.setNotFoundHandler({ preHandler: app.rateLimit() }, (request, reply) => {
    const methods = allowed(request.url);
    if (methods.length === 0) return fail(request, reply, new ServiceProblem('not_found'));
    return fail(request, reply.header('allow', methods.join(', ')), new ServiceProblem('method_not_allowed'));
  });
  // Awaited, a scope fixes what it was given: after the handlers of errors.
  if (zone === 'admin') await serveLogin(app, parts);
  return app;
}

function addRoute(
  app: FastifyInstance,
  zone: Zone,
  route: Route,
  parts: ListenerParts,
  recorder: AccessRecorder,
): void {
  const name = route.name as RouteName;
  const { bodyBytesMax } = parts.config.limits[zone];
  const mediaType = Object.values(route.answers)[0]?.mediaType ?? 'application/json';
  app.route({
    method: route.method,
    url: route.path,
    ...(route.bodyLimit === 0 ? {} : { bodyLimit: Math.min(route.bodyLimit, bodyBytesMax) }),
    onResponse: async (_request, reply) => {
      parts.metrics.request(zone, name, reply.statusCode, reply.elapsedTime / 1000);
    },
    handler: async (request, reply) => {
      // Asked before the call: what is sent to a server that writes by then is answered by one that does.
      const { follows } = parts.ledger.status;
      if (follows !== null) reply.header('tally-follows', encodeURI(follows));
      const asked =
        route.auth === 'none' || route.auth === 'login'
          ? null
          : await askedBy(request, name, zone, parts, recorder);
      const { params, query, headers, body } = request;
      const read = readRequest(name, { params, query, headers, body });
      if (!read.ok) throw new ServiceProblem(read.problem.code, read.problem.detail, read.problem.path);
      if (parts.ledger.inFlight > inFlightMax) throw new ServiceProblem('overloaded');
      const context = new RequestContext(parts, asked, peerOf(request, parts.gate));
      recorder.note(request, { context, why: reasonOf(read.value.headers) });
      demandRecorded(name, parts.access);
      if (name === 'event.stream') {
        // Before it is judged: what changes from then on ends it.
        const isLive = asked === null ? () => false : parts.gate.watch(asked.caller);
        await context.call('describe', null);
        // Its answer never ends, and so is not seen being sent.
        const refused = await recorder.record(request, 200);
        if (refused !== null) throw new ServiceProblem('access_log_unavailable', refused);
        return openStream(request, reply, parts.streams, isLive);
      }
      const handler = handlers[name] as unknown as Handler<'log.status'>;
      return sendAnswer(reply, mediaType, await handler(read.value, context));
    },
  });
}

/** Throws ServiceProblem for a change while nothing of it could be recorded. */
function demandRecorded(name: RouteName, access: AccessClient | null): void {
  const blocked = accessRecordings[name] === 'change' ? (access?.blocked ?? null) : null;
  if (blocked !== null) throw new ServiceProblem('access_log_unavailable', blocked);
}

function reasonOf(headers: object): string | null {
  return (headers as { 'tally-reason'?: string })['tally-reason'] ?? null;
}

function peerOf(request: FastifyRequest, { authenticator }: Gate): Peer {
  const { 'user-agent': userAgent = '' } = request.headers;
  return { address: authenticator.addressOf(partsOf(request)), userAgent };
}

/** Who asks for what; throws ServiceProblem where nobody is known. */
async function askedBy(
  request: FastifyRequest,
  action: string,
  zone: Zone,
  { gate }: ListenerParts,
  recorder: AccessRecorder,
): Promise<Asked> {
  const caller = await authenticate(request, gate.authenticator, gate.directory);
  if (caller === null) throw new ServiceProblem('unauthorized');
  recorder.note(request, { caller });
  // Known from the table alone, and so said before anything of the request is read.
  if (caller.kind === 'mirror' && actions[action]?.groups.includes('mirror') !== true)
    throw new ServiceProblem('forbidden', 'the token of a mirror reads the log, and nothing else');
  return { caller, action, zone };
}

function sendAnswer(reply: FastifyReply, mediaType: string, answer: Answer): FastifyReply {
  reply.type(mediaType).header('cache-control', 'no-store');
  if (typeof answer === 'string' || answer instanceof Uint8Array) return reply.send(answer);
  return reply.code(answer.status).send(answer.body);
}

function openStream(
  request: FastifyRequest,
  reply: FastifyReply,
  streams: EventStreams,
  isLive: () => boolean,
): FastifyReply {
  if (streams.isFull) throw new ServiceProblem('overloaded', 'too many event streams are open');
  const last = request.headers['last-event-id'];
  reply.hijack();
  streams.open(reply.raw, last === undefined ? null : Number(last), isLive);
  return reply;
}

function sendProblem(request: FastifyRequest, reply: FastifyReply, problem: ServiceProblem): FastifyReply {
  const { code, detail, path, details } = problem;
  const { status } = problems[code];
  // Whoever had too many requests was told for how long.
  if (status === 503 || (status === 429 && !reply.hasHeader('retry-after')))
    reply.header('retry-after', retryAfterSeconds);
  const occurrence = {
    requestId: request.id,
    ...(detail === undefined ? {} : { detail }),
    ...(path === undefined ? {} : { path }),
    ...(details === undefined ? {} : { details }),
  };
  const body = JSON.stringify(problemOf(code, occurrence));
  return reply.code(status).type(problemMediaType).send(body);
}

const codeOfFastify: Record<string, ProblemCode> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'malformed_request',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'malformed_request',
};

function asProblem(error: unknown, request: FastifyRequest): ServiceProblem {
  if (error instanceof ServiceProblem) return error;
  const { code, statusCode } = error as { code?: string; statusCode?: number };
  const known = code === undefined ? undefined : codeOfFastify[code];
  if (known !== undefined) return new ServiceProblem(known);
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new ServiceProblem('malformed_request', messageOf(error));
  }
  request.log.error({ error }, 'request failed');
  return new ServiceProblem('internal');
}

function refusalAtOnce(request: FastifyRequest, { isStopping }: UnderWay): ServiceProblem | undefined {
  if (request.headers.host === undefined && request.raw.httpVersion !== '1.0')
    return new ServiceProblem('malformed_request', 'the header Host is missing');
  return isStopping ? new ServiceProblem('overloaded', 'the server is stopping') : undefined;
}

const brokenBy: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: 'request line and headers are longer than 16 KiB together; send fewer or shorter ones',
  ERR_HTTP_REQUEST_TIMEOUT: 'the request did not come to its end in time',
};

/** What is no HTTP request gets a problem, too; it has no route, and the connection ends with it. */
function answerBrokenRequest(error: ConnectionError, socket: Socket): void {
  // A handshake that failed has nobody on the other side who could read an answer.
  const isHandshake = /^ERR_(?:SSL|TLS)_/.test(error.code ?? '');
  if (!socket.writable || error.code === 'ECONNRESET' || isHandshake) {
    socket.destroy();
    return;
  }
  const detail = brokenBy[error.code ?? ''] ?? 'what was sent is no request of HTTP/1.1';
  const body = JSON.stringify(problemOf('malformed_request', { requestId: randomUUID(), detail }));
  socket.end(
    `HTTP/1.1 400 Bad Request\r\ncontent-type: ${problemMediaType}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
      `connection: close\r\n\r\n${body}`,
  );
}

/** The methods that a path of the zone takes. */
function allowedMethods(zone: Zone): (url: string) => string[] {
  const patterns = routesOf(zone).map(({ method, path }) => {
    const escaped = path
      .replaceAll('.', '\\.')
      .replace(/:[a-z]+/g, '[^/]+')
      .replace('*', '.+');
    return { method, pattern: new RegExp(`^${escaped}$`) };
  });
  return (url) => {
    const path = url.split('?')[0] ?? '';
    return patterns.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
  };
}
