/** A directory in memory, sessions in a real file, and an authenticator over them, with a clock that the test sets. */
import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keyFingerprintText } from '@tallystick/core';
import type { CredentialDocument, PrincipalDocument } from '@tallystick/license';
import type { HttpMessage, RequestSigningKey } from '../../src/http-signature/index.ts';
import {
  Authenticator,
  Directory,
  deriveGateSecrets,
  GateFile,
  type GateSecrets,
  Networks,
  newSecretToken,
  ReplayGuard,
  type RequestParts,
  type SecretTokenKind,
  type SessionLimits,
  Sessions,
  secretTokenLookup,
} from '../../src/index.ts';
import { nowMs, system } from './request.ts';

const rootSecret = createSecretKey(Buffer.alloc(32, 7));
export const secrets: GateSecrets = deriveGateSecrets(rootSecret, 'acme');
export const limits: SessionLimits = { idleMs: 30 * 60_000, maxMs: 12 * 3_600_000 };

/** What the log says: documents that follow each other, in the directory that every thread has. */
export class People {
  readonly directory: Directory = new Directory();

  addPrincipal(id: string, kind: PrincipalDocument['kind']): void {
    const head = { v: 1, type: 'principal', ns: 'acme', id, rev: 0, crit: [] } as const;
    const rest = { name: id, email: null, state: 'active', roles: [], metadata: {} } as const;
    this.directory.apply({ ...head, ...rest, kind, crit: [], roles: [] });
  }

  disable(id: string): void {
    this.#setState(id, 'disabled');
  }

  enable(id: string): void {
    this.#setState(id, 'active');
  }

  #setState(id: string, state: PrincipalDocument['state']): void {
    const known = this.directory.principal(id);
    if (known !== undefined) this.directory.apply({ ...known, rev: known.rev + 1, state });
  }

  add(id: string, principal: string, given: Partial<CredentialDocument> & { lookup: string }): void {
    const head = { v: 1, type: 'credential', ns: 'acme', id, rev: 0, crit: [] as never[] } as const;
    const scope = { actions: null, products: null, networks: null };
    const rest = { kind: 'api_key', name: id, state: 'active', notAfter: null, replaces: null } as const;
    this.directory.apply({ ...head, principal, ...rest, scope, material: {}, ...given });
  }

  change(id: string, given: Partial<CredentialDocument>): void {
    const known = this.directory.credential(id);
    if (known !== undefined) this.directory.apply({ ...known, ...given, rev: known.rev + 1 });
  }

  /** Returns the key. */
  addApiKey(id: string, principal: string, kind: SecretTokenKind = 'api'): string {
    const token = newSecretToken(kind, (length) => randomBytes(length));
    this.add(id, principal, { lookup: secretTokenLookup(secrets.apiKeys, token) });
    return token;
  }

  addSigningKey(id: string, principal: string, { publicKey }: RequestSigningKey): void {
    const material = { alg: publicKey.alg, key: Buffer.from(publicKey.key).toString('base64') };
    this.add(id, principal, { kind: 'http_signature', lookup: keyFingerprintText(publicKey), material });
  }
}

export interface World {
  people: People;
  sessions: Sessions;
  file: string;
  clock: { ms: number };
  authenticator: Authenticator;
  /** Closes the file, without writing what waits: as after kill -9. */
  stop(): void;
  /** Another process opens what the first one left. */
  restart(): World;
}

const folders: string[] = [];

/** Of all worlds: for the end of each file that makes some. */
export function removeWorlds(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tally-people-'));
  folders.push(folder);
  return folder;
}

export function newWorld(from?: Pick<World, 'people' | 'file' | 'clock'>, of: string = system): World {
  const { people, file, clock } = from ?? {
    people: new People(),
    file: join(newFolder(), 'gate.db'),
    clock: { ms: nowMs },
  };
  const now = (): number => clock.ms;
  const gateFile = new GateFile(file, secrets.rows);
  let count = 0;
  const sessions = new Sessions({
    file: gateFile,
    key: secrets.sessions,
    limits: () => limits,
    now,
    random: (length) => randomBytes(length),
    newId: () => `ses_${clock.ms}_${++count}`,
  });
  const authenticator = new Authenticator({
    directory: people.directory,
    networks: new Networks({
      networks: { office: ['192.0.2.0/24'] },
      trustedProxies: [
        { addresses: ['10.0.0.1'], spiffeId: null, secret: createSecretKey(Buffer.alloc(32, 3)) },
        { addresses: ['10.0.0.2'], spiffeId: 'spiffe://vendor.example/billing', secret: null },
      ],
    }),
    secrets,
    system: of,
    sessions,
    replays: new ReplayGuard(gateFile.reservedSigned(), (until) => gateFile.reserveSigned(until)),
    trustDomains: ['vendor.example'],
    systemToken: (token) => (token === 'bootstrap-token' ? 'bootstrap' : null),
    now,
  });
  const stop = (): void => gateFile.close();
  const restart = (): World => {
    stop();
    return newWorld({ people, file, clock }, of);
  };
  return { people, sessions, file, clock, authenticator, stop, restart };
}

/** A request to read; what is given replaces parts of it. */
export function requestOf(given: Partial<RequestParts> & { message?: HttpMessage } = {}): RequestParts {
  const { message, ...parts } = given;
  return {
    method: message?.method ?? 'GET',
    scheme: 'http',
    target: message?.target ?? '/v1/licenses',
    headers: message?.headers ?? { host: '127.0.0.1:4401' },
    body: null,
    socketAddress: '192.0.2.7',
    certificate: null,
    isMutation: false,
    known: {},
    ...parts,
  };
}
