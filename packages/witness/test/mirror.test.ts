import { setTimeout as after } from 'node:timers/promises';
import {
  base64,
  decodeBase64,
  encodeEntryBundle,
  formatVerifierKey,
  hex,
  leafHash,
  parseMapRoot,
  parseTlogProof,
  utf8,
  verifyInclusion,
  verifyMapProof,
} from '@tallystick/core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createReplayer, initState, keyFromSeed, parseConfig, startServer } from '../src/index.ts';
import { entryToken } from './support/log-server.ts';
import { alter, kept, licenses, logOf, pathOf, readFrom, tilePath, whole } from './support/mirror-setup.ts';
import { ReplaySetup, readerToken } from './support/replay-setup.ts';
import { licenseId, type TestLog, testNow } from './support/test-log.ts';

let log: TestLog;
let setup: ReplaySetup;

beforeAll(async () => {
  log = logOf(licenses);
  setup = await ReplaySetup.start(log);
  await setup.add();
});

afterAll(async () => {
  await setup[Symbol.asyncDispose]();
});

function read(path: string, authorization?: string): ReturnType<typeof readFrom> {
  return readFrom(setup, path, authorization);
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

  function current(): string | null {
    const answer = read(path(), '');
    return answer?.status === 200 ? String(answer.body) : null;
  }

  /** Has the log hand out a note, and expects that the mirror shows this one then, and goes on to. */
  async function expectShown(note: string, expected: string | null): Promise<void> {
    setup.server.published = note;
    // A restart asks at once.
    await setup.restart();
    await vi.waitFor(() => expect(current()).toBe(expected), 5000);
    await after(60);
    expect(current()).toBe(expected);
  }

  it('is kept where a quorum signed it, and nothing else that the log hands out', async () => {
    const first = log.published();
    const forged = log.published(14).replace('\n14\n', '\n13\n');
    for (const note of [first.replace(/^— replayer.*\n/m, ''), forged, 'no note']) {
      await expectShown(note, null);
    }
    await expectShown(first, first);
    log.pushLicense(licenseId(licenses + 9));
    log.pushMapRoot();
    const second = log.published();
    // Not before it is cosigned here.
    await expectShown(second, first);
    await setup.add();
    await expectShown(second, second);
    // An older one displaces nothing.
    await expectShown(first, second);
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

describe('the configuration of a mirror', () => {
  const described = (member: object, ofLog: object = {}): string =>
    JSON.stringify({
      name: 'r1',
      listen: { host: '::1', port: 1 },
      stateFile: 's',
      keyFile: 'k',
      logs: [
        {
          origin: log.origin,
          vkeys: [formatVerifierKey(log.vkey)],
          logUrl: 'http://log.example/log',
          trustUrl: 'http://log.example/trust',
          genesis: base64(log.genesis),
          ...ofLog,
        },
      ],
      ...member,
    });

  it('opens nothing and follows nothing unless it says so', () => {
    expect(parseConfig(described({}), 'replayer', '/')).toMatchObject({
      tokenHashes: [],
      logs: [{ follow: false }],
    });
  });

  it.each([
    [{ tokenHashes: ['tally_reader_token'] }, {}, /^tokenHashes\[0\]/],
    [{ tokenHashes: [7] }, {}, /^tokenHashes\[0\]: not text/],
    [{ tokenHashes: 'x' }, {}, /^tokenHashes: not a list/],
    [{}, { follow: 'yes' }, /^logs\[0\]\.follow: not true or false/],
  ])('is refused with %j and %j', (member, ofLog, message) => {
    expect(() => parseConfig(described(member, ofLog), 'replayer', '/')).toThrow(message);
  });
});
