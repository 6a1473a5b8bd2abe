/**
 * A log that the version before wrote, in which causes of version 2 have signed requests whole: 18 entries, with a customer and a
 * license that a service made and suspended, and a custody report of that version.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import {
  decodeBase64,
  type KeyAlgorithm,
  parseTrustRoot,
  readCauseStatement,
  verifyTrustChain,
} from '@tallystick/core';
import { SqliteStore } from '@tallystick/ledger';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { custodyLines, replayDecisions, verifyCustody } from '../src/index.ts';
import { check, indexKey, type VariedLog } from './support/varied-log.ts';

interface Recorded {
  ids: { customer: string; license: string };
  report: string;
  /** Base64, as the files. */
  trustRoot: string;
  keys: { alg: KeyAlgorithm; key: string }[];
  mark: { size: number; root: string };
  ns: string;
  store: string;
  projections: string;
}

const fixture = fileURLToPath(new URL('fixtures/signed-in-causes.json.gz', import.meta.url));
const recorded = JSON.parse(gunzipSync(readFileSync(fixture)).toString()) as Recorded;
const folder = mkdtempSync(join(tmpdir(), 'tally-before-'));
let log: Omit<VariedLog, 'keyFor'>;

beforeAll(() => {
  const [storeFile, projectionsFile] = [join(folder, 'ledger.db'), join(folder, 'projections.db')];
  writeFileSync(storeFile, recorded.store, 'base64');
  writeFileSync(projectionsFile, recorded.projections, 'base64');
  const { ns, mark, keys } = recorded;
  log = {
    folder,
    storeFile,
    projectionsFile,
    trust: parseTrustRoot(decodeBase64(recorded.trustRoot)),
    keys: keys.map(({ alg, key }) => ({ alg, key: decodeBase64(key) })),
    mark: { size: mark.size, root: decodeBase64(mark.root) },
    ns,
    indexKey,
  };
});
afterAll(() => rmSync(folder, { recursive: true }));

async function isFine(): Promise<void> {
  for (const workers of [0, 2]) {
    const { problems, counts } = await check(log as VariedLog, { workers });
    expect(problems).toEqual([]);
    expect(counts).toMatchObject({ entries: 18, requests: 0, erasedRequests: 0 });
  }
  await using store = SqliteStore.open(log.storeFile, { readOnly: true });
  const { findings, counts } = await replayDecisions(store, { from: null, to: null });
  expect(findings.filter(({ kind }) => kind !== 'undecided')).toEqual([]);
  expect(counts).toMatchObject({ decided: 3, erasedRequests: 0 });
  const statements = (await store.causes(0, 100)).map(({ document }) => readCauseStatement(document));
  const signed = statements.filter((statement) => typeof statement.signed === 'object' && statement.signed);
  expect(signed.map(({ v, command }) => `${v} ${command}`)).toEqual([
    '2 customer.create',
    '2 license.issue',
    '2 license.suspend',
  ]);
}

it('is found to fit as it is, and after it was opened for writing', async () => {
  await isFine();
  await SqliteStore.open(log.storeFile)[Symbol.asyncDispose]();
  await isFine();
});

it('has a report that proves what it proved', async () => {
  const bytes = Buffer.from(recorded.report);
  const pin = await verifyTrustChain([decodeBase64(recorded.trustRoot)]);
  const { findings, proven } = await verifyCustody(bytes, pin);
  expect(findings).toEqual([]);
  expect(proven?.revisions.map(({ author }) => [author?.signed?.method, author?.signedGone])).toEqual([
    ['POST', null],
    ['POST', null],
  ]);
  expect(proven?.gaps.map(({ code }) => code)).toEqual(['reads_not_shown', 'unseen_reads']);
  expect(custodyLines(proven!, bytes).join('\n')).toContain('by the key of the credential');
});

it.each([
  ['is filed as no record', 'license.issue', 'UPDATE leaves SET subject = NULL', 'filed as a trust root'],
  ['is filed under no command', 'license.issue', 'UPDATE contents SET cause = cause - 1', 'under no command'],
  [
    'is filed under another command',
    'license.suspend',
    'UPDATE contents SET cause = cause - 1',
    'under another command',
  ],
  ['lacks its row', 'license.issue', 'DELETE FROM contents', 'under no command'],
])('has no record that decisions are not asked about because it %s', async (_what, command, sql, message) => {
  const file = join(folder, 'hidden.db');
  writeFileSync(file, recorded.store, 'base64');
  await using store = SqliteStore.open(file);
  const index = (await store.causes(0, 100)).find(({ document }) =>
    Buffer.from(document).includes(`"${command}"`),
  )!.index;
  const database = new DatabaseSync(file);
  database.exec(`${sql} WHERE idx = ${index}`);
  database.close();
  const { findings } = await replayDecisions(store, { from: null, to: null });
  expect(findings).toContainEqual(
    expect.objectContaining({ kind: 'unreadable', message: expect.stringContaining(message) as string }),
  );
});
