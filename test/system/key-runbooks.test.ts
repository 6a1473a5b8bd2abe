/** The runbooks for keys, as an operator follows them: the command line, on a running system. */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditAtRest } from './support/audit.ts';
import { RealSystem } from './support/real-system.ts';
import { eventually } from './support/waiting.ts';

const main = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url));
let system: RealSystem;

beforeAll(async () => {
  system = await RealSystem.start();
  await system.ready();
  await system.sellPro();
});

afterAll(async () => {
  await system[Symbol.asyncDispose]();
});

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs `tally` in the system's scratch folder. */
function tally(...args: string[]): Promise<Ended> {
  const env = { ...process.env, TALLY_DATA: system.layout.root };
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { cwd: system.directory, env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
}

async function must<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await tally(...args, '--json');
  if (code !== 0) throw new Error(`tally ${args.join(' ')}: ${code} ${stderr}`);
  return JSON.parse(stdout) as T;
}

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

async function issue(): Promise<string> {
  const { document } = await must<{ document: { id: string } }>('issue', '--plan', 'pro-yearly', '--wait');
  return document.id;
}

async function verdict(id: string): Promise<string> {
  const file = join(system.directory, `${id}.tally`);
  await must('bundle', id, '--out', file);
  const pin = ['--trust-root', system.layout.trustRoot, '--namespace', 'acme', '--product', 'pro'];
  const { stdout } = await tally('verify', file, ...pin);
  return stdout.split(/\s/)[0] ?? '';
}

/** Proposes, signs with the authority's keystore, and submits. */
async function revise(...changes: string[]): Promise<void> {
  const { hash } = await must<{ hash: string }>('namespace', 'propose', '--out', 'revision.json', ...changes);
  const { offline } = system.layout.keys;
  const passphrase = system.layout.secrets.offlinePassphrase;
  const opening = ['--keystore', offline, '--passphrase-file', passphrase];
  await must('namespace', 'sign', 'revision.json', ...opening, '--hash', hash.slice(0, 8));
  await eventually('the signer has the key', async () => {
    const { code, stderr } = await tally('namespace', 'submit', 'revision.json');
    if (code !== 0 && !stderr.includes('does not hold')) throw new Error(stderr);
    return code === 0;
  });
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
