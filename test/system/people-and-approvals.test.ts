/** docs/guides/people-and-approvals.md, as printed: each of its commands, typed by who types it there. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { auditAtRest } from './support/audit.ts';
import { RealSystem } from './support/real-system.ts';
import { commandsOf, readPage, Typist } from './support/typist.ts';
import { eventually } from './support/waiting.ts';

const page = readPage('guides/people-and-approvals.md');
const lostPage = readPage('operating/lost-administrator.md');

let system: RealSystem;
const copied = new Map<string, string>();

/** What the guide has somebody make who works away from the server. */
function folderOf(name: string): string {
  const folder = join(system.directory, name);
  mkdirSync(folder);
  const printed = /^```json\n(.*?)^```/ms.exec(page)?.[1] ?? '';
  writeFileSync(
    join(folder, 'client.json'),
    printed.replace('http://127.0.0.1:7312', system.client.adminUrl),
  );
  copyFileSync(system.layout.trustRoot, join(folder, 'trust-root.json'));
  return folder;
}

/** Somebody with a folder of their own, or at the server. */
function typist(name: string, isAtServer = false): Typist {
  return new Typist(system, name, copied, isAtServer ? null : folderOf(name));
}

let ada: Typist;
let bob: Typist;
let carol: Typist;
let grace: Typist;
let license = '';

beforeAll(async () => {
  system = await RealSystem.start();
  await system.ready();
}, 120_000);
afterAll(() => system[Symbol.asyncDispose]());

it('the first administrator comes, and the token that everything began with ends', async () => {
  ada = typist('Ada', true);
  const [create, invite, , whoami] = commandsOf(page, 'The first administrator');
  await ada.must(create);
  const principal = copied.get('prn') ?? '';
  copied.set('ada', principal);
  await ada.must(invite);
  await ada.enrolls(principal);
  expect((await ada.must(whoami)).stdout).toContain(principal);
  expect((await system.admin('GET', '/v1/log')).status).toBe(401);
});

it('administers and does not sell, and has Bob do that', async () => {
  const [refused, create, invite, enroll, product, history] = commandsOf(page, 'Why, and who is there');
  const denied = await ada.types(refused);
  expect([denied.code, denied.stderr]).toEqual([1, expect.stringContaining('forbidden')]);
  await ada.must(create);
  const principal = copied.get('prn') ?? '';
  await ada.must(invite);
  bob = typist('Bob');
  await bob.enrolls(principal, enroll);
  await bob.must(product);
  expect((await bob.must(history)).stdout).toContain('TICKET-3');
});

it('an auditor reads, and what she may not do is on the record', async () => {
  const [create, invite, , refused, list] = commandsOf(page, 'The auditor');
  await ada.must(create);
  const principal = copied.get('prn') ?? '';
  await ada.must(invite);
  grace = typist('Grace');
  await grace.enrolls(principal);
  expect((await grace.types(refused)).code).toBe(1);
  expect((await grace.must(list)).stdout).toContain('Bob Stone');
});

it('somebody else looks before a sale of twenty years', async () => {
  const [create, invite, plan, issue, list, show, approve] = commandsOf(page, 'Somebody else looks');
  await ada.must(create);
  const principal = copied.get('prn') ?? '';
  await ada.must(invite);
  carol = typist('Carol');
  await carol.enrolls(principal);
  await bob.must(plan);
  const waits = await bob.types(issue);
  expect([waits.code, waits.stderr]).toEqual([
    1,
    expect.stringContaining('waits for approval by 1 of issuer'),
  ]);
  const approval = copied.get('apr');
  expect((await carol.must(list)).stdout).toContain(approval);
  expect((await carol.must(show)).stdout).toContain('Bob Stone');
  const done = await carol.must(approve);
  license = /lic_[0-9a-z]{26}/.exec(done.stdout)?.[0] ?? '';
  expect(license).not.toBe('');
});

it('nobody ends a key alone any more, and two do', async () => {
  const [show, shadow, publish, approvePolicy, keys, revoke, look, approve] = commandsOf(
    page,
    'Nobody ends a key alone',
  );
  await ada.must(show);
  const file = ada.operator.path('policy.yaml');
  const rule = /^```yaml\n(.*?)^```/ms.exec(page)?.[1] ?? '';
  const policy = readFileSync(file, 'utf8');
  writeFileSync(file, policy.replace(/^approvals:\n/m, `approvals:\n${rule}`));
  await ada.must(shadow);
  const asked = await ada.types(publish);
  expect([asked.code, asked.stderr]).toEqual([
    1,
    expect.stringContaining('waits for approval by 1 of administrator'),
  ]);
  await carol.must(approvePolicy);
  const listed = (await bob.must(keys, '--json')).stdout;
  const signing = (JSON.parse(listed) as { keys: { key: string; state: string }[] }).keys.find(
    ({ state }) => state === 'signs',
  );
  const size = await logSize();
  const filled = revoke?.replace('<key>', signing?.key ?? '').replace('<index>', String(size + 10));
  const waits = await bob.types(filled);
  expect([waits.code, waits.stderr]).toEqual([
    1,
    expect.stringContaining('waits for approval by 1 of key-custodian'),
  ]);
  // A lock is as quick as ever.
  const locked = await bob.types('npx tally brake tighten --lock heightened --reason "at once"');
  expect(locked.code, locked.stderr).toBe(0);
  expect((await carol.must(look)).stdout).toContain('Bob Stone');
  await carol.must(approve);
  const after = (await bob.must(keys, '--json')).stdout;
  expect(after).toContain(String(size + 10));
});

it('nobody unlocks alone any more, and two do', async () => {
  const [freeze, propose, show, sign, submit, look, approve] = commandsOf(page, 'Nobody unlocks alone');
  await bob.must(freeze);
  await bob.must(propose);
  expect((await bob.signs(show, sign, 'offline')).stdout).toContain('Signed.');
  const dry = await bob.must(submit, '--dry-run');
  expect(dry.stdout).toContain('waits for the approval of others');
  const waits = await bob.types(submit);
  expect([waits.code, waits.stderr]).toEqual([
    1,
    expect.stringContaining('waits for approval by 1 of key-custodian'),
  ]);
  const shown = (await carol.must(look)).stdout;
  expect(shown).toContain('Bob Stone');
  expect(shown).toContain('Loosens: the lock becomes open (was frozen)');
  expect(shown).toMatch(/namespace revision \d+ +hash [0-9a-f]{64}/);
  const done = await carol.must(approve);
  expect(done.stdout).toContain('namespace.updated');
  expect((await bob.must('npx tally status')).stdout).not.toContain('frozen');
  expect((await bob.must(submit)).stdout).toContain('namespace.updated');
});

it('the auditor prints what happened, and proves it without the server', async () => {
  const [text, json, pdf, verify, log] = commandsOf(page, 'What the auditor prints');
  copied.set('lic', license);
  const shown = (await grace.must(text)).stdout;
  expect(shown).toContain('TICKET-7');
  expect(shown).toContain('the contract is signed');
  await grace.must(json);
  await grace.must(pdf);
  expect(readFileSync(grace.operator.path('custody.pdf')).subarray(0, 5).toString()).toBe('%PDF-');
  const verified = await grace.must(verify);
  expect(verified.stdout).toMatch(/^SOUND/);
  expect((await grace.must(log)).stdout).toContain('license.custody');
});

it('lets somebody in where no administrator can log in any more, by the word of the authority', async () => {
  const lost = copied.get('ada') ?? '';
  const eve = typist('Eve', true);
  const [propose] = commandsOf(lostPage, '1. Say');
  const proposed = await eve.must(propose);
  expect(proposed.stdout).toContain('LETS IN Eve Stone');
  const [show, sign] = commandsOf(lostPage, '2. The authority');
  const [submit, enroll] = commandsOf(lostPage, '3. Hand');
  expect((await eve.types(submit)).stderr).toContain('Nobody has signed');
  expect((await eve.signs(show, sign, 'online')).stderr).toContain('no authority key');
  expect((await eve.signs(show, sign, 'offline')).stdout).toContain('Signed.');
  await eve.must(submit, '--dry-run');
  const submitted = await eve.must(submit);
  expect((await eve.must(submit)).stdout).toBe(submitted.stdout);
  const { principal } = JSON.parse((await eve.must(submit, '--json')).stdout) as { principal: string };
  await eve.enrolls(principal, enroll);
  expect((await eve.types(enroll)).code).not.toBe(0);
  const [replay, list, revoke] = commandsOf(lostPage, '4. Afterwards');
  copied.set('prn', lost);
  const held = JSON.parse((await eve.must(list, '--json')).stdout) as {
    items: { document: { id: string; state: string } }[];
  };
  copied.set('crd', held.items.find(({ document }) => document.state === 'active')?.document.id ?? '');
  await eve.must(revoke);
  const replayed = (await eve.must(replay)).stdout;
  expect(replayed).toMatch(/^CLEAN/);
  expect(replayed).toMatch(
    new RegExp(`let in by the authority at .*Eve Stone \\(${principal}\\).*Ada lost her phone`),
  );
  expect(system.lines.filter((line) => line.includes('administrator_recovered'))).toHaveLength(1);
});

it('leaves a log in which everything fits', async () => {
  const size = await logSize();
  await eventually('everything is published', async () => (await system.publishedSize()) >= size);
  expect(await auditAtRest(system)).toMatchObject({ problems: [], incidents: [] });
});

/** As somebody sees it who may read it. */
async function logSize(): Promise<number> {
  const { size } = JSON.parse((await bob.must('npx tally status', '--json')).stdout) as { size: number };
  return size;
}
