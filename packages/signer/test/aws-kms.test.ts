import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AwsKmsServer } from '@tallystick/testkit';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CloudPlace } from '../src/keystore/cloud-description.ts';
import {
  describeKey,
  message,
  openKey,
  openKeystore,
  placeInAws,
  refusal,
  startAws,
} from './support/cloud.ts';
import { isValid } from './support/keystore-conformance.ts';

describe('AWS KMS', () => {
  let server: AwsKmsServer;
  let place: CloudPlace;

  beforeEach(async () => {
    server = await startAws();
    place = placeInAws(server);
  });
  afterEach(() => server[Symbol.asyncDispose]());

  it('describes the key behind an alias, and does not follow the alias to another one', async () => {
    const [first, second] = [server.createKey('ed25519'), server.createKey('ed25519')];
    server.setAlias('alias/tally', first);
    const described = await describeKey(place, 'alias/tally');
    expect(described.keys.map(({ id }) => id)).toEqual([first]);
    server.setAlias('alias/tally', second);
    expect(
      await isValid(await openKey(described), message, await (await openKey(described)).sign(message)),
    ).toBe(true);
    const byAlias = { ...described, keys: described.keys.map((each) => ({ ...each, id: 'alias/tally' })) };
    expect(await refusal(openKeystore(byAlias))).toMatch(/is not the one that is described/);
  });

  it('signs 4,096 bytes with Ed25519 and no more, and any length with P-256', async () => {
    const edwards = await openKey(await describeKey(place, server.createKey('ed25519')));
    const longest = new Uint8Array(4096);
    expect(await isValid(edwards, longest, await edwards.sign(longest))).toBe(true);
    const before = server.http.count;
    expect(await refusal(edwards.sign(new Uint8Array(4097)))).toMatch(
      /at most 4096 bytes.*has 4097: sign it with/,
    );
    expect(server.http.count).toBe(before);
    const p256 = await openKey(await describeKey(place, server.createKey('ecdsa-p256-sha256')));
    const longer = new Uint8Array(1 << 20);
    expect(await isValid(p256, longer, await p256.sign(longer))).toBe(true);
  });

  const refusals: [what: string, spoil: (arn: string) => unknown, words: RegExp][] = [
    [
      'a disabled key',
      (arn) => server.change(arn, { state: 'Disabled' }),
      /KeystoreError: .*Disabled.*enable it/,
    ],
    [
      'a key whose deletion is pending',
      (arn) => server.change(arn, { state: 'PendingDeletion' }),
      /KeystoreError: .*pending deletion.*cancel that/,
    ],
    [
      'credentials that may not sign',
      () => {
        server.allowed = new Set(['GetPublicKey']);
      },
      /KeystoreError: .*AccessDenied.*allow kms:GetPublicKey and kms:Sign/,
    ],
  ];
  it.each(refusals)(
    'is not asked again by itself about %s, and says what to do',
    async (_what, spoil, words) => {
      const arn = server.createKey('ed25519');
      const key = await openKey(await describeKey(place, arn));
      spoil(arn);
      expect(await refusal(key.sign(message))).toMatch(words);
      expect(await refusal(describeKey(place, arn))).toMatch(words);
    },
  );

  it.each([
    'ThrottlingException',
    'KMSInternalException',
    'KeyUnavailableException',
    'DependencyTimeoutException',
  ])('is asked again later after a %s, whatever status that has', async (name) => {
    const key = await openKey(await describeKey(place, server.createKey('ed25519')));
    server.http.fault = { status: 400, body: JSON.stringify({ __type: name, message: 'later' }) };
    expect(await refusal(key.sign(message))).toMatch(new RegExp(`^TokenUnavailable: .*${name}`));
    server.http.fault = null;
    expect(await isValid(key, message, await key.sign(message))).toBe(true);
  });

  it('does not take credentials of strangers', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDOTHER');
    const asked = refusal(describeKey(place, server.createKey('ed25519')));
    expect(await asked).toMatch(/KeystoreError: .*does not take the credentials \(UnrecognizedClient/);
  });

  it('is asked for keys that sign alone, and for keys that are there', async () => {
    const arn = server.createKey('ecdsa-p256-sha256');
    server.change(arn, { usage: 'KEY_AGREEMENT' });
    expect(await refusal(describeKey(place, arn))).toMatch(/is for KEY_AGREEMENT: make one for SIGN_VERIFY/);
    expect(await refusal(describeKey(place, 'alias/none'))).toMatch(/NotFound.*there is no such key/);
  });

  it('needs credentials, and says where they may be', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', '');
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nowhere');
    vi.stubEnv('AWS_CONFIG_FILE', '/nowhere');
    expect(await refusal(describeKey(place, 'any'))).toMatch(/KeystoreError: there are no AWS credentials/);
  });

  it('is not spoken to in the clear, wherever the address comes from', async () => {
    const unencrypted = { ...place, endpoint: 'http://kms.example' } as CloudPlace;
    expect(await refusal(describeKey(unencrypted, 'any'))).toMatch(/kms.example is not encrypted/);
    vi.stubEnv('AWS_ENDPOINT_URL_KMS', 'http://kms.example');
    const described = { service: 'aws-kms', region: server.region, endpoint: null } as const;
    expect(await refusal(describeKey(described, 'any'))).toMatch(/kms.example is not encrypted/);
    // The same way leads to this machine.
    vi.stubEnv('AWS_ENDPOINT_URL_KMS', server.http.url);
    expect((await describeKey(described, server.createKey('ed25519'))).keys).toHaveLength(1);
  });

  it('is spoken to by the SDK of the version that its message and the runbook name', () => {
    const read = (path: string): string => readFileSync(join(import.meta.dirname, path), 'utf8');
    const manifest = JSON.parse(read('../package.json')) as { peerDependencies: Record<string, string> };
    const command = `npm install @aws-sdk/client-kms@${manifest.peerDependencies['@aws-sdk/client-kms']}`;
    expect(read('../src/keystore/aws-kms.ts')).toContain(`${command} `);
    expect(read('../../../docs/operating/cloud-keys.md')).toContain(`\`${command}\``);
  });
});
