import { readFileSync } from 'node:fs';
import { base64 } from '@tallystick/core';
import { TestSystem } from '@tallystick/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ContractFake } from './support/contract-fake.ts';
import { Harness } from './support/harness.ts';

let system: TestSystem;
let harness: Harness;
let licenseId: string;
let file: string;
let trust: string;

beforeAll(async () => {
  harness = new Harness(null);
  system = await TestSystem.start();
  await system.sellPro();
  const { changes } = await system.run({ type: 'license.issue', plan: 'pro-yearly', licensee: 'Contoso' });
  licenseId = changes[0]?.change.subject.id ?? '';
  await system.ledger.whenPublished(system.ledger.size, 5000);
  file = harness.write('license.bundle', await system.ledger.bundle(licenseId));
  const envelopes = [base64(system.world.identity.trustRoot)];
  trust = harness.write('trust.json', JSON.stringify({ v: 1, envelopes }));
});
afterAll(async () => {
  harness[Symbol.dispose]();
  await system[Symbol.asyncDispose]();
});

const trusted = (): string[] => ['--trust-root', trust];

describe('tally verify', () => {
  it('says valid, and of what', async () => {
    const { code, out } = await harness.run(['verify', file, ...trusted()]);
    expect(code).toBe(0);
    expect(out).toMatch(/^VALID/);
    expect(out).toMatch(/licensee {2,}Contoso/);
    expect(out).toContain('any product was accepted');
  });

  it('takes trust root and namespace from client.json', async () => {
    harness.connect({ trustRootFile: 'trust.json', namespace: 'acme' });
    expect((await harness.run(['verify', file])).code).toBe(0);
    harness.connect({});
    expect((await harness.run(['verify', file])).code).toBe(3);
  });

  it('finds every flipped byte of the document, and exits with 2', async () => {
    const text = readFileSync(file, 'utf8');
    const bundle = JSON.parse(text) as { subjects: { id: string; document: string }[] };
    const license = bundle.subjects.find(({ id }) => id === licenseId);
    const bytes = Buffer.from(license?.document ?? '', 'base64');
    const at = bytes.indexOf('Contoso');
    bytes[at] = 'K'.charCodeAt(0);
    if (license !== undefined) license.document = bytes.toString('base64');
    const altered = harness.write('altered.bundle', JSON.stringify(bundle));
    const { code, json } = await harness.run(['verify', altered, ...trusted(), '--json']);
    expect([code, json()]).toMatchObject([2, { verdict: { code: 'ALTERED', valid: false } }]);
  });

  it.each([
    ['another product', ['--product', 'other'], 2, 'PRODUCT_MISMATCH'],
    ['another namespace', ['--namespace', 'other'], 2, 'NAMESPACE_MISMATCH'],
    ['a time after the term', ['--at', '2031-01-01'], 1, 'STALE'],
    ['an entitlement that is missing', ['--need', 'nothing-like-it'], 1, 'ENTITLEMENT_MISSING'],
  ])('tells %s', async (_, flags, expected, verdict) => {
    const { code, out } = await harness.run(['verify', file, ...trusted(), ...flags]);
    expect([code, out.split(/\s/, 1)[0]]).toEqual([expected, verdict]);
  });

  it('exits with 2 for what is no license file or no trust root, and with 3 for what is not there', async () => {
    const nonsense = harness.write('nonsense', 'nonsense');
    expect((await harness.run(['verify', nonsense, ...trusted()])).code).toBe(2);
    expect((await harness.run(['verify', file, '--trust-root', nonsense])).code).toBe(2);
    expect((await harness.run(['verify', harness.path('nowhere'), ...trusted()])).code).toBe(3);
    expect((await harness.run(['verify', file, '--trust-root', harness.path('nowhere')])).code).toBe(3);
  });
});

describe('tally inspect', () => {
  it('shows what a file claims, and says that nothing is verified', async () => {
    const { code, out } = await harness.run(['inspect', file]);
    expect([code, out]).toEqual([0, expect.stringMatching(/^NOT VERIFIED/)]);
    expect(out).toMatch(/licensee {2,}Contoso/);
    const json = (await harness.run(['inspect', file, '--json'])).json();
    expect(json).toMatchObject({
      verified: null,
      subjects: expect.arrayContaining([expect.objectContaining({ id: licenseId })]) as unknown[],
    });
  });

  it('verifies where it is told what to trust', async () => {
    const { code, out } = await harness.run(['inspect', file, ...trusted()]);
    expect([code, out]).toEqual([0, expect.stringMatching(/^VALID/)]);
    expect((await harness.run(['inspect', file, ...trusted(), '--namespace', 'other'])).code).toBe(2);
  });
});

describe('tally bundle', () => {
  it('writes what the server sent, and it verifies', async () => {
    await using fake = await ContractFake.start();
    fake.bundle = JSON.parse(readFileSync(file, 'utf8'));
    harness.connect({ adminUrl: fake.url, publicUrl: fake.url, token: fake.token });
    const out = harness.path('fetched.bundle');
    const fetched = await harness.run(['bundle', licenseId, '--out', out, '--json']);
    expect(fetched.json()).toMatchObject({ license: licenseId, path: out });
    expect((await harness.run(['verify', out, ...trusted()])).code).toBe(0);
    const key = await harness.run(['bundle', '--key-file', '-', '--out', '-'], { stdin: 'TALLY-12345\n' });
    expect(JSON.parse(key.out)).toEqual(fake.bundle);
    expect((await harness.run(['bundle'])).code).toBe(3);
  });
});
