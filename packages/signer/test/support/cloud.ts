/** Services that hold keys, on this machine, and keystores that are opened with them and closed after each test. */
import { utf8 } from '@tallystick/core';
import { AwsKmsServer, VaultServer } from '@tallystick/testkit';
import { afterEach, expect, vi } from 'vitest';
import type { CloudDescription, CloudPlace } from '../../src/keystore/cloud-description.ts';
import { CloudKeystore, describeCloudKey } from '../../src/keystore/cloud-keystore.ts';
import type { DescribedKey } from '../../src/keystore/described-key.ts';

export const message: Uint8Array = utf8('what is signed');
const opened: CloudKeystore[] = [];

export async function openKeystore(
  description: CloudDescription,
  vaultToken: () => string = () => 'hvs.tests',
): Promise<CloudKeystore> {
  const keystore = await CloudKeystore.open(description, { vaultToken });
  opened.push(keystore);
  return keystore;
}

export async function openKey(description: CloudDescription): Promise<DescribedKey> {
  const [key] = (await openKeystore(description)).keys;
  return key as DescribedKey;
}

export function describeKey(place: CloudPlace, id: string): Promise<CloudDescription> {
  return describeCloudKey(place, { id, usages: ['log'], ns: null }, { vaultToken: () => 'hvs.tests' });
}

/** What it rejects with, as an operator reads it. */
export async function refusal(work: Promise<unknown>): Promise<string> {
  const outcome = await work.then(
    () => 'nothing was refused',
    (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : 'no error'),
  );
  expect(outcome).not.toContain('\n');
  return outcome;
}

/** Its credentials are in the environment until the test ends. */
export async function startAws(): Promise<AwsKmsServer> {
  const server = await AwsKmsServer.start();
  for (const [name, value] of Object.entries(server.environment)) vi.stubEnv(name, value);
  return server;
}

export function placeInAws({ region, http }: AwsKmsServer): CloudPlace & { service: 'aws-kms' } {
  return { service: 'aws-kms', region, endpoint: http.url };
}

/** With an Ed25519 key `log`. */
export async function startVault(): Promise<VaultServer> {
  const server = await VaultServer.start();
  server.createKey('log', 'ed25519');
  return server;
}

export function placeInVault({ mount, http }: VaultServer): CloudPlace & { service: 'vault-transit' } {
  return { service: 'vault-transit', address: http.url, mount, namespace: null, ca: null };
}

afterEach(() => {
  vi.unstubAllEnvs();
  for (const keystore of opened.splice(0)) keystore[Symbol.dispose]();
});
