import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  decodeBase64,
  isSignedBy,
  keyIdOf,
  payloadTypes,
  preAuthEncoding,
  type TrustRoot,
} from '@tallystick/core';
import { readTrustRootFile } from '@tallystick/server';
import {
  describeCloudKey,
  openSealedKeystore,
  type SigningUsage,
  writeCloudDescription,
} from '@tallystick/signer';
import { VaultServer } from '@tallystick/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { auditAtRest } from './support/audit.ts';
import { RealSystem } from './support/real-system.ts';
import { eventually } from './support/waiting.ts';

const main = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url));
const license = { plan: 'pro-yearly', licensee: 'Contoso' };

let folder: string;
let server: VaultServer;
let vaultTokenFile: string;

/** Describes a key in a file of its usage's name. */
async function describeKey(usage: SigningUsage, ns: string | null): Promise<string> {
  const { mount, http, token } = server;
  const place = { service: 'vault-transit', address: http.url, mount, namespace: null, ca: null } as const;
  server.createKey(usage, 'ed25519');
  const described = await describeCloudKey(
    place,
    { id: usage, usages: [usage], ns },
    { vaultToken: () => token },
  );
  const file = join(folder, `${usage}.json`);
  writeCloudDescription(file, described);
  return file;
}

function tally(system: RealSystem, ...args: string[]): Promise<string> {
  const env = { ...process.env, TALLY_DATA: system.layout.root };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [main, ...args, '--json'], { cwd: folder, env }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(stderr));
    });
  });
}

function readJson<T>(name: string): T {
  return JSON.parse(readFileSync(join(folder, name), 'utf8')) as T;
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tally-cloud-'));
  server = await VaultServer.start();
  vaultTokenFile = join(folder, 'vault.token');
  writeFileSync(vaultTokenFile, `${server.token}\n`, { mode: 0o600 });
});

afterEach(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

describe('a system whose log key is in Vault', () => {
  it('issues licenses, stops where the service is away, and goes on by itself when it is back', async () => {
    const description = await describeKey('log', null);
    await using system = await RealSystem.start({ cloud: { description, vaultTokenFile } });
    await system.ready();
    await system.sellPro();
    const { keys, secrets, trustRoot } = system.layout;
    await system.must('POST', '/v1/licenses?wait=published', license);
    const sealed = openSealedKeystore(keys.online, readFileSync(secrets.onlinePassphrase, 'utf8'));
    // What no service signs with is sealed, as always.
    const sealedLogKeys = sealed.filter(({ usages }) => usages.includes('log'));
    expect(sealedLogKeys.map(({ publicKey }) => publicKey.alg)).toEqual(['ml-dsa-44']);
    const [trust] = (await readTrustRootFile(trustRoot)) as [TrustRoot];
    const described = JSON.parse(readFileSync(keys.cloud, 'utf8')) as { keys: { key: string }[] };
    const logKeys = [decodeBase64(described.keys[0]!.key), sealedLogKeys[0]!.publicKey.key];
    expect(trust.log.vkeys.map(({ key }) => key)).toEqual(logKeys);
    expect(existsSync(keys.offline)).toBe(true);
    expect(system.lines.some((line) => /^signer: .*network_open/.test(line))).toBe(true);

    await server.http.takeAway();
    const refused = await system.admin('POST', '/v1/licenses', license);
    expect(refused).toMatchObject({ status: 503, json: { code: 'signer_unavailable' } });
    expect((await system.public('GET', '/log/checkpoint')).status).toBe(200);
    await server.http.putBack();
    await eventually('changes to be taken', async () => {
      const answer = await system.admin('POST', '/v1/licenses?wait=published', license);
      return answer.status < 300;
    });
    await system.published();
    expect(system.restarts).toEqual([]);

    const authority = await describeKey('authority', 'acme');
    const proposed = await tally(
      system,
      'namespace',
      'propose',
      '--lock',
      'heightened',
      '--out',
      'revision.json',
    );
    const { hash } = JSON.parse(proposed) as { hash: string };
    const opening = ['--keystore', authority, '--passphrase-file', vaultTokenFile];
    await tally(system, 'namespace', 'sign', 'revision.json', ...opening, '--hash', hash.slice(0, 8));
    const revision = readJson<{ payload: string; signatures: { keyid: string; sig: string }[] }>(
      'revision.json',
    );
    const { key } = readJson<{ keys: [{ key: string }] }>('authority.json').keys[0];
    const publicKey = { alg: 'ed25519', key: decodeBase64(key) } as const;
    const message = preAuthEncoding(payloadTypes.record, decodeBase64(revision.payload));
    const [signature] = revision.signatures;
    expect(signature?.keyid).toBe(keyIdOf(publicKey));
    expect(await isSignedBy(publicKey, message, decodeBase64(signature?.sig ?? ''))).toBe(true);
    expect((await auditAtRest(system)).problems).toEqual([]);
  });
});
