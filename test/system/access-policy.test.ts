/** A policy from its file to what it does: tried, published, obeyed and audited, on a real system. */
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { ShadowReport } from '@tallystick/contract';
import { keyFingerprintText } from '@tallystick/core';
import { requestSigningKey } from '@tallystick/gate/http-signature';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Operator } from './support/operator.ts';
import { RealSystem } from './support/real-system.ts';
import { eventually } from './support/waiting.ts';

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
  const publish = ['access', 'policy', 'publish', 'next.yaml', '--reason', 'TICKET-7'];
  const shadow = async (...args: string[]): Promise<{ code: number; report: ShadowReport }> => {
    const { code, stdout } = await operator.tally(
      ...as('deploy'),
      'access',
      'policy',
      'shadow',
      'next.yaml',
      ...args,
      '--json',
    );
    return { code, report: JSON.parse(stdout) as ShadowReport };
  };
  const refusal = (text: string): object => ({ code: 1, stderr: expect.stringContaining(text) });

  it('flips verdicts both ways, of changes and of reads, and says so before it is in force', async () => {
    for (const asked of [
      ['product', 'list'],
      ['principal', 'list'],
      ['principal', 'list'],
    ])
      await operator.tally(...as('shop'), ...asked);
    await operator.must(...as('deploy'), 'access', 'policy', 'show', '--out', 'policy.yaml');
    const text = readFileSync(operator.path('policy.yaml'), 'utf8');
    const rules = [
      '  no-renewals: |',
      '    forbid(principal, action in [Action::"license.renew", Action::"product.list"], resource);',
      '  shops-look: |',
      '    permit(principal in Role::"issuer", action == Action::"principal.list", resource);',
    ];
    operator.write('next.yaml', text.replace('policies:\n', ['policies:', ...rules, ''].join('\n')));

    expect(await operator.tally(...as('deploy'), ...publish)).toMatchObject(refusal('Nobody has looked'));
    const { code, report } = await shadow();
    expect(code).toBe(1);
    expect(report).toMatchObject({ allowed: 2, denied: 2, unknown: 0 });
    expect(report.flips).toMatchObject([
      { was: 'deny', action: 'principal.list', times: 2, log: 'access', reasons: ['shops-look'] },
      { was: 'allow', action: 'license.renew', times: 1, log: 'main', roles: ['issuer'] },
      { was: 'allow', action: 'product.list', times: 1, log: 'access', reasons: ['no-renewals'] },
    ]);
    expect(await operator.tally(...as('deploy'), ...publish)).toMatchObject(
      refusal('let in 2 requests that were denied, and denied 2'),
    );
    const none = await shadow('--from', '2100-01-01');
    expect(none).toMatchObject({ code: 0, report: { decisions: 0, flips: [] } });
    expect(await operator.tally(...as('deploy'), ...publish)).toMatchObject(refusal('the last seven days'));
  });

  it('is not taken for harmless where somebody removed what a denial was decided on, or put another in its place', async () => {
    using file = new DatabaseSync(system.layout.access, { timeout: 5000 });
    const rows = file.prepare('SELECT * FROM inputs').all() as { entities: string; input: string }[];
    const denied = rows.filter(({ input }) => input.includes('"action":"principal.list"'));
    expect(denied).toHaveLength(1);
    const set = file.prepare('UPDATE inputs SET input = ? WHERE entities = ?');
    for (const { entities, input } of denied) {
      set.run(input.replace('"issuer"', '"viewer"'), entities);
      expect((await shadow()).report).toMatchObject({ allowed: 0, denied: 2, unknown: 2 });
      file.prepare('DELETE FROM inputs WHERE entities = ?').run(entities);
      expect(await shadow()).toMatchObject({ code: 1, report: { allowed: 0, denied: 2, unknown: 2 } });
    }
    expect(await operator.tally(...as('deploy'), ...publish)).toMatchObject(refusal('of 2 nobody knows'));
  });

  it('is held against what was decided for administrators alone, and only where it can be evaluated', async () => {
    const body = { schema: [], policies: [] };
    await eventually('the candidate to be refused', async () => {
      const { status, json } = await system.admin('POST', '/v1/policy/shadow', body);
      return status === 422 && (json as { code: string }).code === 'input_invalid';
    });
    expect(await operator.tally(...as('shop'), 'access', 'policy', 'shadow', 'next.yaml')).toMatchObject(
      refusal('forbidden'),
    );
  });

  it('is put in force despite that by who says so, which the log keeps, and obeyed from there on', async () => {
    // The token of tally init would lock itself out, and everybody with it.
    expect(await operator.tally(...publish)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('first administrator'),
    });
    expect(await operator.tally(...as('shop'), ...publish)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('forbidden'),
    });
    const { document } = await operator.must<{ document: { despiteShadow?: boolean } }>(
      ...as('deploy'),
      ...publish,
      '--despite-shadow',
    );
    expect(document.despiteShadow).toBe(true);

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
