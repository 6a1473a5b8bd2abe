/** The server's configuration: one JSON file, checked as a whole before anything starts. */
import { readFileSync } from 'node:fs';
import { isNamespaceName } from '@tallystick/core';
import { isPostgresUrl, type LedgerTimes, type PostgresLimits } from '@tallystick/ledger';
import { z } from 'zod';
import { type RotationLimits, rotationLimits } from './ledger-thread/rotation-schedule.ts';

export interface ListenerConfig {
  host: string;
  /** 0 takes a free one. */
  port: number;
}

export interface ServerConfig {
  /** Namespace. */
  ns: string;
  /** Path of a file of SQLite, or the URL of a database. */
  store: string;
  /** File with the password of the database. */
  storePasswordFile?: string;
  /** Other servers write this log, too, one at a time; `address` is where callers find this one. Of a database only. */
  shared?: { address: string };
  /** Milliseconds; see the limits of the store on PostgreSQL. */
  databaseTimes: Partial<PostgresLimits>;
  projections: string;
  /** The log of requests, by its file and its name; `intervalMs` passes between two of its checkpoints. */
  accessLog?: { file: string; origin: string; intervalMs: number };
  signerSocket: string;
  /** The trust root file that clients pin. */
  trustRoot: string;
  /** File with the secret under which license keys are indexed. */
  licenseKeySecret: string;
  /** SHA-256 of the tokens, base64: the tokens themselves are nowhere on the server. */
  adminTokenHash: string;
  mirrorTokenHash: string;
  /** Addresses by cosigner name, where the trust root's do not apply. */
  cosigners: Record<string, string>;
  listeners: { public: ListenerConfig; admin: ListenerConfig; ops: ListenerConfig };
  /** Milliseconds; see the ledger's times. */
  times: Partial<LedgerTimes>;
  cosignerTimeoutMs: number;
  /** Requests per minute and address on the public listener. */
  publicRatePerMinute: number;
  /** When the issuing key is rotated by itself. */
  rotation: RotationLimits;
  /** 'off' gives durability away and exists for benchmarks. */
  synchronous: 'full' | 'off';
}

const listener: z.ZodType<ListenerConfig> = z.strictObject({
  host: z.string(),
  port: z.int().min(0).max(65_535),
});

const text = z.string().min(1);
const tokenHash = z.string().regex(/^[A-Za-z0-9+/]{43}=$/, 'is not the base64 of a SHA-256');

const schema: z.ZodType<ServerConfig> = z
  .strictObject({
    ns: z.string().refine(isNamespaceName, 'is not a namespace'),
    store: text,
    storePasswordFile: text.exactOptional(),
    shared: z.strictObject({ address: z.url({ protocol: /^https?$/ }) }).exactOptional(),
    databaseTimes: z
      .strictObject({
        connectMs: z.int().min(100).exactOptional(),
        statementMs: z.int().min(100).exactOptional(),
        recoverMs: z.int().min(0).exactOptional(),
        watchMs: z.int().min(50).exactOptional(),
      })
      .default({}),
    projections: text,
    accessLog: z
      .strictObject({ file: text, origin: text, intervalMs: z.int().min(10).default(1000) })
      .exactOptional(),
    signerSocket: text,
    trustRoot: text,
    licenseKeySecret: text,
    adminTokenHash: tokenHash,
    mirrorTokenHash: tokenHash,
    cosigners: z.record(z.string(), z.url({ protocol: /^https?$/ })).default({}),
    listeners: z.strictObject({ public: listener, admin: listener, ops: listener }),
    times: z
      .strictObject({
        intervalMs: z.int().min(10).exactOptional(),
        refreshMs: z.int().min(1000).exactOptional(),
        retryMs: z.int().min(50).exactOptional(),
        promiseMs: z.int().min(1000).exactOptional(),
        stallMs: z.int().min(1000).exactOptional(),
      })
      .default({}),
    cosignerTimeoutMs: z.int().min(100).default(10_000),
    publicRatePerMinute: z.int().min(1).default(600),
    rotation: z
      .strictObject({
        days: z.int().min(1).nullable().default(rotationLimits.days),
        entries: z.int().min(1).nullable().default(rotationLimits.entries),
      })
      .default(rotationLimits),
    synchronous: z.enum(['full', 'off']).default('full'),
  })
  .refine(
    ({ shared, store }) => shared === undefined || isPostgresUrl(store),
    'shared: several servers share a database, and not a file: name its postgres:// URL as store',
  )
  .refine((config) => config.adminTokenHash !== config.mirrorTokenHash, 'one token must not serve for both');

/** Throws Error with a sentence for the operator. */
export function readServerConfig(file: string): ServerConfig {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(
      `${file} cannot be read as JSON: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  const result = schema.safeParse(json);
  if (!result.success) throw new Error(`${file}: ${z.prettifyError(result.error)}`);
  return result.data;
}
