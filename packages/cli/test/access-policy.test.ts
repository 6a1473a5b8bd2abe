import { readFileSync } from 'node:fs';
import { defaultPolicyDocument } from '@tallystick/gate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatPolicy, readPolicyFile } from '../src/access/policy-file.ts';
import { Harness, type Ran } from './support/harness.ts';

let harness: Harness;
let file: string;

beforeAll(async () => {
  harness = new Harness(null);
  file = harness.path('policy.yaml');
  await harness.run(['access', 'policy', 'show', '--default', '--out', file]);
});

afterAll(() => {
  harness[Symbol.dispose]();
});

const policy = (...args: string[]): Promise<Ran> => harness.run(['access', 'policy', ...args]);
const edited = (name: string, from: string | RegExp, to: string): string => {
  const text = readFileSync(file, 'utf8');
  const next = text.replace(from, to);
  if (next === text) throw new Error(`nothing to edit for ${name}`);
  return harness.write(name, next);
};
const errorOf = ({ json }: Ran) => (json() as { error: { title: string; detail: string } }).error;

describe('a policy file', () => {
  it('says the same when it is read back, byte for byte', async () => {
    const context = { readStdin: async () => readFileSync(file) } as unknown as Parameters<
      typeof readPolicyFile
    >[1];
    const content = await readPolicyFile('-', context);
    expect(content).toEqual(defaultPolicyDocument());
    expect(formatPolicy(content)).toBe(readFileSync(file, 'utf8'));
  });

  it.each<[string, string | RegExp, string, string]>([
    [
      'a role that does not exist',
      'principal in Role::"support", action ==',
      'principal in Role::"suport", action ==',
      'policy support-extends, line 1',
    ],
    ['a word too much', 'durable:', 'durible: []\ndurable:', 'has durible'],
    ['two policies of one name', '  own-access: |', '  own-requests: |', 'Map keys must be unique'],
    [
      'an action that approvals do not know the form of',
      '- license.revoke',
      '- License Revoke',
      'is no policy: $.approvals',
    ],
    [
      'nobody who could publish another',
      'principal in Role::"administrator",\n      action in [Action::"admin"',
      'principal in Role::"administrator",\n      action in [Action::"mirror"',
      'no role could publish another policy',
    ],
  ])('with %s is refused with the place', async (_what, from, to, message) => {
    const ran = await policy('test', edited('wrong.yaml', from, to), '--json');
    expect(ran.code).toBe(3);
    expect(errorOf(ran).title).toContain(message);
  });

  it('that is no map at all is refused', async () => {
    const ran = await policy(
      'test',
      harness.write('none.yaml', 'permit(principal, action, resource);'),
      '--json',
    );
    expect([ran.code, errorOf(ran).title]).toEqual([3, expect.stringContaining('is no policy')]);
  });
});

describe('tally access policy test', () => {
  const head = 'roles,kind,action,given,expect\n';

  it('passes where every case of a table is decided as expected', async () => {
    const table = harness.write(
      'good.csv',
      `${head}viewer,person,license.get,,allow\nviewer,person,license.issue,,deny\n`,
    );
    const ran = await policy('test', file, '--table', table);
    expect(ran.code).toBe(0);
    expect(ran.out).toContain('PASSED  2 cases');
  });

  it('fails with the case, what was decided and why', async () => {
    const table = harness.write('bad.csv', `${head}viewer,person,license.get,context.zone=public,allow\n`);
    const ran = await policy('test', file, '--table', table);
    expect(ran.code).toBe(1);
    expect(ran.out).toMatch(/2\s+viewer\s+license.get\s+allow\s+deny\s+admin-zone/);
    const matrix = harness.write('matrix.csv', 'action,viewer\nlicense.get,deny\n');
    const report = (await policy('test', file, '--table', matrix, '--kind', 'service', '--json')).json();
    expect(report).toMatchObject({
      cases: 1,
      failures: [{ line: 2, decision: { reasons: ['everyone-reads'] } }],
    });
  });

  it('refuses a table that it cannot read, with the line', async () => {
    const ran = await policy(
      'test',
      file,
      '--table',
      harness.write('odd.csv', `${head}viewer,person\n`),
      '--json',
    );
    expect([ran.code, errorOf(ran).title]).toEqual([3, expect.stringContaining('line 2 of the table')]);
  });
});

describe('tally access policy diff', () => {
  it('says which lines differ, and what a role may do more', async () => {
    const after = edited('more.yaml', '<= 31', '<= 60');
    const ran = await policy('diff', after, '--against', file);
    expect(ran.code).toBe(0);
    expect(ran.out).toContain('policy support-extends');
    expect(ran.out).toMatch(/- .*<= 31/);
    expect(ran.out).toMatch(/\+ .*<= 60/);
    expect(ran.out).toContain('No verdict changes for plain requests');
  });
});
