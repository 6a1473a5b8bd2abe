import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as after } from 'node:timers/promises';
import { base64, encodeEntryBundle, formatTilePath, formatVerifierKey } from '@tallystick/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { CosignerFolder, runCosigner, serveCosigner } from './support/cosigner-process.ts';
import { entryToken, LogServer } from './support/log-server.ts';
import { bearer, forkOf, kept, licenses, logOf, pathOf, readFrom, tilePath } from './support/mirror-setup.ts';
import { ReplaySetup, readerToken } from './support/replay-setup.ts';
import { licenseId, type TestLog } from './support/test-log.ts';

let log: TestLog;

beforeAll(() => {
  log = logOf(licenses);
});

describe('a mirror that stops while it catches up', () => {
  it('goes on with what it has, and nothing is doubled', async () => {
    await using half = await ReplaySetup.start(log);
    half.server.tamper = (path, bytes) => (path.includes('/entries/010') ? null : bytes);
    await expect(half.add()).rejects.toMatchObject({ status: 503 });
    expect(half.replayer.status()[0]).toMatchObject({
      size: 0,
      mirror: { held: 0, offered: log.size, secondsBehind: 0 },
    });
    half.now += 75;
    expect(half.replayer.status()[0]?.mirror?.secondsBehind).toBe(75);
    expect(String(half.replayer.read?.('/metrics', undefined)?.body)).toContain(
      `tally_mirror_behind_seconds{origin="${log.origin}"} 75\n`,
    );
    expect(half.replayer.read?.(tilePath('entries', 0), bearer)?.status).toBe(404);
    const onDisk = await kept(half);
    expect(onDisk).toBeGreaterThan(256);
    half.server.tamper = (_path, bytes) => bytes;
    half.server.asked.length = 0;
    await half.add();
    expect(half.server.asked.filter((path) => path.includes('entries')).length).toBeLessThanOrEqual(
      Math.ceil((log.size - onDisk) / 256) + 1,
    );
    expect(half.replayer.status()[0]?.mirror).toEqual({
      held: log.size,
      offered: log.size,
      secondsBehind: 0,
    });
    expect(await kept(half)).toBe(log.size);
  });

  it('throws away what the log takes back, or never had', async () => {
    const other = forkOf(log);
    await using half = await ReplaySetup.start(log);
    // As good a log as the other one, and not the one that the checkpoint commits to.
    half.server.tamper = (path, bytes) => {
      const index = Number(/entries\/(\d{3})/.exec(path)?.[1] ?? -1);
      if (index < 0) return bytes;
      return index >= 10 ? null : encodeEntryBundle(other.entries.slice(index * 256, index * 256 + 256));
    };
    await expect(half.add()).rejects.toMatchObject({ status: 503 });
    expect(await kept(half)).toBeGreaterThan(256);
    half.server.tamper = (_path, bytes) => bytes;
    await half.add();
    expect(half.cosigned).toBe(log.size);
    expect(await kept(half)).toBe(log.size);
    expect(readFrom(half, tilePath('entries', 2))?.body).toEqual(
      encodeEntryBundle(log.entries.slice(512, 768)),
    );
  });
});

describe('a mirror of a log that does not ask for cosignatures', () => {
  it('follows what is published, refuses what does not follow, and goes on', async () => {
    const short = logOf(20);
    await using own = await ReplaySetup.start(short, { follow: true });
    const reaches = async (size: number): Promise<void> => {
      for (let tries = 0; own.cosigned !== size; tries++) {
        if (tries > 300) throw new Error(`cosigned ${own.cosigned}, not ${size}`);
        await after(10);
      }
    };
    own.server.published = short.published();
    await reaches(short.size);
    expect(String(readFrom(own, pathOf('checkpoint'), '')?.body)).toContain('— replayer.example/r1 ');
    const before = short.size;
    short.pushLicense(licenseId(500));
    const broken = short.pushLicense(licenseId(3), 'license.issued');
    short.pushMapRoot();
    own.server.published = short.published();
    while (own.violations.length === 0) await after(10);
    expect([own.violations[0]?.rule, own.violations[0]?.index]).toEqual(['record-type', broken]);
    expect(own.lines.filter(({ event }) => event === 'mirror-stopped')).toHaveLength(1);
    expect(own.replayer.status()[0]).toMatchObject({ size: before, mirror: { offered: short.size } });
    // What was signed by somebody else is not even looked at.
    own.server.published = logOf(40).published();
    while (own.lines.filter(({ event }) => event === 'mirror-stopped').length < 2) await after(10);
    expect(own.cosigned).toBe(before);
    short.entries.length = before;
    short.tree.truncate(before);
    short.pushMapRoot({ root: short.map.at(before).root() });
    own.server.published = short.published();
    await reaches(short.size);
    await own.restart();
    expect(own.replayer.status()[0]).toMatchObject({ size: short.size, mirror: { held: short.size } });
  });
});

describe('the process of a mirror', () => {
  it('holds several logs, and everything of them, killed while it catches up', async () => {
    const second = logOf(30, 'log.example/second');
    await using server = await LogServer.start(log);
    await using secondServer = await LogServer.start(second);
    using folder = new CosignerFolder();
    writeFileSync(folder.file('token'), `${entryToken}\n`);
    const described = (each: TestLog, url: string) => ({
      origin: each.origin,
      vkeys: [formatVerifierKey(each.vkey)],
      logUrl: `${url}/log`,
      trustUrl: `${url}/trust`,
      tokenFile: 'token',
      genesis: base64(each.genesis),
    });
    folder.configure({
      name: 'replayer.example/r1',
      tokenHashes: [createHash('sha256').update(readerToken).digest('base64')],
      workers: 1,
      logs: [described(log, server.url), described(second, secondServer.url)],
    });
    await runCosigner(folder, 'replayer', 'init');
    const first = await serveCosigner(folder, 'replayer');
    server.tamper = (path, bytes) => (path.includes('/entries/010') ? new Promise<never>(() => {}) : bytes);
    const killed = post(first.url, log.request(0)).catch(() => 0);
    while (!server.asked.some((path) => path.includes('/entries/010'))) await after(10);
    await after(300);
    await first.end('SIGKILL');
    expect(await killed).toBe(0);
    server.tamper = (_path, bytes) => bytes;
    const again = await serveCosigner(folder, 'replayer');
    for (const each of [log, second]) {
      expect(await post(again.url, each.request(0))).toBe(200);
      const tile = formatTilePath({ level: 'entries', index: 0, width: Math.min(256, each.size) });
      const answer = await fetch(`${again.url}${pathOf(tile, each.origin)}`, {
        headers: { authorization: bearer },
      });
      expect(new Uint8Array(await answer.arrayBuffer())).toEqual(
        encodeEntryBundle(each.entries.slice(0, 256)),
      );
    }
    const health = (await (await fetch(`${again.url}/healthz`)).json()) as { logs: object[] };
    expect(health.logs).toMatchObject(
      [log, second].map(({ origin, size }) => ({ origin, size, mirror: { held: size, secondsBehind: 0 } })),
    );
    expect(await again.end('SIGTERM')).toBe(0);
    const database = new DatabaseSync(folder.file('state.db'), { readOnly: true });
    const counts = database.prepare('SELECT log, sum(count) AS kept FROM entries GROUP BY log').all();
    database.close();
    expect(counts.map((row) => row['kept'])).toEqual([log.size, second.size]);
  });
});

async function post(url: string, body: Uint8Array): Promise<number> {
  const response = await fetch(`${url}/add-checkpoint`, { method: 'POST', body: body as BodyInit });
  await response.arrayBuffer();
  return response.status;
}
