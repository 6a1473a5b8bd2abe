/** A policy from its file to what it does: tried, published, obeyed and audited, on a real system. */
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { keyFingerprintText } from '@tallystick/core';
import { requestSigningKey } from '@tallystick/gate/http-signature';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Operator } from './support/operator.ts';
import { RealSystem } from './support/real-system.ts';

let system: RealSystem;
let operator: Operator;
let license: string;

/** Makes a service that signs its requests with a key in `<name>.pem`. */
async function makeService(name: string, role: string): Promise<void> {
  const { privateKey } = generateKeyPairSync('ed25519');
  operator.write(`${name}.pem`, privateKey.export({ format: 'pem', type: 'pkcs8' }) as string, 0o600);
  const { publicKey } = requestSigningKey(privateKey);
  const { document } = await system.must<{ document: { id: string } }>('POST', '/v1/principals', {
    kind: 'service',
    name,
    roles: [{ role }],
  });
  await system.must('POST', '/v1/credentials', {
    principal: document.id,
    kind: 'http_signature',
    name: 'signing key',
    lookup: keyFingerprintText(publicKey),
    material: { alg: publicKey.alg, key: Buffer.from(publicKey.key).toString('base64') },
  });
}

const as = (name: string): string[] => ['--signing-key', operator.path(`${name}.pem`)];

beforeAll(async () => {
  system = await RealSystem.start({ algorithms: ['ed25519'] });
  await system.ready();
  operator = new Operator(system);
  await system.sellPro();
  await makeService('shop', 'issuer');
  await makeService('deploy', 'administrator');
  const issued = await operator.must<{ document: { id: string } }>(
    ...as('shop'),
    'issue',
    '--plan',
    'pro-yearly',
    '--reason',
    'ORDER-1',
  );
  license = issued.document.id;
  await operator.must(...as('shop'), 'renew', license);
}, 60_000);

afterAll(async () => {
  await system[Symbol.asyncDispose]();
});

describe('a policy that forbids renewals', () => {
  it('is published once somebody has looked what it would have denied, and obeyed from there on', async () => {
    await operator.must(...as('deploy'), 'access', 'policy', 'show', '--out', 'policy.yaml');
    const text = readFileSync(operator.path('policy.yaml'), 'utf8');
    const rule = '  no-renewals: |\n    forbid(principal, action == Action::"license.renew", resource);\n';
    operator.write('next.yaml', text.replace('policies:\n', `policies:\n${rule}`));
    const publish = ['access', 'policy', 'publish', 'next.yaml', '--reason', 'TICKET-7'];

    expect(await operator.tally(...as('deploy'), ...publish)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('tally access policy shadow'),
    });
    const shadowed = await operator.tally('access', 'policy', 'shadow', 'next.yaml', '--json');
    expect(shadowed.code).toBe(1);
    expect(JSON.parse(shadowed.stdout)).toMatchObject({
      flipped: 1,
      unreadable: 0,
      flips: [{ action: 'license.renew', roles: ['issuer'], reasons: ['no-renewals'] }],
    });

    // The token of tally init would lock itself out, and everybody with it.
    expect(await operator.tally(...publish)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('first administrator'),
    });
    expect(await operator.tally(...as('shop'), ...publish)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('forbidden'),
    });
    await operator.must(...as('deploy'), ...publish);

    expect(await operator.tally(...as('shop'), 'renew', license)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('forbidden'),
    });
    expect((await system.admin('GET', '/v1/products')).status).toBe(401);
  });

  it('leaves a log in which every decision is made again as it was, under the policy of its time', async () => {
    const report = await operator.must<{ ok: boolean; counts: { decided: number; policies: number } }>(
      'audit',
      'replay',
    );
    expect(report).toMatchObject({ ok: true, findings: [], counts: { policies: 1 } });
    expect(report.counts.decided).toBeGreaterThan(8);
    const later = await operator.tally('audit', 'replay', '--from', '2100-01-01', '--json');
    expect(JSON.parse(later.stdout)).toMatchObject({ ok: true, counts: { commands: 0 } });
  });
});
