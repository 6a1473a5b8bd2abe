/** Logs that deceive, and what a monitor makes of them: every alarm, and evidence that stands without the monitor. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatInstant, leafHash, utf8 } from '@tallystick/core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Alarm, Monitor, type MonitorRound, monitorLayout, verifyEvidence } from '../src/index.ts';
import { licenseId, testNow } from './support/test-log.ts';
import { type History, WatchedWorld } from './support/watched-log.ts';

let parent: string;
let world: WatchedWorld;
let monitor: Monitor;
let log: History;

beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), 'tally-monitor-'));
});

afterAll(() => {
  rmSync(parent, { recursive: true, force: true });
});

beforeEach(async () => {
  world = await WatchedWorld.start(parent);
  log = world.history;
  await world.publish();
  monitor = await openMonitor();
});

afterEach(async () => {
  await monitor[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

function openMonitor(): Promise<Monitor> {
  const signal = new AbortController().signal;
  return Monitor.open({ folder: world.monitorFolder, signal, now: () => world.now, workers: 0 });
}

async function restart(): Promise<void> {
  await monitor[Symbol.asyncDispose]();
  monitor = await openMonitor();
}

/** Appends licenses and a map root. */
function grow(history: History, from: number, count = 2): number {
  for (let n = from; n < from + count; n++) history.pushLicense(licenseId(n));
  history.pushMapRoot();
  return history.size;
}

function kinds({ logs }: MonitorRound): string[] {
  return logs.flatMap(({ alarms }) => alarms.map(({ kind }) => kind)).sort();
}

/** The one alarm of a kind, proven, and what its evidence proves to somebody who has the trust root alone. */
async function expectProven(round: MonitorRound, kind: Alarm['kind']) {
  const found = round.logs.flatMap(({ alarms }) => alarms).filter((alarm) => alarm.kind === kind);
  expect(found).toHaveLength(1);
  const file = found[0]?.evidence ?? '';
  const bytes = readFileSync(file);
  await expectNoByteMatters(bytes);
  return { file, bytes, ...(await verifyEvidence(bytes, await world.trust)) };
}

/** A file with a changed byte proves nothing, wherever that is: some of them here, all of them take too long. */
async function expectNoByteMatters(bytes: Uint8Array): Promise<void> {
  const trust = await world.trust;
  for (let at = 3; at < bytes.length - 1; at += Math.ceil(bytes.length / 40)) {
    const changed = Uint8Array.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    await expect(verifyEvidence(changed, trust)).rejects.toThrow();
  }
}

function evidenceFiles(): string[] {
  return readdirSync(world.monitorFolder, { recursive: true })
    .map(String)
    .filter((name) => /evidence.*\.json$/.test(name));
}

describe('an honest log', () => {
  it('raises nothing while it grows, over tiles and restarts of the monitor', async () => {
    expect(kinds(await monitor.round())).toEqual([]);
    grow(log, 1, 300);
    await world.publish();
    const { logs } = await monitor.round();
    expect(logs).toMatchObject([{ size: log.size, replayed: log.size, asOf: world.now, alarms: [] }]);
    await restart();
    grow(log, 400);
    world.now += 60;
    await world.publish();
    expect((await monitor.round()).logs).toMatchObject([{ size: log.size, replayed: log.size, alarms: [] }]);
    expect(evidenceFiles()).toEqual([]);
  });

  it('is called stale when no quorum cosigns any more, and that is over when one does', async () => {
    await monitor.round();
    world.now += 901;
    const stale = await monitor.round();
    expect(kinds(stale)).toEqual(['stale']);
    expect(stale.raised).toMatchObject([
      { kind: 'stale', evidence: null, todo: expect.stringMatching(/cosigners/) },
    ]);
    expect((await monitor.round()).raised).toEqual([]);
    grow(log, 1);
    await world.publish();
    expect(await monitor.round()).toMatchObject({ raised: [], cleared: [{ kind: 'stale' }] });
  });

  it('is watched on although a witness does not answer, or answers with what it did not sign', async () => {
    world.witnesses.w2.note = log.checkpoint();
    grow(log, 1);
    await world.publish(log, log.size, ['w1', 'r1']);
    const round = await monitor.round();
    expect(round.logs).toMatchObject([{ size: log.size }]);
    expect(round.raised).toMatchObject([{ kind: 'bad-head', subject: 'witness.example/w2' }]);
    world.witnesses.w2.note = 'no note at all';
    expect(kinds(await monitor.round())).toEqual(['bad-head']);
  });
});

describe('two logs in one folder', () => {
  it('are watched side by side, each with its own trust root, promises and alarms', async () => {
    await using other = await WatchedWorld.start(parent, 'log.example/other');
    await other.publish();
    const { config } = monitorLayout(world.monitorFolder);
    const logsOf = ({ monitorFolder }: WatchedWorld): object[] => {
      const { logs } = JSON.parse(readFileSync(monitorLayout(monitorFolder).config, 'utf8')) as {
        logs: { trustRoot: string; tokenFile: string }[];
      };
      const path = (name: string): string => join(monitorFolder, name);
      return logs.map((each) => ({
        ...each,
        trustRoot: path(each.trustRoot),
        tokenFile: path(each.tokenFile),
      }));
    };
    writeFileSync(config, JSON.stringify({ logs: [...logsOf(world), ...logsOf(other)] }));
    await restart();
    grow(log, 1);
    await world.publish();
    const promised = [log, other.history].map((each) => each.promise(3, each.tree.leaf(3), formatInstant(0)));
    writeFileSync(join(world.monitorFolder, 'promises', 'both.json'), JSON.stringify(promised));
    expect((await monitor.round()).logs).toMatchObject([
      { origin: log.origin, size: log.size, replayed: log.size, alarms: [] },
      { origin: 'log.example/other', size: 4, replayed: 4, alarms: [] },
    ]);
    const fork = other.history.fork(3);
    fork.pushLicense(licenseId(9));
    await other.witnesses.w2.forget();
    await other.witnesses.w2.cosign(fork, 4);
    expect((await monitor.round()).raised).toMatchObject([{ origin: 'log.example/other', kind: 'fork' }]);
  });
});

describe('a log that does not answer', () => {
  it('is said so of every source, until it answers', async () => {
    await monitor.round();
    world.isDown = true;
    expect(kinds(await monitor.round())).toEqual(Array(4).fill('unreachable'));
    world.isDown = false;
    expect((await monitor.round()).cleared).toHaveLength(4);
  });

  it('is not followed to a size that no memory holds', async () => {
    const size = 2 ** 40;
    world.shown = log.checkpoint(size, new Uint8Array(32));
    const round = await monitor.round();
    expect(round.raised).toMatchObject([
      { kind: 'unavailable', message: expect.stringMatching(`${size} entries`) },
    ]);
    expect(round.logs).toMatchObject([{ size: log.size, replayed: log.size }]);
  });

  it('is said so where it withholds its tiles, and nothing is taken for grown', async () => {
    await monitor.round();
    const { size } = log;
    world.token = 'another token';
    grow(log, 1);
    await world.publish();
    const round = await monitor.round();
    expect(round.raised).toMatchObject([{ kind: 'unavailable', subject: 'tiles' }]);
    expect(round.logs).toMatchObject([{ size, replayed: size }]);
  });
});

describe('a log that forks, each history before a witness of its own', () => {
  it('is convicted of two trees of one size', async () => {
    const other = log.fork(log.size);
    grow(other, 50);
    grow(log, 1);
    expect(other.size).toBe(log.size);
    await world.witnesses.w2.cosign(other, other.size);
    await world.publish(log, log.size, ['w1', 'r1']);
    const round = await monitor.round();
    const { evidence, proves, signedBoth, checkpoints } = await expectProven(round, 'fork');
    expect(evidence.found.kind).toBe('same-size');
    expect(proves).toEqual([`The log signed two different trees of ${log.size} entries.`]);
    expect(checkpoints.map(({ cosigned }) => [...cosigned.keys()])).toContainEqual(['w2']);
    expect(signedBoth).toEqual([]);
    // What is proven stays, and is written once, however often it is seen, and also after a restart.
    grow(log, 10);
    await world.publish(log, log.size, ['w1', 'r1']);
    await restart();
    expect(kinds(await monitor.round())).toEqual(['fork']);
    expect(evidenceFiles()).toHaveLength(1);
  });

  it('is convicted of a hidden history that is larger, as soon as the other one outgrows it', async () => {
    const other = log.fork(log.size);
    grow(other, 50, 5);
    grow(log, 1);
    await world.witnesses.w2.cosign(other, other.size);
    await world.publish(log, log.size, ['w1', 'r1']);
    expect(kinds(await monitor.round())).toEqual([]);
    world.now += 61;
    const hidden = await monitor.round();
    expect(hidden.raised).toMatchObject([
      { kind: 'unproven-head', subject: 'witness.example/w2', evidence: null },
    ]);
    // The hidden witness answers no more: the monitor has not forgotten.
    world.witnesses.w2.note = null;
    grow(log, 10, 5);
    await world.publish(log, log.size, ['w1', 'r1']);
    await restart();
    const round = await monitor.round();
    expect(round.cleared).toMatchObject([{ kind: 'unproven-head' }]);
    const { evidence } = await expectProven(round, 'fork');
    expect(evidence.found).toMatchObject({ kind: 'not-a-prefix' });
  });

  it('is convicted where it begins to serve the other history', async () => {
    const other = log.fork(log.size);
    grow(log, 1);
    await world.publish(log, log.size, ['w1', 'r1']);
    expect(kinds(await monitor.round())).toEqual([]);
    grow(other, 50, 7);
    world.served = other;
    await world.publish(other, other.size, ['w2']);
    const { evidence, checkpoints } = await expectProven(await monitor.round(), 'fork');
    expect(evidence.found.kind).toBe('not-a-prefix');
    expect(checkpoints.map(({ size }) => size)).toEqual([log.size, other.size]);
  });
});

describe('a log that was rolled back', () => {
  it('is behind at first, and convicted when a quorum cosigned the smaller tree an hour later', async () => {
    const before = log.size;
    grow(log, 1);
    await world.witnesses.w1.cosign(log, log.size);
    await world.witnesses.r1.cosign(log, log.size);
    expect(kinds(await monitor.round())).toEqual([]);
    world.now += 61;
    expect(await monitor.round()).toMatchObject({ raised: [{ kind: 'behind', evidence: null }] });
    // The witness that saw more keeps silent; the replayer was made to forget, and goes along with the smaller tree.
    world.now += 3600;
    await world.witnesses.r1.forget();
    await world.publish(log, before, ['w2', 'r1']);
    world.witnesses.w1.note = null;
    const { proves, signedBoth } = await expectProven(await monitor.round(), 'rolled-back');
    expect(proves).toMatchObject([expect.stringMatching(/rolled back.*clocks/)]);
    expect(signedBoth).toEqual(['r1']);
  });
});

describe('a log that had something cosigned', () => {
  it.each([
    ['no checkpoint any more', () => null],
    ['a checkpoint of nothing', () => log.checkpoint(0)],
  ])('is behind where it shows %s, and that is over when it shows it again', async (_what, shows) => {
    await monitor.round();
    const { shown } = world;
    world.shown = shows();
    world.now += 60;
    expect(kinds(await monitor.round())).toEqual([]);
    world.now += 1;
    expect(await monitor.round()).toMatchObject({ raised: [{ kind: 'behind', subject: 'log' }] });
    world.shown = shown;
    expect(await monitor.round()).toMatchObject({ raised: [], cleared: [{ kind: 'behind' }] });
  });
});

describe('a log that breaks the rules', () => {
  it('is convicted of a wrong map root, by its own entries', async () => {
    await monitor.round();
    log.pushLicense(licenseId(1));
    log.pushMapRoot({ root: new Uint8Array(32).fill(7) });
    grow(log, 2);
    await world.publish();
    const round = await monitor.round();
    expect(round.raised).toMatchObject([{ kind: 'rule', message: expect.stringMatching(/map-root/) }]);
    const { evidence, proves } = await expectProven(round, 'rule');
    expect(evidence.found).toMatchObject({ kind: 'broken-rule', rule: 'map-root', index: 5 });
    expect(proves[0]).toMatch(/entry 5 breaks the rule map-root/);
    // The log goes on, and so does the monitor.
    grow(log, 5);
    await world.publish();
    await restart();
    const later = await monitor.round();
    expect(later.raised).toEqual([]);
    expect(later.logs).toMatchObject([{ size: log.size, replayed: 4 }]);
  });

  it('is convicted of a signature by a key that is not entitled', async () => {
    log.pushRecord(log.record(licenseId(1), 'license.issued'), [log.keys.brake]);
    log.pushMapRoot();
    await world.publish();
    const { evidence } = await expectProven(await monitor.round(), 'rule');
    expect(evidence.found).toMatchObject({ rule: 'signature', index: 4 });
  });

  it('is not convicted by what only its server gets wrong', async () => {
    const other = log.fork(log.size);
    grow(other, 50);
    grow(log, 1);
    await world.publish();
    world.served = other;
    expect(kinds(await monitor.round())).toEqual(['stale', 'unproven-head']);
    expect(evidenceFiles()).toEqual([]);
    world.served = log;
    expect(kinds(await monitor.round())).toEqual([]);
  });
});

describe('promises that clients kept', () => {
  const dueBy = formatInstant((testNow + 60) * 1000);

  function keep(file: string, value: unknown): void {
    writeFileSync(join(world.monitorFolder, 'promises', file), JSON.stringify(value));
  }

  it('are held against the log, and the log is convicted of those that it breaks', async () => {
    const entry = utf8('an entry that never came');
    keep('other.json', [log.promise(log.size, leafHash(entry), dueBy)]);
    keep('absent.json', { promises: [log.promise(100, leafHash(entry), dueBy)] });
    grow(log, 1);
    keep('kept.json', log.promise(log.size - 1, log.tree.leaf(log.size - 1), dueBy));
    await world.publish();
    const first = await monitor.round();
    const { evidence, proves } = await expectProven(first, 'promise');
    expect(evidence.found).toMatchObject({ kind: 'broken-promise', promise: { index: 4 } });
    expect(proves).toMatchObject([expect.stringMatching(/has another one there/)]);
    world.now += 61;
    await world.publish();
    const late = await monitor.round();
    expect(late.raised).toMatchObject([{ kind: 'promise', subject: '100' }]);
    const bytes = readFileSync(late.raised[0]?.evidence ?? '');
    expect((await verifyEvidence(bytes, await world.trust)).proves).toMatchObject([
      expect.stringMatching(/had 7 entries at/),
    ]);
  });

  it('are named where they are none, or of nobody', async () => {
    keep('none.json', { promises: [{ index: 3 }] });
    const stranger = log.fork(0);
    Object.assign(stranger, { keys: { ...log.keys, log: log.keys.plan } });
    keep('stranger.json', stranger.promise(3, log.tree.leaf(3), dueBy));
    const { raised } = await monitor.round();
    expect(raised.map(({ kind, subject }) => `${kind} ${subject}`).sort()).toEqual([
      'promise-file none.json',
      'promise-file stranger.json',
    ]);
  });
});
