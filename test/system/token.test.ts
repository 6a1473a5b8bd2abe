import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TrustRoot } from '@tallystick/core';
import { readTrustRootFile } from '@tallystick/server';
import { openSealedKeystore, Pkcs11Keystore, readTokenDescription } from '@tallystick/signer';
import { SoftHsm, softHsmModule } from '@tallystick/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RealSystem } from './support/real-system.ts';
import { eventually } from './support/waiting.ts';

const cli = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url));
const license = { plan: 'pro-yearly', licensee: 'Contoso' };

let folder: string;
let hsm: SoftHsm;
let pinFile: string;

/** Objects in the token: a key pair is two. */
function objectsInToken(): number {
  return readdirSync(join(folder, 'tokens'), { recursive: true }).filter(
    (name) => String(name).endsWith('.object') && !String(name).endsWith('token.object'),
  ).length;
}

function tally(...args: string[]): { code: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', cli, ...args],
    { encoding: 'utf8', timeout: 60_000 },
  );
  return { code: status, output: `${stdout}${stderr}` };
}

describe.skipIf(softHsmModule === null)('a system whose log, root and authority keys are in a token', () => {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tally-token-'));
    hsm = SoftHsm.create(folder);
    pinFile = join(folder, 'token.pin');
    writeFileSync(pinFile, `${hsm.pin}\n`, { mode: 0o600 });
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const start = async (): Promise<RealSystem> => {
    const system = await RealSystem.start({ token: { module: hsm.module, label: hsm.label, pinFile } });
    await system.ready();
    await system.sellPro();
    return system;
  };

  it('issues licenses, with Ed25519 keys of root, authority and log that are in no file of it', async () => {
    await using system = await start();
    const { keys, secrets, root, trustRoot } = system.layout;
    await system.must('POST', '/v1/licenses?wait=published', license);
    const open = (file: string, passphrase: string) =>
      openSealedKeystore(file, readFileSync(passphrase, 'utf8')).map(({ publicKey, usages }) => [
        publicKey.alg,
        ...usages,
      ]);
    const issuing = ['ed25519', 'product', 'plan', 'customer', 'license', 'gate'];
    expect(open(keys.online, secrets.onlinePassphrase)).toEqual([
      ['ml-dsa-44', 'log'],
      ['ed25519', 'access'],
      issuing,
      issuing,
      ['ed25519', 'brake'],
      ['ed25519', 'lease'],
    ]);
    expect(open(keys.offline, secrets.offlinePassphrase)).toEqual([['ml-dsa-44', 'root']]);
    expect(objectsInToken()).toBe(6);
    await system.down();
    expect(tally('fsck', '--data', root).code).toBe(0);
    const [trust] = (await readTrustRootFile(trustRoot)) as [TrustRoot];
    for (const [file, expected] of [
      [keys.token, [trust.log.vkeys[0]?.key]],
      [keys.offlineToken, [trust.root.keys[0]?.key, trust.namespaces.get('acme')?.authority.keys[0]?.key]],
    ] as const) {
      await using keystore = await Pkcs11Keystore.open(readTokenDescription(file), hsm.pin);
      expect(keystore.keys.map(({ publicKey }) => publicKey.key)).toEqual(expected);
    }
  });

  it('takes no changes while the token is away, and goes on by itself when it is back', async () => {
    await using system = await start();
    hsm.takeAway();
    const refused = await system.admin('POST', '/v1/licenses', license);
    expect(refused).toMatchObject({ status: 503, json: { code: 'signer_unavailable' } });
    expect((await system.public('GET', '/log/checkpoint')).status).toBe(200);
    hsm.putBack();
    await eventually('changes to be taken', async () => {
      const answer = await system.admin('POST', '/v1/licenses?wait=published', license);
      return answer.status < 300;
    });
    await system.published();
    expect(system.restarts).toEqual([]);
    await system.down();
    await system.up();
    await system.ready();
    await system.must('POST', '/v1/licenses?wait=published', license);
    await system.down();
    expect(tally('fsck', '--data', system.layout.root).code).toBe(0);
  });

  it('tries a PIN that was refused once, and does not start its signer again', async () => {
    await using system = await start();
    writeFileSync(pinFile, '161803');
    system.kill('signer');
    const said = (): string | undefined => system.lines.find((line) => /not started again/.test(line));
    expect(await eventually('the signer to be given up', said)).toMatch(/^signer: .*does not take the PIN/);
    expect(system.restarts.filter((line) => line.startsWith('signer'))).toHaveLength(1);
    const refused = await system.admin('POST', '/v1/licenses', license);
    expect(refused).toMatchObject({ status: 503, json: { code: 'signer_unavailable' } });
  });

  describe('made by tally init', () => {
    const flags = (): string[] => [
      `--pkcs11-module=${hsm.module}`,
      `--pkcs11-token=${hsm.label}`,
      `--pkcs11-pin-file=${pinFile}`,
    ];

    it('says where the root is', () => {
      const { code, output } = tally('init', '--data', join(folder, 'data'), ...flags());
      expect(output).toMatch(/offline-token\.json\n\s+says where token "tally" has the root/);
      expect(code).toBe(0);
    });

    it('leaves no key in the token where it fails', () => {
      const failed = tally('init', '--data', join(folder, 'data'), ...flags(), '--offline-max', 'banana');
      expect(failed.code).not.toBe(0);
      expect(existsSync(join(folder, 'data'))).toBe(false);
      expect(objectsInToken()).toBe(0);
    });

    it.each([
      ['without a PIN file', (given: string[]) => given.slice(0, 2), /Give .*together/],
      [
        'with a PIN file that others can read',
        (given: string[]) => {
          rmSync(pinFile);
          writeFileSync(pinFile, hsm.pin, { mode: 0o644 });
          return given;
        },
        /chmod 600/,
      ],
      [
        'with a wrong PIN',
        (given: string[]) => {
          writeFileSync(pinFile, '161803');
          return given;
        },
        /does not take the PIN/,
      ],
    ])('is refused %s', (_what, spoil, words) => {
      const failed = tally('init', '--data', join(folder, 'data'), ...spoil(flags()));
      expect(failed.code).not.toBe(0);
      expect(failed.output).toMatch(words);
    });
  });
});
