/** A mirror of documents as a process: killed while it fetches, and on a disk that is full. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { base64, formatVerifierKey } from '@tallystick/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createContentKey, loadContentKey } from '../src/index.ts';
import { ContentMirror } from './support/content-mirror.ts';
import { CosignerFolder, runCosigner, serveCosigner } from './support/cosigner-process.ts';
import { DocumentedLog } from './support/documented-log.ts';
import { contentToken, entryToken, LogServer } from './support/log-server.ts';

let log: DocumentedLog;

beforeAll(() => {
  log = DocumentedLog.withLicenses(700);
});

interface Health {
  logs: { size: number; mirror: { contents: { fetched: number; lacks: number; opens: boolean } } }[];
}

describe('a mirror that is killed while it fetches documents', () => {
  it('goes on where it was, with everything that it had', async () => {
    await using server = await LogServer.start(log);
    using folder = new CosignerFolder();
    const publicKey = createContentKey(folder.file('content.key'));
    const asked: number[] = [];
    server.contents = async (from, to) => {
      asked.push(from);
      return log.sealed(loadContentKey(folder.file('content.key')), { from, to: Math.min(to, from + 50) });
    };
    writeFileSync(folder.file('token'), `${entryToken}\n`);
    writeFileSync(folder.file('content.token'), `${contentToken}\n`);
    const contents = {
      file: 'contents.db',
      tokenFile: 'content.token',
      publicKey: base64(publicKey.raw),
      keyFile: 'content.key',
    };
    const place = { logUrl: `${server.url}/log`, trustUrl: `${server.url}/trust`, tokenFile: 'token' };
    const watched = {
      origin: log.origin,
      vkeys: [formatVerifierKey(log.vkey)],
      genesis: base64(log.genesis),
    };
    folder.configure({ name: 'replayer.example/r1', workers: 0, logs: [{ ...watched, ...place, contents }] });
    await runCosigner(folder, 'replayer', 'init');
    let had = 0;
    for (let kill = 0; ; kill++) {
      const serving = await serveCosigner(folder, 'replayer');
      const stateOf = async (): Promise<Health['logs'][number]> => {
        const health = (await (await fetch(`${serving.url}/healthz`)).json()) as Health;
        return health.logs[0] as Health['logs'][number];
      };
      const begun = await stateOf();
      expect(begun.mirror.contents.fetched).toBeGreaterThanOrEqual(had);
      if (begun.size === 0) {
        const body = log.request(0) as BodyInit;
        expect((await fetch(`${serving.url}/add-checkpoint`, { method: 'POST', body })).status).toBe(200);
      }
      const isLast = kill === 4;
      // At another moment of fetching and writing each time.
      if (!isLast) await after(7 + 13 * kill);
      else while ((await stateOf()).mirror.contents.fetched < log.size) await after(10);
      const { mirror } = await stateOf();
      had = mirror.contents.fetched;
      await serving.end(isLast ? 'SIGTERM' : 'SIGKILL');
      if (!isLast) continue;
      expect(mirror.contents).toMatchObject({ fetched: log.size, lacks: 0, opens: true });
      break;
    }
    // Each batch once, but for those under way when it was killed.
    expect(asked.length).toBeLessThanOrEqual(Math.ceil(log.size / 50) + 4);
    expect(asked).toEqual([...asked].sort((a, b) => a - b));
  });
});

const disk = mkdtempSync(join(tmpdir(), 'tally-small-'));
const isMounted =
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=280k,mode=700', 'tally-test', disk]).status === 0;

afterAll(() => {
  if (isMounted) spawnSync('umount', [disk]);
  rmSync(disk, { recursive: true });
});

// Only root may mount a small disk.
describe.skipIf(!isMounted)('a mirror whose disk for documents is full', () => {
  it('says so, goes on cosigning, and fetches the rest when there is room', async () => {
    await using mirror = await ContentMirror.start(log);
    await mirror.setup.close();
    mirror.configure(true, { file: join(disk, 'contents.db') });
    await mirror.setup.restart();
    await mirror.publish();
    await mirror.until(() => mirror.told('content-stopped').length > 0);
    expect(mirror.told('content-stopped')[0]).toMatch(
      /could not be made durable .*see whether the disk is full$/,
    );
    const { fetched } = mirror.status;
    expect(fetched).toBeLessThan(log.size);
    log.issue(3000);
    log.pushMapRoot();
    await mirror.publish();
    expect(mirror.setup.cosigned).toBe(log.size);
    spawnSync('mount', ['-o', 'remount,size=64m', disk]);
    await mirror.until(() => mirror.status.fetched === log.size);
    expect(mirror.status.lacks).toBe(0);
  });
});
