import { randomUUID, timingSafeEqual } from 'node:crypto';
import fastify, { type FastifyInstance } from 'fastify';
import { type CryptoKey, SignJWT } from 'jose';
import type { IdempotentReply, NewLicense } from './store.ts';

interface IssueRequest {
  readonly customer: string;
  readonly plan: string;
  readonly seats?: number;
}

interface Plan {
  readonly days: number;
  readonly features: readonly string[];
}

/** What the service needs of its tables, on any engine. */
export interface LicenseTables {
  hasCustomer(id: string): boolean | Promise<boolean>;
  findReply(idempotencyKey: string): IdempotentReply | undefined | Promise<IdempotentReply | undefined>;
  /** Durable on return; the earlier reply, with nothing written, where the key was used meanwhile. */
  insertLicense(
    license: NewLicense,
    idempotencyKey: string,
    request: string,
  ): IdempotentReply | undefined | Promise<IdempotentReply | undefined>;
}

export interface ServiceParts {
  readonly store: LicenseTables;
  /** Ed25519 private key, imported once. */
  readonly signingKey: CryptoKey;
  readonly keyId: string;
  readonly adminToken: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const PLANS: ReadonlyMap<string, Plan> = new Map([
  ['free', { days: 30, features: ['core'] }],
  ['pro', { days: 365, features: ['core', 'export', 'sso'] }],
]);

const DAY_MS = 86_400_000;

const ISSUE_SCHEMA = {
  headers: {
    type: 'object',
    required: ['idempotency-key'],
    properties: { 'idempotency-key': { type: 'string', minLength: 1, maxLength: 255 } },
  },
  body: {
    type: 'object',
    required: ['customer', 'plan'],
    additionalProperties: false,
    properties: {
      customer: { type: 'string', minLength: 1, maxLength: 64 },
      plan: { type: 'string', minLength: 1, maxLength: 64 },
      seats: { type: 'integer', minimum: 1, maximum: 1_000_000 },
    },
  },
  response: {
    201: {
      type: 'object',
      required: ['id', 'token'],
      properties: { id: { type: 'string' }, token: { type: 'string' } },
    },
  },
} as const;

/** An id that sorts by time, so that new rows land at the end of the table. */
function newLicenseId(now: number): string {
  return `lic_${now.toString(16).padStart(12, '0')}-${randomUUID()}`;
}

/** Compares in a time that tells nothing but the length. */
function sameSecret(given: string, expected: Buffer): boolean {
  const bytes = Buffer.from(given);
  return bytes.length === expected.length && timingSafeEqual(bytes, expected);
}

async function prepareLicense(parts: ServiceParts, request: IssueRequest, plan: Plan): Promise<NewLicense> {
  const issuedAt = parts.now();
  const expiresAt = issuedAt + plan.days * DAY_MS;
  const id = newLicenseId(issuedAt);
  const seats = request.seats ?? 1;
  const token = await new SignJWT({ plan: request.plan, seats, features: plan.features })
    .setProtectedHeader({ alg: 'EdDSA', kid: parts.keyId })
    .setIssuer('https://licenses.example')
    .setSubject(request.customer)
    .setJti(id)
    .setIssuedAt(Math.floor(issuedAt / 1000))
    .setExpirationTime(Math.floor(expiresAt / 1000))
    .sign(parts.signingKey);
  return { id, customer: request.customer, plan: request.plan, seats, issuedAt, expiresAt, token };
}

/**
 * The license server a vendor would write by hand: one handler, one durable transaction a request. It is the
 * yardstick of the benchmarks and is meant to be as quick as this shape honestly gets.
 *
 * `POST /v1/licenses` answers 201, or 400 (malformed), 401 (token), 422 (unknown customer or plan, or an
 * idempotency key used for another request).
 */
export function createService(parts: ServiceParts): FastifyInstance {
  const { store } = parts;
  const expected = Buffer.from(`Bearer ${parts.adminToken}`);
  const app = fastify({ logger: false });

  app.addHook('onRequest', async (request, reply) => {
    if (!sameSecret(request.headers.authorization ?? '', expected)) {
      return reply.code(401).send({ error: 'unauthorized' });
    }
    return undefined;
  });

  app.post<{ Body: IssueRequest; Headers: { 'idempotency-key': string } }>(
    '/v1/licenses',
    { schema: ISSUE_SCHEMA },
    async (request, reply) => {
      const key = request.headers['idempotency-key'];
      const { customer, plan: planCode, seats } = request.body;
      const asked = JSON.stringify([customer, planCode, seats ?? 1]);

      let earlier = await store.findReply(key);
      if (earlier === undefined) {
        if (!(await store.hasCustomer(customer))) return reply.code(422).send({ error: 'unknown customer' });
        const plan = PLANS.get(planCode);
        if (plan === undefined) return reply.code(422).send({ error: 'unknown plan' });
        const license = await prepareLicense(parts, request.body, plan);
        earlier = await store.insertLicense(license, key, asked);
        if (earlier === undefined) return reply.code(201).send({ id: license.id, token: license.token });
      }
      if (earlier.request !== asked) return reply.code(422).send({ error: 'idempotency key already used' });
      return reply.code(201).send({ id: earlier.id, token: earlier.token });
    },
  );
  return app;
}
