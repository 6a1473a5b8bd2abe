import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { AwsKmsServer, VaultServer } from '@tallystick/testkit';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Review } from '../src/ceremony/review.ts';
import { Harness, type Ran } from './support/harness.ts';

let harness: Harness;
let aws: AwsKmsServer;
let vault: VaultServer;
let inAws: string[];
let inVault: string[];
const at = (name: string): string => harness.path(name);
const run = (...args: string[]): Promise<Ran> => harness.run(args);
const describeKey = (...args: string[]): Promise<Ran> => run('keys', 'describe', ...args);

beforeAll(async () => {
  harness = new Harness(null);
  [aws, vault] = [await AwsKmsServer.start(), await VaultServer.start()];
  for (const [name, value] of Object.entries(aws.environment)) vi.stubEnv(name, value);
  writeFileSync(at('token'), `${vault.token}\n`, { mode: 0o600 });
  vault.createKey('alice', 'ecdsa-p256-sha256');
  vault.createKey('log', 'ed25519');
  inAws = ['--aws-region', aws.region, '--aws-endpoint', aws.http.url];
  inVault = ['--vault', vault.http.url, '--vault-mount', vault.mount];
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await aws[Symbol.asyncDispose]();
  await vault[Symbol.asyncDispose]();
  harness[Symbol.dispose]();
});

describe('tally keys describe', () => {
  it('writes nothing with --dry-run, and nothing over a file', async () => {
    const key = ['--key', aws.createKey('ed25519'), '--usage', 'log', ...inAws];
    const rehearsed = await describeKey(...key, '--out', at('dry.json'), '--dry-run', '--json');
    expect(rehearsed.json()).toMatchObject({ file: null, alg: 'ed25519', usage: 'log' });
    expect(existsSync(at('dry.json'))).toBe(false);
    harness.write('taken.json', 'mine');
    const refused = await describeKey(...key, '--out', at('taken.json'));
    expect(refused.err).toMatch(/exists already/);
    expect(readFileSync(at('taken.json'), 'utf8')).toBe('mine');
  });

  it('writes nothing about a key that shows itself and does not sign', async () => {
    aws.allowed = new Set(['GetPublicKey']);
    const out = ['--out', at('mute.json')];
    const refused = await describeKey('--key', aws.createKey('ed25519'), '--usage', 'log', ...inAws, ...out);
    aws.allowed = new Set(['GetPublicKey', 'Sign']);
    expect(refused.err).toMatch(/not described: .*AccessDenied.*allow kms:GetPublicKey and kms:Sign/);
    expect(existsSync(at('mute.json'))).toBe(false);
  });

  it('does not describe a P-256 key for a log, which knows none', async () => {
    const key = ['--key', aws.createKey('ecdsa-p256-sha256'), '--usage', 'log', ...inAws];
    expect((await describeKey(...key, '--out', at('p256.json'))).err).toMatch(/a log key is Ed25519/);
    expect(existsSync(at('p256.json'))).toBe(false);
  });

  it('asks for the token of Vault where no file is named, and says it to nobody', async () => {
    const args = [
      'keys',
      'describe',
      '--key',
      'log',
      '--usage',
      'log',
      ...inVault,
      '--out',
      at('typed.json'),
    ];
    const described = await harness.run(args, { typed: [vault.token] });
    expect(described.code).toBe(0);
    expect(readFileSync(at('typed.json'), 'utf8') + described.out + described.err).not.toContain(vault.token);
  });

  it.each([
    ['no place', [], /either --aws-region or --vault/],
    ['two places', ['--aws-region', 'eu-central-1', '--vault', 'https://vault.example'], /either/],
    ['an authority of nobody', ['--usage', 'authority', '--aws-region', 'eu-central-1'], /Give --namespace/],
    [
      'a CA that is none',
      ['--vault', 'https://vault.example', '--vault-ca-file', '/dev/null'],
      /no certificate/,
    ],
  ])('is refused with %s', async (_what, args, words) => {
    const refused = await describeKey('--key', 'k', '--usage', 'log', '--out', at('none.json'), ...args);
    expect(refused.code).not.toBe(0);
    expect(refused.err).toMatch(words);
  });
});

it('a log key in AWS and a root key in Vault make a system, and the version after it', async () => {
  const token = ['--vault-token-file', at('token')];
  await describeKey('--key', aws.createKey('ed25519'), '--usage', 'log', ...inAws, '--out', at('log.json'));
  const alice = ['--key', 'alice', '--usage', 'root', ...inVault, ...token, '--out', at('alice.json')];
  expect((await describeKey(...alice)).out).toContain('Next: tally root key --of');
  const classical = ['--algorithms', 'ed25519'];
  const made = await run('init', '--data', at('data'), ...classical, '--log-key', at('log.json'), '--json');
  const { offlineKeystore, offlinePassphrase } = made.json() as Record<string, string>;
  const shown = await run(
    'root',
    'key',
    '--of',
    at('alice.json'),
    '--name',
    'alice',
    '--passphrase-file',
    at('token'),
  );
  const oldFlags = ['--passphrase-file', String(offlinePassphrase)];
  const old = await run(
    'root',
    'key',
    '--of',
    String(offlineKeystore),
    '--name',
    'old',
    ...oldFlags,
    '--json',
  );
  const { keys } = old.json() as { keys: { role: string; line: string }[] };
  const removed = keys
    .find(({ role }) => role === 'root')
    ?.line.split(' ')
    .at(-1);
  const changes = `version: 2\nroot:\n  add:\n    - ${shown.out.trim()}\n  remove:\n    - ${removed}\n`;
  harness.write('c.yaml', changes);
  const from = ['--from', at('data/trust-root.json')];
  const proposal = at('p.json');
  const proposed = await run(
    'root',
    'propose',
    ...from,
    '--changes',
    at('c.yaml'),
    '--out',
    proposal,
    '--json',
  );
  const { payloadHash } = (proposed.json() as { review: Review }).review;
  const sign = async (key: string, secret: string): Promise<string> => {
    const flags = ['--key', key, '--passphrase-file', secret, '--yes-i-reviewed', payloadHash];
    const signed = await run('root', 'sign', proposal, ...from, ...flags, '--json');
    return (signed.json() as { signatures: { path: string }[] }).signatures[0]!.path;
  };
  const signatures = [
    await sign(String(offlineKeystore), String(offlinePassphrase)),
    await sign(at('alice.json'), at('token')),
  ];
  const joined = await run('root', 'join', proposal, ...signatures, ...from);
  expect([joined.code, joined.err]).toEqual([0, '']);
  const verified = await run(
    'root',
    'verify',
    at('trust-root-2.json'),
    '--known',
    at('data/trust-root.json'),
  );
  expect(verified.code).toBe(0);
});

it.each([
  ['of a root key', ['alice.json'], /one Ed25519 key for --usage log/],
  ['without the token that it needs', ['typed.json'], /Vault needs a token/],
  [
    'beside a token of PKCS#11',
    ['typed.json', '--pkcs11-module', 'x', '--pkcs11-token', 'y', '--pkcs11-pin-file', 'z'],
    /Give --log-key or/,
  ],
])('tally init takes no description %s', async (_what, [file = '', ...more], words) => {
  const token = file === 'alice.json' ? ['--vault-token-file', at('token')] : [];
  const refused = await run('init', '--data', at('other'), '--log-key', at(file), ...token, ...more);
  expect(refused.code).not.toBe(0);
  expect(refused.err).toMatch(words);
  expect(existsSync(at('other'))).toBe(false);
});
