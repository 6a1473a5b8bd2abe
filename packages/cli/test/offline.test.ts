import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { base64, formatCheckpoint, formatNote, utf8 } from '@tallystick/core';
import { TestSystem } from '@tallystick/testkit';
import { createMonitorKey, encodeEvidence } from '@tallystick/witness';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ContractFake } from './support/contract-fake.ts';
import { Harness } from './support/harness.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

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

describe('a reader that closes the pipe', () => {
  it.each(['stdout', 'stderr'] as const)('of %s does not make a bad license a good one', async (pipe) => {
    const args = [
      'verify',
      file,
      ...trusted(),
      '--product',
      'other',
      pipe === 'stderr' ? '--no-such-flag' : '--json',
    ];
    const child = spawn(process.execPath, [main, ...args]);
    child[pipe].destroy();
    expect(await once(child, 'exit')).toEqual([pipe === 'stderr' ? 3 : 2, null]);
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

describe('tally evidence verify', () => {
  /** What a log does that shows two histories: it signs both. */
  function note(size: number, root: Uint8Array): string {
    const { identity, trust: versions } = system.world;
    const [vkey] = versions.log.vkeys;
    const [key] = identity.keys.log;
    if (vkey === undefined || key === undefined) throw new Error('the log has no key');
    const text = formatCheckpoint({ origin: versions.log.origin, size, root });
    return formatNote({
      text,
      signatures: [{ name: vkey.name, id: vkey.id, signature: key.sign(utf8(text)) }],
    });
  }

  let monitor: ReturnType<typeof createMonitorKey>;

  beforeAll(() => {
    monitor = createMonitorKey(harness.path('monitor.key'));
  });

  function evidenceFile(roots: readonly [number, number]): string {
    const [a, b] = roots.map((byte) => note(7, new Uint8Array(32).fill(byte)));
    const found = { kind: 'same-size', a: a ?? '', b: b ?? '' } as const;
    const body = {
      origin: system.world.trust.log.origin,
      at: '2026-11-23T10:00:00.000Z',
      by: monitor.publicKey,
      found,
    };
    return harness.write(
      'evidence.json',
      encodeEvidence(body, (message) => monitor.sign(message)),
    );
  }

  it('convicts a log by its own signatures, with the trust root alone', async () => {
    const path = evidenceFile([1, 2]);
    const { code, out } = await harness.run(['evidence', 'verify', path, ...trusted()]);
    expect(code).toBe(0);
    expect(out).toMatch(/^PROVEN\nThe log signed two different trees of 7 entries\.\n/);
    const json = (await harness.run(['evidence', 'verify', path, ...trusted(), '--json'])).json();
    expect(json).toMatchObject({
      proven: true,
      kind: 'same-size',
      signedBoth: [],
      checkpoints: [{ size: 7 }, { size: 7 }],
    });
  });

  it('says that a file proves nothing, and exits with 2', async () => {
    const same = evidenceFile([1, 1]);
    const { code, err } = await harness.run(['evidence', 'verify', same, ...trusted()]);
    expect(code).toBe(2);
    expect(err).toMatch(/proves nothing: the two checkpoints do not contradict each other/);
    const text = readFileSync(evidenceFile([1, 2]), 'utf8');
    const cut = harness.write('cut.json', text.slice(0, -9));
    expect((await harness.run(['evidence', 'verify', cut, ...trusted()])).code).toBe(2);
    expect((await harness.run(['evidence', 'verify', 'missing.json', ...trusted()])).code).toBe(3);
    expect((await harness.run(['evidence', 'verify', same, '--trust-root', same])).code).toBe(2);
  });
});
