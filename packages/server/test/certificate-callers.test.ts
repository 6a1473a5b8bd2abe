/** Callers that show a certificate on a real connection: who they are, and who nobody is. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Directory } from '@tallystick/gate';
import { TestAuthority, type TestCertificate } from '@tallystick/testkit';
import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Gate } from '../src/gate.ts';
import { authenticate } from '../src/http/authenticate.ts';
import { createZoneServer } from '../src/http/listener-tls.ts';
import { credentialDocument, gateConfig, principalDocument } from './support/gate-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'tally-callers-'));
const authority = new TestAuthority();
const stranger = new TestAuthority('another authority');
const billing = 'spiffe://vendor.example/billing';
let app: FastifyInstance;
let gate: Gate;
const directory = new Directory();

beforeAll(async () => {
  const config = gateConfig(folder, { trustDomains: ['vendor.example'] });
  gate = new Gate(config, 'system', directory, (error) => {
    throw error;
  });
  const server = authority.issue({ name: 'server', hosts: ['127.0.0.1'] });
  const tls = {
    cert: write('cert.pem', server.cert),
    key: write('key.pem', server.key),
    clientCa: write('ca.pem', authority.cert),
    clientCert: 'wanted',
    minVersion: 'TLSv1.3',
  } as const;
  const times = { requestTimeout: 5000, keepAliveTimeout: 5000 };
  app = fastify({ serverFactory: (handle) => createZoneServer(tls, times, handle) });
  app.get('/', async (asked) => ({ caller: await authenticate(asked, gate.authenticator, gate.directory) }));
  app.setErrorHandler((error, _asked, reply) => reply.send({ refused: (error as { code?: string }).code }));
  await app.listen({ host: '127.0.0.1', port: 0 });
  directory.apply(principalDocument({ id: 'prn_billing' }));
  directory.apply(
    credentialDocument({ id: 'crd_billing', principal: 'prn_billing', kind: 'spiffe', lookup: billing }),
  );
});

afterAll(async () => {
  await app.close();
  gate.close();
  rmSync(folder, { recursive: true, force: true });
});

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

interface Answer {
  caller?: { principal: string; credential: string; strength: number } | null;
  refused?: string;
}

/** null where the connection ended. */
function ask(shown: Partial<TestCertificate>, headers: Record<string, string> = {}): Promise<Answer | null> {
  const { port } = app.server.address() as AddressInfo;
  const options = { host: '127.0.0.1', port, ca: authority.cert, agent: new Agent(), headers, ...shown };
  return new Promise((resolve) => {
    const sent = request(options, (response) => {
      let text = '';
      response.on('data', (part) => {
        text += String(part);
      });
      response.on('end', () => resolve(JSON.parse(text) as Answer));
    });
    sent.on('error', () => resolve(null));
    sent.end();
  });
}

it('a workload is who its certificate says', async () => {
  const answer = await ask(authority.issue({ uris: [billing] }));
  expect(answer?.caller).toMatchObject({ principal: 'prn_billing', credential: 'crd_billing', strength: 2 });
});

it('without a certificate, or with one without a SPIFFE id, nobody is calling', async () => {
  expect(await ask({})).toEqual({ caller: null });
  expect(await ask(authority.issue({ hosts: ['billing.vendor.example'] }))).toEqual({ caller: null });
});

it.each<[string, () => TestCertificate, string | undefined]>([
  [
    'of a workload that nobody registered',
    () => authority.issue({ uris: ['spiffe://vendor.example/x'] }),
    'unauthorized',
  ],
  ['of another authority', () => stranger.issue({ uris: [billing] }), undefined],
])('a certificate %s lets nobody in', async (_, certificate, refused) => {
  const answer = await ask(certificate());
  expect(answer?.caller ?? null).toBeNull();
  expect(answer?.refused).toBe(refused);
});

it('a certificate of another trust domain, or with two ids, names nobody', async () => {
  expect(await ask(authority.issue({ uris: ['spiffe://other.example/billing'] }))).toEqual({ caller: null });
  expect(await ask(authority.issue({ uris: [billing, 'spiffe://vendor.example/x'] }))).toEqual({
    caller: null,
  });
});

it('a certificate and a token are two callers, and refused', async () => {
  const headers = { authorization: 'Bearer a' };
  expect(await ask(authority.issue({ uris: [billing] }), headers)).toEqual({ refused: 'malformed_request' });
});
