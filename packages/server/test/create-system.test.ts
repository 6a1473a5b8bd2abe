import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSealedKeystore } from '@tallystick/signer';
import { createTestSystem } from '@tallystick/testkit';
import { loadKeys } from '@tallystick/witness';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  readTrustRootFile,
  type SystemAlgorithms,
  type SystemDescription,
  systemAlgorithms,
} from '../src/index.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tally-create-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

describe('a new system', () => {
  it.each<[string, SystemAlgorithms | undefined]>([
    ['both algorithms where nothing is said', undefined],
    ['Ed25519 alone where that is asked for', ['ed25519']],
  ])('has keys of %s, all of which have to sign', async (_what, asked) => {
    const expected = asked ?? systemAlgorithms;
    const { layout, trust, system } = await make(asked);
    expect(trust.root.keys.map(({ alg }) => alg)).toEqual(expected);
    expect(trust.root.threshold).toBe(expected.length);
    expect(trust.log.vkeys.map(({ alg }) => alg)).toEqual(expected);
    expect(system.logVkeys).toHaveLength(expected.length);
    const cosigners = system.cosigners.flatMap(({ folder }) => loadKeys(layout.cosigner(folder).key));
    expect(cosigners.map(({ vkey }) => vkey)).toEqual(trust.quorum.witnesses.map(({ vkey }) => vkey));
    expect(cosigners.map(({ vkey }) => vkey.alg)).toEqual([...expected, ...expected, ...expected]);
    const offline = openSealedKeystore(
      layout.keys.offline,
      readFileSync(layout.secrets.offlinePassphrase, 'utf8'),
    );
    expect(offline.map(({ publicKey }) => publicKey.alg)).toEqual([...expected, 'ed25519']);
    expect(trust.namespaces.get('acme')?.require.size).toBe(0);
  });

  it('has an authority and issuing keys of both where perpetual licenses need both', async () => {
    const { layout, trust } = await make(undefined, systemAlgorithms);
    const { authority, require } = trust.namespaces.get('acme') ?? {};
    expect(authority?.keys.map(({ alg }) => alg)).toEqual(systemAlgorithms);
    expect(authority?.threshold).toBe(2);
    expect(require?.get('license')).toEqual([{ from: 0, algs: ['ed25519'], perpetual: systemAlgorithms }]);
    const online = openSealedKeystore(
      layout.keys.online,
      readFileSync(layout.secrets.onlinePassphrase, 'utf8'),
    );
    const issuing = online.filter(({ usages }) => usages.includes('license'));
    expect(issuing.map(({ publicKey }) => publicKey.alg)).toEqual([
      'ed25519',
      'ed25519',
      'ml-dsa-44',
      'ml-dsa-44',
    ]);
  });
});

describe('a system that cannot be made', () => {
  it('leaves nothing of itself, keys least of all', async () => {
    await expect(make(['ed25519'], undefined, '')).rejects.toThrow('name: must not be empty');
    expect(readdirSync(directory)).toEqual([]);
  });

  it('for want of room either, or where nothing may be written', async ({ skip }) => {
    const place = join(directory, 'place');
    mkdirSync(place);
    for (const [options, why] of [
      ['size=100k', /ENOSPC|full/],
      ['ro', /EROFS/],
    ] as const) {
      const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', place]);
      if (mounted.status !== 0) skip('this user may not mount a small file system');
      try {
        await expect(make(['ed25519'], undefined, 'Acme', join(place, 'data'))).rejects.toThrow(why);
        expect(readdirSync(place)).toEqual([]);
      } finally {
        spawnSync('umount', ['-l', place]);
      }
    }
  });
});

async function make(
  algorithms: SystemAlgorithms | undefined,
  perpetual?: SystemAlgorithms,
  name = 'Acme',
  folder = join(directory, 'data'),
) {
  const layout = await createTestSystem(folder, {
    name,
    ...(algorithms && { algorithms }),
    ...(perpetual && { perpetual }),
  });
  const [trust] = await readTrustRootFile(layout.trustRoot);
  if (trust === undefined) throw new Error('there is no trust root');
  const system = JSON.parse(readFileSync(layout.system, 'utf8')) as SystemDescription;
  return { layout, trust, system };
}
