/** The server's configuration: one JSON file, checked as a whole before anything starts. */
import { readFileSync } from 'node:fs';
import { isNamespaceName } from '@tallystick/core';
import { AddressError, isSpiffeId, parseRange } from '@tallystick/gate';
import { isPostgresUrl, type LedgerTimes, type PostgresLimits } from '@tallystick/ledger';
import { z } from 'zod';
import { type RotationLimits, rotationLimits } from './ledger-thread/rotation-schedule.ts';

export interface ListenerConfig {
  host: string;
  /** 0 takes a free one. */
  port: number;
}

export interface TrustedProxyConfig {
  /** Ranges that it connects from. */
  addresses: string[];
  /** The SPIFFE id of its certificate. */
  spiffeId?: string;
  /** File with 32 bytes in base64, for the MAC of what it says of devices. */
  secretFile?: string;
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
  /** File of SQLite for sessions and last uses of credentials, of this server alone; `gate.db` beside the projections. */
  gateFile?: string;
  /** Names of networks with their ranges in CIDR notation, for policies. */
  networks: Record<string, string[]>;
  /** What stands in front of the server and is believed, where it names callers and their devices. */
  trustedProxies: TrustedProxyConfig[];
  /** Trust domains whose SPIFFE ids count. */
  trustDomains: string[];
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
const range = z.string().refine(isRange, 'is no address and no range such as 10.0.0.0/8');
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
    gateFile: text.exactOptional(),
    networks: z.record(z.string().regex(/^[a-z][a-z0-9-]{0,63}$/, 'is no code'), z.array(range)).default({}),
    trustedProxies: z
      .array(
        z.strictObject({
          addresses: z.array(range).min(1),
          spiffeId: z.string().refine(isSpiffeId, 'is no SPIFFE id').exactOptional(),
          secretFile: text.exactOptional(),
        }),
      )
      .default([]),
    trustDomains: z.array(text).default([]),
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

function isRange(range: string): boolean {
  try {
    parseRange(range);
    return true;
  } catch (error) {
    if (error instanceof AddressError) return false;
    throw error;
  }
}

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
