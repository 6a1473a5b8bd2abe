import type { AwsKmsServer, VaultServer } from '@tallystick/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CloudDescription } from '../src/keystore/cloud-description.ts';
import type { DescribedKey } from '../src/keystore/described-key.ts';
import {
  describeKey,
  message,
  openKey,
  openKeystore,
  placeInAws,
  placeInVault,
  refusal,
  startAws,
  startVault,
} from './support/cloud.ts';
import { isValid } from './support/keystore-conformance.ts';

/** A service with one key, and what may become of its answers. */
interface Way {
  server: AwsKmsServer | VaultServer;
  description: CloudDescription;
}

async function wayToAws(): Promise<Way> {
  const server = await startAws();
  return { server, description: await describeKey(placeInAws(server), server.createKey('ed25519')) };
}

async function wayToVault(): Promise<Way> {
  const server = await startVault();
  return { server, description: await describeKey(placeInVault(server), 'log') };
}

describe.each([
  ['AWS KMS', wayToAws],
  ['Vault', wayToVault],
])('the way to %s', (_name, start) => {
  let service: Way;
  let key: DescribedKey;

  beforeEach(async () => {
    service = await start();
    key = await openKey(service.description);
  });
  afterEach(() => service.server[Symbol.asyncDispose]());

  it('may break and come back, in the middle of many signatures and without a new opening', async () => {
    await service.server.http.takeAway();
    expect(await refusal(key.sign(message))).toMatch(/^TokenUnavailable: .*ECONNREFUSED/);
    expect(await refusal(openKeystore(service.description))).toMatch(/^TokenUnavailable/);
    await service.server.http.putBack();
    expect(await isValid(key, message, await key.sign(message))).toBe(true);
    const asked = Array.from({ length: 60 }, async (_, nth) => {
      if (nth === 30) service.server.http.cutConnections();
      return key.sign(message);
    });
    for (const outcome of await Promise.allSettled(asked)) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ name: 'TokenUnavailable' });
      else expect(await isValid(key, message, outcome.value)).toBe(true);
    }
    expect(await isValid(key, message, await key.sign(message))).toBe(true);
  });

  it('may be closed between two signatures, which nobody notices', async () => {
    await key.sign(message);
    service.server.http.cutConnections();
    expect(await isValid(key, message, await key.sign(message))).toBe(true);
  });

  it('that hangs is given up before a client of the signer gives up the signer', async () => {
    service.server.http.fault = 'hang';
    const from = performance.now();
    const asked = await Promise.all([1, 2, 3].map(async () => refusal(key.sign(message))));
    expect(asked.every((each) => each.startsWith('TokenUnavailable'))).toBe(true);
    expect(performance.now() - from).toBeLessThan(7000);
    service.server.http.fault = null;
    expect(await isValid(key, message, await key.sign(message))).toBe(true);
  });

  it.each([500, 502, 503, 504, 429])('that answers %d is tried again later', async (status) => {
    service.server.http.fault = { status, body: '<html>busy</html>' };
    expect(await refusal(key.sign(message))).toMatch(/^TokenUnavailable/);
  });

  it('that gives another one’s signature, or none, gives nothing to anybody', async () => {
    for (const tamper of [
      (signature: Buffer) => Buffer.from(signature.map((byte, at) => (at === 40 ? byte ^ 1 : byte))),
      (signature: Buffer) => signature.subarray(0, 63),
      () => Buffer.alloc(0),
    ]) {
      service.server.tamper = tamper;
      expect(await refusal(key.sign(message))).toMatch(/^KeystoreError: .*(not of the key|unknown form)/);
    }
  });

  it('leads to something else: that is said, whatever it answers', async () => {
    for (const body of ['<html>hello</html>', '{}', '[]', '{"data":{"signature":{}}}', 'null']) {
      service.server.http.fault = { status: 200, body };
      expect(await refusal(key.sign(message))).toMatch(/^(KeystoreError|TokenUnavailable): /);
      expect(await refusal(openKeystore(service.description))).toMatch(/^(KeystoreError|TokenUnavailable): /);
    }
    service.server.http.fault = { status: 307, headers: { location: 'http://127.0.0.1:9/' }, body: '' };
    expect(await refusal(key.sign(message))).toMatch(/^KeystoreError: /);
  });
});
