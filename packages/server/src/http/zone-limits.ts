/** How many requests a zone takes from one caller. */
import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ZoneLimits } from '../config.ts';
import { ServiceProblem } from '../ledger-thread/service-problem.ts';

type Limit = ReturnType<FastifyInstance['createRateLimit']>;

/**
 * Counts each credential by itself, and everybody else by address: whoever shows a wrong or no credential draws on the
 * allowance of its address, so that guessing is counted and made-up credentials open no fresh allowance.
 */
export class ZoneLimiter {
  readonly #strangers: Limit;
  readonly #credentials: Limit;
  readonly #shown = new WeakMap<FastifyRequest, string>();

  private constructor(
    app: FastifyInstance,
    limits: ZoneLimits,
    addressOf: (request: FastifyRequest) => string,
  ) {
    const timeWindow = '1 minute';
    this.#strangers = app.createRateLimit({
      timeWindow,
      max: limits.strangersPerMinute,
      keyGenerator: (request) => networkOf(addressOf(request)),
    });
    this.#credentials = app.createRateLimit({
      timeWindow,
      max: limits.credentialPerMinute,
      keyGenerator: (request) => this.#shown.get(request) ?? '',
    });
  }

  static async create(
    app: FastifyInstance,
    limits: ZoneLimits,
    addressOf: (request: FastifyRequest) => string,
  ): Promise<ZoneLimiter> {
    await app.register(rateLimit, { global: false });
    return new ZoneLimiter(app, limits, addressOf);
  }

  /** Counts a request of nobody who is known. Rejects with ServiceProblem above the limit. */
  async stranger(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    await count(this.#strangers, request, reply);
  }

  /**
   * Finds out who is calling and counts that: what `find` refuses as unauthorized is a stranger's. Rejects as `find`
   * does, and above the limit.
   *
   * @param credentialOf id of the credential that was shown
   */
  async caller<T>(
    request: FastifyRequest,
    reply: FastifyReply,
    find: () => T | Promise<T>,
    credentialOf: (found: T) => string,
  ): Promise<T> {
    let found: T;
    try {
      found = await find();
    } catch (error) {
      await this.stranger(request, reply);
      throw error;
    }
    this.#shown.set(request, credentialOf(found));
    await count(this.#credentials, request, reply);
    return found;
  }
}

async function count(limit: Limit, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const counted = await limit(request);
  if (counted.isAllowed || !counted.isExceeded) return;
  reply.header('retry-after', counted.ttlInSeconds);
  throw new ServiceProblem('rate_limited');
}

/** One host has a whole /64 of IPv6 addresses to call from (RFC 6177), so those count as one. */
function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [head = '', tail = ''] = address.split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === '' ? [] : tail.split(':');
  const gap = Array<string>(Math.max(0, 8 - first.length - last.length)).fill('0');
  return [...first, ...gap, ...last].slice(0, 4).join(':');
}
