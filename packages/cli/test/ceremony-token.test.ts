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
    const { offlineToken } = made.json() as { offlineToken: string };
    const shown = await run('key', '--of', offlineToken, '--name', 'token', '--passphrase-file', at('pin'));
    const old = shown.out.split('\n').find((line) => line.startsWith('tallystick-root-key'));
    for (const name of ['alice', 'bob'])
      await run('key', '--name', name, '--out', at(name), '--passphrase-file', at('pass'));
    const lines = ['alice', 'bob'].map((name) => `    - ${readFileSync(at(`${name}.pub`), 'utf8')}`).join('');
    const removed = `  remove:\n    - ${old?.split(' ').at(-1)}\n`;
    harness.write('c.yaml', `version: 2\nroot:\n  threshold: 2\n  add:\n${lines}${removed}`);
    const from = ['--from', at('data/trust-root.json')];
    const proposal = at('p.json');
    const proposed = await run('propose', ...from, '--changes', at('c.yaml'), '--out', proposal, '--json');
    const { payloadHash } = (proposed.json() as { review: Review }).review;
    const sign = async (key: string, secret: string): Promise<string> => {
      const flags = ['--key', key, '--passphrase-file', at(secret), '--yes-i-reviewed', payloadHash];
      const signed = await run('sign', proposal, ...from, ...flags, '--json');
      return (signed.json() as { path: string }).path;
    };
    const signatures = [
      await sign(offlineToken, 'pin'),
      // Signing again changes nothing, also with an algorithm that never signs twice the same.
      await sign(offlineToken, 'pin'),
      await sign(at('alice'), 'pass'),
      await sign(at('bob'), 'pass'),
    ];
    const joined = await run('join', proposal, ...signatures, ...from);
    expect([joined.code, joined.err]).toEqual([0, '']);
    expect((await run('verify', at('trust-root-2.json'), '--known', at('data/trust-root.json'))).code).toBe(
      0,
    );
  });
});
