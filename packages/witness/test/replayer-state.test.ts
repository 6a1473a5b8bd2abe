import { writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { base64, encodeRecord, formatVerifierKey, payloadTypes } from '@tallystick/core';
import { describe, expect, it } from 'vitest';
import { ConfigError, SizeConflict, Violation } from '../src/index.ts';
import { CosignerFolder, runCosigner, serveCosigner } from './support/cosigner-process.ts';
import { entryToken, LogServer } from './support/log-server.ts';
import { ReplaySetup } from './support/replay-setup.ts';
import { newKey, sealEnvelope } from './support/signing-key.ts';
import { licenseId, TestLog } from './support/test-log.ts';

/** A log of `licenses` licenses with a map root after every tenth, and one at its end. */
function logOf(licenses: number): TestLog {
  const log = new TestLog().bootstrap();
  for (let n = 0; n < licenses; n++) {
    log.pushLicense(licenseId(n));
    if (n % 10 === 9) log.pushMapRoot();
  }
  log.pushMapRoot();
  return log;
}

/** Forgets the entries from `size` on, as a log that never published them may. */
function takeBack(log: TestLog, size: number): void {
  log.entries.length = size;
  log.tree.truncate(size);
}

function signedByNobody(log: TestLog, id: string): number {
  return log.push(
    sealEnvelope(encodeRecord(log.record(id, 'license.issued')), payloadTypes.record, [newKey()]),
  );
}

/** An entry with a signature that looks right and does not hold. */
function badlySigned(log: TestLog, id: string): number {
  const impostor = { ...newKey(), keyid: log.keys.license.keyid };
  const record = log.record(id, 'license.issued');
  return log.push(sealEnvelope(encodeRecord(record), payloadTypes.record, [impostor]));
}

async function violationOf(cosigning: Promise<string>): Promise<Violation> {
  const error: unknown = await cosigning.then(
    () => new Error('it was cosigned'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof Violation)) throw error;
  return error;
}

describe('a replayer that refused', () => {
  it.each([
    ['signed by nobody', signedByNobody],
    ['badly signed', badlySigned],
  ])(
    'keeps refusing while an entry %s stands, and goes on when the log took it back',
    async (_what, breakIt) => {
      const log = logOf(600);
      await using setup = await ReplaySetup.start(log, { workers: 1 });
      await setup.add();
      const cosigned = log.size;
      log.pushLicense(licenseId(1000));
      const broken = breakIt(log, licenseId(1001));
      for (let n = 0; n < 300; n++) log.pushLicense(licenseId(2000 + n));
      log.pushMapRoot();
      for (let attempt = 0; attempt < 3; attempt++) {
        const violation = await violationOf(setup.add());
        expect([violation.rule, violation.index]).toEqual(['signature', broken]);
      }
      expect(setup.cosigned).toBe(cosigned);
      expect(setup.replayer.status()[0]?.refused).toContain(`signature at index ${broken}`);
      await setup.restart();
      expect((await violationOf(setup.add())).index).toBe(broken);
      takeBack(log, cosigned);
      log.pushMapRoot({ root: log.map.at(cosigned).root() });
      expect(await setup.add()).toContain('replayer.example/r1');
      expect(setup.cosigned).toBe(cosigned + 1);
    },
  );

  it('does not judge again what it had judged', async () => {
    const log = logOf(1000);
    const broken = signedByNobody(log, licenseId(5000));
    log.pushMapRoot();
    await using setup = await ReplaySetup.start(log);
    await violationOf(setup.add());
    setup.server.asked.length = 0;
    await violationOf(setup.add());
    const tile = Math.floor(broken / 256);
    expect(setup.server.asked).toEqual([`/log/tile/entries/00${tile}.p/${log.size % 256}`]);
  });

  it('still cosigns a smaller checkpoint that follows the rules', async () => {
    const log = logOf(300);
    const good = log.size;
    log.pushLicense(licenseId(900));
    badlySigned(log, licenseId(901));
    log.pushMapRoot();
    await using setup = await ReplaySetup.start(log);
    await violationOf(setup.add());
    await setup.add(14, 0);
    await violationOf(setup.add());
    await setup.add(good, 14);
    expect(setup.cosigned).toBe(good);
  });
});

describe('a replayer whose log server fails half-way', () => {
  it('goes on from there at the next request', async () => {
    const log = logOf(2000);
    await using setup = await ReplaySetup.start(log);
    setup.server.tamper = (path, bytes) => (path.includes('/entries/005') ? null : bytes);
    await expect(setup.add()).rejects.toMatchObject({ status: 503 });
    setup.server.asked.length = 0;
    setup.server.tamper = (_path, bytes) => bytes;
    await setup.add();
    expect(setup.server.asked).toContain('/log/tile/entries/005');
    expect(setup.server.asked).not.toContain('/log/tile/entries/004');
    await setup.restart();
    expect(setup.cosigned).toBe(log.size);
  });

  it('gives up on an answer that does not come, and on one that does not end', async () => {
    const log = logOf(5);
    await using setup = await ReplaySetup.start(log, { fetchTimeoutMs: 500 });
    setup.server.tamper = () => new Promise<never>(() => {});
    await expect(setup.add()).rejects.toMatchObject({ status: 503 });
    setup.server.tamper = (path, bytes) => (path.includes('/trust/') ? new Uint8Array(2 ** 21) : bytes);
    await expect(setup.add()).rejects.toMatchObject({ status: 503 });
  });

  it('stops at once when it is told to', async () => {
    const log = logOf(5);
    await using setup = await ReplaySetup.start(log, { workers: 1 });
    setup.server.tamper = () => new Promise<never>(() => {});
    const cosigning = setup.add().catch((error: unknown) => error);
    await setTimeout(100);
    const start = performance.now();
    await setup.close();
    expect(await cosigning).toMatchObject({ status: 503 });
    expect(performance.now() - start).toBeLessThan(500);
    await setup.restart();
  });
});

describe('the state of a replayer', () => {
  it('is as good where several threads had many batches of signatures to check', async () => {
    const log = logOf(3000);
    await using setup = await ReplaySetup.start(log, { workers: 2 });
    await setup.add(498);
    await setup.add();
    await setup.restart();
    expect(setup.cosigned).toBe(log.size);
    const broken = badlySigned(log, licenseId(9000));
    for (let n = 0; n < 600; n++) log.pushLicense(licenseId(10_000 + n));
    log.pushMapRoot();
    const violation = await violationOf(setup.add());
    expect([violation.rule, violation.index]).toEqual(['signature', broken]);
  });

  it('lets the first of two requests win', async () => {
    const log = logOf(40);
    await using setup = await ReplaySetup.start(log);
    const [one, two] = await Promise.allSettled([setup.add(14, 0), setup.add(log.size, 0)]);
    expect(one.status).toBe('fulfilled');
    expect(two.status === 'rejected' && two.reason instanceof SizeConflict).toBe(true);
    expect(setup.cosigned).toBe(14);
  });

  it.each([
    ['a leaf hash', 'UPDATE segments SET rows = CAST(zeroblob(70) || substr(rows, 71) AS BLOB)'],
    [
      'the last subject but one',
      `UPDATE segments SET rows = CAST(substr(rows, 1, 70 * 3 + 40) || iif(substr(rows, 70 * 3 + 41, 1) = x'ff', x'00', x'ff') ||
         substr(rows, 70 * 3 + 42) AS BLOB)`,
    ],
    ['a segment', 'DELETE FROM segments'],
    ['the end of a segment', 'UPDATE segments SET rows = substr(rows, 1, length(rows) - 5)'],
    ['the kinds', "UPDATE facts SET value = zeroblob(length(value)) WHERE name = 'kinds'"],
    ['a document', "UPDATE facts SET value = zeroblob(length(value)) WHERE name LIKE 'namespace/%'"],
    ['the root', 'UPDATE logs SET root = zeroblob(32)'],
    ['the size', 'UPDATE logs SET size = size - 1'],
    ['the time', "UPDATE facts SET value = CAST('2020-01-01T00:00:00.000Z' AS BLOB) WHERE name = 'at'"],
    ['the trust root', "DELETE FROM facts WHERE name = 'trust'"],
  ])('is refused at the start where %s was altered', async (_what, sql) => {
    const log = logOf(7);
    await using setup = await ReplaySetup.start(log);
    await setup.add();
    await setup.close();
    const database = new DatabaseSync(setup.stateFile);
    database.exec(sql);
    database.close();
    await expect(setup.restart()).rejects.toThrow(ConfigError);
  });

  it('is refused where another genesis is pinned', async () => {
    const log = logOf(7);
    await using setup = await ReplaySetup.start(log);
    await setup.add();
    log.trustHashes[0] = new Uint8Array(32);
    await expect(setup.restart()).rejects.toThrow(/trust root version 1/);
  });
});

describe('the replayer process', () => {
  it('replays, names the rule that was broken, and survives being killed while it replays', async () => {
    const log = logOf(3000);
    await using server = await LogServer.start(log);
    using folder = new CosignerFolder();
    writeFileSync(folder.file('token'), `${entryToken}\n`);
    folder.configure({
      name: 'replayer.example/r1',
      workers: 1,
      logs: [
        {
          origin: log.origin,
          vkeys: [formatVerifierKey(log.vkey)],
          logUrl: `${server.url}/log`,
          trustUrl: `${server.url}/trust/`,
          tokenFile: 'token',
          genesis: base64(log.genesis),
        },
      ],
    });
    await runCosigner(folder, 'replayer', 'init');
    let cosigned = 0;
    for (let kill = 0; kill < 5; kill++) {
      const serving = await serveCosigner(folder, 'replayer');
      const killed = setTimeout(40 + 60 * kill).then(() => serving.child.kill('SIGKILL'));
      for (let size = cosigned + (cosigned === 0 ? 14 : 11); size < 3300; size += 11) {
        const status = await postTo(serving.url, log.request(cosigned, size)).catch(() => null);
        if (status === null) break;
        // A commit whose answer was lost shows as a conflict, and the size as one checkpoint further.
        expect([200, 409]).toContain(status);
        cosigned = size;
      }
      await killed;
      await serving.end('SIGKILL');
    }
    const serving = await serveCosigner(folder, 'replayer');
    const health = await fetch(`${serving.url}/healthz`);
    const { size } = ((await health.json()) as { logs: { size: number }[] }).logs[0]!;
    expect(size).toBeGreaterThanOrEqual(cosigned);
    expect(await postTo(serving.url, log.request(size))).toBe(200);
    const broken = signedByNobody(log, licenseId(9000));
    log.pushMapRoot();
    const before = log.size - 2;
    const response = await fetch(`${serving.url}/add-checkpoint`, {
      method: 'POST',
      body: log.request(before) as BodyInit,
    });
    expect(response.status).toBe(422);
    expect(await response.text()).toMatch(`{"rule":"signature","index":${broken},"message":"`);
    expect(await serving.end('SIGTERM')).toBe(0);
  });
});

async function postTo(url: string, body: Uint8Array): Promise<number> {
  const response = await fetch(`${url}/add-checkpoint`, { method: 'POST', body: body as BodyInit });
  await response.arrayBuffer();
  return response.status;
}
