import { once } from 'node:events';
import { chmodSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  makeVerifierKey,
  type NoteSignature,
  noteSignatureType,
  type PublicKey,
  verifyLogSignatures,
} from '@tallystick/core';
import { AwsKmsServer, VaultServer } from '@tallystick/testkit';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { awsCredentialFiles } from '../src/cell/aws-files.ts';
import { SignerClient } from '../src/client.ts';
import { type CloudPlace, writeCloudDescription } from '../src/keystore/cloud-description.ts';
import { describeCloudKey } from '../src/keystore/cloud-keystore.ts';
import { addToSealedKeystore } from '../src/keystore/sealed-file.ts';
import type { Attempts, Wishes } from './support/hold-cell.ts';
import {
  endSigners,
  passphrase,
  runSigner,
  runUntilListening,
  SignerFiles,
} from './support/running-signer.ts';
import { at, GrowingLog, keySpecs, licenseToSign, origin, signedCheckpoint } from './support/signing.ts';

const log = new GrowingLog(40);
const batch = { records: [licenseToSign()], index: 9, publishBy: at };

let files: SignerFiles;
let logKey: PublicKey;

async function checkLines(size: number, signatures: NoteSignature[]): Promise<void> {
  const vkey = makeVerifierKey(origin, noteSignatureType.ed25519, logKey.key);
  await verifyLogSignatures(signedCheckpoint(log.checkpoint(size), signatures), [vkey]);
}

/** Puts the log key of a signer into a service, and names what its cell must let it read. */
async function configure(place: CloudPlace, id: string, credentialFiles: string[]): Promise<void> {
  const wanted = { id, usages: ['log'], ns: null } as const;
  const described = await describeCloudKey(place, wanted, { vaultToken: () => 'hvs.tests' });
  logKey = described.keys[0]!.publicKey;
  files.keep(keySpecs().slice(1));
  const description = join(files.directory, 'keys', 'cloud.json');
  writeCloudDescription(description, described);
  files.configure({ cloud: { description, credentialFiles } });
}

beforeEach(() => {
  files = new SignerFiles();
});
afterEach(() => {
  endSigners();
  vi.unstubAllEnvs();
});

describe('a signer whose log key is in Vault', () => {
  let server: VaultServer;
  let place: CloudPlace;
  let tokenFile: string;

  beforeEach(async () => {
    server = await VaultServer.start();
    server.createKey('tally-log', 'ed25519');
    place = {
      service: 'vault-transit',
      address: server.http.url,
      mount: server.mount,
      namespace: null,
      ca: null,
    };
    tokenFile = join(files.directory, 'vault.token');
    writeFileSync(tokenFile, 'hvs.tests\n', { mode: 0o600 });
    await configure(place, 'tally-log', [tokenFile]);
  });
  afterEach(() => server[Symbol.asyncDispose]());

  it('signs in its closed cell, through an outage, a new token and added keys', async () => {
    const { child, output, ended } = await runUntilListening(files);
    expect(output.stdout).toContain('listening');
    expect(output.stderr).toContain('"notice":"network_open"');
    await using client = new SignerClient(files.config.socket);
    await client.signBatch(batch);
    await checkLines(5, await client.signCheckpoint(log.checkpoint(5), []));
    await server.http.takeAway();
    await expect(client.signBatch(batch)).rejects.toMatchObject({ name: 'SignerUnavailable' });
    const lost = client.signCheckpoint(log.checkpoint(8), log.proof(5, 8));
    await expect(lost).rejects.toThrow(/cannot be reached/);
    await server.http.putBack();
    await checkLines(8, await client.signCheckpoint(log.checkpoint(8), []));
    server.token = 'hvs.renewed';
    await expect(client.signBatch(batch)).rejects.toThrow(/does not take the token/);
    writeFileSync(`${tokenFile}.new`, 'hvs.renewed', { mode: 0o600 });
    renameSync(`${tokenFile}.new`, tokenFile);
    await client.signBatch(batch);
    addToSealedKeystore(files.config.keystore, passphrase, keySpecs().slice(1, 2));
    child.kill('SIGHUP');
    await vi.waitFor(() => expect(output.stderr).toMatch(/"reloaded":.*"keys":5}/), { timeout: 10_000 });
    await client.signBatch(batch);
    child.kill('SIGTERM');
    expect((await ended).code).toBe(0);
  });

  it('leaves who got into its process the network and the token, and nothing else', async () => {
    const running = runSigner(files, { main: join(import.meta.dirname, 'support', 'hold-cell.ts') });
    await running.listening();
    const { cloud, trustRoot, socket } = files.config;
    const denied = [cloud!.description, trustRoot, files.configFile, '/etc/passwd', import.meta.filename];
    const port = Number(new URL(server.http.url).port);
    const wishes: Wishes = { files: [tokenFile, ...denied], port, socket: `${socket}.2` };
    running.child.stdin?.write(`${JSON.stringify(wishes)}\n`);
    while (running.output.stdout.split('\n').length < 3) await once(running.child.stdout!, 'data');
    const attempts = JSON.parse(running.output.stdout.split('\n')[1] ?? '') as Attempts;
    expect(attempts.read).toEqual(['succeeded', ...denied.map(() => 'ERR_ACCESS_DENIED')]);
    expect(attempts.write).toEqual(attempts.read.map(() => 'ERR_ACCESS_DENIED'));
    expect(attempts).toMatchObject({
      tcp: 'succeeded',
      child: 'ERR_ACCESS_DENIED',
      worker: 'ERR_ACCESS_DENIED',
      inspector: 'ERR_ACCESS_DENIED',
    });
    expect(attempts.scopes.filter((scope) => scope !== 'net')).toEqual([]);
  });

  it.each([
    [
      'another key is there under the name',
      () => server.createKey('tally-log', 'ed25519'),
      /not the one that is described/,
    ],
    [
      'others can write the description',
      () => chmodSync(files.config.cloud!.description, 0o666),
      /others than its owner can change/,
    ],
  ])('does not start where %s, and says so in one sentence', async (_what, spoil, words) => {
    spoil();
    const ended = await runSigner(files).ended;
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toMatch(/^signer: [^\n]+\n$/);
    expect(ended.stderr).toMatch(words);
    expect(ended.stderr).not.toContain('hvs.');
  });
});

describe('a signer whose log key is in AWS KMS', () => {
  let server: AwsKmsServer;
  let place: CloudPlace;

  beforeEach(async () => {
    server = await AwsKmsServer.start();
    place = { service: 'aws-kms', region: server.region, endpoint: server.http.url };
    for (const [name, value] of Object.entries(server.environment)) vi.stubEnv(name, value);
  });
  afterEach(() => server[Symbol.asyncDispose]());

  it('signs in its closed cell through an outage, with the credentials of a profile that it may read', async () => {
    const { accessKeyId, secretAccessKey } = server.credentials;
    const profile = join(files.directory, 'credentials');
    const text = `[tally]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`;
    writeFileSync(profile, text, { mode: 0o600 });
    const id = server.createKey('ed25519');
    vi.stubEnv('AWS_ACCESS_KEY_ID', undefined);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', undefined);
    vi.stubEnv('AWS_PROFILE', 'tally');
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', profile);
    await configure(place, id, awsCredentialFiles(process.env));
    const { output } = await runUntilListening(files);
    expect(output.stdout).toContain('listening');
    await using client = new SignerClient(files.config.socket);
    const batches = Array.from({ length: 16 }, () => client.signBatch(batch));
    await checkLines(5, await client.signCheckpoint(log.checkpoint(5), []));
    await Promise.all(batches);
    server.http.fault = 'cut';
    await expect(client.signBatch(batch)).rejects.toMatchObject({ name: 'SignerUnavailable' });
    server.http.fault = null;
    await client.signBatch(batch);
  });
});
