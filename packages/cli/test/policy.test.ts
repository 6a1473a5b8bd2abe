import { formatVerifierKey, makeVerifierKey, noteSignatureType, sha256, utf8 } from '@tallystick/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PolicyReport } from '../src/offline/policy-report.ts';
import { Harness } from './support/harness.ts';

let harness: Harness;

beforeAll(async () => {
  harness = new Harness(null);
  await harness.run(['init', '--data', harness.path('data')]);
});

afterAll(() => {
  harness[Symbol.dispose]();
});

function witness(name: string, url = ''): string {
  const key = sha256(utf8(name));
  const vkey = formatVerifierKey(makeVerifierKey(name, noteSignatureType.ed25519Cosignature, key));
  return `witness ${name} ${vkey} ${url}\n`;
}

/** The groups of the example of tlog-policy. */
const nested = [
  ...['x.org/1', 'x.org/2', 'x.org/3', 'y.org/1', 'y.org/2', 'z.org/1'].map((name) => witness(name)),
  'group X 2 x.org/1 x.org/2 x.org/3\n',
  'group Y any y.org/1 y.org/2 z.org/1\n',
  'group both all X Y\nquorum both\n',
].join('');

async function policy(verb: string, ...args: string[]): Promise<{ code: number; report: PolicyReport }> {
  const ran = await harness.run(['policy', verb, ...args, '--json']);
  return { code: ran.code, report: ran.json() as PolicyReport };
}

describe('tally policy', () => {
  it('counts operators in the groups of a policy', async () => {
    const file = harness.write('nested.policy', nested);
    const { code, report } = await policy('check', '--policy', file);
    expect(code).toBe(1);
    expect(report.tolerance).toEqual([
      {
        group: 'both',
        tolerates: {
          operators: ['x.org', 'y.org', 'z.org'],
          quorumMin: 2,
          absentMax: 0,
          splitMin: 1,
          sufficient: [],
          necessary: ['x.org'],
        },
      },
      { group: 'X', tolerates: expect.objectContaining({ operators: ['x.org'], quorumMin: 1 }) },
      { group: 'Y', tolerates: expect.objectContaining({ quorumMin: 1, absentMax: 1, splitMin: 0 }) },
    ]);
    expect(report.warnings.map(({ code: each, message }) => `${each} ${message.split(' ')[0]}`)).toEqual([
      'operator_alone_in_group x.org',
      'operator_alone_in_group y.org',
      'operator_alone_in_group z.org',
      'counts_twice x.org',
      'counts_twice y.org',
      'operator_needed Without',
    ]);
  });

  it('takes the word of whoever knows better whose a cosigner is', async () => {
    const file = harness.write(
      'three.policy',
      `${['a', 'b', 'c'].map((name) => witness(name)).join('')}group g 2 a b c\nquorum g\n`,
    );
    expect(await policy('check', '--policy', file)).toMatchObject({ code: 0, report: { warnings: [] } });
    const told = await policy('check', '--policy', file, '--operator', 'acme=a', '--operator', 'acme=b');
    expect([told.code, told.report.warnings.map(({ code }) => code)]).toEqual([
      1,
      ['operator_alone', 'counts_twice', 'operator_needed'],
    ]);
    expect((await policy('check', '--policy', file, '--operator', 'acme=d')).code).toBe(3);
  });

  it('says that an embedded system is one operator, who is enough', async () => {
    const args = ['--trust-root', harness.path('data/trust-root.json')];
    const { code, report } = await policy('show', ...args);
    expect([code, report.cosigners.length]).toEqual([0, 3]);
    expect(report.tolerance.map(({ group }) => group)).toEqual(['quorum', 'witnesses', 'replayers']);
    expect(report.warnings[0]?.message).toBe('localhost alone is a quorum.');
    const { out } = await harness.run(['policy', 'show', ...args]);
    expect(out).toContain('witnesses is any 1 of localhost/tally/witness-1, localhost/tally/witness-2\n');
    expect(out).toContain('quorum: 1 operator; it takes 1 to forge a quorum, so nobody may collude;');
    const verified = await harness.run(['root', 'verify', harness.path('data/trust-root.json')]);
    expect([verified.code, verified.out]).toEqual([
      0,
      expect.stringContaining('localhost alone is a quorum'),
    ]);
  });

  it('says so where a policy asks for nobody', async () => {
    const { code, report } = await policy('check', '--policy', harness.write('none.policy', 'quorum none\n'));
    expect([code, report.warnings.map((warning) => warning.code)]).toEqual([1, ['no_quorum']]);
  });

  it('computes nothing for more operators than it can try', async () => {
    const names = Array.from({ length: 17 }, (_, at) => `w${at}`);
    const text = `${names.map((name) => witness(name)).join('')}group g 9 ${names.join(' ')}\nquorum g\n`;
    const { report } = await policy('show', '--policy', harness.write('many.policy', text));
    expect([report.tolerance, report.warnings.map(({ code }) => code)]).toEqual([
      [{ group: 'g', tolerates: null }],
      ['not_computed'],
    ]);
  });

  it('refuses what is no policy', async () => {
    const file = harness.write('broken.policy', 'quorum\n');
    const ran = await harness.run(['policy', 'show', '--policy', file]);
    expect([ran.code, ran.err]).toEqual([3, expect.stringContaining('is no policy')]);
  });
});
