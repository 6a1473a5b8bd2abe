/** The login pages and the built-in issuer, behind the listener of administrators. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Gate } from '../gate.ts';
import type { OpenLogin } from '../login/open-login.ts';
import type { Metrics } from '../metrics.ts';
import { partsOf } from './request-parts.ts';

const bodyBytesMax = 65_536;
const formType = 'application/x-www-form-urlencoded';
const paths = ['/login', '/login/*', '/issuer/*'] as const;

/** In a scope of its own: nothing else takes forms. */
export async function serveLogin(
  app: FastifyInstance,
  { login, gate, metrics }: { login: OpenLogin; gate: Gate; metrics: Metrics },
): Promise<void> {
  await app.register(async (scope) => {
    scope.addContentTypeParser<string>(formType, { parseAs: 'string' }, (_request, body, done) => {
      done(null, new URLSearchParams(body));
    });
    for (const url of paths) {
      scope.route({
        method: ['GET', 'POST'],
        url,
        bodyLimit: bodyBytesMax,
        onResponse: async (_request, reply) => {
          metrics.request('admin', 'login', reply.statusCode, reply.elapsedTime / 1000);
        },
        handler: (request, reply) => answer(request, reply, login, gate),
      });
    }
  });
}

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  { site }: OpenLogin,
  gate: Gate,
): Promise<FastifyReply> {
  const [path = '', ...query] = (request.raw.url ?? '/').split('?');
  const { body } = request;
  const isForm = body instanceof URLSearchParams;
  const answered = await site.handle({
    method: request.method === 'POST' ? 'POST' : 'GET',
    path,
    query: new URLSearchParams(query.join('?')),
    form: isForm ? body : new URLSearchParams(),
    json: isForm ? null : (body ?? null),
    headers: headersOf(request),
    address: gate.authenticator.addressOf(partsOf(request)),
  });
  reply.code(answered.status).headers(answered.headers);
  if (answered.cookies.length > 0) reply.header('set-cookie', answered.cookies);
  return reply.send(answered.body);
}

/** Of a header that comes several times, nothing: none that matters here may. */
function headersOf({ headers }: FastifyRequest): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? undefined : value]),
  );
}
