/** TLS between processes, with certificates made here: who gets in, who is kept out, and what happens when files change. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import {
  formatCheckpoint,
  formatNote,
  formatVerifierKey,
  LogTree,
  leafHash,
  makeVerifierKey,
  noteSignatureType,
  parseVerifierKey,
  utf8,
} from '@tallystick/core';
import { TestAuthority, type TestCertificate } from '@tallystick/testkit';
import { fetchBytes, initCosignerState, parseConfig, startCosigner } from '@tallystick/witness';
import { ClientTlsAgent, type ClientTlsPaths } from '@tallystick/witness/tls';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { ListenerTls } from '../src/config.ts';
import { createZoneServer, followTls } from '../src/http/listener-tls.ts';
import { CosignerClient } from '../src/quorum/cosigner-client.ts';

const folder = mkdtempSync(join(tmpdir(), 'tally-tls-'));
const authority = new TestAuthority();
const stranger = new TestAuthority('another authority');
const here = authority.issue({ name: 'server', hosts: ['127.0.0.1'] });
const monitor = authority.issue({ uris: ['spiffe://tally.example/monitor'] });
const dayMs = 86_400_000;
const servers: Server[] = [];
let files = 0;

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(text: string, mode = 0o600): string {
  files += 1;
  const path = join(folder, `${files}.pem`);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

function filesOf({ ca, cert, key }: { ca?: string; cert?: string; key?: string }): ClientTlsPaths {
  return {
    ...(ca !== undefined && { caFile: write(ca) }),
    ...(cert !== undefined && { certFile: write(cert) }),
    ...(key !== undefined && { keyFile: write(key) }),
  };
}

function tlsOf(changes: Partial<ListenerTls> = {}): ListenerTls {
  const own = { cert: write(here.cert), key: write(here.key), minVersion: 'TLSv1.3' as const };
  const wants = changes.clientCert === undefined ? {} : { clientCa: write(authority.cert) };
  return { ...own, clientCert: 'none', ...wants, ...changes };
}

async function listen(tls: ListenerTls): Promise<{ server: Server; port: number }> {
  const times = { requestTimeout: 5000, keepAliveTimeout: 5000 };
  const server = createZoneServer(tls, times, ({ socket }, response) => {
    const { authorized } = socket as TLSSocket;
    response.end(authorized ? (socket as TLSSocket).getPeerX509Certificate()?.subjectAltName : 'nobody');
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

/** The answer, or the code of what went wrong. */
function ask(port: number, options: RequestOptions = {}): Promise<string> {
  const all = { host: '127.0.0.1', port, ca: authority.cert, agent: new Agent(), ...options };
  return new Promise((resolve) => {
    const sent = request(all, (response) => {
      let text = '';
      response.on('data', (part) => {
        text += String(part);
      });
      response.on('end', () => resolve(text));
    });
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(`failed: ${error.code}`));
    sent.end();
  });
}

describe('a listener with TLS', () => {
  it('serves over TLS 1.3 alone, and nothing to who speaks plain HTTP', async () => {
    const { port } = await listen(tlsOf());
    expect(await ask(port)).toBe('nobody');
    expect(await ask(port, { maxVersion: 'TLSv1.2' })).toMatch(/^failed: /);
    expect(await ask(port, { ca: stranger.cert })).toMatch(/^failed: /);
    const plain = connect(port, '127.0.0.1');
    plain.on('error', () => {});
    plain.end('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    let heard = '';
    plain.on('data', (part) => {
      heard += part.toString('latin1');
    });
    await once(plain, 'close');
    expect(heard).not.toContain('HTTP/1.1');
    const older = await listen(tlsOf({ minVersion: 'TLSv1.2' }));
    expect(await ask(older.port, { maxVersion: 'TLSv1.2' })).toBe('nobody');
  });

  const kept: [string, TestCertificate][] = [
    ['that another authority issued', stranger.issue({ uris: ['spiffe://tally.example/monitor'] })],
    ['that has ended', authority.issue({ notAfter: Date.now() - dayMs / 2 })],
    [
      'that has not begun',
      authority.issue({ notBefore: Date.now() + dayMs, notAfter: Date.now() + 2 * dayMs }),
    ],
  ];

  it('that wants certificates takes who shows none, and knows who shows one', async () => {
    const { port } = await listen(tlsOf({ clientCert: 'wanted' }));
    expect(await ask(port)).toBe('nobody');
    expect(await ask(port, monitor)).toBe('URI:spiffe://tally.example/monitor');
  });

  it('that requires certificates keeps out who shows none', async () => {
    const { port } = await listen(tlsOf({ clientCert: 'required' }));
    expect(await ask(port)).toMatch(/^failed: /);
    expect(await ask(port, monitor)).toBe('URI:spiffe://tally.example/monitor');
  });

  it.each(kept)('ends the connection of a certificate %s, wanted or required', async (_what, shown) => {
    for (const clientCert of ['wanted', 'required'] as const) {
      const { port } = await listen(tlsOf({ clientCert }));
      expect(await ask(port, shown)).toMatch(/^failed: /);
    }
  });

  const refused: [string, () => Partial<ListenerTls>, RegExp][] = [
    ['a certificate that is not there', () => ({ cert: join(folder, 'none.pem') }), /cannot use .*none\.pem/],
    ['nonsense for a certificate', () => ({ cert: write('nonsense') }), /holds no certificate in PEM/],
    ['nonsense for a key', () => ({ key: write('nonsense') }), /holds no private key in PEM/],
    [
      'the key of another certificate',
      () => ({ key: write(monitor.key) }),
      /is not the key of the certificate/,
    ],
    ['a key that everybody can read', () => ({ key: write(here.key, 0o644) }), /chmod 640/],
    [
      'a leaf for an authority',
      () => ({ clientCert: 'wanted', clientCa: write(monitor.cert) }),
      /is no authority/,
    ],
  ];
  it.each(refused)('does not start with %s', async (_what, changes, says) => {
    const tls = tlsOf(changes());
    expect(() => createZoneServer(tls, { requestTimeout: 1, keepAliveTimeout: 1 }, () => {})).toThrow(says);
  });

  it('takes up files that changed, keeps what it had where they are bad, and lets nobody in on an old word', async () => {
    const tls = tlsOf({ clientCert: 'required' });
    const { server, port } = await listen(tls);
    const told: object[] = [];
    using _following = followTls(server, tls, (outcome) => told.push(outcome));
    const agent = new Agent({ keepAlive: true });
    expect(await ask(port, { ...monitor, agent })).toContain('monitor');

    writeFileSync(tls.key, monitor.key);
    process.emit('SIGHUP');
    expect(told).toEqual([{ reloaded: false, why: expect.stringContaining('is not the key') }]);
    expect(await ask(port, { ...monitor, agent })).toContain('monitor');

    writeFileSync(tls.key, here.key);
    writeFileSync(tls.clientCa ?? '', stranger.cert);
    process.emit('SIGHUP');
    expect(told[1]).toEqual({ reloaded: true });
    // The agent has a connection and a session from before.
    expect(await ask(port, { ...monitor, agent })).toMatch(/^failed: /);
    expect(await ask(port, { ...monitor, agent })).toMatch(/^failed: /);
    const other = stranger.issue({ uris: ['spiffe://other.example/monitor'] });
    expect(await ask(port, other)).toContain('other.example');
    agent.destroy();
  });

  it('notices by itself that a certificate was renewed', async () => {
    const tls = tlsOf();
    const { server, port } = await listen(tls);
    const told: object[] = [];
    using _following = followTls(server, tls, (outcome) => told.push(outcome));
    const renewed = authority.reissue(here, { hosts: ['127.0.0.2'] }).cert;
    // Watching begins with a first look, which may come after a single write.
    const rewritten = () => {
      writeFileSync(tls.cert, renewed);
      return told[0];
    };
    await expect.poll(rewritten, { timeout: 10_000, interval: 700 }).toEqual({ reloaded: true });
    expect(await ask(port)).toBe('failed: ERR_TLS_CERT_ALTNAME_INVALID');
  });
});

describe('a certificate that is renewed', () => {
  it('is shown on the next connection, and the one of before ends with its certificate', async () => {
    const { port } = await listen(tlsOf({ clientCert: 'required' }));
    const brief = authority.issue({ uris: ['spiffe://tally.example/before'], notAfter: Date.now() + 2000 });
    const shown = filesOf({ ca: authority.cert, ...brief });
    const agent = new ClientTlsAgent(shown);
    const options = { agent, ca: undefined };
    expect(await ask(port, options)).toContain('before');
    const renewed = authority.reissue(brief, { uris: ['spiffe://tally.example/after'] });
    writeFileSync(shown.certFile ?? '', renewed.cert);
    expect(await ask(port, options)).toContain('before');
    await expect.poll(() => ask(port, options), { timeout: 5000, interval: 200 }).toContain('after');
    agent.destroy();
  });
});

describe('what a replayer fetches', () => {
  it('comes over mutual TLS, and is not asked of who cannot be proven', async () => {
    const { port } = await listen(tlsOf({ clientCert: 'required' }));
    const source = {
      baseUrl: `https://127.0.0.1:${port}`,
      timeoutMs: 2000,
      signal: new AbortController().signal,
    };
    const fetched = (tls: { ca?: string; cert?: string; key?: string }) =>
      fetchBytes({ ...source, agent: new ClientTlsAgent(filesOf(tls)) }, 'checkpoint', 1000).then((bytes) =>
        String(Buffer.from(bytes ?? [])),
      );
    expect(await fetched({ ca: authority.cert, ...monitor })).toContain('spiffe://tally.example/monitor');
    await expect(fetched({ ca: authority.cert })).rejects.toThrow('checkpoint');
    await expect(fetched({ ca: stranger.cert, ...monitor })).rejects.toThrow('certificate');
    await expect(fetched({ ...monitor })).rejects.toThrow('certificate');
  });
});

describe('a cosigner that knows its logs by their certificates', () => {
  const allowed = 'spiffe://tally.example/server';
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
  const log = makeVerifierKey('tally.example/log', noteSignatureType.ed25519, raw);
  const tree = new LogTree();
  tree.append(leafHash(utf8('an entry')));
  const text = formatCheckpoint({ origin: 'tally.example/log', size: 1, root: tree.root(1) });
  const line = { name: log.name, id: log.id, signature: new Uint8Array(sign(null, utf8(text), privateKey)) };
  const note = formatNote({ text, signatures: [line] });

  it('cosigns for the server that it was told of, and for nobody else that has a certificate', async () => {
    const config = parseConfig(
      JSON.stringify({
        name: 'witness.example/w1',
        listen: { host: '127.0.0.1', port: 0 },
        stateFile: 'w1.db',
        keyFile: 'w1.key',
        logs: [{ origin: log.name, vkeys: [formatVerifierKey(log)] }],
        tls: {
          certFile: write(here.cert),
          keyFile: write(here.key),
          clientCaFile: write(authority.cert),
          clientIds: [allowed],
        },
      }),
      'witness',
      folder,
    );
    const { vkeys } = initCosignerState(config);
    const now = () => Math.floor(Date.now() / 1000);
    await using running = await startCosigner(config, { now, report: () => {} });
    const cosign = async (shown: object): Promise<unknown> => {
      const tls = filesOf({ ca: authority.cert, ...shown });
      const keys = vkeys.map(parseVerifierKey);
      const client = new CosignerClient('w1', keys, running.url, 2000, () => Date.now(), tls);
      return client.cosign(note, 1, () => []).finally(() => client.close());
    };
    const withId = (...uris: string[]) => authority.issue({ uris });
    await expect(cosign(withId('spiffe://tally.example/replayer'))).rejects.toThrow(
      'spiffe://tally.example/replayer may not ask for cosignatures here',
    );
    const needed = /show a client certificate/;
    await expect(cosign({})).rejects.toThrow(needed);
    await expect(cosign(withId())).rejects.toThrow(needed);
    await expect(cosign(withId(allowed, 'spiffe://tally.example/other'))).rejects.toThrow(needed);
    await expect(cosign(stranger.issue({ uris: [allowed] }))).rejects.toThrow(needed);
    await expect(cosign(authority.issue({ uris: [allowed], isAuthority: true }))).rejects.toThrow(needed);
    // A name that reads like another name's end and an id of its own.
    await expect(cosign(authority.issue({ hosts: [`x, URI:${allowed}`] }))).rejects.toThrow(needed);
    await expect(cosign(withId(allowed))).resolves.toHaveLength(vkeys.length);
    // What is public stays so.
    expect(await ask(Number(new URL(running.url).port), { path: '/healthz' })).toContain('{');
  });
});
