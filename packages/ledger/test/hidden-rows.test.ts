/** Rows of the lists that somebody hides, or puts in, while no server runs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { TestSystem } from '@tallystick/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Projections } from '../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'tally-hidden-'));
const file = join(folder, 'projections.db');
let system: TestSystem;
let people: string[];

beforeAll(async () => {
  system = await TestSystem.start({ projections: new Projections(file) });
  await system.sellPro();
  for (const name of ['Ada', 'Bea'])
    await system.run({ type: 'principal.create', kind: 'person', name, roles: [] });
  await system.run({ type: 'license.issue', plan: 'pro-yearly' });
  people = await idsOf();
});
afterAll(async () => {
  await system[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function idsOf(): Promise<string[]> {
  const found = await system.ledger.read.listed('principal', {}, { before: '~', limit: 10 });
  return found.map(({ content }) => content.id);
}

async function restartAfter(sql: string): Promise<string[]> {
  {
    using database = new DatabaseSync(file);
    database.exec(sql);
  }
  await system.restart();
  await system.ready();
  return system.events.flatMap((event) => (event.type === 'alarm' ? [event.error.message] : []));
}

it.each([
  [
    'a person who could approve',
    "DELETE FROM catalog WHERE type = 'principal' AND id = (SELECT max(id) FROM catalog)",
  ],
  ['everybody', "DELETE FROM catalog WHERE type = 'principal'"],
  [
    'what is known of anybody',
    "DELETE FROM catalog WHERE type = 'principal'; DELETE FROM revisions WHERE id LIKE 'prn_%'",
  ],
  ['a license', 'DELETE FROM licenses'],
])('brings back %s at the next start, and says so', async (_what, sql) => {
  expect(await restartAfter(sql)).toEqual([expect.stringContaining('somebody hid rows')]);
  expect(await idsOf()).toEqual(people);
  expect(people).toHaveLength(2);
});

it('brings back nothing that is not what was logged, and goes on with the rest', async () => {
  const [hidden = ''] = people;
  const { store } = system.world;
  const revision = await system.ledger.read.revision(hidden);
  const stored = await store.entry(revision?.index ?? -1);
  const document = stored?.content?.document ?? new Uint8Array(0);
  document[document.length - 3]! ^= 1;
  expect(await restartAfter(`DELETE FROM catalog WHERE type = 'principal'`)).toHaveLength(1);
  expect(await idsOf()).toEqual(people.slice(1));
  document[document.length - 3]! ^= 1;
  expect(await restartAfter('SELECT 1')).toHaveLength(1);
  expect(await idsOf()).toEqual(people);
});

it('says nothing of lists that are those of the log', async () => {
  expect(await restartAfter('SELECT 1')).toEqual([]);
});

it('carries nothing out twice where an idempotency key is made to point at another request', async () => {
  const sell = { type: 'license.issue', plan: 'pro-yearly' } as const;
  await system.run(sell, 'one');
  await system.run(sell, 'two');
  // Only then the projections have it for certain.
  await system.ledger.whenPublished(system.ledger.size, 10_000);
  await restartAfter(
    "UPDATE requests SET idx = (SELECT idx FROM requests WHERE key = 'two') WHERE key = 'one'",
  );
  const { size } = system.ledger;
  await expect(system.run(sell, 'one')).rejects.toMatchObject({ problem: 'integrity' });
  expect(system.ledger.size - size).toBeLessThanOrEqual(1);
  expect(await system.run(sell, 'two')).toMatchObject({ repeated: true });
});
