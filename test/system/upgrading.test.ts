/**
 * docs/operating/upgrading.md, as printed, on the folder of a system that was made by the last version before there were
 * principals: 18 entries, with a customer, three licenses of which one is suspended, and the license files of two.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { auditAtRest } from './support/audit.ts';
import { RealSystem } from './support/real-system.ts';
import { commandsOf, readPage, Typist } from './support/typist.ts';
import { eventually } from './support/waiting.ts';

const page = readPage('operating/upgrading.md');
/** When its newest license file was made. */
const recordedAt = Date.parse('2026-11-26T09:40:00.000Z');
const lack = 'Nobody can be let in: no key signs who may use the system';

const copied = new Map<string, string>();
let system: RealSystem;
let operator: Typist;

/** Writes out what was recorded: a JSON object from paths to contents in base64. */
function unpack(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tally-upgrade-'));
  const file = fileURLToPath(new URL('fixtures/before-the-gate.json.gz', import.meta.url));
  const recorded = JSON.parse(gunzipSync(readFileSync(file)).toString()) as Record<string, string>;
  for (const [path, content] of Object.entries(recorded)) {
    mkdirSync(join(directory, dirname(path)), { recursive: true, mode: 0o700 });
    writeFileSync(join(directory, path), Buffer.from(content, 'base64'), { mode: 0o600 });
  }
  // What only running processes have in it.
  mkdirSync(join(directory, 'data', 'run'), { mode: 0o700 });
  return directory;
}

beforeAll(async () => {
  system = RealSystem.in(unpack());
  operator = new Typist(system, 'Operator', copied);
  await operator.must('tally networks set --network here=127.0.0.0/8 --trust-domain vendor.example');
  await system.up();
  await system.ready();
});
afterAll(() => system[Symbol.asyncDispose]());

const clean = async (commands: readonly (string | undefined)[]): Promise<void> => {
  for (const command of commands) expect((await operator.must(command)).stdout, command).toMatch(/^CLEAN/);
};

it('reads what is there under the new version, and says what is missing', async () => {
  const [, ...checks] = commandsOf(page, '1. Back up');
  await clean(checks);
  const status = (await operator.must('tally status')).stdout;
  expect(status).toContain(lack);
  expect(status).toMatch(/networks +here\n.*trust domains +vendor\.example/s);
  expect((await operator.must('tally customer list')).stdout).toContain('Contoso');
  operator.operator.now = () => recordedAt;
  for (const [file, verdict] of [
    ['contoso.tally', /^VALID/],
    ['fabrikam.tally', /^SUSPENDED/],
  ] as const)
    expect((await operator.types(`tally verify ${file} --product editor`)).stdout).toMatch(verdict);
  operator.operator.now = () => Date.now();
  await operator.must('tally issue --plan editor-pro --licensee Adatum --wait');
  const refused = await operator.types(
    'tally principal create --kind person --name Ada --role administrator',
  );
  expect(refused.stderr).toMatch(/signer_refused|tally keys generate/);
});

it('says from where on a key is good that was listed too far ahead', async () => {
  const [generate, propose] = commandsOf(page, '2. A key');
  const [show, sign, submit] = commandsOf(page, '2. A key').slice(2);
  await operator.must(generate?.replace('gate-keys.json', 'far-keys.json'));
  const far = propose?.replace('gate-keys.json', 'far-keys.json').replace('--from +2 ', '');
  await operator.must(far);
  expect((await operator.signs(show, sign, 'offline')).stdout).toContain('Signed.');
  await operator.operator.submit('revision.json');
  expect((await operator.must('tally status')).stdout).toMatch(/before the log has 10\d\d entries/);
  const refused = await operator.types(
    'tally principal create --kind person --name Ada --role administrator',
  );
  expect(refused.stderr).toMatch(/before log index 10\d\d: wait until/);
  expect(submit).toBe('tally namespace submit revision.json');
});

it('lets the first administrator in, once the namespace lists a key for that', async () => {
  const [generate, propose, show, sign, , list] = commandsOf(page, '2. A key');
  await operator.must(generate);
  await operator.must(propose);
  expect((await operator.signs(show, sign, 'offline')).stdout).toContain('Signed.');
  await operator.operator.submit('revision.json');
  expect((await operator.must(list)).stdout).toContain('gate');
  expect((await operator.must('tally status')).stdout).not.toContain('Nobody can be let in');

  const [shop, key] = commandsOf(page, '3. Services');
  await operator.must(shop);
  await operator.must(key);
  const secret = readFileSync(operator.operator.path('shop-key.txt'), 'utf8').trim();
  const [create, invite, enroll] = commandsOf(page, '4. The first');
  await operator.must(create);
  const ada = copied.get('prn') ?? '';
  await operator.must(invite);
  await operator.enrolls(ada, enroll);
  expect(existsSync(join(system.layout.root, 'session.json'))).toBe(true);
  expect((await operator.must('tally whoami')).stdout).toContain(ada);
  expect((await system.admin('GET', '/v1/log')).status).toBe(401);
  const bearer = { authorization: `Bearer ${secret}`, 'tally-reason': 'order%204711' };
  const body = { plan: 'editor-pro', licensee: 'Tailspin', term: { length: 'P1Y' } };
  expect(await system.admin('POST', '/v1/licenses', body)).toMatchObject({ status: 401 });
  expect(await system.admin('POST', '/v1/licenses?wait=published', body, bearer)).toMatchObject({
    status: 201,
  });
});

it('leaves a log in which everything fits, from before and after', async () => {
  const { size } = JSON.parse((await operator.must('tally status', '--json')).stdout) as { size: number };
  await eventually('everything is published', async () => (await system.publishedSize()) >= size);
  const [, , , replay] = commandsOf(page, '1. Back up');
  await clean([replay]);
  expect(await auditAtRest(system)).toMatchObject({ problems: [], incidents: [] });
});
