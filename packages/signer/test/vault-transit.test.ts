import { localhostCertificate, VaultServer } from '@tallystick/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CloudPlace } from '../src/keystore/cloud-description.ts';
import {
  describeKey,
  message,
  openKey,
  openKeystore,
  placeInVault,
  refusal,
  startVault,
} from './support/cloud.ts';
import { isValid } from './support/keystore-conformance.ts';

describe('Vault', () => {
  let server: VaultServer;
  let place: CloudPlace & { service: 'vault-transit' };

  beforeEach(async () => {
    server = await startVault();
    place = placeInVault(server);
  });
  afterEach(() => server[Symbol.asyncDispose]());

  it('goes on signing with the version that is described when the key is rotated there', async () => {
    const key = await openKey(await describeKey(place, 'log'));
    server.rotateKey('log');
    expect(await isValid(key, message, await key.sign(message))).toBe(true);
    const newest = await describeKey(place, 'log');
    expect(newest.keys.map(({ id }) => id)).toEqual(['log:2']);
    expect((await describeKey(place, 'log:1')).keys.map(({ id }) => id)).toEqual(['log:1']);
  });

  it('refuses another key under the same name', async () => {
    const described = await describeKey(place, 'log');
    server.createKey('log', 'ed25519');
    expect(await refusal(openKeystore(described))).toMatch(
      /log:1 .*is not the one that is described: see who/,
    );
    server.createKey('log', 'ecdsa-p256-sha256');
    expect(await refusal(openKeystore(described))).toMatch(/is not the one that is described/);
  });

  it('notices a key that was exchanged while it is open', async () => {
    const key = await openKey(await describeKey(place, 'log'));
    server.createKey('log', 'ed25519');
    expect(await refusal(key.sign(message))).toMatch(/KeystoreError: .*not of the key log:1/);
  });

  const unfit: [what: string, spoil: () => unknown, words: RegExp][] = [
    ['can be exported', () => server.configureKey('log', { exportable: true }), /can be taken out of Vault/],
    [
      'can be backed up in the clear',
      () => server.configureKey('log', { allow_plaintext_backup: true }),
      /can be taken out of Vault/,
    ],
    ['is derived', () => server.configureKey('log', { derived: true }), /is derived/],
    ['is of another type', () => server.setType('log', 'rsa-4096'), /of type rsa-4096: make one of ed25519/],
    [
      'is too old to sign',
      () => server.configureKey('log', { min_encryption_version: 2 }),
      /version 1 .* does not sign any more.*min_encryption_version/,
    ],
  ];
  it.each(unfit)('is not asked for a key that %s', async (_what, spoil, words) => {
    const described = await describeKey(place, 'log');
    spoil();
    expect(await refusal(openKeystore(described))).toMatch(words);
  });

  it('says what to do where it does not know the key, the mount or the token, or is sealed', async () => {
    const described = await describeKey(place, 'log');
    const key = await openKey(described);
    expect(await refusal(describeKey(place, 'none'))).toMatch(/does not know the key "none".*see mount/);
    expect(await refusal(describeKey({ ...place, mount: 'transit' }, 'log'))).toMatch(
      /no handler for route.*mount/,
    );
    expect(await refusal(describeKey(place, 'log:9'))).toMatch(/version 9 .*never did/);
    expect(await refusal(openKeystore(described, () => 'hvs.other'))).toMatch(
      /does not take the token.*expired/,
    );
    server.allowed = new Set(['keys']);
    expect(await refusal(key.sign(message))).toMatch(
      /^KeystoreError: .*does not take the token.*policy allows/,
    );
    server.isSealed = true;
    expect(await refusal(key.sign(message))).toMatch(/^TokenUnavailable: .*sealed.*unseal it/);
  });

  it('asks for the token before each request, because it may be renewed', async () => {
    let token = 'hvs.tests';
    const keystore = await openKeystore(await describeKey(place, 'log'), () => token);
    server.token = 'hvs.renewed';
    expect(await refusal(keystore.keys[0]!.sign(message))).toMatch(/does not take the token/);
    token = 'hvs.renewed';
    expect(await isValid(keystore.keys[0]!, message, await keystore.keys[0]!.sign(message))).toBe(true);
  });

  it('is told the namespace, and nothing where there is none', async () => {
    server.namespace = 'acme/prod';
    expect(await refusal(describeKey(place, 'log'))).toMatch(/does not take the token/);
    const inNamespace = await describeKey({ ...place, namespace: 'acme/prod' }, 'log');
    const key = await openKey(inNamespace);
    expect(await isValid(key, message, await key.sign(message))).toBe(true);
  });

  it.each(['', '../sys', 'log/config', 'a b', 'log:0', 'log:v1'])(
    'is not asked for the key "%s"',
    async (id) => {
      const before = server.http.count;
      expect(await refusal(describeKey(place, id))).toMatch(/is no key of Vault/);
      expect(server.http.count).toBe(before);
    },
  );

  it.each(['', '..', 'transit/../sys', 'transit//x'])('is not asked at the mount "%s"', async (mount) => {
    expect(await refusal(describeKey({ ...place, mount }, 'log'))).toMatch(/cannot stand in a path of Vault/);
  });

  it('gets no token with characters that would end a header', async () => {
    const opening = openKeystore(
      await describeKey(place, 'log'),
      () => 'hvs.tests\r\nx-vault-namespace: root',
    );
    expect(await refusal(opening)).toMatch(/token is not one/);
  });

  it('is not spoken to in the clear', async () => {
    const remote = { ...place, address: 'http://vault.example:8200' };
    expect(await refusal(describeKey(remote, 'log'))).toMatch(/vault.example:8200 is not encrypted/);
  });
});

describe('Vault over TLS', () => {
  it('is who its certificate says, by the CA in the description, and nobody else', async () => {
    await using server = await VaultServer.start(localhostCertificate);
    server.createKey('log', 'ed25519');
    const { mount, http } = server;
    const place = { service: 'vault-transit', address: http.url, mount, namespace: null, ca: null } as const;
    expect(await refusal(describeKey(place, 'log'))).toMatch(
      /^KeystoreError: .*certificate that is not trusted.*with the CA/,
    );
    // Nothing was sent before that was found out, least of all a token.
    expect(http.count).toBe(0);
    const described = await describeKey({ ...place, ca: localhostCertificate.cert }, 'log');
    const key = await openKey(described);
    expect(await isValid(key, message, await key.sign(message))).toBe(true);
  });
});
