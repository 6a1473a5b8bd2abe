/** Logging in at this server: what configuration, secrets and log make of it. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { sessionCookies } from '@tallystick/gate';
import {
  createLogin,
  defaultStrengths,
  type ExternalIssuer,
  HighWaterMarks,
  type Login,
  LoginSecret,
  type SessionStarter,
} from '@tallystick/gate/login';
import type { AccessClient } from '../access/access-client.ts';
import { recordLogin } from '../access/record-login.ts';
import { type ExternalIssuerConfig, isLoopback, type ServerConfig } from '../config.ts';
import { type Gate, readSecret, sessionLimits } from '../gate.ts';
import type { LedgerClient } from '../ledger-thread/ledger-client.ts';
import { enrollmentStore } from './enrollment-store.ts';

export interface OpenLogin extends Login, Disposable {
  sessions: SessionStarter;
  /** Where browsers find the pages. */
  origin: () => string;
  codesStepUp: boolean;
}

/** @param url where the listener of administrators is, once that is known */
export async function openLogin(
  config: ServerConfig,
  gate: Gate,
  { ledger, access }: { ledger: LedgerClient; access: AccessClient | null },
  url: () => string,
): Promise<OpenLogin> {
  const { login, ns } = config;
  const origin = (): string => login.origin ?? browserUrl(url());
  const marks = new HighWaterMarks(login.file ?? join(dirname(config.projections), 'login.db'));
  const codesStepUp = login.codesStepUp ?? isLocal(config);
  const sessions = sessionStarter(gate, access);
  const made = await createLogin({
    now: () => Date.now(),
    random: (length) => randomBytes(length),
    directory: gate.directory,
    origin,
    passkeyDomain: login.passkeyDomain ?? new URL(login.origin ?? browserUrl(hostUrl(config))).hostname,
    name: `Tallystick ${ns}`,
    secret: new LoginSecret(readSecret(config.licenseKeySecret), ns),
    marks,
    sessions,
    sessionCookies: ({ token, expiresInSeconds }) =>
      sessionCookies(token, gate.secrets.sessions, expiresInSeconds),
    store: enrollmentStore(ledger, gate.secrets),
    issuers: login.issuers.map(issuerOf),
    codesStepUp,
  });
  return { ...made, sessions, origin, codesStepUp, [Symbol.dispose]: () => marks[Symbol.dispose]() };
}

/** Nobody else's machine gets here, so nobody is phished from one. */
function isLocal({ listeners, login }: ServerConfig): boolean {
  const { host } = listeners.admin;
  return isLoopback(host) && (login.origin === undefined || isLoopback(new URL(login.origin).hostname));
}

/** Passkeys are for names; that of this machine is the same for whatever address of it is listened on. */
function browserUrl(url: string): string {
  const parsed = new URL(url);
  if (isLoopback(parsed.hostname.replace(/^\[|\]$/g, ''))) parsed.hostname = 'localhost';
  return parsed.origin;
}

function hostUrl({ listeners }: ServerConfig): string {
  const { host } = listeners.admin;
  return `https://${host.includes(':') ? `[${host}]` : host}`;
}

function sessionStarter(gate: Gate, access: AccessClient | null): SessionStarter {
  return {
    begin: async (start) => {
      const { token, session } = gate.sessions.begin(start);
      const { principal, credential, address } = start;
      const kind = gate.directory.principal(principal)?.kind ?? 'person';
      try {
        await recordLogin(access, { kind, principal, credential, session: session.id, address });
      } catch (error) {
        gate.sessions.end(session.id);
        throw error;
      }
      const { maxMs } = sessionLimits(gate.directory);
      return { token, session: session.id, expiresInSeconds: Math.floor(maxMs / 1000) };
    },
    end: async (session) => {
      gate.sessions.end(session);
    },
  };
}

function issuerOf({ clientSecretFile, ...config }: ExternalIssuerConfig): ExternalIssuer {
  const secret = clientSecretFile === undefined ? null : readFileSync(clientSecretFile, 'utf8').trim();
  const { name = new URL(config.issuer).host, strengths = defaultStrengths, posture = {} } = config;
  return { ...config, name, strengths, posture, clientSecret: secret };
}
