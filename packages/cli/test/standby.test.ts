/** What refuses a second server before there is one, and where a system finds its cosigners. */
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Layout, SystemDescription } from '@tallystick/server';
import { createTestSystem } from '@tallystick/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Harness, type Ran } from './support/harness.ts';

const there = 'https://two.example:8444';
const here = 'https://one.example:8444';
const database = 'postgres://tally@127.0.0.1:1/tally?durability=single-node';
const names = ['tally.example/log/witness-1', 'tally.example/log/witness-2', 'tally.example/log/replayer-1'];

let layout: Layout;
let harness: Harness;

beforeAll(async () => {
  harness = new Harness(null);
  layout = await createTestSystem(harness.path('data'), { algorithms: ['ed25519'] });
});

afterAll(() => harness[Symbol.dispose]());

function read(): SystemDescription {
  return JSON.parse(readFileSync(layout.system, 'utf8')) as SystemDescription;
}

function tally(...args: string[]): Promise<Ran> {
  return harness.run([...args, '--data', layout.root, '--json']);
}

function create(...args: string[]): Promise<Ran> {
  return tally('standby', 'create', harness.path('two'), '--address', there, '--here', here, ...args);
}

/** It is refused, says why, and the system is byte for byte what it was. */
async function expectRefused(ran: () => Promise<Ran>, why: RegExp): Promise<void> {
  const before = readFileSync(layout.system, 'utf8');
  const { code, out } = await ran();
  expect(code).toBe(3);
  const { error } = JSON.parse(out) as { error: { title: string; detail: string } };
  expect(`${error.title} ${error.detail}`).toMatch(why);
  expect(readFileSync(layout.system, 'utf8')).toBe(before);
  expect(readdirSync(harness.folder).filter((name) => name.startsWith('two'))).toEqual([]);
}

describe('a second server is refused', () => {
  it('for a log in a file, and where there is no system', async () => {
    await expectRefused(() => create(), /tally migrate/);
    await expectRefused(
      () =>
        harness.run([
          'standby',
          'create',
          'x',
          '--address',
          there,
          '--here',
          here,
          '--data',
          '/nowhere',
          '--json',
        ]),
      /no system in \/nowhere/,
    );
  });

  it('as long as it would not find a cosigner, and for an address that is none', async () => {
    writeFileSync(layout.system, JSON.stringify({ ...read(), store: { store: database } }));
    await expectRefused(
      () => create(),
      /would not find .*witness-1, .*witness-2, .*replayer-1.*tally cosigners set/,
    );
    await expectRefused(
      () => create('--cosigner', 'stranger.example/w=https://w.example'),
      /no cosigner stranger/,
    );
    await expectRefused(() => create('--cosigner', `${names[0]}=ftp://w.example`), /Give an address/);
    const twice = [
      '--cosigner',
      `${names[0]}=https://a.example`,
      '--cosigner',
      `${names[0]}=https://b.example`,
    ];
    await expectRefused(() => create(...twice), /two addresses/);
    await expectRefused(() => create('--address', here), /address of its own/);
    await expectRefused(() => create('--address', 'https://user:pass@two.example'), /Give an address/);
  });

  it('in a folder with something in it', async () => {
    const before = readFileSync(layout.system, 'utf8');
    const { code, out } = await tally(
      'standby',
      'create',
      harness.folder,
      '--address',
      there,
      '--here',
      here,
    );
    expect([code, out]).toEqual([3, expect.stringContaining('is not empty')]);
    expect(readFileSync(layout.system, 'utf8')).toBe(before);
  });

  it('while the database does not answer, and leaves no key behind', async () => {
    const before = readFileSync(layout.system, 'utf8');
    const addresses = names.flatMap((name, nth) => ['--cosigner', `${name}=http://w.example:738${nth}`]);
    const { code, out } = await create(...addresses);
    expect([code, out]).toEqual([4, expect.stringContaining('store_unavailable')]);
    expect(readFileSync(layout.system, 'utf8')).toBe(before);
    expect(existsSync(harness.path('two'))).toBe(false);
    expect(existsSync(harness.path('two.partial'))).toBe(false);
  });
});

describe('the address of a cosigner', () => {
  it('is not taken while its key and memory are inside the system', async () => {
    const [name] = names;
    await expectRefused(() => tally('cosigners', 'set', `${name}=http://w.example`), /move that folder/);
    await expectRefused(
      () => tally('cosigners', 'set', 'stranger.example/w=http://w.example'),
      /no cosigner/,
    );
    await expectRefused(() => tally('cosigners', 'set', `${name}=w.example`), /Give an address/);
  });

  it('counts from the next start once they were moved, and the cosigner does not run inside any more', async () => {
    const [name = '', ...others] = names;
    renameSync(layout.cosigner('witness-1').directory, harness.path('moved'));
    const set = ['cosigners', 'set', `${name}=http://w.example:7380/`];
    const dry = await tally(...set, '--dry-run');
    expect([dry.code, read().cosigners.length]).toEqual([0, 3]);
    expect((await tally(...set)).json()).toEqual({
      addresses: { [name]: 'http://w.example:7380' },
      dryRun: false,
    });
    const { cosigners, cosignerUrls } = read();
    expect(cosigners.map((each) => each.name)).toEqual(others);
    expect(cosignerUrls).toEqual({ [name]: 'http://w.example:7380' });
    expect((await tally('cosigners', 'list')).json()).toEqual({
      cosigners: [
        { name, address: 'http://w.example:7380', source: 'system' },
        ...others.map((other) => ({ name: other, address: null, source: 'inside' })),
      ],
    });
  });

  it('goes on to the second server, beside those that are said for it', async () => {
    const [name = '', ...others] = names;
    const addresses = others.flatMap((other) => ['--cosigner', `${other}=http://r.example`]);
    const before = readFileSync(layout.system, 'utf8');
    const planned = await create(...addresses, '--dry-run');
    expect(planned.json()).toMatchObject({
      data: harness.path('two'),
      address: there,
      here: { address: here },
      cosigners: { [name]: 'http://w.example:7380', [others[0] ?? '']: 'http://r.example' },
      dryRun: true,
    });
    expect(readFileSync(layout.system, 'utf8')).toBe(before);
    expect(existsSync(harness.path('two'))).toBe(false);
  });
});
