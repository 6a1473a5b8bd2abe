/** What a system is told of networks, proxies and trust domains, and what it does not take. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Layout } from '@tallystick/server';
import { createTestSystem } from '@tallystick/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Harness, type Ran } from './support/harness.ts';

let layout: Layout;
let harness: Harness;

beforeAll(async () => {
  harness = new Harness(null);
  layout = await createTestSystem(harness.path('data'), { algorithms: ['ed25519'] });
});

afterAll(() => harness[Symbol.dispose]());

const set = (...args: string[]): Promise<Ran> =>
  harness.run(['networks', 'set', ...args, '--data', layout.root, '--json']);
const office = ['--network', 'office=192.0.2.0/24,2001:db8::/32', '--network', 'vpn=10.8.0.0/16'];
const proxies = [
  '--trusted-proxy',
  '10.0.0.1@/etc/tallystick/proxy.secret',
  '--trusted-proxy',
  '10.0.0.2,10.0.0.3@spiffe://vendor.example/proxy',
];
const networks = { office: ['192.0.2.0/24', '2001:db8::/32'], vpn: ['10.8.0.0/16'] };

it('keeps what it is told, replaces all of a kind, and takes it back', async () => {
  expect((await set(...office, ...proxies, '--dry-run')).code).toBe(0);
  expect(readFileSync(layout.system, 'utf8')).not.toContain('office');
  await set(...office, ...proxies, '--trust-domain', 'vendor.example');
  const shown = async (): Promise<unknown> => {
    const { out } = await harness.run(['networks', 'show', '--data', layout.root, '--json']);
    return JSON.parse(out);
  };
  expect(await shown()).toEqual({
    networks,
    trustedProxies: [
      { addresses: ['10.0.0.1'], secretFile: '/etc/tallystick/proxy.secret' },
      { addresses: ['10.0.0.2', '10.0.0.3'], spiffeId: 'spiffe://vendor.example/proxy' },
    ],
    trustDomains: ['vendor.example'],
  });
  await set('--none', 'trusted-proxies', '--trust-domain', 'other.example');
  expect(await shown()).toEqual({ networks, trustedProxies: [], trustDomains: ['other.example'] });
});

it.each([
  ['a range that is none', /is no address and no range/, ['--network', 'office=300.0.0.0/8']],
  ['a range with bits of a host', /clear the bits after/, ['--network', 'office=192.0.2.7/24']],
  ['a name that is no code', /is no code/, ['--network', 'The Office=192.0.2.0/24']],
  ['a network without ranges', /Give name=ranges/, ['--network', 'office']],
  ['a network twice', /stands twice/, ['--network', 'a=10.0.0.0/8', '--network', 'a=11.0.0.0/8']],
  ['a proxy that is everybody', /is everybody/, ['--trusted-proxy', '0.0.0.0/0']],
  ['a proxy of a SPIFFE id that is none', /is no SPIFFE id/, ['--trusted-proxy', '10.0.0.1@spiffe://x']],
  ['a proxy that proves nothing', /after the @/, ['--trusted-proxy', '10.0.0.1@']],
  ['a trust domain that is an address', /is no trust domain/, ['--trust-domain', 'https://vendor.example']],
  ['nothing', /not said what to change/, []],
])('refuses %s, and changes nothing', async (_what, why, args) => {
  const before = readFileSync(layout.system, 'utf8');
  const { code, err, out } = await set(...args);
  expect([code === 0, `${err}${out}`]).toEqual([false, expect.stringMatching(why)]);
  expect(readFileSync(layout.system, 'utf8')).toBe(before);
});

it('is asked at init before anything is made', async () => {
  const folder = harness.path('other');
  const init = (...args: string[]): Promise<Ran> => harness.run(['init', '--data', folder, ...args]);
  const refused = await init('--trusted-proxy', '::/0');
  expect([refused.code === 0, refused.err]).toEqual([false, expect.stringMatching(/is everybody/)]);
  expect(existsSync(folder)).toBe(false);
  expect((await init(...office, '--algorithms', 'ed25519')).code).toBe(0);
  expect(JSON.parse(readFileSync(join(folder, 'system.json'), 'utf8'))).toMatchObject({ edge: { networks } });
});
