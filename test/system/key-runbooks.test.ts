/** The runbooks for keys, as an operator follows them: the command line, on a running system. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeBase64, parseRecordEntry } from '@tallystick/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditAtRest } from './support/audit.ts';
import { type Ended, Operator } from './support/operator.ts';
import { RealSystem } from './support/real-system.ts';

let system: RealSystem;
let operator: Operator;

beforeAll(async () => {
  system = await RealSystem.start();
  await system.ready();
  await system.sellPro();
  operator = new Operator(system);
});

afterAll(async () => {
  await system[Symbol.asyncDispose]();
});

const tally = (...args: string[]): Promise<Ended> => operator.tally(...args);
const must = <T>(...args: string[]): Promise<T> => operator.must<T>(...args);
const issue = (): Promise<string> => operator.issue();
const verdict = (id: string): Promise<string> => operator.verdict(id);
const revise = (...changes: string[]): Promise<void> => operator.revise(...changes);

interface KeyRow {
  key: string;
  usages: string[];
  state: string;
  until: number | null;
}

async function issuingKeys(): Promise<KeyRow[]> {
  const { keys } = await must<{ keys: KeyRow[] }>('keys', 'list');
  return keys.filter(({ usages }) => usages.includes('license'));
}

async function states(): Promise<string[]> {
  return (await issuingKeys()).map(({ state }) => state);
}

describe('rotating keys', () => {
  it('hands over, and says when nobody stands by', async () => {
    expect(await states()).toEqual(['signs', 'stands by']);
    await must('keys', 'rotate', '--reason', 'monthly');
    expect(await states()).toEqual(['ended', 'signs']);
    const refused = await tally('keys', 'rotate');
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/in_use/);
  });

  it('takes in a key that was generated, once the authority has listed it', async () => {
    const { keys } = await must<{ keys: string[] }>('keys', 'generate', '--out', 'new-keys.json');
    expect(readFileSync(join(system.directory, 'new-keys.json'), 'utf8')).not.toMatch(/seed|private/i);
    await revise('--add-keys', 'new-keys.json', '--from', '40', '--reason', 'a spare');
    const listed = await issuingKeys();
    expect(listed.at(-1)).toMatchObject({ key: keys[0], state: 'not yet' });
    expect((await tally('namespace', 'submit', 'revision.json')).code).toBe(0);
  });

  it('sets a key limits, which its signer holds it to, and takes them away', async () => {
    const [{ key } = { key: '' }] = (await issuingKeys()).filter(({ state }) => state === 'signs');
    await revise('--limit', `${key}:term-max=P30D`, '--limit', `${key}:offline-max=P40D`);
    const refused = await tally('issue', '--plan', 'pro-yearly');
    expect(refused.stderr).toMatch(/limit of P30D.*signer_refused/s);
    const wrong = await tally('namespace', 'propose', '--out', 'x', '--limit', `${key}:terms=1`);
    expect(wrong).toMatchObject({ code: 3, stderr: expect.stringMatching(/limits are .*term-max/) });
    await revise('--limit', `${key}:term-max=none`, '--limit', `${key}:offline-max=none`);
    await must('issue', '--plan', 'pro-yearly');
  });

  it('hands brake and lease over to keys that were generated', async () => {
    const usages = ['brake', 'lease'];
    const listed = async (): Promise<KeyRow[]> => {
      const { keys } = await must<{ keys: KeyRow[] }>('keys', 'list');
      return keys.filter((key) => usages.includes(key.usages.join()));
    };
    const before = await listed();
    const made: string[] = [];
    const from = (await system.size()) + 4;
    const changes = ['--from', String(from), ...before.flatMap(({ key }) => ['--end-key', key])];
    for (const usage of usages) {
      const { keys } = await must<{ keys: string[] }>(
        'keys',
        'generate',
        '--usage',
        usage,
        '--out',
        `${usage}.json`,
      );
      made.push(...keys);
      changes.push('--add-keys', `${usage}.json`);
    }
    await revise(...changes);
    while ((await system.size()) < from) await system.must('POST', '/v1/licenses', { plan: 'pro-yearly' });
    expect(await listed()).toMatchObject([
      ...before.map(({ key }) => ({ key, state: 'ended', until: from })),
      ...made.map((key) => ({ key, state: 'in force' })),
    ]);
    await must('brake', 'tighten', '--lock', 'heightened');
    const { json } = await system.public('GET', '/trust/acme');
    const { index } = (json as { brake: { index: number } }).brake;
    const { entry } = await system.must<{ entry: string }>('GET', `/v1/log/entries/${index}`);
    const { envelope } = parseRecordEntry(decodeBase64(entry));
    expect(envelope.signatures.map(({ keyid }) => keyid)).toEqual([made[0]]);
    expect(await verdict(await issue())).toBe('VALID');
  });

  it('warns of a revision after which nobody could tighten the brake', async () => {
    const { keys } = await must<{ keys: KeyRow[] }>('keys', 'list');
    const brake = keys.find(({ usages, state }) => usages.includes('brake') && state === 'in force');
    const { changes } = await must<{ changes: string[] }>(
      'namespace',
      'propose',
      '--out',
      'gap.json',
      '--end-key',
      brake!.key,
    );
    expect(changes.join('\n')).toMatch(/WARNING: from log index \d+ on, no key signs brake records/);
  });

  it('signs only what was reviewed, and submits only what was signed', async () => {
    await must('namespace', 'propose', '--out', 'other.json', '--lock', 'heightened');
    const { offline } = system.layout.keys;
    const opening = ['--keystore', offline, '--passphrase-file', system.layout.secrets.offlinePassphrase];
    expect((await tally('namespace', 'sign', 'other.json', ...opening, '--hash', '00000000')).code).toBe(3);
    expect((await tally('namespace', 'submit', 'other.json')).code).toBe(3);
    const altered = readFileSync(join(system.directory, 'other.json'), 'utf8').replace(
      'heightened',
      'frozen',
    );
    writeFileSync(join(system.directory, 'altered.json'), altered);
    const shown = await tally('namespace', 'show', 'altered.json');
    expect(shown.code).toBe(3);
    expect(shown.stderr).toMatch(/do not belong together/);
  });
});

describe('a stolen key', () => {
  let honest: string[];
  let before: string;

  it('is ended in the past: what it signed since is listed, and signed anew after a review', async () => {
    before = await issue();
    const { index } = await must<{ index: number }>('show', before);
    honest = [await issue(), await issue()];
    const thief = await issue();
    while ((await system.size()) < 45) await system.must('POST', '/v1/licenses', { plan: 'pro-yearly' });
    const [stolen] = (await issuingKeys()).filter(({ state }) => state === 'signs');
    const from = ['--from-index', String(index + 1)];
    await must('keys', 'revoke', stolen!.key, ...from, '--reason', 'stolen');
    expect(await verdict(before)).toBe('VALID');
    expect(await verdict(honest[0]!)).toBe('KEY_NOT_VALID');
    await must('keys', 'affected', stolen!.key, ...from, '--out', 'affected.txt');
    const file = join(system.directory, 'affected.txt');
    const reviewed = readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => !line.startsWith(thief));
    writeFileSync(file, reviewed.join('\n'));
    const counts = await must<{ reissued: number; before: number }>('keys', 'reissue', 'affected.txt');
    expect(counts).toMatchObject({ reissued: reviewed.filter((line) => line !== '').length, before: 0 });
    expect(await must('keys', 'reissue', 'affected.txt')).toMatchObject({
      reissued: 0,
      before: counts.reissued,
    });
    for (const id of honest) expect(await verdict(id)).toBe('VALID');
    expect(await verdict(thief)).toBe('KEY_NOT_VALID');
    await revise('--end-key', `${stolen!.key}@${index + 1}`, '--raise-epoch');
    expect(await verdict(before)).toBe('VALID');
    expect(await verdict(thief)).toBe('KEY_NOT_VALID');
  });

  it('can be met by locking everything, which only the authority undoes', async () => {
    await must('brake', 'tighten', '--lock', 'frozen');
    expect((await tally('issue', '--plan', 'pro-yearly')).stderr).toMatch(/namespace_locked/);
    expect((await tally('brake', 'tighten', '--lock', 'heightened')).stderr).toMatch(/may_only_tighten/);
    await revise('--raise-epoch', '--lock', 'open');
    expect(await verdict(await issue())).toBe('VALID');
  });

  it('leaves a log in which everything fits', async () => {
    await system.published();
    expect(await auditAtRest(system)).toMatchObject({ problems: [], incidents: [] });
  });
});
