import { spawnSync } from 'node:child_process';

/** A Go command. */
export type Go = {
  readonly command: string;
  readonly major: number;
  readonly minor: number;
};

/** Where Go's own archive puts it, for shells that do not have it in their path. */
const candidates: readonly string[] = ['go', '/usr/local/go/bin/go', '/opt/homebrew/bin/go'];

/** An installed Go of whatever version, or `undefined` when this machine has none. */
export function findGo(): Go | undefined {
  for (const command of candidates) {
    const { stdout } = spawnSync(command, ['version'], {
      encoding: 'utf8',
      env: { ...process.env, GOTOOLCHAIN: 'local' },
    });
    const match = /^go version go(\d+)\.(\d+)/.exec(stdout ?? '');
    if (match !== null) return { command, major: Number(match[1]), minor: Number(match[2]) };
  }
  return undefined;
}
