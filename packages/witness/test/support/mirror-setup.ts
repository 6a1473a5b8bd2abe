/** What the tests of mirrors share: logs of some tiles, and looks at what a replayer holds and serves. */
import { createHash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as after } from 'node:timers/promises';
import { formatTilePath } from '@tallystick/core';
import type { Cosigner } from '../../src/index.ts';
import { type ReplaySetup, readerToken } from './replay-setup.ts';
import { licenseId, TestLog } from './test-log.ts';

/** More than a replayer keeps in memory, and a dozen tiles. */
export const licenses = 3300;
export const bearer: string = `Bearer ${readerToken}`;

export function logOf(count: number, origin?: string): TestLog {
  const made = new TestLog(origin).bootstrap();
  for (let n = 0; n < count; n++) made.pushLicense(licenseId(n));
  made.pushMapRoot();
  return made;
}

/** A log of the same keys that has other licenses from the tenth on. */
export function forkOf({ keys, vkey, publicKeys }: TestLog): TestLog {
  const fork = Object.assign(new TestLog(), { keys, vkey, publicKeys }).bootstrap();
  for (let n = 0; n < licenses; n++) fork.pushLicense(licenseId(n < 10 ? n : n + 10_000));
  fork.pushMapRoot();
  return fork;
}

export function pathOf(what: string, origin = 'log.example/test'): string {
  return `/mirror/${createHash('sha256').update(origin).digest('hex')}/${what}`;
}

export function tilePath(level: number | 'entries', index: number, width = 256): string {
  return pathOf(formatTilePath({ level, index, width }));
}

/** What a replayer answers to a request with this `Authorization` header. */
export function readFrom(
  { replayer }: ReplaySetup,
  path: string,
  authorization: string = bearer,
): ReturnType<NonNullable<Cosigner['read']>> {
  return replayer.read?.(path, authorization) ?? null;
}

/** Runs SQL on the state file of a replayer, which is closed for it and stays so. */
export async function alter(of: ReplaySetup, sql: string): Promise<void> {
  await of.close();
  const database = new DatabaseSync(of.stateFile);
  database.exec(sql);
  database.close();
}

/** Number of entries on disk, each as often as it is there; the replayer is started anew for it. */
export async function kept(of: ReplaySetup): Promise<number> {
  await of.close();
  const database = new DatabaseSync(of.stateFile);
  const row = database.prepare('SELECT coalesce(sum(count), 0) AS kept FROM entries').get();
  database.close();
  await of.restart();
  return Number(row?.['kept']);
}

/** Resolves when a replayer holds all that it cosigned. */
export async function whole(of: ReplaySetup): Promise<void> {
  for (let tries = 0; of.replayer.status()[0]?.mirror?.held !== of.cosigned; tries++) {
    if (tries > 200) throw new Error('the gap was not filled');
    await after(10);
  }
}
