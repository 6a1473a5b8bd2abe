import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditAtRest } from './support/audit.ts';
import { CheckpointPoller } from './support/checkpoint-poller.ts';
import { limitFileSize, SmallDisk } from './support/faulty-disk.ts';
import { Load } from './support/load.ts';
import { trustOf, walkLog } from './support/log-walk.ts';
import { markOnDisk } from './support/mark-on-disk.ts';
import { expectLogAsAcknowledged } from './support/outcome.ts';
import { type Answer, RealSystem } from './support/real-system.ts';
import { SeededRandom } from './support/seeded-random.ts';
import { processesOf } from './support/tally-up.ts';
import { eventually, sleep } from './support/waiting.ts';

const names = ['server', 'signer', 'witness-1', 'witness-2', 'replayer-1'];
/** No file may grow, and none may be written beyond its first byte. */
const noRoom = 1;
/** Changes that wait longer than this for a checkpoint make the server refuse others. */
const stallMs = 1500;

/** Indexes of changes that were made beside the load. */
const others: number[] = [];
let disk: SmallDisk | null;
let elsewhere: string;
let system: RealSystem;
let load: Load;
let poller: CheckpointPoller;

beforeAll(async () => {
  disk = SmallDisk.mount(128);
  process.stdout.write(`full disk: ${disk === null ? 'by a limit on file sizes' : 'a tmpfs'}\n`);
  const parent = disk === null ? {} : { parent: disk.directory };
  elsewhere = mkdtempSync(join(tmpdir(), 'tally-access-'));
  // On a disk of its own, so that reads go on; what a full one does to it is shown in access-log.test.ts.
  const file = join(elsewhere, 'access.db');
  const accessLog = disk === null ? undefined : { file, origin: 'tally.example/log/access' };
  system = await RealSystem.start({ ...parent, server: { times: { stallMs }, accessLog } });
  await system.ready();
  await system.sellPro();
  poller = new CheckpointPoller(system);
  load = new Load(system, new SeededRandom(SeededRandom.seed('full disk')));
  load.start(4);
});

afterAll(async () => {
  try {
    if (system !== undefined) giveRoom();
    await load?.stop();
    await poller?.stop();
    await system?.[Symbol.asyncDispose]();
  } finally {
    disk?.[Symbol.dispose]();
    rmSync(elsewhere, { recursive: true, force: true });
  }
});

function takeRoom(): void {
  if (disk !== null) disk.fill();
  else for (const name of names) limitFileSize(system.pid(name), noRoom);
}

function giveRoom(): void {
  disk?.free();
  if (!system.isUp) return;
  for (const name of names) {
    const pid = system.supervisor.pidOf(name);
    if (pid !== undefined) limitFileSize(pid, null);
  }
}

async function untilWorkIsDone(changes: number): Promise<void> {
  const goal = load.acknowledged.length + changes;
  const isDone = (): boolean => load.acknowledged.length >= goal || load.faults.length > 0;
  await eventually(`${changes} more changes`, isDone, 30_000);
}

function indexOf({ json }: Answer): number {
  return (json as { changes: { index: number }[] }).changes[0]?.index ?? -1;
}

interface Readiness {
  reads: { ready: boolean };
  mutations: { ready: boolean; reasons: { code: string; detail: string }[] };
}

async function untilRefused(detail: RegExp): Promise<Readiness> {
  return eventually(`/readyz to say ${detail}`, async () => {
    const { json } = await system.ops('/readyz');
    const readiness = json as Readiness;
    return detail.test(readiness.mutations.reasons[0]?.detail ?? '') ? readiness : null;
  });
}

const on = describe.skipIf(process.platform !== 'linux');

on('a disk that runs full under load', () => {
  it('stops changes, each with an answer that says so, and nothing crashes', async () => {
    await untilWorkIsDone(60);
    takeRoom();
    const answers: Answer[] = [];
    // A change behind one that fails is told that, and not why.
    const isTold = (): boolean =>
      /the disk of the ledger (is full|takes no more data)/.test(answers.at(-1)?.text ?? '');
    await eventually('a change to be refused for want of room', async () => {
      const asked = performance.now();
      answers.push(await system.admin('POST', '/v1/licenses', { plan: 'pro-yearly', licensee: 'Contoso' }));
      expect(performance.now() - asked).toBeLessThan(10_000);
      return isTold();
    });
    for (const { status, json } of answers.filter((each) => each.status >= 300)) {
      expect(status).toBe(503);
      expect(['not_committed', 'publication_stalled']).toContain((json as { code: string }).code);
    }
    others.push(...answers.filter(({ status }) => status < 300).map(indexOf));
    expect(system.restarts).toEqual([]);
  });

  it('is told by /readyz, by an alarm and by the metric, in words for whoever has to make room', async () => {
    const { reads, mutations } = await untilRefused(/the disk of the ledger/);
    expect(reads.ready).toBe(true);
    expect(mutations).toMatchObject({ ready: false });
    expect(mutations.reasons[0]?.detail).toMatch(/full.*until it has room again.*goes on by itself/);
    expect((await system.ops('/metrics')).text).toMatch(/^tally_mutations_ready 0$/m);
    expect((await system.ops('/metrics')).text).toMatch(/^tally_alarms_total\{code="not_committed"\} [1-9]/m);
    const alarms = system.lines.filter((line) => line.startsWith('server: {"alarm":"not_committed"'));
    expect(alarms[0]).toMatch(/the disk of the ledger/);
    // One for each beginning, and not one for each change that is refused.
    expect(alarms.length).toBeLessThan(10);
  });

  it('does not keep licenses from being read, nor their files from being fetched', async () => {
    expect((await system.public('GET', '/log/checkpoint')).status).toBe(200);
    const last = new Map(load.acknowledged.map((change) => [change.license, change]));
    for (const { license, rev } of last.values()) {
      const read = await system.admin('GET', `/v1/licenses/${license}`);
      expect(read).toMatchObject({ status: 200, json: { rev } });
    }
    const [first] = load.licenseKeys.values();
    const file = await system.public('POST', '/v1/bundles', { licenseKey: first });
    expect(file.status).toBe(200);
    // A list may lack what was changed last: it is whole, or it is not given.
    const list = await system.admin('GET', '/v1/licenses?limit=200');
    if (list.status !== 200) expect(list).toMatchObject({ status: 503, json: { code: 'overloaded' } });
    else expect((list.json as { items: object[] }).items.length).toBeGreaterThanOrEqual(last.size);
  });

  it('loses nothing where the server is killed meanwhile, and goes on by itself once there is room', async () => {
    system.kill('server');
    const causes = (): string => system.restarts.join('\n');
    await eventually('the server to be started again', () => causes().includes('server: SIGKILL'));
    // Its start has to write, too: it is tried again and again until there is room.
    if (disk !== null)
      await eventually('the server to say why', () => /the disk of the ledger is full/.test(causes()));
    else await sleep(1000);
    giveRoom();
    await untilWorkIsDone(60);
    await system.ready();
  });
});

describe('a signer that has no room', () => {
  it('signs nothing, says which file it is, and goes on by itself', async () => {
    const alarm =
      /^signer: \{"alarm".*nothing was signed, because the journal .*journal could not be made durable/;
    const shown = system.lines.length;
    limitFileSize(system.pid('signer'), noRoom);
    await eventually('the alarm', () => system.lines.slice(shown).find((line) => alarm.test(line)));
    const done = load.acknowledged.length;
    const mark = markOnDisk(system);
    const refused = await system.admin('POST', '/v1/licenses', { plan: 'pro-yearly', licensee: 'Contoso' });
    expect(refused).toMatchObject({ status: 503, json: { code: 'signer_unavailable' } });
    expect(load.acknowledged.length).toBe(done);
    expect(markOnDisk(system)).toBe(mark);
    expect(await system.publishedSize()).toBeLessThanOrEqual(mark);
    limitFileSize(system.pid('signer'), null);
    await untilWorkIsDone(20);
  });
});

describe('a cosigner whose state cannot be written', () => {
  it('cosigns nothing, so that nothing is published without a quorum, and goes on by itself', async () => {
    const fault =
      /^replayer-1: \{"event":"fault".*nothing was cosigned, because the state .*could not be made durable/;
    const shown = system.lines.length;
    limitFileSize(system.pid('replayer-1'), noRoom);
    await eventually('the fault', () => system.lines.slice(shown).find((line) => fault.test(line)));
    const before = await system.publishedSize();
    await untilRefused(/no quorum .*replayer-1 answered 500/);
    expect(await system.publishedSize()).toBe(before);
    limitFileSize(system.pid('replayer-1'), null);
    await untilWorkIsDone(20);
  });
});

describe('after all that', () => {
  it('the log holds what was acknowledged and no more, has one history, and passes its check', async () => {
    await load.stop();
    await system.ready();
    await expectLogAsAcknowledged(system, load, others);
    await sleep(100);
    await poller.stop();
    await poller.verify(await trustOf(system), (await walkLog(system)).tree);
    const { problems, incidents, size, published } = await auditAtRest(system);
    expect(problems).toEqual([]);
    expect(incidents).toEqual([]);
    expect(published).toBe(size);
  });

  it('a start without room says so, and spoils nothing that it would have written', async () => {
    const { client, system: description } = system.layout;
    const before = [client, description].map((file) => readFileSync(file, 'utf8'));
    if (disk === null) limitFileSize(process.pid, noRoom);
    else disk.fill();
    try {
      await expect(system.up()).rejects.toThrow(/ENOSPC|EFBIG/);
    } finally {
      limitFileSize(process.pid, null);
      disk?.free();
    }
    expect(processesOf(system)).toEqual([]);
    expect([client, description].map((file) => readFileSync(file, 'utf8'))).toEqual(before);
  });
});
