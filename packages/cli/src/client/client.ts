/**
 * The HTTP client: one method for every route of the contract, typed by it. A request is checked against the
 * contract before it is sent, so a spelling mistake needs no server to be found.
 */
import type { Agent } from 'node:http';
import {
  type AnswerOf,
  type RequestOf,
  type Route,
  type RouteName,
  readRequest,
  routes,
} from '@tallystick/contract';
import type { ClientTls } from '@tallystick/witness/tls';
import { interrupted, unreachable, usageError } from '../errors.ts';
import { readAnswer } from './answer.ts';
import type { Credential } from './credential.ts';
import { type Attempt, connectionFailure, type RetryPolicy, retryDelayMs } from './retry.ts';
import { agentFor, exchange } from './transport.ts';

/** The parts of a request that a caller gives; what has a default may be left out. */
export interface Request<N extends RouteName> {
  params?: RequestOf<N>['params'];
  query?: Partial<RequestOf<N>['query']>;
  body?: RequestOf<N>['body'] | undefined;
  /** Mutations only: makes it safe to repeat the request, so that it is repeated. */
  idempotencyKey?: string;
  /** Mutations only: why, for the log. */
  reason?: string;
}

export interface Answer<N extends RouteName> {
  status: number;
  value: AnswerOf<N>;
  /** The body as it came. */
  text: string;
}

export interface ClientOptions {
  url: URL;
  /** null for the public listener. */
  credential: Credential | null;
  /** For https: whom to believe, and what to show. */
  tls: ClientTls;
  signal: AbortSignal;
  retry: RetryPolicy;
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Why changes are made, where a request does not say so itself. */
  reason?: string | undefined;
  /** Told before a wait for another try, unless another request says the same and still waits. */
  onRetry(message: string): void;
  /** Proves that somebody is there, and resolves to what to show from then on; null where that was not possible. */
  stepUp?: (() => Promise<Credential | null>) | undefined;
}

const TIMEOUT_MS = 30_000;

export class Client {
  private options: ClientOptions;
  /** True once the server has answered: from then on a refused connection means that it is being restarted. */
  private hasAnswered = false;
  /** What a request waits for that has said so. */
  private readonly troubles = new Set<string>();
  private readonly agent: Agent;

  constructor(options: ClientOptions) {
    this.options = options;
    this.agent = agentFor(options.url, options.tls);
  }

  /**
   * Calls a route, again where that is safe and may help. Throws CliError: for a request that the contract does
   * not allow, for a problem that the server answered, and when no answer comes.
   */
  async call<N extends RouteName>(name: N, request: Request<N> = {}): Promise<Answer<N>> {
    const message = this.compose(name, request);
    const route = routes[name] as unknown as Route;
    const mayRepeat = !route.mutation || request.idempotencyKey !== undefined;
    const waitMs = Number(message.query['waitMs'] ?? 0);
    let waited = 0;
    for (let count = 1; ; count += 1) {
      const attempt = await this.attempt<N>(name, message, TIMEOUT_MS + waitMs);
      if (attempt.ok) return attempt.answer;
      if (await this.hasSteppedUp(attempt)) continue;
      const delay = mayRepeat
        ? retryDelayMs(attempt, count, waited, this.options.retry, this.hasAnswered)
        : null;
      if (delay === null) throw attempt.error;
      await this.wait(attempt.error.message, delay);
      waited += delay;
    }
  }

  /** Of many requests that meet the same, as the rows of an import do, the first that waits says so. */
  private async wait(trouble: string, delay: number): Promise<void> {
    const isFirst = !this.troubles.has(trouble);
    if (isFirst) this.options.onRetry(`${trouble} Trying again in ${(delay / 1000).toFixed(1)} s.`);
    this.troubles.add(trouble);
    try {
      await this.options.sleep(delay, this.options.signal);
    } finally {
      if (isFirst) this.troubles.delete(trouble);
    }
  }

  /** The request was refused and changed nothing, so it is sent again as it was. Once: what fails then fails for good. */
  private async hasSteppedUp({ error }: Attempt): Promise<boolean> {
    const { stepUp, ...others } = this.options;
    if (stepUp === undefined || error.options.code !== 'insufficient_user_authentication') return false;
    const credential = await stepUp();
    if (credential === null) return false;
    this.options = { ...others, credential };
    return true;
  }

  private async attempt<N extends RouteName>(
    name: N,
    message: Message,
    timeoutMs: number,
  ): Promise<{ ok: true; answer: Answer<N> } | Attempt> {
    const { signal } = this.options;
    try {
      const reply = await exchange(this.options, this.agent, message, timeoutMs);
      this.hasAnswered = true;
      return readAnswer<N>(name, reply);
    } catch (error) {
      if (signal.aborted) throw interrupted();
      const { origin } = this.options.url;
      const { kind, why } = connectionFailure(error, timeoutMs);
      const failure = unreachable(
        `The server at ${origin} ${why}.`,
        'Check that it runs and that the address is right, then try again.',
      );
      return { ok: false, kind, error: failure, retryAfterMs: null };
    }
  }

  private compose<N extends RouteName>(name: N, request: Request<N>): Message {
    const route = routes[name] as unknown as Route;
    const query = textMembers(request.query ?? {});
    const headers: Record<string, string> = {};
    if (request.idempotencyKey !== undefined) headers['idempotency-key'] = request.idempotencyKey;
    const reason = request.reason ?? (route.mutation ? this.options.reason : undefined);
    if (reason !== undefined) headers['tally-reason'] = encodeURIComponent(reason);
    const params = textMembers(request.params ?? {});
    const result = readRequest(name, { params, query, headers, body: request.body ?? undefined });
    if (!result.ok)
      throw usageError(result.problem.detail.replace(/\.? Correct it.*$/, '.'), hint, result.problem.path);
    return {
      method: route.method,
      path: pathOf(route.path, params),
      query,
      headers,
      body: request.body ?? null,
    };
  }
}

const hint = 'Correct it and try again.';

export interface Message {
  method: string;
  path: string;
  query: Record<string, string>;
  headers: Record<string, string>;
  /** Sent as a form where it is URLSearchParams, else as JSON; null for none. */
  body: unknown;
}

function textMembers(members: object): Record<string, string> {
  const given = Object.entries(members).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, String(value)]));
}

function pathOf(pattern: string, params: Record<string, string>): string {
  return pattern.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(params[name] ?? ''));
}
