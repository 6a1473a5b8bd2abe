import { readdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Harness } from './support/harness.ts';

let harness: Harness;

beforeEach(() => {
  harness = new Harness(null);
});
afterEach(() => harness[Symbol.dispose]());

const init = (...flags: string[]) => harness.run(['init', '--data', harness.path('data'), ...flags]);

describe('a new system, which keeps its names for good, is refused', () => {
  it.each<[string, string[], RegExp]>([
    ['a namespace in capitals', ['--namespace', 'Acme'], /"Acme" is not a namespace/],
    ['no name', ['--name', ''], /"" is not a name/],
    ['a name of two lines', ['--name', 'Acme\nInc'], /is not a name/],
    ['a name that is not composed', ['--name', 'Caf\u0065\u0301'], /normalization form C/],
    ['an origin with a scheme', ['--origin', 'https://tally.example/log'], /is not an origin.*\n.*a scheme/],
    ['an origin with a space', ['--origin', 'tally example'], /is not an origin/],
    ['a mail address that is none', ['--support-email', 'support'], /"support" is not an address for mail/],
    ['an address that runs', ['--support-url', 'javascript:alert(1)'], /is not an address of the web/],
    ['no time offline', ['--offline-max', 'P0D'], /"P0D" is not a time that a client may go/],
    ['years offline', ['--offline-max', 'P1Y'], /such as P90D/],
    ['one port twice', ['--public-port', '7311', '--admin-port', '7311'], /the same port/],
  ])('%s, in a dry run as well', async (_, flags, why) => {
    for (const more of [[], ['--dry-run']]) {
      const { code, err } = await init(...flags, ...more);
      expect([code, err]).toEqual([3, expect.stringMatching(why)]);
    }
    expect(readdirSync(harness.folder)).toEqual([]);
  });

  it('and not where all three ports are chosen at each start', async () => {
    const ports = ['--public-port', '0', '--admin-port', '0', '--ops-port', '0'];
    const support = ['--support-email', 'help@acme.example', '--support-url', 'https://acme.example/help'];
    expect((await init(...ports, ...support, '--offline-max', 'PT1S', '--dry-run')).code).toBe(0);
  });
});
