import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventReader } from './support/event-reader.ts';
import { RealSystem } from './support/real-system.ts';
import { eventually } from './support/waiting.ts';

/** Each license has a customer of its own, so that each is found alone. */
const names = ['document', 'entry', 'companion', 'cause', 'projected', 'key', 'beside', 'untouched'] as const;
type Name = (typeof names)[number];

interface Sold {
  id: string;
  key: string;
  index: number;
}

let system: RealSystem;
const sold = new Map<Name, Sold>();

function license(name: Name): Sold {
  const found = sold.get(name);
  if (found === undefined) throw new Error(`no license ${name}`);
  return found;
}

beforeAll(async () => {
  system = await RealSystem.start();
  await system.ready();
  await system.sellPro();
  for (const name of names) {
    await system.must('POST', '/v1/customers', { reference: name, name: `Customer ${name}` });
    const { document, licenseKey, changes } = await system.must<{
      document: { id: string };
      licenseKey: string;
      changes: { index: number }[];
    }>('POST', '/v1/licenses', { plan: 'pro-yearly', customer: name, companion: { order: 'order-4711' } });
    sold.set(name, { id: document.id, key: licenseKey, index: changes[0]?.index ?? 0 });
  }
  await system.published();
  await system.down();
  tamperWithStore();
  tamperWithProjections();
  await system.up();
  await system.ready();
});

afterAll(async () => {
  await system[Symbol.asyncDispose]();
});

/** What somebody with the database file can do while nobody looks. */
function tamperWithStore(): void {
  const database = new DatabaseSync(system.layout.ledger.store);
  const replace = (table: string, column: string, name: Name, from: string, to: string): void => {
    const { index } = license(name);
    const row = database.prepare(`SELECT ${column} AS bytes FROM ${table} WHERE idx = ?`).get(index);
    const before = Buffer.from(row?.['bytes'] as Uint8Array).toString('utf8');
    expect(before).toContain(from);
    const update = database.prepare(`UPDATE ${table} SET ${column} = ? WHERE idx = ?`);
    update.run(Buffer.from(before.replace(from, to)), index);
  };
  replace('contents', 'document', 'document', '"limit":1000', '"limit":9999');
  replace('entries', 'entry', 'entry', '"sig":"', '"sig":"A');
  replace('contents', 'companion', 'companion', 'order-4711', 'order-9999');
  replace('causes', 'document', 'cause', 'bootstrap', 'Bootstrap');
  database.close();
}

function tamperWithProjections(): void {
  const database = new DatabaseSync(system.layout.ledger.projections);
  const { changes } = database
    .prepare("UPDATE licenses SET state = 'revoked' WHERE id = ?")
    .run(license('projected').id);
  expect(changes).toBe(1);
  const slippedIn = database.prepare(
    "INSERT INTO licenses SELECT 'lic_01kaz00000e00rm0000000000a', customer, plan, product, state, until FROM licenses WHERE id = ?",
  );
  expect(slippedIn.run(license('beside').id).changes).toBe(1);
  const redirect = database.prepare("UPDATE names SET id = ? WHERE id = ? AND name LIKE 'license-key:%'");
  expect(redirect.run(license('untouched').id, license('key').id).changes).toBe(1);
  database.close();
}

/** Asks, and expects that nothing is served and that somebody is told. */
async function expectIntegrity(method: 'GET' | 'POST', path: string, body?: object): Promise<void> {
  const isPublic = path === '/v1/bundles';
  const events = await EventReader.open(system);
  const from = system.lines.length;
  const { status, text, json } = isPublic
    ? await system.public(method, path, body)
    : await system.admin(method, path, body);
  expect({ path, status, code: (json as { code?: string }).code }).toEqual({
    path,
    status: 500,
    code: 'integrity',
  });
  // Which may be in the id of a request by chance.
  expect(text.replace(/"requestId":"[^"]*"/, '')).not.toContain('9999');
  const line = await eventually('a line', () =>
    system.lines
      .slice(from)
      .find((each) => each.startsWith('server: ') && each.includes('"alarm":"integrity"')),
  );
  expect(line).toContain('"detail":');
  const event = await events.until('an alarm', ({ type }) => type === 'alarm');
  expect(event.data).toMatchObject({ code: 'integrity' });
  await events.close();
}

describe('rows of the store that were altered while the server was down', () => {
  it.each<Name>(['document', 'entry', 'companion'])(
    '%s: the license is not served, in no form, and not changed',
    async (name) => {
      const { id, key } = license(name);
      await expectIntegrity('GET', `/v1/licenses/${id}`);
      await expectIntegrity('GET', `/v1/licenses/${id}/history`);
      await expectIntegrity('GET', `/v1/licenses/${id}/bundle`);
      await expectIntegrity('POST', '/v1/bundles', { licenseKey: key });
      await expectIntegrity('GET', `/v1/licenses?customer=${name}`);
      await expectIntegrity('GET', `/v1/log/entries/${license(name).index}`);
      await expectIntegrity('POST', `/v1/licenses/${id}/suspend`, { reason: 'payment' });
    },
  );

  it('cause: the history is not served, the license is', async () => {
    const { id } = license('cause');
    await expectIntegrity('GET', `/v1/licenses/${id}/history`);
    await system.must('GET', `/v1/licenses/${id}`);
  });

  it('are also in the way of the list of everything, which is refused as a whole', async () => {
    await expectIntegrity('GET', '/v1/licenses');
  });
});

describe('rows of the projections that were altered while the server was down', () => {
  it('are not listed; the license itself is served as it was logged', async () => {
    const { id } = license('projected');
    await expectIntegrity('GET', '/v1/licenses?customer=projected');
    await expectIntegrity('GET', '/v1/licenses?state=revoked');
    const { document } = await system.must<{ document: { status: { state: string } } }>(
      'GET',
      `/v1/licenses/${id}`,
    );
    expect(document.status.state).toBe('active');
  });

  it('are not listed where they were slipped in', async () => {
    await expectIntegrity('GET', '/v1/licenses?customer=beside');
    await system.must('GET', `/v1/licenses/${license('beside').id}`);
  });

  it('do not lead a license key to the license of somebody else', async () => {
    await expectIntegrity('POST', '/v1/bundles', { licenseKey: license('key').key });
  });
});

describe('everything else', () => {
  it('is still served and can still be changed', async () => {
    const { id, key } = license('untouched');
    await system.must('GET', `/v1/licenses/${id}`);
    await system.must('GET', `/v1/licenses/${id}/history`);
    await system.must('GET', '/v1/licenses?customer=untouched');
    expect((await system.public('POST', '/v1/bundles', { licenseKey: key })).status).toBe(200);
    // Durable alone: the replayer cannot read the tile that the altered entry is in, and so cosigns no more.
    await system.must('POST', `/v1/licenses/${id}/suspend`, { reason: 'payment' });
    expect((await system.ops('/readyz')).status).toBe(200);
  });

  it('counts the alarms', async () => {
    expect((await system.ops('/metrics')).text).toMatch(/tally_alarms_total\{code="integrity"\} [1-9]/);
  });

  it('leaves no trace of the altered values in what the server wrote', () => {
    expect(system.lines.filter((line) => line.includes('9999'))).toEqual([]);
    expect(readFileSync(system.layout.ledger.store).includes('order-9999')).toBe(true);
  });
});
