import { utf8, verifyBundle } from '@tallystick/core';
import { readTrustRootFile } from '@tallystick/server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RealSystem } from './support/real-system.ts';

let system: RealSystem;

beforeAll(async () => {
  system = await RealSystem.start();
  await system.ready();
});

afterAll(async () => {
  await system[Symbol.asyncDispose]();
});

describe('a real system', () => {
  it('issues a license whose file verifies offline, then revokes it', async () => {
    await system.sellPro();
    const issued = await system.must<{
      document: { id: string };
      licenseKey: string;
      bundle: object;
      published: boolean;
    }>('POST', '/v1/licenses?wait=published', { plan: 'pro-yearly', licensee: 'Contoso' });
    expect(issued.published).toBe(true);
    const pin = await readTrustRootFile(system.layout.trustRoot);
    const request = { pin, namespace: 'acme' };
    const proven = await verifyBundle(utf8(JSON.stringify(issued.bundle)), request);
    expect(proven.license?.recordType).toBe('license.issued');
    await system.must('POST', `/v1/licenses/${issued.document.id}/revoke?wait=published`, {
      reason: 'refund',
    });
    const fresh = await system.public('POST', '/v1/bundles', { licenseKey: issued.licenseKey });
    expect((await verifyBundle(utf8(fresh.text), request)).license?.recordType).toBe('license.revoked');
  });
});
