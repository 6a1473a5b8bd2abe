/** Programs of others against a log of ours, as `tally up` runs one: with keys of both algorithms. */
import { copyFileSync, readFileSync } from 'node:fs';
import { checkCosignature, parseSignedCheckpoint, parseVerifierKey, utf8 } from '@tallystick/core';
import type { SystemDescription } from '@tallystick/server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Operator } from '../system/support/operator.ts';
import { RealSystem } from '../system/support/real-system.ts';
import { AlteringProxy } from './support/altering-proxy.ts';
import { Litewitness } from './support/litewitness.ts';
import { type Peers, providePeers } from './support/peers.ts';
import { type ProgramEnded, runProgram } from './support/run-program.ts';

const peers = await providePeers();

/** More than a full tile has entries. */
const licenseCount = 270;

describe.skipIf(peers === null)('a log of ours', () => {
  const { litewitness, fsck, sumdb, versions } = peers as Peers;
  let system: RealSystem;
  let operator: Operator;
  /** Of the log, Ed25519: the only one that these programs know. */
  let vkey: string;
  let logUrl: string;

  beforeAll(async () => {
    console.log(`With programs of others: ${versions}`);
    system = await RealSystem.start();
    operator = new Operator(system);
    await system.ready();
    await system.sellPro();
    const { logVkeys } = JSON.parse(readFileSync(system.layout.system, 'utf8')) as SystemDescription;
    expect(logVkeys).toHaveLength(2);
    vkey = logVkeys.find((text) => parseVerifierKey(text).alg === 'ed25519') ?? '';
    logUrl = `${system.client.publicUrl}/log`;
    const issue = { plan: 'pro-yearly', licensee: 'Contoso' };
    await system.published();
    operator.write('older.txt', await checkpoint());
    await Promise.all(Array.from({ length: licenseCount }, () => system.must('POST', '/v1/licenses', issue)));
    await system.published();
    operator.write('vkey.txt', vkey);
  });

  afterAll(async () => {
    await system?.[Symbol.asyncDispose]();
  });

  async function checkpoint(): Promise<string> {
    return (await system.public('GET', '/log/checkpoint')).text;
  }

  /** What Tessera's fsck says of the log at an address. Its code is 0 whatever it finds. */
  async function runFsck(url: string): Promise<string> {
    const log = [`-storage_url=${url}`, `-public_key=${operator.path('vkey.txt')}`];
    const given = [...log, `-bearer_token=${system.mirrorToken}`, '-ui=false', '-N=4', '-logtostderr'];
    return (await runProgram(fsck, given)).stderr;
  }

  function runSumdb(url: string, license: string): Promise<ProgramEnded> {
    const files = ['-older', operator.path('older.txt'), '-bundle', operator.path(license)];
    const token = system.layout.secrets.mirrorToken;
    return runProgram(sumdb, ['-log', url, '-token', token, '-vkey', vkey, ...files]);
  }

  it('passes the fsck of Tessera, which finds an altered tile and an altered entry', async () => {
    const size = await system.publishedSize();
    const said = await runFsck(`${logUrl}/`);
    expect(said).toContain(`Successfully fsck'd log with size ${size}`);
    expect(said).not.toMatch(/fsck failed/);
    for (const path of ['/tile/0/000', '/tile/entries/000']) {
      await using proxy = await AlteringProxy.start(logUrl, path);
      const found = await runFsck(`${proxy.url}/`);
      expect(found).toMatch(/fsck failed/);
      expect(found).not.toMatch(/Successfully/);
    }
  });

  it("is read by the packages of Go's checksum database: checkpoint, inclusions, growth, license", async () => {
    await operator.must('bundle', await operator.issue(), '--out', 'sumdb.tally');
    const { code, stdout, stderr } = await runSumdb(logUrl, 'sumdb.tally');
    expect(stderr).toBe('');
    const older = Number(readFileSync(operator.path('older.txt'), 'utf8').split('\n')[1]);
    const size = await system.publishedSize();
    expect(JSON.parse(stdout)).toEqual({ size, inclusions: size, grewFrom: older, bundleParts: 4 });
    expect(code).toBe(0);
    // In the root: most of a checkpoint are lines of cosigners, of which this program knows none.
    const inRoot = (note: Buffer): number => note.indexOf('\n', note.indexOf('\n') + 1) + 9;
    const altered = [
      ['/checkpoint', inRoot],
      ['/tile/0/000', undefined],
      ['/tile/entries/000', undefined],
    ] as const;
    for (const [path, place] of altered) {
      await using proxy = await AlteringProxy.start(logUrl, path, place);
      expect(await runSumdb(proxy.url, 'sumdb.tally')).toMatchObject({ code: 1, stdout: '' });
    }
    // The path of one license does not lead from the entry of another.
    const bundle = JSON.parse(readFileSync(operator.path('sumdb.tally'), 'utf8')) as {
      subjects: { index: number }[];
    };
    bundle.subjects[0]!.index -= 1;
    operator.write('moved.tally', JSON.stringify(bundle));
    expect(await runSumdb(logUrl, 'moved.tally')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/of the license/),
    });
  });

  it('is cosigned by litewitness, without which its quorum is not met', async () => {
    const { origin } = JSON.parse(readFileSync(system.layout.system, 'utf8')) as SystemDescription;
    await using witness = await Litewitness.start(litewitness, { origin, vkey });
    const pin = operator.path('pin.json');
    copyFileSync(system.layout.trustRoot, pin);
    const { keys, secrets } = system.layout;
    const holder = { keystore: keys.offline, secret: secrets.offlinePassphrase };
    // All three: two of ours and litewitness.
    const changes = `witnesses:\n  threshold: 3\n  add:\n    - { vkeys: ["${witness.vkey}"], url: "${witness.url}" }\n`;
    const next = await operator.ceremony(pin, 2, changes, [holder]);
    await operator.must('root', 'publish', next);
    const license = await operator.issue();
    await system.published();
    expect(await operator.verdict(license, pin)).toBe('VALID');
    const signed = parseSignedCheckpoint(utf8(await checkpoint()));
    const cosigned = await checkCosignature(signed, parseVerifierKey(witness.vkey));
    expect(cosigned).toMatchObject({ is: 'valid' });
    // A server that starts anew has to ask it where it stands (409).
    system.kill('server');
    await system.ready();
    expect(await operator.verdict(await operator.issue())).toBe('VALID');
    await witness.down();
    const before = await system.publishedSize();
    const issue = { plan: 'pro-yearly', licensee: 'Contoso' };
    const waiting = await system.must('POST', '/v1/licenses?wait=published&waitMs=700', issue);
    expect(waiting).toMatchObject({ published: false });
    expect(await system.publishedSize()).toBe(before);
    await witness.up();
    await system.published();
    expect(await operator.verdict(license, pin)).toBe('VALID');
  });
});
