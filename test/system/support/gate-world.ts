/**
 * A running system with people, services and partners in it, each with ways to prove who they are. Sessions are begun as
 * the server begins them, in its own file while it is down: how somebody logs in is tested elsewhere.
 */
import { createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import type { Zone } from '@tallystick/contract';
import { keyFingerprintText } from '@tallystick/core';
import {
  deriveGateSecrets,
  GateFile,
  newSecretToken,
  type PrincipalKind,
  Sessions,
  secretTokenHash,
} from '@tallystick/gate';
import { type RequestSigningKey, requestSigningKey, signRequest } from '@tallystick/gate/http-signature';
import { noLimits, RealSystem } from './real-system.ts';

/** Adds to a request what proves who makes it. */
export type Shows = (request: {
  method: string;
  url: URL;
  headers: Record<string, string>;
  body: string | null;
}) => Record<string, string>;

export interface Reply {
  status: number;
  /** The code of the problem, or null. */
  code: string | null;
  headers: Headers;
  text: string;
  json: Record<string, unknown>;
}

export interface Grant {
  role: string;
  products?: string[];
  until?: string;
}

interface WantedSession {
  principal: string;
  credential: string;
  /** Minutes since proof of presence; null for none. */
  steppedUpMinutes: number | null;
  taken: (token: string, id: string) => void;
}

const minuteMs = 60_000;

export const bearing =
  (token: string): Shows =>
  () => ({ authorization: `Bearer ${token}` });

export const showingNothing: Shows = () => ({});

export function signing(key: RequestSigningKey, system: string): Shows {
  return ({ method, url, headers, body }) =>
    signRequest(
      {
        method,
        scheme: 'http',
        authority: url.host,
        target: url.pathname + url.search,
        headers: { ...headers, host: url.host },
      },
      body === null ? null : Buffer.from(body),
      key,
      { nowMs: Date.now(), nonce: randomBytes(16).toString('base64url'), system },
    );
}

export class GateWorld implements AsyncDisposable {
  readonly system: RealSystem;
  readonly #wanted: WantedSession[] = [];

  private constructor(system: RealSystem) {
    this.system = system;
  }

  static async create(): Promise<GateWorld> {
    const system = await RealSystem.start({ algorithms: ['ed25519'], server: { limits: noLimits } });
    await system.ready();
    await system.sellPro();
    return new GateWorld(system);
  }

  /** As whoever set the system up. */
  async made(path: string, body: object): Promise<string> {
    const { document } = await this.system.must<{ document: { id: string } }>('POST', path, body, {
      'tally-reason': 'setting up',
    });
    return document.id;
  }

  async principal(kind: PrincipalKind, name: string, roles: readonly Grant[]): Promise<string> {
    return this.made('/v1/principals', { kind, name, roles });
  }

  /** A person's account at an issuer that nobody asks here. */
  async account(principal: string): Promise<string> {
    return this.made('/v1/credentials', {
      principal,
      kind: 'oidc',
      name: 'account',
      lookup: `https://issuer.example ${principal}`,
    });
  }

  async apiKey(
    principal: string,
    kind: 'api' | 'partner',
    more: object = {},
  ): Promise<{ id: string; token: string }> {
    const token = newSecretToken(kind, randomBytes);
    const lookup = secretTokenHash(token);
    const id = await this.made('/v1/credentials', {
      principal,
      kind: 'api_key',
      name: 'key',
      lookup,
      ...more,
    });
    return { id, token };
  }

  async signingKey(principal: string, more: object = {}): Promise<{ id: string; key: RequestSigningKey }> {
    const key = requestSigningKey(generateKeyPairSync('ed25519').privateKey);
    const id = await this.made('/v1/credentials', signingCredential(principal, key, more));
    return { id, key };
  }

  /** A session that begins with the next `restart`; `taken` is told its id then. */
  session(
    principal: string,
    credential: string,
    steppedUpMinutes: number | null,
    taken: (id: string) => void = () => {},
  ): Shows {
    let token = '';
    this.#wanted.push({
      principal,
      credential,
      steppedUpMinutes,
      taken: (begun, id) => {
        token = begun;
        taken(id);
      },
    });
    return () => ({ authorization: `Bearer ${token}` });
  }

  /** Starts the server anew with the sessions that were asked for. */
  async restart(): Promise<void> {
    const { layout } = this.system;
    await this.system.down();
    const root = createSecretKey(
      Buffer.from(readFileSync(layout.secrets.licenseKeySecret, 'utf8').trim(), 'base64'),
    );
    const secrets = deriveGateSecrets(root, 'acme');
    const file = new GateFile(join(dirname(layout.ledger.projections), 'gate.db'), secrets.rows);
    let nth = 0;
    const sessions = new Sessions({
      file,
      key: secrets.sessions,
      limits: () => ({ idleMs: 30 * minuteMs, maxMs: 720 * minuteMs }),
      now: () => Date.now(),
      random: (length) => randomBytes(length),
      newId: () => `ses_${String(++nth).padStart(26, '0')}`,
    });
    for (const { principal, credential, steppedUpMinutes, taken } of this.#wanted.splice(0)) {
      const { token, session } = sessions.begin({
        principal,
        credential,
        strength: steppedUpMinutes === null ? 2 : 3,
        authenticatedAt: new Date(Date.now() - 10 * minuteMs).toISOString(),
        steppedUpAt:
          steppedUpMinutes === null ? null : new Date(Date.now() - steppedUpMinutes * minuteMs).toISOString(),
        address: '127.0.0.1',
        userAgent: 'test',
        device: null,
      });
      taken(token, session.id);
    }
    file.close();
    await this.system.up();
    await this.system.ready();
    // Signatures of before a start do not count.
    await after(1100);
  }

  async ask(
    shows: Shows,
    method: string,
    path: string,
    {
      body,
      headers = {},
      zone = 'admin',
    }: { body?: unknown; headers?: Record<string, string>; zone?: Zone } = {},
  ): Promise<Reply> {
    const url = new URL(`${this.system.supervisor.urls[zone]}${path}`);
    const text = body === undefined ? null : JSON.stringify(body);
    const plain = {
      'user-agent': 'test',
      ...(text === null ? {} : { 'content-type': 'application/json' }),
      ...headers,
    };
    const shown = shows({ method, url, headers: plain, body: text });
    const response = await fetch(url, { method, headers: { ...plain, ...shown }, body: text });
    const isStream = response.headers.get('content-type') === 'text/event-stream';
    if (isStream) await response.body?.cancel();
    const answer = isStream ? '' : await response.text();
    const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json') === true;
    const json = (answer.startsWith('{') ? JSON.parse(answer) : {}) as Record<string, unknown>;
    return {
      status: response.status,
      code: isProblem ? String(json['code']) : null,
      headers: response.headers,
      text: answer,
      json,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.system[Symbol.asyncDispose]();
  }
}

/** The body that makes a credential of a key for signing. */
export function signingCredential(principal: string, key: RequestSigningKey, more: object = {}): object {
  const { alg, key: raw } = key.publicKey;
  return {
    principal,
    kind: 'http_signature',
    name: 'signing key',
    lookup: keyFingerprintText(key.publicKey),
    material: { alg, key: Buffer.from(raw).toString('base64') },
    ...more,
  };
}
