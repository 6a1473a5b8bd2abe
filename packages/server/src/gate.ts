/** Who is let in at this server: authentication, and the sessions that it began. */
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { formatInstant } from '@tallystick/core';
import {
  Authenticator,
  type Caller,
  type Directory,
  defaultPolicyDocument,
  deriveGateSecrets,
  GateFile,
  type GateSecrets,
  isUsable,
  Networks,
  ReplayGuard,
  type SessionLimits,
  Sessions,
  type TrustedProxy,
} from '@tallystick/gate';
import { durationToSeconds, type TallyDocument } from '@tallystick/license';
import type { ServerConfig } from './config.ts';
import type { EdgeConfig, TrustedProxyConfig } from './edge-config.ts';
import { tokenKind } from './http/tokens.ts';
import { newSubjectId } from './identifiers.ts';

const flushMs = 10_000;

export class Gate {
  readonly authenticator: Authenticator;
  readonly sessions: Sessions;
  readonly secrets: GateSecrets;
  readonly directory: Directory;
  readonly edge: EdgeConfig;
  readonly #file: GateFile;
  readonly #timer: NodeJS.Timeout;

  /**
   * Throws Error with a sentence for the operator where its file cannot be used.
   *
   * @param system base64 of the genesis of its log
   * @param onTrouble told when what happened to sessions cannot be written
   */
  constructor(
    config: ServerConfig,
    system: string,
    directory: Directory,
    onTrouble: (error: unknown) => void,
  ) {
    const now = (): number => Date.now();
    this.directory = directory;
    const { networks, trustedProxies, trustDomains } = config;
    this.edge = { networks, trustedProxies, trustDomains };
    this.secrets = deriveGateSecrets(readSecret(config.licenseKeySecret), config.ns);
    const file = openFile(config.gateFile ?? join(dirname(config.projections), 'gate.db'), this.secrets);
    this.#file = file;
    this.sessions = new Sessions({
      file,
      key: this.secrets.sessions,
      limits: () => sessionLimits(directory),
      now,
      random: (length) => randomBytes(length),
      newId: () => newSubjectId('ses'),
    });
    this.authenticator = new Authenticator({
      directory,
      networks: new Networks({
        networks,
        trustedProxies: trustedProxies.map(proxyOf),
      }),
      secrets: this.secrets,
      system,
      sessions: this.sessions,
      replays: new ReplayGuard(file.reservedSigned(), (until) => file.reserveSigned(until)),
      trustDomains,
      systemToken: (token) => tokenKind(token, config),
      now,
    });
    this.#timer = setInterval(() => {
      try {
        this.sessions.flush();
      } catch (error) {
        onTrouble(error);
      }
    }, flushMs);
    this.#timer.unref();
  }

  /** Ends the sessions of whoever these documents let in no longer. */
  follow(documents: readonly TallyDocument[]): void {
    for (const document of documents) {
      if (document.type === 'credential' && document.state === 'revoked')
        this.sessions.endOfCredential(document.id);
      if (document.type === 'principal' && document.state === 'disabled')
        this.sessions.endOfPrincipal(document.id);
    }
  }

  /**
   * Whether what let a caller in does so still, and nothing has changed about it: to be asked while an answer goes on.
   * What a changed role or policy leaves of it is found out by asking anew.
   */
  watch({ kind, principal, credential, session }: Caller): () => boolean {
    const standing = (): string | null => {
      const at = formatInstant(Date.now());
      if (kind === 'mirror') return kind;
      if (kind === 'bootstrap') return this.directory.isUnclaimed(at) ? kind : null;
      const [held, owner] = [this.directory.credential(credential), this.directory.principal(principal)];
      const isIn =
        held !== undefined &&
        isUsable(held, at) &&
        owner?.state === 'active' &&
        (session === null || this.sessions.get(session) !== undefined);
      return isIn ? `${held.rev} ${owner.rev} ${this.directory.policy?.rev}` : null;
    };
    const then = standing();
    return () => then !== null && standing() === then;
  }

  close(): void {
    clearInterval(this.#timer);
    try {
      this.sessions.flush();
    } finally {
      this.#file.close();
    }
  }
}

/** As the policy in force says. */
export function sessionLimits({ policy }: Directory): SessionLimits {
  const { idle, max } = (policy ?? defaultPolicy).sessions;
  return { idleMs: durationToSeconds(idle) * 1000, maxMs: durationToSeconds(max) * 1000 };
}

const defaultPolicy = defaultPolicyDocument();

function openFile(path: string, { rows }: GateSecrets): GateFile {
  try {
    return new GateFile(path, rows);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(
      `the file of sessions ${path} cannot be used (${why}): if no other server has it, remove it, and everybody logs in anew`,
      { cause: error },
    );
  }
}

function proxyOf({ addresses, spiffeId, secretFile }: TrustedProxyConfig): TrustedProxy {
  return {
    addresses,
    spiffeId: spiffeId ?? null,
    secret: secretFile === undefined ? null : readSecret(secretFile),
  };
}

/** A file with 32 bytes in base64. */
export function readSecret(file: string): KeyObject {
  const bytes = Buffer.from(readFileSync(file, 'utf8').trim(), 'base64');
  if (bytes.length !== 32) throw new Error(`${file} does not hold 32 bytes in base64`);
  return createSecretKey(bytes);
}
