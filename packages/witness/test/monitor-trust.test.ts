/** A log whose trust root changes under a monitor. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatTrustRootFile, payloadTypes } from '@tallystick/core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Monitor, type MonitorRound } from '../src/index.ts';
import { newKey, sealEnvelope } from './support/signing-key.ts';
import { licenseId } from './support/test-log.ts';
import { type CosignerName, WatchedWorld } from './support/watched-log.ts';

let parent: string;
let world: WatchedWorld;
let monitor: Monitor;

function open(): Promise<Monitor> {
  const { signal } = new AbortController();
  return Monitor.open({ folder: world.monitorFolder, signal, now: () => world.now, workers: 0 });
}

beforeEach(async () => {
  parent = mkdtempSync(join(tmpdir(), 'tally-monitor-trust-'));
  world = await WatchedWorld.start(parent, 'log.example/test', ['w1', 'r1']);
  await world.publish(world.history, world.history.size, ['w1', 'r1']);
  monitor = await open();
});

afterEach(async () => {
  await monitor[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
  rmSync(parent, { recursive: true, force: true });
});

const alarms = ({ logs }: MonitorRound): string[][] =>
  logs.flatMap((log) => log.alarms.map(({ kind, subject }) => [kind, subject]));

/** An envelope of version 2 with this quorum, which the holder of the root key signs. */
function signed(quorum: string): Uint8Array {
  const { history } = world;
  const before = history.quorum;
  history.quorum = quorum;
  const payload = history.trustPayload({});
  history.quorum = before;
  return sealEnvelope(payload, payloadTypes.trustRoot, [history.keys.root]);
}

/** Logs and serves a version whose witness is w2; w1 is gone. */
async function change(): Promise<void> {
  const { history } = world;
  history.quorum = world.quorumOf(['w2', 'r1'], world.url);
  const index = history.pushTrust();
  history.pushMapRoot();
  world.trustRoots.set(2, history.entries[index] ?? new Uint8Array());
  await world.publish(history, history.size, ['w1', 'w2', 'r1']);
}

async function grow(n: number, names: readonly CosignerName[]): Promise<void> {
  world.history.pushLicense(licenseId(n));
  world.history.pushMapRoot();
  await world.publish(world.history, world.history.size, names);
}

it('is followed as soon as it is in the verified log, with whom it brings in and takes out', async () => {
  expect(alarms(await monitor.round())).toEqual([]);
  await change();
  // The tree grows under the old one, and then holds the new one.
  for (let rounds = 0; rounds < 2; rounds++) expect(alarms(await monitor.round())).toEqual([]);
  world.witnesses.w1.note = 'no note at all';
  world.now += 901;
  await grow(1, ['w2', 'r1']);
  const { logs } = await monitor.round();
  expect(logs).toMatchObject([{ size: world.history.size, asOf: world.now, alarms: [] }]);
  world.witnesses.w2.note = 'no note at all';
  expect(alarms(await monitor.round())).toEqual([['bad-head', 'witness.example/w2']]);
});

it('is not taken while it is signed and not logged, and later not in place of the one that was', async () => {
  await monitor.round();
  world.trustRoots.set(2, signed(world.quorumOf(['w2', 'r1'], world.url)));
  for (let rounds = 0; rounds < 2; rounds++) expect(alarms(await monitor.round())).toEqual([]);
  const never = signed(world.quorumOf(['w1', 'w2', 'r1'], world.url));
  await change();
  world.trustRoots.set(2, never);
  for (let rounds = 0; rounds < 2; rounds++) expect(alarms(await monitor.round())).toEqual([]);
  world.witnesses.w2.note = 'nobody asks for it yet';
  expect(alarms(await monitor.round())).toEqual([]);
});

it('is remembered when the monitor starts anew, and held against the file', async () => {
  await monitor.round();
  await change();
  for (let rounds = 0; rounds < 2; rounds++) await monitor.round();
  await monitor[Symbol.asyncDispose]();
  world.trustRoots.clear();
  monitor = await open();
  world.witnesses.w1.note = 'no note at all';
  await grow(1, ['w2', 'r1']);
  expect(alarms(await monitor.round())).toEqual([]);
  await monitor[Symbol.asyncDispose]();
  const [first = new Uint8Array()] = world.history.entries;
  world.history.trustHashes.pop();
  const file = (second: Uint8Array): void =>
    writeFileSync(join(world.monitorFolder, 'trust-root.json'), formatTrustRootFile([first, second]));
  file(signed(world.quorumOf(['w1', 'w2', 'r1'])));
  await expect(open()).rejects.toThrow('is not the one in the file');
  file(signed(world.quorumOf(['w2', 'r1'], world.url)));
  monitor = await open();
  expect(alarms(await monitor.round())).toEqual([]);
});

it('that nobody entitled signed is told, convicts the log, and changes nothing', async () => {
  await monitor.round();
  const { history } = world;
  const index = history.pushTrust({ signers: [newKey()] });
  world.trustRoots.set(2, history.entries[index] ?? new Uint8Array());
  history.pushMapRoot();
  await world.publish(history, history.size, ['w1', 'r1']);
  expect(alarms(await monitor.round())).toEqual([['rule', `${index}`]]);
  expect(new Set(alarms(await monitor.round()))).toEqual(
    new Set([
      ['rule', `${index}`],
      ['bad-head', 'trust root'],
    ]),
  );
  world.trustRoots.set(2, new TextEncoder().encode('{}'));
  expect(alarms(await monitor.round()).map(([, subject]) => subject)).toContain('trust root');
});
