/** A server's configuration in a folder, as far as its gate needs one, and documents of the log to fill a directory. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CredentialDocument, PrincipalDocument } from '@tallystick/license';
import { readServerConfig, type ServerConfig } from '../../src/config.ts';
import { hashToken } from '../../src/http/tokens.ts';

export function gateConfig(folder: string, given: Partial<ServerConfig> = {}): ServerConfig {
  const at = (name: string): string => join(folder, name);
  const listener = { host: '127.0.0.1', port: 0 };
  writeFileSync(at('secret'), randomBytes(32).toString('base64'));
  const config = {
    ns: 'acme',
    store: at('log.db'),
    projections: at('projections.db'),
    signerSocket: at('signer.sock'),
    trustRoot: at('trust-root.json'),
    licenseKeySecret: at('secret'),
    adminTokenHash: hashToken('a'),
    mirrorTokenHash: hashToken('b'),
    listeners: { public: listener, admin: listener, ops: listener },
    ...given,
  };
  writeFileSync(at('server.json'), JSON.stringify(config));
  return readServerConfig(at('server.json'));
}

const head = { v: 1, ns: 'acme', rev: 0, crit: [] };

export function principalDocument(given: Partial<PrincipalDocument> & { id: string }): PrincipalDocument {
  const rest = { kind: 'service', name: given.id, email: null, state: 'active', roles: [], metadata: {} };
  return { ...head, type: 'principal', ...rest, ...given } as PrincipalDocument;
}

export function credentialDocument(
  given: Partial<CredentialDocument> & { id: string; principal: string },
): CredentialDocument {
  const scope = { actions: null, products: null, networks: null };
  const rest = { kind: 'api_key', name: given.id, state: 'active', notAfter: null, lookup: given.id };
  return {
    ...head,
    type: 'credential',
    ...rest,
    scope,
    material: {},
    replaces: null,
    ...given,
  } as CredentialDocument;
}
