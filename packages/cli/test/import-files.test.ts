import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { linkSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ImportSummary } from '../src/import/import-file.ts';
import { ContractFake } from './support/contract-fake.ts';
import { Harness } from './support/harness.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const mapping = `
version: 1
name: small
key: id
catalog:
  product: { code: thing, name: Thing, entitlements: { on: { type: boolean } } }
  plans: [{ code: basic, name: Basic }]
customer: { reference: { column: id } }
license:
  plan: basic
  licensee: { column: name }
`;
const rows = (count: number): string =>
  `id,name\n${Array.from({ length: count }, (_, index) => `r${index + 1},Name ${index + 1}\n`).join('')}`;

let fake: ContractFake;
let harness: Harness;
let csv: string;
let map: string;
let report: string;
let keys: string;

beforeEach(async () => {
  fake = await ContractFake.start();
  harness = new Harness(fake);
  csv = harness.write('rows.csv', rows(3));
  map = harness.write('mapping.yaml', mapping);
  report = harness.path('report.jsonl');
  keys = harness.path('keys.jsonl');
  symlinkSync(csv, harness.path('link'));
  linkSync(csv, harness.path('second.state'));
});
afterEach(async () => {
  harness[Symbol.dispose]();
  await fake[Symbol.asyncDispose]();
});

const importRows = (...flags: string[]) =>
  harness.run(['import', csv, '--mapping', map, '--report', report, ...flags]);

function linesOf(path: string): Record<string, unknown>[] {
  const text = readFileSync(path, 'utf8');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('an import does not write over', () => {
  it.each<[string, () => string[]]>([
    ['the file that it imports', () => ['--report', csv]],
    ['it by another name', () => ['--licenses', harness.path('link')]],
    ['it by a second name of its own', () => ['--report', harness.path('second')]],
    ['its mapping', () => ['--licenses', map]],
    ['its report with license keys', () => ['--licenses', report]],
    ['how far it is with license keys', () => ['--licenses', `${report}.state`]],
  ])('%s', async (_, flags) => {
    const { code, err } = await importRows(...flags());
    expect([code, err]).toEqual([3, expect.stringMatching(/is the same file as .*\nChoose another path/)]);
    expect([readFileSync(csv, 'utf8'), readFileSync(map, 'utf8')]).toEqual([rows(3), mapping]);
    expect(fake.seen).toEqual([]);
  });

  it('the file that it imports in a dry run either', async () => {
    expect((await importRows('--report', csv, '--dry-run')).code).toBe(3);
    expect(readFileSync(csv, 'utf8')).toBe(rows(3));
  });

  it('the report of an import in a dry run, so that --resume goes on from it', async () => {
    csv = harness.write('rows.csv', `${rows(3)}r4,${'x'.repeat(300)}\n`);
    expect((await importRows()).code).toBe(1);
    const before = readFileSync(report, 'utf8');
    const dry = await importRows('--dry-run', '--json');
    expect((dry.json() as ImportSummary).report).toBe(`${report}.dry-run`);
    expect(linesOf(`${report}.dry-run`)).toMatchObject([{ row: 4, code: 'row_invalid' }]);
    expect([readFileSync(report, 'utf8'), (await importRows('--resume')).code]).toEqual([before, 1]);
  });
});

describe('an import is refused, before anything is asked or made,', () => {
  it('from a pipe, which can be read once, and with a report that is one or a device', async () => {
    const pipe = harness.path('pipe');
    spawnSync('sh', ['-c', 'mkfifo "$0"', pipe]);
    const reported = await importRows('--report', pipe);
    expect([reported.code, reported.err]).toEqual([
      3,
      expect.stringMatching(/--report .* is no regular file/),
    ]);
    csv = pipe;
    const { code, err } = await importRows();
    expect([code, err]).toEqual([3, expect.stringMatching(/is no regular file, .* twice/)]);
    expect(fake.seen).toEqual([]);
  });

  it('with a mapping that is not UTF-8, instead of issuing licenses to somebody else', async () => {
    map = harness.write(
      'mapping.yaml',
      Buffer.from(mapping.replace('plan: basic', 'plan: caf\u00e9'), 'latin1'),
    );
    const { code, err } = await importRows();
    expect([code, err]).toEqual([3, expect.stringMatching(/mapping\.yaml is not UTF-8/)]);
  });
});

describe('licenses that an import writes down', () => {
  it('are whole lines where the disk was full, and all there when it goes on', async () => {
    csv = harness.write('rows.csv', rows(60));
    const args = ['import', csv, '--mapping', map, '--report', report, '--licenses', keys];
    // A file may have eight blocks: what is written up to there stays, as on a disk that is full.
    const limited = ['-c', 'ulimit -f 8; exec "$@"', 'sh', process.execPath, main, ...args];
    const child = spawn('sh', limited, { env: { ...process.env, TALLY_DATA: harness.folder } });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const [code] = (await once(child, 'exit')) as [number];
    expect([code, said]).toEqual([
      3,
      expect.stringMatching(/keys\.jsonl cannot be written: EFBIG.*\nMake room there.* --resume to go on/),
    ]);
    expect(linesOf(keys).length).toBeLessThan(60);
    expect((await importRows('--licenses', keys, '--resume')).code).toBe(0);
    expect(new Set(linesOf(keys).map(({ key }) => key)).size).toBe(60);
  });

  it('begin on a line of their own behind one that was cut off', async () => {
    writeFileSync(keys, '{"row":1}\n{"row":');
    expect((await importRows('--licenses', keys)).code).toBe(0);
    const lines = readFileSync(keys, 'utf8').split('\n');
    expect([lines[1], lines.slice(2, 5).map((line) => (JSON.parse(line) as { row: number }).row)]).toEqual([
      '{"row":',
      [1, 2, 3],
    ]);
  });
});
