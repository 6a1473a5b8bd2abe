/**
 * The HTTP side of a cosigner: four routes, and limits on everything that a stranger could send too much of.
 *
 * A log is known by its signature alone, and so only when its request has been read and checked. Until then a request
 * is a stranger's: strangers share an allowance of refusals, and each address may have few requests that are being
 * read. What a log has signed draws on nothing that strangers can use up.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import type { Clock, Cosigner } from '../cosigner.ts';
import { ConfigError, messageOf, Refusal } from '../errors.ts';
import { endWithCertificate, spiffeIdOf } from '../peer-identity.ts';
import { PerSecond } from '../per-second.ts';
import type { TlsFiles } from '../tls-files.ts';
import { bodyLengthMax } from './add-checkpoint-request.ts';
import { type Answer, answerRefusal, plain } from './answers.ts';
import { hostOf } from './host-of.ts';
import { healthBody, renderPage } from './page.ts';

export interface ServerOptions {
  cosigner: Cosigner;
  host: string;
  /** 0 takes any free port. */
  port: number;
  now: Clock;
  /** Told of faults of ours, which callers see as 500. */
  reportFault: (error: unknown) => void;
  /** Requests of nobody whom we know that are answered with a reason within one second; default 200. */
  strangersPerSecond?: number;
  /** Requests from one address that are being read at the same time; one more ends the oldest of them. Default 32. */
  readsPerAddressMax?: number;
  /** A path that stands before those of tlog-witness, such as `/w1`; they are served without it as well. */
  prefix?: string;
  /** Serves https with these; http where left out. */
  tls?: ServerTls | undefined;
  /** SPIFFE ids of the processes that may ask for cosignatures; everybody where left out. Wants `clientCa`. */
  clientIds?: readonly string[];
}

export interface ServerTls extends TlsFiles {
  /** Authorities in PEM that issue the certificates of clients. */
  clientCa?: string;
}

export interface CosignerServer extends AsyncDisposable {
  /** Without a slash at its end. */
  readonly url: string;
  /** Answers to strangers since the start, by HTTP status. */
  readonly strangers: ReadonlyMap<number, number>;
  /** Goes on with another certificate; throws ConfigError where it cannot be used. Only where it began with one. */
  readonly renewTls: (files: ServerTls) => void;
}

/** How long a connection stays whose request was answered before it was read to its end. */
const unreadMs = 1000;
/** How long requests under way may take to end when the server stops. */
const stopTimeoutMs = 700;

/** Listens. Throws ConfigError where the address cannot be had. */
export async function startServer(options: ServerOptions): Promise<CosignerServer> {
  const handler = new RequestHandler(options);
  const { server, renewTls } = makeServer(options, (request, response) => {
    void handler.handle(request, response);
  });
  server.maxConnections = 1024;
  limitAddresses(server);
  await listen(server, options.host, options.port);
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://${host}:${port}`,
    strangers: handler.strangers,
    renewTls,
    [Symbol.asyncDispose]: () => stop(server),
  };
}

/** One address may take up an eighth of all connections. */
const connectionsPerAddressMax = 128;

export function limitAddresses(server: Server): void {
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const address = hostOf(socket.remoteAddress ?? '');
    const count = (open.get(address) ?? 0) + 1;
    if (count > connectionsPerAddressMax) {
      socket.destroy();
      return;
    }
    open.set(address, count);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    });
  });
}

const serverOptions = {
  requestTimeout: 15_000,
  headersTimeout: 10_000,
  keepAliveTimeout: 30_000,
  maxHeaderSize: 16 * 1024,
} as const;

function makeServer(
  { tls, now }: ServerOptions,
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): { server: Server; renewTls: (files: ServerTls) => void } {
  if (tls === undefined) {
    const renewTls = (): void => {
      throw new ConfigError('a server that began without TLS has to be started again to serve it');
    };
    return { server: createServer(serverOptions, handle), renewTls };
  }
  const options = { ...serverOptions, ...contextOf(tls) };
  // Whoever reads what is public shows no certificate; who asks for a cosignature is looked at when it does.
  const asking = { requestCert: tls.clientCa !== undefined, rejectUnauthorized: false };
  const server = withCertificate(() => createTlsServer({ ...options, ...asking }, handle));
  server.on('secureConnection', (socket) => endWithCertificate(socket, now() * 1000));
  return {
    server,
    renewTls: (files) => withCertificate(() => server.setSecureContext(contextOf(files))),
  };
}

function contextOf({ cert, key, clientCa }: ServerTls): SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.2', ...(clientCa !== undefined && { ca: clientCa }) };
}

function withCertificate<T>(use: () => T): T {
  try {
    return use();
  } catch (error) {
    throw new ConfigError(`certificate and key for TLS do not work: ${messageOf(error)}`, { cause: error });
  }
}

export async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error): void =>
      reject(new ConfigError(`cannot listen: ${error.message}`, { cause: error }));
    server.once('error', fail);
    server.listen(port, host, () => {
      server.removeListener('error', fail);
      resolve();
    });
  });
}

/** Lets requests under way end, for a while; what hangs then is cut. */
export async function stop(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), stopTimeoutMs);
  await closed;
  clearTimeout(timer);
}

/** How long a monitor may go without asking again. */
const monitorCacheSeconds = 5;
const monitorPath = /^\/([0-9a-f]{64})\/checkpoint$/;

class RequestHandler {
  readonly #options: ServerOptions;
  readonly strangers = new Map<number, number>();
  readonly #refusals: PerSecond;
  /** Requests that are being read, by address, the oldest one first. */
  readonly #reads = new Map<string, Set<IncomingMessage>>();

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#refusals = new PerSecond(options.strangersPerSecond ?? 200, options.now);
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#answer(request);
    } catch (error) {
      if (!(error instanceof Refusal)) this.#options.reportFault(error);
      answer = error instanceof Refusal ? answerRefusal(error) : plain(500, 'internal error\n');
    }
    send(request, response, answer);
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const path = this.#pathOf(request);
    if (path === '/add-checkpoint') {
      return request.method === 'POST'
        ? this.#addCheckpoint(request)
        : plain(405, 'use POST\n', { allow: 'POST' });
    }
    const originHash = monitorPath.exec(path)?.[1];
    const { cosigner } = this.#options;
    const { authorization } = request.headers;
    const read = cosigner.read?.(path, authorization) ?? null;
    if (read === null && path !== '/' && path !== '/healthz' && originHash === undefined)
      return plain(404, 'not found\n');
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (!isRead) return plain(405, 'use GET\n', { allow: 'GET, HEAD' });
    if (originHash !== undefined) return this.#newest(originHash);
    if (read !== null) return read;
    return path === '/' ? this.#page() : this.#health();
  }

  #pathOf({ url = '' }: IncomingMessage): string {
    const { prefix = '' } = this.#options;
    const path = url.split('?', 1)[0] ?? '';
    return path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : path;
  }

  async #addCheckpoint(request: IncomingMessage): Promise<Answer> {
    try {
      this.#demandIdentity(request);
      const body = await this.#read(request);
      return plain(200, await this.#options.cosigner.addCheckpoint(body));
    } catch (error) {
      if (!(error instanceof Refusal) || !strangersStatuses.has(error.status)) throw error;
      throw this.#refusalOfStranger(error);
    }
  }

  #demandIdentity({ socket }: IncomingMessage): void {
    const { clientIds, now } = this.#options;
    if (clientIds === undefined) return;
    const id = spiffeIdOf(socket, now() * 1000);
    if (id === null)
      throw new Refusal(403, 'show a client certificate that my authorities issued, with one SPIFFE id');
    if (!clientIds.includes(id)) throw new Refusal(403, `${id} may not ask for cosignatures here`);
  }

  /** The reason while there is an allowance for that, then a 429. */
  #refusalOfStranger(error: Refusal): Refusal {
    let refusal = error;
    try {
      this.#refusals.take('too many requests that no known log has signed');
    } catch (limit) {
      if (!(limit instanceof Refusal)) throw limit;
      refusal = limit;
    }
    this.strangers.set(refusal.status, (this.strangers.get(refusal.status) ?? 0) + 1);
    return refusal;
  }

  async #read(request: IncomingMessage): Promise<Uint8Array> {
    if (Number(request.headers['content-length'] ?? 0) > bodyLengthMax) throw tooLong();
    const address = hostOf(request.socket.remoteAddress ?? '');
    const reads = this.#reads.get(address) ?? new Set();
    this.#reads.set(address, reads);
    const [oldest] = reads;
    // Behind a proxy everybody has one address, and a log's request is read in no time: so the slowest one goes.
    if (oldest !== undefined && reads.size >= (this.#options.readsPerAddressMax ?? 32)) {
      reads.delete(oldest);
      oldest.socket.destroy();
    }
    reads.add(request);
    try {
      return await readBody(request);
    } finally {
      reads.delete(request);
      if (reads.size === 0) this.#reads.delete(address);
    }
  }

  /** tlog-witness: what monitors compare with what the log shows them. */
  #newest(originHash: string): Answer {
    const note = this.#options.cosigner.newestNote(originHash);
    if (note === undefined) return plain(404, 'nothing was cosigned for this log\n');
    return plain(200, note, {
      'cache-control': `public, max-age=${monitorCacheSeconds}`,
      // Public, and a monitor may be a page.
      'access-control-allow-origin': '*',
    });
  }

  #page(): Answer {
    const headers = { 'content-security-policy': "default-src 'none'" };
    return {
      status: 200,
      contentType: 'text/html; charset=utf-8',
      body: renderPage(this.#options.cosigner),
      headers,
    };
  }

  #health(): Answer {
    return { status: 200, contentType: 'application/json', body: healthBody(this.#options.cosigner) };
  }
}

/** What requests are refused with that no log has signed. */
const strangersStatuses: ReadonlySet<number> = new Set([400, 403, 404, 413]);

function tooLong(): Refusal {
  return new Refusal(413, `body of more than ${bodyLengthMax} bytes`);
}

async function readBody(request: IncomingMessage): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const part of request as AsyncIterable<Uint8Array>) {
      length += part.length;
      if (length > bodyLengthMax) throw tooLong();
      parts.push(part);
    }
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(400, `body cut short: ${messageOf(error)}`, { cause: error });
  }
  return new Uint8Array(Buffer.concat(parts, length));
}

function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  if (response.destroyed) return;
  // A body that was not read to its end would be taken for the next request.
  const isWhole = request.complete;
  response.writeHead(answer.status, {
    'content-type': answer.contentType,
    'content-length': Buffer.byteLength(answer.body),
    'x-content-type-options': 'nosniff',
    ...(isWhole ? {} : { connection: 'close' }),
    ...answer.headers,
  });
  response.end(request.method === 'HEAD' ? undefined : answer.body);
  // Whoever goes on sending a body that nobody reads would keep the connection; others have had time for the answer.
  if (!isWhole) setTimeout(() => request.socket.destroy(), unreadMs).unref();
}
