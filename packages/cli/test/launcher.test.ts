import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const launcher = fileURLToPath(new URL('../bin/tally.js', import.meta.url));

describe('the launcher', () => {
  it('runs the program, passes its arguments on, and ends as it ends', () => {
    const version = spawnSync(process.execPath, [launcher, '--version'], { encoding: 'utf8' });
    expect([version.status, version.stdout]).toEqual([0, '0.1.0\n']);
    const wrong = spawnSync(process.execPath, [launcher, 'list', '--no-such-flag'], { encoding: 'utf8' });
    expect([wrong.status, wrong.stderr]).toEqual([3, expect.stringContaining('--no-such-flag')]);
  });

  it('says what to do where no Node is new enough', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tally-launcher-'));
    try {
      mkdirSync(join(folder, 'bin'));
      copyFileSync(launcher, join(folder, 'bin', 'tally.mjs'));
      // An old Node is what the launcher is told that it runs in.
      const pretend = 'Object.defineProperty(process.versions, "node", { value: "20.1.0" });';
      const args = [
        '--import',
        `data:text/javascript,${encodeURIComponent(pretend)}`,
        join(folder, 'bin', 'tally.mjs'),
      ];
      const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
      expect([status, stderr]).toEqual([
        1,
        expect.stringMatching(/^tally: Node 20\.1\.0 is too old; install Node 24/),
      ]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
