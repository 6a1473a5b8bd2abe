import { readFileSync, writeFileSync } from 'node:fs';
import { SoftHsm, softHsmModule } from '@tallystick/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Review } from '../src/ceremony/review.ts';
import { Harness, type Ran } from './support/harness.ts';

let harness: Harness;
let hsm: SoftHsm;
const at = (name: string): string => harness.path(name);
const run = (...args: string[]): Promise<Ran> => harness.run(['root', ...args]);

describe.skipIf(softHsmModule === null)('a root key in a token', () => {
  beforeAll(() => {
    harness = new Harness(null);
    hsm = SoftHsm.create(harness.folder);
  });
  afterAll(() => harness[Symbol.dispose]());

  it('signs the version that hands over to people', async () => {
    for (const [name, secret] of [
      ['pin', hsm.pin],
      ['pass', 'a passphrase for all'],
    ] as const)
      writeFileSync(at(name), `${secret}\n`, { mode: 0o600 });
    const token = [
      '--pkcs11-module',
      hsm.module,
      '--pkcs11-token',
      hsm.label,
      '--pkcs11-pin-file',
      at('pin'),
    ];
    const made = await harness.run(['init', '--data', at('data'), ...token, '--json']);
    const { offlineToken, offlineKeystore, offlinePassphrase } = made.json() as Record<
      'offlineToken' | 'offlineKeystore' | 'offlinePassphrase',
      string
    >;
    const shown = await run('key', '--of', offlineToken, '--name', 'token', '--passphrase-file', at('pin'));
    const sealed = ['--of', offlineKeystore, '--passphrase-file', offlinePassphrase];
    const beside = await run('key', ...sealed, '--name', 'sealed');
    const old = `${shown.out}${beside.out}`
      .split('\n')
      .filter((line) => line.startsWith('tallystick-root-key'));
    expect(old.map((line) => line.split(' ')[3])).toEqual(['ed25519', 'ml-dsa-44']);
    for (const name of ['alice', 'bob'])
      await run('key', '--name', name, '--out', at(name), '--passphrase-file', at('pass'));
    const item = (text: string | undefined): string => `    - ${text}\n`;
    const added = ['alice', 'bob'].flatMap((name) =>
      readFileSync(at(`${name}.pub`), 'utf8')
        .trim()
        .split('\n'),
    );
    const lines = added.map(item).join('');
    const removed = `  remove:\n${old.map((line) => item(line.split(' ').at(-1))).join('')}`;
    harness.write('c.yaml', `version: 2\nroot:\n  threshold: 4\n  add:\n${lines}${removed}`);
    const from = ['--from', at('data/trust-root.json')];
    const proposal = at('p.json');
    const proposed = await run('propose', ...from, '--changes', at('c.yaml'), '--out', proposal, '--json');
    const { payloadHash } = (proposed.json() as { review: Review }).review;
    const sign = async (key: string, secret: string): Promise<string[]> => {
      const flags = ['--key', key, '--passphrase-file', secret, '--yes-i-reviewed', payloadHash];
      const signed = await run('sign', proposal, ...from, ...flags, '--json');
      return (signed.json() as { signatures: { path: string }[] }).signatures.map(({ path }) => path);
    };
    const signatures = [
      ...(await sign(offlineToken, at('pin'))),
      // Signing again changes nothing, also with an algorithm that never signs twice the same.
      ...(await sign(offlineToken, at('pin'))),
      ...(await sign(offlineKeystore, offlinePassphrase)),
      ...(await sign(at('alice'), at('pass'))),
      ...(await sign(at('bob'), at('pass'))),
    ];
    const joined = await run('join', proposal, ...signatures, ...from);
    expect([joined.code, joined.err]).toEqual([0, '']);
    expect((await run('verify', at('trust-root-2.json'), '--known', at('data/trust-root.json'))).code).toBe(
      0,
    );
  });
});
