import { base64, utf8, verifyBundle, verifyPromise } from '@tallystick/core';
import { readTrustRootFile } from '@tallystick/server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditAtRest } from './support/audit.ts';
import { CheckpointPoller } from './support/checkpoint-poller.ts';
import { type Acknowledged, Load } from './support/load.ts';
import { trustOf, type WalkedLog, walkLog } from './support/log-walk.ts';
import { RealSystem } from './support/real-system.ts';
import { SeededRandom } from './support/seeded-random.ts';
import { eventually, sleep } from './support/waiting.ts';

const kills = 32;
const clients = 8;
/** Named as often as it is to be hit: a witness holds the least of what can be lost. */
const victims = [
  'server',
  'server',
  'signer',
  'signer',
  'replayer-1',
  'replayer-1',
  'witness-1',
  'witness-2',
] as const;

let system: RealSystem;
let load: Load;
let poller: CheckpointPoller;
let walked: WalkedLog;
let killed = 0;

beforeAll(async () => {
  const random = new SeededRandom(SeededRandom.seed('kill -9'));
  system = await RealSystem.start();
  await system.ready();
  await system.sellPro();
  poller = new CheckpointPoller(system);
  load = new Load(system, random);
  load.start(clients);
  for (let kill = 0; kill < kills; kill++) await killSomething(random);
  await load.stop();
  await system.ready();
  await system.published();
  // The poller is to see the last checkpoint, too.
  await sleep(200);
  await poller.stop();
  walked = await walkLog(system);
  process.stdout.write(
    `${kills} kills: ${load.acknowledged.length} changes, ${load.retries} retries, ${load.reads} reads, ` +
      `${poller.notes.length} checkpoints, log of ${walked.tree.size}\n`,
  );
}, 400_000);

afterAll(async () => {
  await poller?.stop();
  await system?.[Symbol.asyncDispose]();
});

/** Kills a process in the middle of some work; in two of five cases right after the kill before. */
async function killSomething(random: SeededRandom): Promise<void> {
  const done = load.acknowledged.length + (random.below(5) < 2 ? 0 : 20);
  await eventually(
    'work between two kills',
    () => load.faults.length > 0 || load.acknowledged.length >= done,
    60_000,
  );
  await sleep(random.below(300));
  const running = victims.filter((name) => system.supervisor.pidOf(name) !== undefined);
  const [first, ...others] = running;
  if (first === undefined) return killSomething(random);
  system.kill(random.pick([first, ...others]));
  killed += 1;
}

describe('a system whose processes are killed again and again under load', () => {
  it('answers nothing wrong', () => {
    expect(load.faults).toEqual([]);
    expect(killed).toBe(kills);
    expect(system.restarts.length).toBeGreaterThanOrEqual(30);
    expect(load.acknowledged.length).toBeGreaterThan(kills * 10);
  });

  it('has every acknowledged change exactly once, and no other', async () => {
    const logged = new Map(walked.records.map((record) => [record.index, record]));
    for (const { index, leaf, type, rev } of load.acknowledged)
      expect(logged.get(index)).toMatchObject({ leaf, type, rev });
    const acknowledgedIndexes = new Set(load.acknowledged.map(({ index }) => index));
    expect(acknowledgedIndexes.size).toBe(load.acknowledged.length);
    const ofLicenses = walked.records.filter(({ type }) => type.startsWith('license.'));
    // Whoever asked has asked until there was an answer, so there is no change without one.
    expect(ofLicenses.filter(({ index }) => !acknowledgedIndexes.has(index))).toEqual([]);
  });

  it('tells the same in the history of each license', async () => {
    const byLicense = Map.groupBy(load.acknowledged, ({ license }) => license);
    for (const [license, changes] of byLicense)
      expect(await historyOf(license)).toEqual(changes.map(placeOf));
  });

  it('gives the same answer to the same idempotency key', async () => {
    for (const { license, type, key, index } of load.acknowledged.slice(-5)) {
      const [path, body] = requestOf(type, license);
      const again = await system.must<{ changes: { subject: { id: string }; index: number }[] }>(
        'POST',
        path,
        body,
        {
          'idempotency-key': key,
        },
      );
      expect(again.changes).toEqual([
        expect.objectContaining({ index, subject: { type: 'license', id: license } }),
      ]);
    }
  });

  it('has shown one history that only grew', async () => {
    const sizes = await poller.verify(await trustOf(system), walked.tree);
    expect(sizes.at(-1)).toBe(walked.tree.size);
  });

  it('has kept every promise', async () => {
    const { log } = await trustOf(system);
    const promises = load.acknowledged.flatMap((change) => change.promises);
    expect(promises.length).toBeGreaterThan(load.acknowledged.length / 2);
    for (const promise of promises) {
      const statement = await verifyPromise(promise, log.origin, log.vkeys);
      expect(Date.parse(statement.publishBy)).toBeGreaterThan(Date.now());
      expect(base64(walked.tree.leaf(promise.index))).toBe(promise.leaf);
    }
  });

  it('hands out license files of the last acknowledged state', async () => {
    const pin = await readTrustRootFile(system.layout.trustRoot);
    const newest = new Map(load.acknowledged.map((change) => [change.license, change.type]));
    for (const [license, key] of [...load.licenseKeys].slice(0, 40)) {
      const file = await system.public('POST', '/v1/bundles', { licenseKey: key });
      const proven = await verifyBundle(utf8(file.text), { pin, namespace: 'acme' });
      expect(proven.license?.recordType).toBe(newest.get(license));
    }
  });

  it('is the same after all processes were killed at once, and says how much it found', async () => {
    const shown = system.lines.length;
    const names = ['server', 'signer', 'witness-1', 'witness-2', 'replayer-1'];
    // The last one that was killed may still be on its way back.
    await eventually('all processes to run', async () =>
      names.every((name) => system.supervisor.pidOf(name) !== undefined),
    );
    for (const name of names) system.kill(name);
    await eventually('the server to be gone', async () => !(await isUp()));
    await eventually('the server to be back', isUp, 60_000);
    await system.ready(60_000);
    expect(recovered(system.lines.slice(shown))).toBeGreaterThanOrEqual(walked.tree.size);
    await system.must('POST', '/v1/licenses', { plan: 'pro-yearly', licensee: 'Contoso' });
    await system.published();
    const after = await walkLog(system);
    expect(after.records.slice(0, walked.records.length)).toEqual(walked.records);
  });

  it('passes its own check', async () => {
    const { problems, incidents, size, published } = await auditAtRest(system);
    expect(problems).toEqual([]);
    expect(incidents).toEqual([]);
    expect(published).toBe(size);
  });
});

async function isUp(): Promise<boolean> {
  return (await system.ops('/healthz').catch(() => null))?.status === 200;
}

/** Entries of the log that the server says it has loaded; 0 where it says nothing. */
function recovered(lines: readonly string[]): number {
  const said = lines.flatMap((line) => {
    const [, json] = /^server: (\{"progress":.*)$/.exec(line) ?? [];
    return json === undefined
      ? []
      : [(JSON.parse(json) as { progress: { step: string; done: number } }).progress];
  });
  return Math.max(0, ...said.filter((each) => each.step === 'log').map(({ done }) => done));
}

function placeOf({ index, leaf, rev, type }: Acknowledged): object {
  return { index, leaf, rev, recordType: type };
}

async function historyOf(license: string): Promise<object[]> {
  const items: { index: number; leaf: string; rev: number; recordType: string }[] = [];
  let cursor: string | null = null;
  do {
    const page: { items: typeof items; nextCursor: string | null } = await system.must(
      'GET',
      `/v1/licenses/${license}/history${cursor === null ? '' : `?cursor=${cursor}`}`,
    );
    items.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return items
    .map(({ index, leaf, rev, recordType }) => ({ index, leaf, rev, recordType }))
    .sort((a, b) => a.rev - b.rev);
}

function requestOf(type: string, license: string): [string, object] {
  switch (type) {
    case 'license.issued':
      return ['/v1/licenses', { plan: 'pro-yearly', licensee: 'Contoso' }];
    case 'license.suspended':
      return [`/v1/licenses/${license}/suspend`, { reason: 'payment' }];
    case 'license.reinstated':
      return [`/v1/licenses/${license}/reinstate`, {}];
    default:
      return [`/v1/licenses/${license}/revoke`, { reason: 'refund' }];
  }
}
