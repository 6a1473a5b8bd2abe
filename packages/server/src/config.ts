/** The server's configuration: one JSON file, checked as a whole before anything starts. */
import { readFileSync } from 'node:fs';
import type { Zone } from '@tallystick/contract';
import { IntegrityError, isNamespaceName } from '@tallystick/core';
import type { LedgerTimes, PostgresLimits } from '@tallystick/ledger';
import { isPostgresUrl } from '@tallystick/ledger/postgres-url';
import { type Duration, isCalendarDuration } from '@tallystick/license';
import { parseContentPublicKey } from '@tallystick/witness/content-key';
import type { ClientTlsPaths } from '@tallystick/witness/tls';
import { z } from 'zod';
import { type EdgeConfig, edgeMembers } from './edge-config.ts';
import { type RotationLimits, rotationLimits } from './ledger-thread/rotation-schedule.ts';

/** Paths of PEM files; they are read again when they change. */
export interface ListenerTls {
  cert: string;
  key: string;
  /** Authorities that issue clients their certificates. */
  clientCa?: string;
  /** Whether a client may, or must, show one. One that does not verify ends the connection either way. */
  clientCert: 'none' | 'wanted' | 'required';
  minVersion: 'TLSv1.2' | 'TLSv1.3';
}

export interface ListenerConfig {
  host: string;
  /** 0 takes a free one. */
  port: number;
  tls?: ListenerTls;
  /** Serves other machines without TLS: for a listener behind a proxy that does TLS. */
  allowPlainHttp: boolean;
}

export interface ZoneLimits {
  /** Requests per minute of an address that shows no credential, or none that is known. */
  strangersPerMinute: number;
  /** Requests per minute of a credential, from wherever it is shown. */
  credentialPerMinute: number;
  /** Bytes of a body; the limit of a route counts where it is lower. */
  bodyBytesMax: number;
}

export interface ExternalIssuerConfig {
  /** Its identifier, an https address. */
  issuer: string;
  /** What the login page calls it; its host where left out. */
  name?: string;
  clientId: string;
  /** File with the secret of the client; left out for a public one. */
  clientSecretFile?: string;
  /** What values of `acr` and `amr` are worth: 2 for two factors, 3 for a passkey. */
  strengths?: Record<string, 1 | 2 | 3>;
  /** Names of claims that speak of the device. */
  posture?: { id?: string; managed?: string; encrypted?: string; attested?: string };
}

export interface LoginConfig {
  /** Where browsers find the listener of administrators, such as `https://tally.example`; its own address where left out. */
  origin?: string;
  /** The domain that passkeys are for; the host of the origin where left out. */
  passkeyDomain?: string;
  /** Whether password and code prove presence of who has no passkey; where left out, if nobody else's machine gets here. */
  codesStepUp?: boolean;
  /** File of SQLite with what counts once; `login.db` beside the projections. */
  file?: string;
  issuers: ExternalIssuerConfig[];
}

export interface ServerConfig extends EdgeConfig {
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
  /**
   * The log of requests, by its file and its name; `intervalMs` passes between two of its checkpoints, and what was asked within
   * `keepAtLeast` is not dropped (P90D where left out).
   */
  accessLog?: { file: string; origin: string; intervalMs: number; keepAtLeast?: Duration };
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
  /** Files in PEM with which this process shows the cosigners who it is, and whom it believes there. */
  cosignerTls: ClientTlsPaths;
  listeners: Record<Zone, ListenerConfig>;
  limits: Record<Zone, ZoneLimits>;
  /** Milliseconds; see the ledger's times. */
  times: Partial<LedgerTimes>;
  cosignerTimeoutMs: number;
  /** File of SQLite for sessions and last uses of credentials, of this server alone; `gate.db` beside the projections. */
  gateFile?: string;
  login: LoginConfig;
  /** When the issuing key is rotated by itself. */
  rotation: RotationLimits;
  /**
   * Id of a principal that no rule for approvals holds up: for a system whose other people are gone. Out of reach of
   * whoever has only a session or a key.
   */
  mayActAlone?: string;
  /** Content keys of mirrors, base64, by the id of the principal that fetches documents: they are sealed to it. */
  contentKeys: Record<string, string>;
  /** 'off' gives durability away and exists for benchmarks. */
  synchronous: 'full' | 'off';
}

const text = z.string().min(1);

const listenerTls: z.ZodType<ListenerTls> = z
  .strictObject({
    cert: text,
    key: text,
    clientCa: text.exactOptional(),
    clientCert: z.enum(['none', 'wanted', 'required']).default('none'),
    minVersion: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.3'),
  })
  .refine(
    ({ clientCa, clientCert }) => (clientCa === undefined) === (clientCert === 'none'),
    'clientCa says who issues clients their certificates, and clientCert whether they are wanted: give both or neither',
  );

const listener: z.ZodType<ListenerConfig> = z
  .strictObject({
    host: z.string(),
    port: z.int().min(0).max(65_535),
    tls: listenerTls.exactOptional(),
    allowPlainHttp: z.boolean().default(false),
  })
  .refine(
    ({ host, tls, allowPlainHttp }) => isLoopback(host) || tls !== undefined || allowPlainHttp,
    'other machines reach this address, and tokens and license keys would go there unencrypted: give it tls with cert ' +
      'and key, or say "allowPlainHttp": true where a proxy in front of it does TLS',
  );

/** This machine alone gets there. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** A credential's are what a server on a small machine can do; they keep a runaway program from everybody's share. */
const defaultLimits: Record<Zone, ZoneLimits> = {
  public: { strangersPerMinute: 600, credentialPerMinute: 120_000, bodyBytesMax: 65_536 },
  admin: { strangersPerMinute: 300, credentialPerMinute: 3_000_000, bodyBytesMax: 1_048_576 },
  ops: { strangersPerMinute: 3_000, credentialPerMinute: 3_000, bodyBytesMax: 1_024 },
};

function limitsOf(defaults: ZoneLimits): z.ZodDefault<z.ZodType<ZoneLimits>> {
  const count = (value: number): z.ZodDefault<z.ZodInt> => z.int().min(1).default(value);
  const limits: z.ZodType<ZoneLimits> = z.strictObject({
    strangersPerMinute: count(defaults.strangersPerMinute),
    credentialPerMinute: count(defaults.credentialPerMinute),
    bodyBytesMax: count(defaults.bodyBytesMax),
  });
  return limits.default(defaults);
}

const httpsUrl = z.url({ protocol: /^https$/ });
const login: z.ZodType<LoginConfig> = z.strictObject({
  origin: z
    .url({ protocol: /^https?$/ })
    .refine((url) => new URL(url).origin === url, 'is no origin such as https://tally.example')
    .exactOptional(),
  passkeyDomain: text.exactOptional(),
  codesStepUp: z.boolean().exactOptional(),
  file: text.exactOptional(),
  issuers: z
    .array(
      z.strictObject({
        issuer: httpsUrl,
        name: text.exactOptional(),
        clientId: text,
        clientSecretFile: text.exactOptional(),
        strengths: z.record(z.string(), z.union([z.literal(1), z.literal(2), z.literal(3)])).exactOptional(),
        posture: z
          .strictObject({
            id: text.exactOptional(),
            managed: text.exactOptional(),
            encrypted: text.exactOptional(),
            attested: text.exactOptional(),
          })
          .exactOptional(),
      }),
    )
    .default([]),
});

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
      .strictObject({
        file: text,
        origin: text,
        intervalMs: z.int().min(10).default(1000),
        keepAtLeast: z
          .string()
          .refine(isCalendarDuration, 'is no duration such as P90D or P1Y')
          .exactOptional(),
      })
      .exactOptional(),
    signerSocket: text,
    trustRoot: text,
    licenseKeySecret: text,
    adminTokenHash: tokenHash,
    mirrorTokenHash: tokenHash,
    cosigners: z.record(z.string(), z.url({ protocol: /^https?$/ })).default({}),
    cosignerTls: z
      .strictObject({
        caFile: text.exactOptional(),
        certFile: text.exactOptional(),
        keyFile: text.exactOptional(),
      })
      .default({}),
    listeners: z.strictObject({ public: listener, admin: listener, ops: listener }),
    limits: z
      .strictObject({
        public: limitsOf(defaultLimits.public),
        admin: limitsOf(defaultLimits.admin),
        ops: limitsOf(defaultLimits.ops),
      })
      .default(defaultLimits),
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
    login: login.default({ issuers: [] }),
    ...edgeMembers,
    rotation: z
      .strictObject({
        days: z.int().min(1).nullable().default(rotationLimits.days),
        entries: z.int().min(1).nullable().default(rotationLimits.entries),
      })
      .default(rotationLimits),
    mayActAlone: text.exactOptional(),
    contentKeys: z.record(text, z.string().refine(isContentKey, 'is no content key')).default({}),
    synchronous: z.enum(['full', 'off']).default('full'),
  })
  .refine(
    ({ shared, store }) => shared === undefined || isPostgresUrl(store),
    'shared: several servers share a database, and not a file: name its postgres:// URL as store',
  )
  .refine((config) => config.adminTokenHash !== config.mirrorTokenHash, 'one token must not serve for both');

function isContentKey(written: string): boolean {
  try {
    parseContentPublicKey(written);
    return true;
  } catch (error) {
    if (error instanceof IntegrityError) return false;
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
