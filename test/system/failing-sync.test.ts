import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditAtRest } from './support/audit.ts';
import { CheckpointPoller } from './support/checkpoint-poller.ts';
import { FailingSync } from './support/faulty-disk.ts';
import { Load } from './support/load.ts';
import { trustOf, walkLog } from './support/log-walk.ts';
import { markOnDisk } from './support/mark-on-disk.ts';
import { expectLogAsAcknowledged } from './support/outcome.ts';
import { type Answer, RealSystem } from './support/real-system.ts';
import { SeededRandom } from './support/seeded-random.ts';
import { eventually, sleep } from './support/waiting.ts';

/** Where it is not null, the tests are skipped, which counts as a failure where all of them must run. */
const whyImpossible = await FailingSync.whyImpossible();
if (whyImpossible !== null) process.stdout.write(`failing sync: cannot be tested here: ${whyImpossible}\n`);
const stallMs = 1500;

let system: RealSystem;
let load: Load;
let poller: CheckpointPoller;
let failing: FailingSync | null = null;

describe.skipIf(whyImpossible !== null)('a disk that does not confirm what it was given', () => {
  beforeAll(async () => {
    // Every sync of a process fails here. Without an access log it is seen what comes of those of the ledger alone.
    system = await RealSystem.start({ server: { times: { stallMs }, accessLog: undefined } });
    await system.ready();
    await system.sellPro();
    await system.published();
    poller = new CheckpointPoller(system);
    load = new Load(system, new SeededRandom(SeededRandom.seed('failing sync')));
  });

  afterAll(async () => {
    await failing?.end();
    await load?.stop();
    await poller?.stop();
    await system?.[Symbol.asyncDispose]();
  });

  it('under the log leaves open what became of a change, and the answer after a restart is the true one', async () => {
    const before = await system.size();
    const key = randomUUID();
    await failSyncsOf('server');
    const unsure = await issue(key);
    expect(unsure).toMatchObject({ status: 503, json: { code: 'outcome_unknown' } });
    system.kill('server');
    await eventually('the server to be started again', () => system.restarts.length > 0);
    await succeedAgain();
    await eventually(
      'the server to be back',
      async () => (await system.ops('/readyz').catch(() => null)) !== null,
    );
    await system.ready();
    // What was not confirmed is in the write-ahead log by then, where a start may find it as committed.
    const found = (await system.size()) > before;
    const answer = await issue(key);
    const { index } = idAndIndexOf(answer);
    const isReplayed = answer.text.includes('"code":"replayed"');
    expect(isReplayed).toBe(found);
    expect(idAndIndexOf(await issue(key)).index).toBe(index);
    system.restarts.length = 0;
  });

  it('under the log never makes a change out to be committed, nor to be not', async () => {
    load.start(4);
    await untilWorkIsDone(40);
    await failSyncsOf('server');
    const refused: Answer[] = [];
    await eventually('an unknown outcome', async () => {
      refused.push(...(await Promise.all(Array.from({ length: 4 }, () => issue(randomUUID())))));
      return refused.some(({ json }) => (json as { code: string }).code === 'outcome_unknown');
    });
    for (const { status, json } of refused) {
      expect(status).toBe(503);
      // Batches behind the one that failed were never written, and are known not to be committed.
      const codes = ['outcome_unknown', 'not_committed', 'publication_stalled'];
      expect(codes).toContain((json as { code: string }).code);
    }
    expect(refused.map(({ text }) => text).join('\n')).toMatch(/did not confirm.*same idempotency key/);
    const done = load.acknowledged.length;
    await sleep(500);
    expect(load.acknowledged.length).toBe(done);
  });

  it('under the log is told by /readyz and by an alarm, while licenses are read on', async () => {
    await untilNotReady(/the disk of the ledger did not confirm what was written/);
    const alarm = /^server: \{"alarm":"not_committed","detail":"the disk of the ledger did not confirm/;
    expect(system.lines.some((line) => alarm.test(line))).toBe(true);
    const last = new Map(load.acknowledged.map((change) => [change.license, change.rev]));
    for (const [license, rev] of last)
      expect(await system.admin('GET', `/v1/licenses/${license}`)).toMatchObject({
        status: 200,
        json: { rev },
      });
    expect(system.restarts).toEqual([]);
  });

  it('under the log and then a kill: who asks again with the same key has it once', async () => {
    const keys = Array.from({ length: 12 }, () => randomUUID());
    const unsure: string[] = [];
    for (const key of keys) {
      const answer = await issue(key);
      expect(answer.status).toBe(503);
      unsure.push((answer.json as { code: string }).code);
    }
    const before = await system.size();
    system.kill('server');
    await succeedAgain();
    await system.ready();
    const made = await Promise.all(keys.map(async (key) => idAndIndexOf(await issue(key))));
    expect(await Promise.all(keys.map(async (key) => idAndIndexOf(await issue(key))))).toEqual(made);
    expect(new Set(made.map(({ id }) => id)).size).toBe(keys.length);
    for (const { index } of made) expect(index).toBeGreaterThanOrEqual(before);
    expect(unsure).toContain('outcome_unknown');
  });

  it('under the log and then heals: changes are taken again by themselves', async () => {
    await failSyncsOf('server');
    await untilNotReady(/did not confirm/);
    await succeedAgain();
    await untilWorkIsDone(40);
    await system.ready();
  });

  it('under the mark: no checkpoint is signed that the mark does not cover, also after a kill', async () => {
    const alarm = /^signer: \{"alarm".*nothing was signed, because the mark .* could not be made durable/;
    const shown = system.lines.length;
    await failSyncsOf('signer');
    await eventually('the alarm', () => system.lines.slice(shown).find((line) => alarm.test(line)));
    await untilNotReady(/changes wait .* for their checkpoint: .*mark\.db could not be made durable/);
    const shownThen = await system.publishedSize();
    expect(shownThen).toBeLessThanOrEqual(markOnDisk(system));
    system.kill('signer');
    await succeedAgain();
    await eventually('a new checkpoint', async () => (await system.publishedSize()) > shownThen);
    expect(await system.publishedSize()).toBeLessThanOrEqual(markOnDisk(system));
    await untilWorkIsDone(40);
  });

  it('under the journal: nothing is signed without its line, and the signer goes on by itself', async () => {
    const alarm =
      /^signer: \{"alarm".*nothing was signed, because the journal .*could not be made durable \(EIO/;
    const shown = system.lines.length;
    failing = await FailingSync.begin(system.pid('signer'), system.layout.signer.journal);
    await eventually('the alarm', () => system.lines.slice(shown).find((line) => alarm.test(line)));
    const { status, json } = await issue(randomUUID());
    expect({ status, json }).toMatchObject({ status: 503, json: { code: 'signer_unavailable' } });
    const starts = system.restarts.length;
    await succeedAgain();
    await untilWorkIsDone(20);
    expect(system.restarts.length).toBe(starts);
  });

  it('under a cosigner: nothing is cosigned that it may forget', async () => {
    const fault =
      /^replayer-1: \{"event":"fault".*nothing was cosigned, because the state .*could not be made durable/;
    const shown = system.lines.length;
    await failSyncsOf('replayer-1');
    await eventually('the fault', () => system.lines.slice(shown).find((line) => fault.test(line)));
    const before = await system.publishedSize();
    await untilNotReady(/no quorum .*replayer-1 answered 500/);
    expect(await system.publishedSize()).toBe(before);
    system.kill('replayer-1');
    await succeedAgain();
    await untilWorkIsDone(40);
  });

  it('has left a log with what was acknowledged, with one history, that passes its check', async () => {
    await load.stop();
    await system.ready();
    await system.published();
    await sleep(100);
    await poller.stop();
    await poller.verify(await trustOf(system), (await walkLog(system)).tree);
    await expectLogAsAcknowledged(system, load, extra);
    const { problems, incidents, size, published } = await auditAtRest(system);
    expect(problems).toEqual([]);
    expect(incidents).toEqual([]);
    expect(published).toBe(size);
  });
});

/** Changes that were made beside the load: their indexes. */
const extra: number[] = [];

async function failSyncsOf(name: string): Promise<void> {
  failing = await FailingSync.begin(system.pid(name));
}

async function succeedAgain(): Promise<void> {
  await failing?.end();
  failing = null;
}

function issue(key: string): Promise<Answer> {
  const body = { plan: 'pro-yearly', licensee: 'Contoso' };
  return system.admin('POST', '/v1/licenses', body, { 'idempotency-key': key });
}

function idAndIndexOf({ status, text, json }: Answer): { id: string; index: number } {
  if (status >= 300) throw new Error(`${status} ${text}`);
  const { changes } = json as { changes: { subject: { id: string }; index: number }[] };
  const [change] = changes;
  if (change === undefined || changes.length > 1) throw new Error(text);
  extra.push(change.index);
  return { id: change.subject.id, index: change.index };
}

async function untilWorkIsDone(changes: number): Promise<void> {
  const goal = load.acknowledged.length + changes;
  const isDone = (): boolean => load.acknowledged.length >= goal || load.faults.length > 0;
  await eventually(`${changes} more changes`, isDone, 30_000);
}

async function untilNotReady(detail: RegExp): Promise<void> {
  await eventually(`/readyz to say ${detail}`, async () => {
    const { status, text } = await system.ops('/readyz');
    return status === 503 && detail.test(text);
  });
}
