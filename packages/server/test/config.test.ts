import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readServerConfig } from '../src/config.ts';
import { hashToken } from '../src/http/tokens.ts';

describe('a server configuration', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tally-config-'));
  const file = join(directory, 'server.json');
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const listener = { host: '127.0.0.1', port: 0 };
  const good = {
    ns: 'acme',
    store: 'log.db',
    projections: 'projections.db',
    signerSocket: 'signer.sock',
    trustRoot: 'trust-root.json',
    licenseKeySecret: 'secret',
    adminTokenHash: hashToken('a'),
    mirrorTokenHash: hashToken('b'),
    listeners: { public: listener, admin: listener, ops: listener },
  };
  const read = (changes: object): unknown => {
    writeFileSync(file, JSON.stringify({ ...good, ...changes }));
    return readServerConfig(file);
  };

  it('has defaults for what need not be said', () => {
    expect(read({})).toMatchObject({
      synchronous: 'full',
      cosigners: {},
      times: {},
      cosignerTimeoutMs: 10_000,
    });
  });

  it.each<[string, object, RegExp]>([
    ['a member that does not exist', { stroe: 'x' }, /stroe/],
    ['a missing store', { store: undefined }, /store/],
    ['a number for a path', { signerSocket: 5 }, /signerSocket/],
    ['no ops listener', { listeners: { public: listener, admin: listener } }, /ops/],
    [
      'a port that does not exist',
      { listeners: { ...good.listeners, ops: { host: 'x', port: 65_536 } } },
      /port/,
    ],
    ['a port of a half', { listeners: { ...good.listeners, ops: { host: 'x', port: 1.5 } } }, /port/],
    [
      'a listener that others reach in plain',
      { listeners: { ...good.listeners, admin: { host: '10.0.2.10', port: 0 } } },
      /admin[\s\S]*allowPlainHttp|allowPlainHttp[\s\S]*admin/,
    ],
    [
      'one on every address',
      { listeners: { ...good.listeners, ops: { host: '::', port: 0 } } },
      /allowPlainHttp/,
    ],
    [
      'one of a name',
      { listeners: { ...good.listeners, ops: { host: 'tally.example', port: 0 } } },
      /allowPlainHttp/,
    ],
    [
      'certificates that are wanted of nobody’s making',
      {
        listeners: {
          ...good.listeners,
          admin: { ...listener, tls: { cert: 'c', key: 'k', clientCert: 'wanted' } },
        },
      },
      /clientCa/,
    ],
    ['a limit of nothing', { limits: { admin: { strangersPerMinute: 0 } } }, /strangersPerMinute/],
    ['a cosigner without an address', { cosigners: { w: 'nowhere' } }, /cosigners/],
    ['an interval of no time', { times: { intervalMs: 0 } }, /intervalMs/],
    ['a time that does not exist', { times: { intervalS: 5 } }, /intervalS/],
    ['another durability', { synchronous: 'maybe' }, /synchronous/],
    ['a namespace that is none', { ns: 'Not A Namespace' }, /at ns/],
    ['an empty namespace', { ns: '' }, /at ns/],
    ['a token in place of its hash', { adminTokenHash: 'the-token-itself' }, /at adminTokenHash/],
    ['an empty token hash', { adminTokenHash: '' }, /at adminTokenHash/],
    ['one token for both', { mirrorTokenHash: hashToken('a') }, /one token/],
    ['an empty path', { store: '' }, /at store/],
    ['a cosigner at an address that is not HTTP', { cosigners: { w: 'ftp://w.example' } }, /cosigners/],
  ])('with %s is refused, and says where', (_what, changes, message) => {
    expect(() => read(changes)).toThrow(message);
    expect(() => read(changes)).toThrow(file);
  });

  it('that is missing or no JSON is said to be', () => {
    expect(() => readServerConfig(join(directory, 'none.json'))).toThrow(/none\.json cannot be read/);
    writeFileSync(file, '{');
    expect(() => readServerConfig(file)).toThrow(/cannot be read as JSON/);
  });
});
