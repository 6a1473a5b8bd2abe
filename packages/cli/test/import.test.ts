import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ImportSummary } from '../src/import/import-file.ts';
import { ContractFake } from './support/contract-fake.ts';
import { Harness } from './support/harness.ts';

let fake: ContractFake;
let harness: Harness;

beforeEach(async () => {
  fake = await ContractFake.start();
  harness = new Harness(fake);
});
afterEach(async () => {
  harness[Symbol.dispose]();
  await fake[Symbol.asyncDispose]();
});

const example = (name: string): string => new URL(`../../../examples/${name}`, import.meta.url).pathname;
const shopMapping = readFileSync(example('shop.mapping.yaml'), 'utf8');
const header = 'id,plan,on\n';
const smallMapping = `
version: 1
name: small
key: id
catalog:
  product: { code: thing, name: Thing, entitlements: { on: { type: boolean } } }
  plans: [{ code: basic, name: Basic }]
customer: { reference: { column: id } }
license:
  plan: { column: plan }
  entitlements: { on: { column: on, values: { yes: true, no: false, odd: 7 } } }
`;

async function importFile(csv: string | Uint8Array, mapping: string, ...flags: string[]) {
  const file = harness.write('rows.csv', csv);
  const map = harness.write('mapping.yaml', mapping);
  const report = harness.path('report.jsonl');
  const ran = await harness.run(['import', file, '--mapping', map, '--report', report, '--json', ...flags]);
  const lines = existsSync(report) ? readFileSync(report, 'utf8').split('\n').filter(Boolean) : [];
  return {
    ...ran,
    summary: () => ran.json() as ImportSummary,
    report: lines.map((line) => JSON.parse(line) as Report),
  };
}

interface Report {
  row: number;
  line: number;
  key: string;
  outcome: string;
  code: string;
  why: string;
}

const rows = (count: number): string =>
  header +
  Array.from({ length: count }, (_, index) => `r${index + 1},basic,${index % 2 === 0 ? 'yes' : 'no'}\n`).join(
    '',
  );

describe('tally import', () => {
  it('imports the example of the shop, and refuses its three bad rows with the reason', async () => {
    const { code, summary, report } = await importFile(readFileSync(example('shop.csv')), shopMapping);
    expect(code).toBe(1);
    expect(summary().counts).toEqual({
      issued: 16,
      existing: 0,
      checked: 0,
      skipped: 1,
      refused: 3,
      incomplete: 0,
    });
    expect(report.map(({ row, key, why }) => [row, key, why.replace(/ \(.*/, '')])).toEqual([
      [10, '1010', 'product: "Studio Ultra" is not among its values'],
      [13, '1013', 'seats: "a dozen" is not a whole number'],
      [17, '1017', 'valid_until: "2028-02-31" is not a date such as 2027-01-31'],
    ]);
    expect(fake.namespace.idsOf('customer')).toHaveLength(15);
    expect(fake.namespace.idsOf('license')).toHaveLength(16);
    const first = fake.namespace.idsOf('license').map((id) => fake.namespace.subject('license', id)!);
    const perpetual = first.find(({ companion }) => companion?.order === '1005')!;
    expect(perpetual.document.term.until).toBeNull();
    const pro = first.find(({ companion }) => companion?.order === '1002')!;
    expect(pro.document.entitlements).toMatchObject({
      seats: { value: 25 },
      'api-calls': { limit: 100000, per: 'P1M' },
    });
    expect(pro.companion).toMatchObject({ price: 249900, currency: 'EUR' });
  });

  it('makes nothing twice when it is run again', async () => {
    await importFile(rows(40), smallMapping);
    const size = fake.namespace.size;
    const { code, summary } = await importFile(rows(40), smallMapping);
    expect([code, fake.namespace.size, summary().counts.existing]).toEqual([0, size, 40]);
  });

  it('makes one customer of several rows that name the same one', async () => {
    const mapping = smallMapping.replace('reference: { column: id }', 'reference: Everybody');
    const { summary } = await importFile(rows(10), mapping);
    expect([summary().counts.issued, fake.namespace.idsOf('customer').length]).toEqual([10, 1]);
  });

  it('keeps no more rows in work than it was told', async () => {
    await importFile(rows(60), smallMapping, '--concurrency', '7');
    expect(fake.inWorkMax).toBeGreaterThan(3);
    expect(fake.inWorkMax).toBeLessThanOrEqual(7);
  });

  it('sends nothing in a dry run but questions', async () => {
    const { code, summary } = await importFile(rows(5), smallMapping, '--dry-run');
    expect([code, summary().counts.checked, fake.mutations.length]).toEqual([0, 5, 0]);
    expect(existsSync(harness.path('report.jsonl.state'))).toBe(false);
    await importFile(rows(5), smallMapping);
    const again = await importFile(`${rows(5)}r6,basic,yes\n`, smallMapping, '--dry-run');
    expect(again.summary().counts.checked).toBe(6);
    expect(fake.seen.some(({ route, dryRun }) => route === 'license.issue' && dryRun)).toBe(true);
  });

  it('refuses both rows with the same key, with both numbers', async () => {
    const { summary, report } = await importFile(`${rows(3)}r2,basic,no\n`, smallMapping);
    expect(summary().counts).toMatchObject({ issued: 2, refused: 2 });
    expect(report.map(({ row, code, why }) => [row, code, why])).toEqual([
      [2, 'key_twice', 'rows 2 and 4 have the same key'],
      [4, 'key_twice', 'rows 2 and 4 have the same key'],
    ]);
  });

  it('changes nothing for a row that does not fit the catalog, the plan or the columns', async () => {
    const { report } = await importFile(
      `${header}a,basic,odd\nb,gold,yes\nc,basic\nd,basic,maybe\n,basic,yes\ne,basic,\n`,
      smallMapping,
    );
    expect(report.map(({ row, code, why }) => [row, code, why])).toEqual([
      [1, 'entitlement_type', 'on is of type boolean, and the row gives it a integer'],
      [2, 'plan_unknown', 'there is no plan gold'],
      [3, 'row_invalid', 'the row has 2 fields, the header has 3'],
      [4, 'row_invalid', 'on: "maybe" is not among its values (mapping line 11)'],
      [5, 'row_invalid', 'the key, column id, is blank'],
    ]);
    expect(fake.namespace.idsOf('customer')).toHaveLength(1);
  });

  it.each([
    ['a byte order mark', `\ufeff${rows(2)}`],
    ['CRLF', rows(2).replaceAll('\n', '\r\n')],
    ['a CRLF in its first line alone', rows(2).replace('\n', '\r\n')],
    ['a CRLF in its last line alone', `${header}r1,basic,yes\nr2,basic,"no"\r\n`],
    ['no line end at the end', rows(2).trimEnd()],
    ['quotes around everything', rows(2).replaceAll(/[^,\n]+/g, '"$&"')],
    ['empty lines', rows(2).replaceAll('\n', '\n\n')],
    ['spaces around fields', rows(2).replaceAll(',', ' , ')],
    ['a further column', rows(2).replaceAll('\n', ',more\n')],
  ])('reads a file with %s', async (_, csv) => {
    const { summary } = await importFile(csv, smallMapping);
    expect(summary().counts.issued).toBe(2);
    expect(fake.namespace.item('customer', 'r1')).not.toBeNull();
  });

  it.each([
    ['an unclosed quote in the last row', `${rows(2)}r3,"basic,no\n`, /not valid CSV.*Quote Not Closed/],
    [
      'a missing column',
      rows(2).replace('plan', 'Plan'),
      /has no column plan, which line 10 of the mapping uses/,
    ],
    ['a column twice', rows(2).replace('on', 'id'), /two columns named id/],
    ['nothing in it', '', /is empty/],
  ])('imports nothing from a file with %s', async (_, csv, why) => {
    const { code, out } = await importFile(csv, smallMapping);
    expect([code, out]).toEqual([3, expect.stringMatching(why)]);
    expect(fake.mutations).toEqual([]);
  });

  it('refuses a row that is not UTF-8', async () => {
    const { report } = await importFile(
      Buffer.from(`${header}r1,basic,yes\nr\xe9,basic,no\n`, 'latin1'),
      smallMapping,
    );
    expect(report).toMatchObject([{ row: 2, why: 'the row is not UTF-8; save the file as UTF-8' }]);
  });

  it('says that a license was refused after its customer was made, and completes it when run again', async () => {
    let refuses = true;
    fake.trouble = ({ route, dryRun, body }) =>
      refuses && route === 'license.issue' && !dryRun && (body as { customer: string }).customer === 'r2'
        ? { code: 'limit_exceeded' }
        : null;
    const first = await importFile(rows(3), smallMapping);
    expect([first.code, first.summary().counts]).toMatchObject([1, { issued: 2, incomplete: 1 }]);
    expect(first.report).toMatchObject([
      { row: 2, key: 'r2', outcome: 'incomplete', code: 'limit_exceeded' },
    ]);
    refuses = false;
    const second = await importFile(rows(3), smallMapping);
    expect([second.code, second.summary().counts]).toMatchObject([0, { issued: 1, existing: 2 }]);
    expect(fake.namespace.idsOf('customer')).toHaveLength(3);
  });

  it('refuses a row that an earlier run imported with other data', async () => {
    await importFile(rows(2), smallMapping);
    const { report } = await importFile(rows(2).replace('r1,basic,yes', 'r1,basic,no'), smallMapping);
    expect(report).toMatchObject([{ row: 1, outcome: 'refused', code: 'idempotency_key_reused' }]);
  });

  it('uses customers that exist already only where the mapping says so', async () => {
    const create = ['customer', 'create', '--reference', 'r1'];
    expect((await harness.run(create)).code).toBe(0);
    const strict = await importFile(rows(1), smallMapping);
    expect(strict.report).toMatchObject([{ outcome: 'refused', code: 'reference_taken' }]);
    const lenient = await importFile(
      rows(1),
      smallMapping.replace('customer: {', 'customer: { existing: use,'),
    );
    expect(lenient.summary().counts.issued).toBe(1);
  });

  it('stops in order when the server goes away, and goes on with --resume', async () => {
    let answered = 0;
    fake.trouble = ({ route }) =>
      route === 'license.issue' && ++answered > 20 ? { code: 'publication_stalled', retryAfter: 60 } : null;
    const keys = harness.path('keys.jsonl');
    const first = await importFile(
      `${rows(50)}bad,basic,maybe\n`,
      smallMapping,
      '--concurrency',
      '4',
      '--licenses',
      keys,
    );
    expect([first.code, first.out]).toEqual([4, expect.stringContaining('--resume')]);
    expect(first.json()).toMatchObject({ error: { code: 'publication_stalled', exitCode: 4 } });
    fake.trouble = () => null;
    const before = fake.seen.length;
    const second = await importFile(
      `${rows(50)}bad,basic,maybe\n`,
      smallMapping,
      '--resume',
      '--licenses',
      keys,
    );
    expect(second.summary().counts).toMatchObject({ refused: 1 });
    expect(second.summary().counts.issued + second.summary().counts.existing).toBe(50);
    expect(fake.namespace.idsOf('license')).toHaveLength(50);
    const asked = fake.seen.slice(before).filter(({ route, dryRun }) => route === 'license.issue' && !dryRun);
    expect(asked.length).toBeLessThan(50);
    expect(second.report.map(({ key }) => key)).toEqual(['bad']);
    const written = readFileSync(keys, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { key: string; licenseKey: string });
    expect(new Set(written.map(({ key }) => key)).size).toBe(50);
    expect(written.every(({ licenseKey }) => licenseKey.startsWith('TALLY-'))).toBe(true);
    expect(statSync(keys).mode & 0o777).toBe(0o600);
  });

  it('refuses to resume a run over another file', async () => {
    await importFile(rows(2), smallMapping);
    const { code, out } = await importFile(rows(3), smallMapping, '--resume');
    expect([code, out]).toEqual([3, expect.stringContaining('what differs is the file')]);
  });

  it('stops where others have to approve, says what for to wait, and goes on', async () => {
    const approval = 'apr_00000000000000000000000001';
    let answered = 0;
    fake.trouble = ({ route, dryRun }) =>
      route === 'license.issue' && !dryRun && ++answered > 10
        ? { code: 'approval_required', details: { approval } }
        : null;
    const flags = ['--concurrency', '4', '--reason', 'TICKET-7'];
    const first = await importFile(rows(20), smallMapping, ...flags);
    expect(first.code).toBe(1);
    expect(first.out).toContain(`tally approval wait ${approval}, then run it again with --resume`);
    expect(first.report).toEqual([]);
    expect(fake.mutations.every(({ reason }) => reason === 'TICKET-7')).toBe(true);
    fake.trouble = () => null;
    const second = await importFile(rows(20), smallMapping, '--resume', ...flags);
    expect(second.summary().counts).toMatchObject({ refused: 0, incomplete: 0 });
    expect(fake.namespace.idsOf('license')).toHaveLength(20);
  });

  it('stops in order when it is interrupted', async () => {
    const controller = new AbortController();
    fake.trouble = () => {
      if (fake.seen.length > 30) controller.abort();
      return null;
    };
    const file = harness.write('rows.csv', rows(100));
    const map = harness.write('mapping.yaml', smallMapping);
    const report = harness.path('report.jsonl');
    const args = ['import', file, '--mapping', map, '--report', report, '--concurrency', '4', '--json'];
    const stopped = await harness.run(args, { signal: controller.signal });
    expect(stopped.code).toBe(130);
    fake.trouble = () => null;
    const resumed = await harness.run([...args, '--resume']);
    expect(resumed.code).toBe(0);
    expect(fake.namespace.idsOf('license')).toHaveLength(100);
  });

  it('does not blame other rows when the first one that is tried out is refused', async () => {
    let tries = 0;
    fake.trouble = ({ route, dryRun }) =>
      route === 'license.issue' && dryRun && ++tries === 1 ? { code: 'limit_exceeded' } : null;
    const { summary } = await importFile(rows(20), smallMapping);
    expect(summary().counts).toMatchObject({ issued: 19, refused: 1, incomplete: 0 });
  });

  it('gives up at once where every row would be refused', async () => {
    writeFileSync(harness.path('client.json'), JSON.stringify({ adminUrl: fake.url, token: 'wrong' }));
    const { code, out } = await importFile(rows(2), smallMapping);
    expect([code, out]).toEqual([1, expect.stringContaining('unauthorized')]);
  });
});
