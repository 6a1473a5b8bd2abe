import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as after } from 'node:timers/promises';
import {
  base64,
  decodeBase64,
  encodeEntryBundle,
  formatTilePath,
  formatVerifierKey,
  hex,
  leafHash,
  parseMapRoot,
  parseTlogProof,
  utf8,
  verifyInclusion,
  verifyMapProof,
} from '@tallystick/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createReplayer, initState, keyFromSeed, startServer } from '../src/index.ts';
import { CosignerFolder, runCosigner, serveCosigner } from './support/cosigner-process.ts';
import { entryToken, LogServer } from './support/log-server.ts';
import { ReplaySetup, readerToken } from './support/replay-setup.ts';
import { licenseId, TestLog, testNow } from './support/test-log.ts';

const licenses = 3300;
const bearer = `Bearer ${readerToken}`;

let log: TestLog;
let setup: ReplaySetup;

function logOf(count: number, origin?: string): TestLog {
  const made = new TestLog(origin).bootstrap();
  for (let n = 0; n < count; n++) made.pushLicense(licenseId(n));
  made.pushMapRoot();
  return made;
}

beforeAll(async () => {
  log = logOf(licenses);
  setup = await ReplaySetup.start(log);
  await setup.add();
});

afterAll(async () => {
  await setup[Symbol.asyncDispose]();
});

function pathOf(what: string, origin = log.origin): string {
  return `/mirror/${createHash('sha256').update(origin).digest('hex')}/${what}`;
}

function tilePath(level: number | 'entries', index: number, width = 256): string {
  return pathOf(formatTilePath({ level, index, width }));
}

function read(what: string, authorization: string | undefined = bearer, of = setup) {
  return of.replayer.read?.(what, authorization) ?? null;
}

/** Runs SQL on the closed state file. */
async function alter(of: ReplaySetup, sql: string): Promise<void> {
  await of.close();
  const database = new DatabaseSync(of.stateFile);
  database.exec(sql);
  database.close();
}

/** Number of entries on disk, each as often as it is there; the replayer is started anew for it. */
async function kept(of: ReplaySetup): Promise<number> {
  await of.close();
  const database = new DatabaseSync(of.stateFile);
  const row = database.prepare('SELECT coalesce(sum(count), 0) AS kept FROM entries').get();
  database.close();
  await of.restart();
  return Number(row?.['kept']);
}

async function whole(of: ReplaySetup): Promise<void> {
  for (let tries = 0; of.replayer.status()[0]?.mirror?.held !== of.cosigned; tries++) {
    if (tries > 200) throw new Error('the gap was not filled');
    await after(10);
  }
}

describe('what a mirror serves', () => {
  it('is every entry that it cosigned, from its own disk, also after a restart', async () => {
    for (const round of ['before', 'after']) {
      for (let index = 0; index * 256 < log.size; index++) {
        const width = Math.min(256, log.size - index * 256);
        const answer = read(tilePath('entries', index, width));
        expect([round, answer?.status]).toEqual([round, 200]);
        const entries = log.entries.slice(index * 256, index * 256 + width);
        expect(answer?.body).toEqual(encodeEntryBundle(entries));
      }
      expect(read(tilePath(0, 1))?.body).toEqual(log.tree.tile(0, 1, 256));
      expect(read(tilePath(1, 0, 7))?.body).toEqual(log.tree.tile(1, 0, 7));
      setup.server.asked.length = 0;
      await setup.restart();
    }
    expect(setup.server.asked).toEqual([]);
  });

  it.each(['tile/entries/000', 'tile/0/000', `map/${'0'.repeat(64)}`])(
    'is closed to those without a token: %s',
    (what) => {
      for (const header of ['', 'Bearer', 'Bearer wrong', `Bearer ${entryToken}`, readerToken]) {
        expect(read(pathOf(what), header)?.status).toBe(401);
      }
      expect(read(pathOf(what))?.status).toBe(200);
    },
  );

  it('is open where the log itself is: the checkpoint, public documents and keys', () => {
    const note = String(read(pathOf('checkpoint'), '')?.body);
    expect(note.startsWith(`${log.origin}\n${log.size}\n`)).toBe(true);
    expect(note).toContain('— replayer.example/r1 ');
    for (const type of ['namespace', 'brake']) {
      expect(read(pathOf(`trust/acme/${type}/0`), '')?.body).toEqual(log.documents.get(`${type}/0`));
    }
    expect(read(pathOf('trust/acme/keys'), '')?.status).toBe(200);
  });

  it.each([
    'tile/entries/013',
    'tile/entries/0',
    'tile/entries/000/../000',
    'tile/64/000',
    'tile/0/x999/999',
    'tile/',
    'map/',
    `map/${'0'.repeat(62)}`,
    `map/${'G'.repeat(64)}`,
    'trust/acme/namespace/1',
    'trust/acme/namespace/x',
    'trust/other/keys',
    'trust/acme/trust/0',
    '',
  ])('is nothing else: %s', (what) => {
    expect([404, undefined]).toContain(read(pathOf(what))?.status);
  });

  it('is nothing of a log that it does not follow', () => {
    expect(read(pathOf('checkpoint', 'log.example/other'))?.status).toBe(404);
  });

  it('proves what is newest under the cosigned checkpoint, and what was never logged', () => {
    for (const id of [licenseId(7), licenseId(licenses + 1)]) {
      const key = log.subject(id);
      const answer = read(pathOf(`map/${hex(key)}`));
      expect(answer?.status).toBe(200);
      const proven = JSON.parse(String(answer?.body)) as {
        anchor: { entry: string; proof: string };
        index: number | null;
        map: string;
      };
      const { index, path, checkpoint } = parseTlogProof(proven.anchor.proof);
      expect([index, checkpoint.size]).toEqual([log.size - 1, log.size]);
      const entry = utf8(proven.anchor.entry);
      expect(() =>
        verifyInclusion(leafHash(entry), index, checkpoint.size, path, checkpoint.root),
      ).not.toThrow();
      const head = log.map.head(key);
      expect(proven.index).toBe(head?.index ?? null);
      expect(() =>
        verifyMapProof(decodeBase64(proven.map), key, log.map.value(key) ?? null, parseMapRoot(entry).root),
      ).not.toThrow();
    }
  });

  it('is enough for another replayer, which follows the mirror instead of the log', async () => {
    await using server = await startServer({
      cosigner: setup.replayer,
      host: '127.0.0.1',
      port: 0,
      now: () => testNow,
      reportFault: (error) => {
        throw error;
      },
    });
    const stateFile = `${setup.stateFile}.second`;
    const name = 'replayer.example/r2';
    initState({ stateFile, kind: 'replayer', name, origins: [log.origin] });
    const logUrl = `${server.url}${pathOf('')}`.slice(0, -1);
    await using second = createReplayer({
      keys: [keyFromSeed(name, new Uint8Array(32).fill(8))],
      stateFile,
      logs: [
        {
          origin: log.origin,
          vkeys: [log.vkey],
          genesis: log.genesis,
          logUrl,
          trustUrl: `${logUrl}/trust`,
          token: readerToken,
        },
      ],
      now: () => testNow,
      workers: 0,
    });
    await second.addCheckpoint(log.request(0));
    expect(second.status()[0]).toMatchObject({ size: log.size, mirror: { held: log.size } });
  });
});

describe('the published checkpoint', () => {
  const path = (): string => pathOf('published');

  /** Has the log hand out a note, and looks at what the mirror shows after it was asked for. */
  async function shown(note: string): Promise<string | null> {
    setup.server.published = note;
    // A restart asks at once.
    await setup.restart();
    await after(60);
    const answer = read(path(), '');
    return answer?.status === 200 ? String(answer.body) : null;
  }

  it('is kept where a quorum signed it, and nothing else that the log hands out', async () => {
    const first = log.published();
    const forged = log.published(14).replace('\n14\n', '\n13\n');
    for (const note of [first.replace(/^— replayer.*\n/m, ''), forged, 'no note']) {
      expect(await shown(note)).toBeNull();
    }
    expect(await shown(first)).toBe(first);
    log.pushLicense(licenseId(licenses + 9));
    log.pushMapRoot();
    const second = log.published();
    // Not before it is cosigned here.
    expect(await shown(second)).toBe(first);
    await setup.add();
    expect(await shown(second)).toBe(second);
    // An older one displaces nothing.
    expect(await shown(first)).toBe(second);
  });
});

describe('a mirror whose disk changed an entry', () => {
  it('does not serve it, and gets it again from the log', async () => {
    await alter(
      setup,
      "UPDATE entries SET bundle = CAST(substr(bundle, 1, 99) || x'00' || substr(bundle, 101) AS BLOB) WHERE start = 256",
    );
    await setup.restart();
    expect(read(tilePath('entries', 1))?.status).toBe(503);
    await whole(setup);
    expect(read(tilePath('entries', 1))?.body).toEqual(encodeEntryBundle(log.entries.slice(256, 512)));
    expect(await kept(setup)).toBe(log.size);
  });
});

describe('a state from before entries were kept', () => {
  it('goes on cosigning, and fetches what it lacks, each entry checked', async () => {
    await alter(setup, 'DROP TABLE entries');
    setup.server.tamper = (path, bytes) => {
      const changed = bytes === null ? null : Uint8Array.from(bytes);
      if (changed !== null && path.includes('/entries/002')) changed[500] = (changed[500] ?? 0) ^ 1;
      return changed;
    };
    await setup.restart();
    expect(setup.lines.at(-1)).toMatchObject({ event: 'mirror-behind', held: 0, cosigned: log.size });
    log.pushLicense(licenseId(licenses + 5));
    log.pushMapRoot();
    await setup.add();
    while (!setup.lines.some(({ event }) => event === 'mirror-gap')) await after(10);
    expect(String(setup.lines.at(-1)?.['message'])).toContain('another entry 51');
    expect(setup.replayer.status()[0]?.mirror?.held).toBeLessThan(512);
    expect(read(tilePath('entries', 2))?.status).toBe(503);
    setup.server.tamper = (_path, bytes) => bytes;
    await setup.restart();
    await whole(setup);
    expect(await kept(setup)).toBe(log.size);
    expect(read(tilePath('entries', 2))?.status).toBe(200);
  });
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
    const other = logOf(licenses);
    await using half = await ReplaySetup.start(log);
    let lies = true;
    half.server.tamper = (path, bytes) => {
      if (path.includes('/entries/010')) return lies ? null : bytes;
      const index = Number(/entries\/(\d{3})$/.exec(path)?.[1]);
      return lies && index >= 2
        ? encodeEntryBundle([
            ...log.entries.slice(index * 256, index * 256 + 255),
            other.entries[9] as Uint8Array,
          ])
        : bytes;
    };
    await expect(half.add()).rejects.toBeInstanceOf(Error);
    await half.restart();
    lies = false;
    await half.add();
    expect(half.cosigned).toBe(log.size);
    expect(await kept(half)).toBe(log.size);
    expect(read(tilePath('entries', 2), bearer, half)?.body).toEqual(
      encodeEntryBundle(log.entries.slice(512, 768)),
    );
  });
});

describe('a mirror of a log that does not ask for cosignatures', () => {
  it('follows what is published, refuses what does not follow, and goes on', async () => {
    const short = logOf(20);
    await using own = await ReplaySetup.start(short, 0, true);
    const reaches = async (size: number): Promise<void> => {
      for (let tries = 0; own.cosigned !== size; tries++) {
        if (tries > 300) throw new Error(`cosigned ${own.cosigned}, not ${size}`);
        await after(10);
      }
    };
    own.server.published = short.published();
    await reaches(short.size);
    expect(String(read(pathOf('checkpoint'), '', own)?.body)).toContain('— replayer.example/r1 ');
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
