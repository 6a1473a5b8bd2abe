import type { LogStatus } from '@tallystick/contract';
import { type KeptPromise, verifyPromise } from '@tallystick/core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EventReader } from './support/event-reader.ts';
import { trustOf, verifyPublished, walkLog } from './support/log-walk.ts';
import { RealSystem } from './support/real-system.ts';
import { eventually, sleep } from './support/waiting.ts';

const stallMs = 3000;
const stopped = new Set<string>();

interface Issued {
  document: { id: string };
  licenseKey: string;
  changes: { index: number }[];
  promises: KeptPromise[];
  published: boolean;
  notes: { code: string }[];
}

let system: RealSystem;

beforeAll(async () => {
  const times = { refreshMs: 1000, stallMs, retryMs: 200, intervalMs: 100 };
  system = await RealSystem.start({ server: { times, cosignerTimeoutMs: 500 } });
  await system.ready();
  await system.sellPro();
});

afterEach(() => {
  for (const name of stopped) resume(name);
});

afterAll(async () => {
  await system[Symbol.asyncDispose]();
});

/** Stops a process without ending it: it accepts connections and does not answer. */
function stop(name: string): void {
  system.kill(name, 'SIGSTOP');
  stopped.add(name);
}

function resume(name: string): void {
  system.kill(name, 'SIGCONT');
  stopped.delete(name);
}

function issue(query = ''): Promise<Issued> {
  return system.must<Issued>('POST', `/v1/licenses${query}`, { plan: 'pro-yearly', licensee: 'Contoso' });
}

async function checkpoint(): Promise<{ size: number; asOf: number }> {
  const { text } = await system.public('GET', '/log/checkpoint');
  return verifyPublished(text, await trustOf(system));
}

function entryAt(index: number): Promise<{ published: boolean; promise: KeptPromise | null }> {
  return system.must('GET', `/v1/log/entries/${index}`);
}

async function memberState(name: string): Promise<string | undefined> {
  const { quorum } = await system.must<{ quorum: { name: string; state: string }[] }>('GET', '/v1/log');
  return quorum.find((member) => member.name.endsWith(name))?.state;
}

describe('a witness that hangs', () => {
  it('holds nothing up while the other one answers', async () => {
    stop('witness-1');
    for (let nth = 0; nth < 3; nth++) expect((await issue('?wait=published')).published).toBe(true);
    await eventually(
      'the state of the witness',
      async () => (await memberState('witness-1')) === 'unreachable',
    );
    expect(await memberState('witness-2')).toBe('ok');
    resume('witness-1');
    await eventually('the witness to be back', async () => (await memberState('witness-1')) === 'ok');
  });

  it('stops publishing where both do', async () => {
    stop('witness-1');
    stop('witness-2');
    const { size } = await checkpoint();
    const issued = await issue('?wait=published&waitMs=1500');
    expect(issued.published).toBe(false);
    expect((await checkpoint()).size).toBe(size);
    resume('witness-2');
    await system.published();
    expect((await checkpoint()).size).toBeGreaterThan(issued.changes[0]?.index ?? Number.NaN);
  });
});

describe('a replayer that hangs', () => {
  it('lets nothing be published: changes are durable and promised, then refused, and it resumes by itself', async () => {
    await system.published();
    const events = await EventReader.open(system);
    stop('replayer-1');
    const before = await checkpoint();
    const issued = await issue('?wait=published&waitMs=800');
    const stoppedAt = Date.now();
    expect(issued).toMatchObject({ published: false, notes: [{ code: 'wait_timeout' }] });
    const { log } = await trustOf(system);
    for (const promise of issued.promises) await verifyPromise(promise, log.origin, log.vkeys);
    expect(issued.promises.length).toBe(1);
    await events.until('the loss', ({ type }) => type === 'quorum.lost');

    const at = issued.changes[0]?.index ?? Number.NaN;
    const waiting = await entryAt(at);
    expect(waiting.published).toBe(false);
    await verifyPromise(waiting.promise as KeptPromise, log.origin, log.vkeys);
    expect(waiting.promise).toMatchObject({ index: at, leaf: issued.promises[0]?.leaf });

    const { pending, quorum } = await eventually('the reason', async () => {
      const status = await system.must<LogStatus>('GET', '/v1/log');
      return status.pending.trouble === null ? null : status;
    });
    expect(pending.trouble).toMatch(/are no quorum \(tally.*replayer-1 is not reachable/);
    const promised = await verifyPromise(issued.promises[0] as KeptPromise, log.origin, log.vkeys);
    const lateMs = Date.parse(pending.publishBy ?? '') - Date.parse(promised.publishBy);
    expect(Math.abs(lateMs)).toBeLessThan(1000);
    expect(quorum.find(({ name }) => name.endsWith('replayer-1'))).toMatchObject({
      state: 'unreachable',
      lastSeenAt: expect.stringMatching(/Z$/),
      lastError: expect.stringContaining('not reachable'),
    });
    const metrics = await eventually('the metrics to say so', async () => {
      const { text } = await system.ops('/metrics');
      return /^tally_log_publishing 0$/m.test(text) ? text : null;
    });
    expect(metrics).toMatch(/^tally_quorum_member_ok\{cosigner="[^"]*replayer-1",group="replayers"\} 0$/m);
    const deadline = /^tally_log_publish_by_seconds (\S+)$/m.exec(metrics)?.[1];
    expect(Number(deadline) * 1000).toBeCloseTo(Date.parse(pending.publishBy ?? ''), -1);

    const refused = await eventually('a refusal', async () => {
      const answer = await system.admin('POST', '/v1/licenses', { plan: 'pro-yearly', licensee: 'Contoso' });
      return answer.status === 503 ? answer : null;
    });
    expect(refused.json).toMatchObject({ code: 'publication_stalled' });
    expect(Date.now() - stoppedAt).toBeGreaterThan(stallMs - 1500);
    const readiness = await eventually('readiness to say so', async () => {
      const { status, json } = await system.ops('/readyz');
      return status === 503 ? (json as object) : null;
    });
    expect(readiness).toMatchObject({ reads: { ready: true }, mutations: { ready: false } });
    // Reads go on, of what is durable as of what is published.
    await system.must('GET', `/v1/licenses/${issued.document.id}`);
    const still = await checkpoint();
    expect(still).toMatchObject({ size: before.size, asOf: before.asOf });

    resume('replayer-1');
    await system.ready();
    await events.until('the return', ({ type }) => type === 'quorum.restored');
    await system.published();
    expect((await issue('?wait=published')).published).toBe(true);
    expect(await entryAt(at)).toMatchObject({ published: true, promise: null });
    const { tree } = await walkLog(system);
    for (const { index, leaf } of issued.promises)
      expect(Buffer.from(tree.leaf(index)).toString('base64')).toBe(leaf);
    await events.close();
  });
});

describe('an idle log', () => {
  it('asks for fresh cosignatures, so that what it says is never old', async () => {
    await system.published();
    const first = await checkpoint();
    await eventually('a later checkpoint', async () => (await checkpoint()).asOf >= first.asOf + 3);
    const later = await checkpoint();
    expect(later.size).toBe(first.size);
    expect(Date.now() / 1000 - later.asOf).toBeLessThan(4);
    await sleep(1100);
    expect((await checkpoint()).size).toBe(first.size);
  });
});
