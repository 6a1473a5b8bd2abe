/** Which quorums a new system may begin with. */
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { formatVerifierKey, makeVerifierKey, noteSignatureType } from '@tallystick/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Harness, type Ran } from './support/harness.ts';

let harness: Harness;

beforeAll(() => {
  harness = new Harness(null);
});

afterAll(() => harness[Symbol.dispose]());

const random = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length));
const ed = (name: string): string =>
  formatVerifierKey(makeVerifierKey(name, noteSignatureType.ed25519Cosignature, random(32)));
const ml = (name: string): string =>
  formatVerifierKey(makeVerifierKey(name, noteSignatureType.mlDsa44Cosignature, random(1312)));
const logKey = (name: string): string =>
  formatVerifierKey(makeVerifierKey(name, noteSignatureType.ed25519, random(32)));

function init(lines: readonly string[], ...flags: string[]): Promise<Ran> {
  const file = harness.write('policy.txt', `${lines.join('\n')}\n`);
  const data = harness.path('data');
  return harness.run(['init', '--data', data, '--policy', file, '--dry-run', '--json', ...flags]);
}

interface Planned {
  policy: {
    groups: { name: string; threshold: number; members: string[] }[];
    cosigners: { name: string; keys: string[]; url: string | null }[];
    warnings: { code: string }[];
  };
  cosigners: { name: string; answers: boolean; problem: string | null }[];
}

async function planned(lines: readonly string[], ...flags: string[]): Promise<Planned> {
  const { code, out, json } = await init(lines, ...flags);
  expect([code, out]).toEqual([0, expect.any(String)]);
  return json() as Planned;
}

const key = ed('twice.example/w');

describe('a policy to begin with', () => {
  it('may be of witnesses alone: then a replayer is made, and everything waits for it as well', async () => {
    const lines = ['a', 'b', 'c'].map(
      (name) => `witness ${name} ${ed(`${name}.example/w`)} https://${name}.invalid/w`,
    );
    const { policy } = await planned([...lines, 'group mine 2 a b c', 'quorum mine'], '--allow-unreachable');
    expect(policy.groups).toEqual([
      { name: 'witnesses', threshold: 2, members: ['a.example/w', 'b.example/w', 'c.example/w'] },
      { name: 'replayers', threshold: 1, members: ['localhost/tally/replayer-1'] },
      { name: 'quorum', threshold: 2, members: ['witnesses', 'replayers'] },
    ]);
    expect(policy.cosigners.at(-1)).toMatchObject({
      name: 'localhost/tally/replayer-1',
      keys: ['ed25519', 'ml-dsa-44'],
    });
    expect(policy.warnings.map(({ code }) => code)).toContain('operator_needed');
    expect(existsSync(harness.path('data'))).toBe(false);
  });

  it('may name replayers as a trust root does, and cosigners with a key of each algorithm', async () => {
    const { policy } = await planned(
      [
        `witness a1 ${ed('a.example/w')} http://a.invalid/w`,
        `witness a2 ${ml('a.example/w')} http://a.invalid/w`,
        'group a all a1 a2',
        `witness r ${ed('r.example/r')}`,
        'group witnesses any a',
        'group replayers 1 r',
        'group all 2 replayers witnesses',
        'quorum all',
      ],
      '--allow-unreachable',
    );
    expect(policy.cosigners.map(({ name, keys }) => [name, keys.length])).toEqual([
      ['a.example/w', 2],
      ['r.example/r', 1],
    ]);
    expect(policy.groups.at(-1)).toEqual({
      name: 'quorum',
      threshold: 2,
      members: ['witnesses', 'replayers'],
    });
  });

  it.each<[string, string[], string]>([
    ['without a quorum', [`witness a ${ed('a.example/w')}`], 'without a quorum'],
    ['that asks for nobody', ['quorum none'], 'nobody would watch'],
    [
      'with the key of a log',
      [`log ${logKey('l.example')}`, `witness a ${ed('a.example/w')}`, 'quorum a'],
      'log line',
    ],
    ['with a log key as a witness', [`witness a ${logKey('a.example')}`, 'quorum a'], 'log key'],
    [
      'that counts a key twice',
      [`witness a ${key}`, `witness b ${key}`, 'group g all a b', 'quorum g'],
      'key twice',
    ],
    [
      'that counts each key of a cosigner',
      [`witness a ${ed('a.example/w')}`, `witness b ${ml('a.example/w')}`, 'group g any a b', 'quorum g'],
      'a.example/w counts more than once',
    ],
    [
      'with a witness that counts for nothing',
      [`witness a ${ed('a.example/w')}`, `witness b ${ed('b.example/w')}`, 'quorum a'],
      'b is not part of its quorum',
    ],
    [
      'with groups of groups, which no ceremony could change',
      [
        ...['a', 'b', 'c'].map((name) => `witness ${name} ${ed(`${name}.example/w`)}`),
        'group pair any a b',
        'group g all pair c',
        'quorum g',
      ],
      'pair is a group of several cosigners',
    ],
    [
      'with an address that is none',
      [`witness a ${ed('a.example/w')} ftp://a.invalid`, 'quorum a'],
      'not an http',
    ],
  ])('%s is refused', async (_what, lines, says) => {
    const { code, out } = await init(lines, '--allow-unreachable');
    expect([code, out]).toEqual([3, expect.stringContaining(says)]);
  });
});

describe('a cosigner answers', () => {
  it('with whatever it says of an empty request, but not through a proxy that finds nobody', async () => {
    const server = createServer((request, response) => {
      response.writeHead(request.url === '/here/add-checkpoint' ? 400 : 502).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const here = `witness a ${ed('a.example/w')} ${base}/here/`;
    const away = `witness b ${ed('b.example/w')} ${base}/away`;
    const nowhere = `witness c ${ed('c.example/w')}`;
    const some = await planned([here, away, nowhere, 'group g 2 a b c', 'quorum g']);
    expect(some.cosigners).toMatchObject([
      { name: 'a.example/w', answers: true, problem: null },
      { name: 'b.example/w', answers: false, problem: 'it answers 502' },
      { name: 'c.example/w', answers: false, problem: 'it has no address' },
    ]);
    const none = await init([away, nowhere, 'group g all b c', 'quorum g']);
    expect([none.code, none.out]).toEqual([4, expect.stringContaining('it answers 502')]);
    await new Promise((resolve) => server.close(resolve));
  });

  it('and --allow-unreachable says nothing without a policy', async () => {
    const { code, err } = await harness.run(['init', '--data', harness.path('data'), '--allow-unreachable']);
    expect([code, err]).toEqual([3, expect.stringContaining('Give --policy')]);
  });
});
