/** A key is destroyed on a running system, by a command that is killed on the way: then nothing here has it any more. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Context, run as runTally } from '@tallystick/cli';
import { type BrakeDocument, keyIdOf, type TrustRoot, verifyBundle } from '@tallystick/core';
import { openPin } from '@tallystick/sdk';
import { openSealedKeystore, readPassphraseFile, SigningKey } from '@tallystick/signer';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { RealSystem } from './support/real-system.ts';
import { eventually, sleep } from './support/waiting.ts';

/** Every 32 random bytes that this process drew while it made the system: seeds are among them. */
const drawn = vi.hoisted(() => [] as Buffer[]);
vi.mock('node:crypto', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:crypto')>();
  const randomBytes = (length: number): Buffer => {
    const bytes = real.randomBytes(length);
    if (length === 32) drawn.push(Buffer.from(bytes));
    return bytes;
  };
  return { ...real, randomBytes };
});

const main = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url));
const runbook = fileURLToPath(new URL('../../docs/operating/destroying-a-key.md', import.meta.url));
let system: RealSystem;
/** The key that signs at first, and the private seed that it comes from. */
let first: string;
let seed: Buffer;
/** As they were before the destruction: copies outside of the data folder, as backups are. */
let backup: { keystore: string; passphraseFile: string; passphrase: string };

interface Verified {
  keys: { key: string; place: object | null; destroyed: number | null }[];
}

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Command lines without `--json`, with `<key>` for the key. */
const ran = new Set<string>();

/** A command in a process of its own, to be killed. */
function begin(...args: string[]): { child: ChildProcess; ended: Promise<unknown> } {
  const env = { ...process.env, TALLY_DATA: system.layout.root };
  const child = spawn(process.execPath, [main, ...args], { cwd: system.directory, env, stdio: 'ignore' });
  return { child, ended: once(child, 'close') };
}

/** A command with what is typed at its prompts; without that there is no terminal. */
async function tally(args: string[], typed: string[] = []): Promise<Ended> {
  const line = args.filter((arg) => arg !== '--json').map((arg) => (arg === first ? '<key>' : arg));
  ran.add(['tally', ...line].join(' ').replaceAll(`${system.directory}/`, ''));
  const written = { stdout: '', stderr: '' };
  const sink = (name: 'stdout' | 'stderr'): Context['stdout'] => ({
    isTTY: false,
    columns: null,
    write: (text) => {
      written[name] += text;
    },
  });
  const code = await runTally(args, (setExitCode) => ({
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    env: { TALLY_DATA: system.layout.root },
    signal: new AbortController().signal,
    now: () => Date.now(),
    newKey: () => randomUUID(),
    readStdin: async () => new Uint8Array(),
    openBrowser: async () => false,
    ask: async () => typed.shift() ?? null,
    sleep,
    setExitCode,
  }));
  return { code, ...written };
}

async function must<T>(args: string[], typed?: string[]): Promise<T> {
  const { code, stdout, stderr } = await tally([...args, '--json'], typed);
  if (code !== 0) throw new Error(`tally ${args.join(' ')}: ${code} ${stdout} ${stderr}`);
  return JSON.parse(stdout) as T;
}

async function brake(): Promise<BrakeDocument> {
  const { json } = await system.public('GET', '/trust/acme');
  return (json as { brake: { document: BrakeDocument } }).brake.document;
}

function heldKeys(): string[] {
  const { keys, secrets } = system.layout;
  return openSealedKeystore(keys.online, readPassphraseFile(secrets.onlinePassphrase)).map(
    ({ keyid }) => keyid,
  );
}

function every(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

/** Files of the data folder that hold any of these. */
function findings(needles: readonly Buffer[]): string[] {
  return every(system.layout.root).filter((file) => {
    const content = readFileSync(file);
    return needles.some((needle) => content.includes(needle));
  });
}

async function pinned(): Promise<readonly TrustRoot[]> {
  return (await openPin(readFileSync(system.layout.trustRoot, 'utf8'))).versions;
}

async function issue(): Promise<string> {
  const { document } = await system.must<{ document: { id: string } }>(
    'POST',
    '/v1/licenses?wait=published',
    {
      plan: 'pro-yearly',
    },
  );
  return document.id;
}

beforeAll(async () => {
  system = await RealSystem.create();
  const { keys, secrets } = system.layout;
  const [issuing] = openSealedKeystore(keys.online, readPassphraseFile(secrets.onlinePassphrase)).filter(
    ({ usages }) => usages.includes('license'),
  );
  first = issuing!.keyid;
  const spec = { alg: 'ed25519', usages: [], ns: null, limits: issuing!.limits } as const;
  const seedOf = (bytes: Buffer): string => bytes.toString('base64');
  seed = drawn.find(
    (bytes) => keyIdOf(new SigningKey({ ...spec, usages: [], seed: seedOf(bytes) }).publicKey) === first,
  ) as Buffer;
  backup = {
    keystore: join(system.directory, 'online.sealed'),
    passphraseFile: join(system.directory, 'online.passphrase'),
    passphrase: readFileSync(secrets.onlinePassphrase, 'utf8').trim(),
  };
  copyFileSync(keys.online, backup.keystore);
  copyFileSync(secrets.onlinePassphrase, backup.passphraseFile);
  // As an interrupted destruction leaves it: the next start finishes that.
  renameSync(secrets.onlinePassphrase, `${secrets.onlinePassphrase}.next`);
  writeFileSync(secrets.onlinePassphrase, 'the passphrase of before', { mode: 0o600 });
  await system.up();
  await system.ready();
  await system.sellPro();
});

afterAll(async () => {
  await system[Symbol.asyncDispose]();
});

describe('destroying a key', () => {
  let license: string;

  it('is not done by accident', async () => {
    license = await issue();
    expect(seed).toHaveLength(32);
    const plan = await must<{ steps: string[] }>(['keys', 'destroy', first, '--dry-run']);
    expect(plan).toMatchObject({ steps: ['end', 'remove', 'release', 'state'], destroyedSince: null });
    expect((await tally(['keys', 'destroy', first])).stderr).toMatch(/--yes/);
    expect((await tally(['keys', 'destroy', first], ['yes'])).stderr).toMatch(/That is not the key/);
    expect((await brake()).until).toEqual([]);
  });

  it('is not stated of a key that the signer has', async () => {
    const asked = { until: [{ key: first }], destroyed: [first] };
    const { json } = await system.admin('POST', '/v1/brake/tighten', asked);
    expect(json).toMatchObject({ code: 'signer_refused' });
    expect(await brake()).not.toHaveProperty('destroyed');
  });

  it('goes on where it was killed, and states nothing before the signer has let go', async () => {
    const afterEnd = begin('keys', 'destroy', first, '--yes');
    await eventually('the key has ended', async () => (await brake()).until.length > 0);
    afterEnd.child.kill('SIGKILL');
    await afterEnd.ended;
    expect(await brake()).not.toHaveProperty('destroyed');
    system.kill('signer', 'SIGSTOP');
    const whileHeld = begin('keys', 'destroy', first, '--yes');
    const { keys, secrets } = system.layout;
    const isRemoved = (): boolean =>
      readFileSync(secrets.onlinePassphrase, 'utf8').trim() !== backup.passphrase;
    await eventually('the keystore is changed', isRemoved);
    await sleep(300);
    whileHeld.child.kill('SIGKILL');
    await whileHeld.ended;
    system.kill('signer', 'SIGCONT');
    expect(await brake()).not.toHaveProperty('destroyed');
    const done = await must<{ destroyedSince: number }>(['keys', 'destroy', first, '--reason', 'retired']);
    expect((await brake()).destroyed).toMatchObject([{ index: done.destroyedSince }]);
    expect(readdirSync(join(keys.online, '..')).sort()).toEqual([
      'offline.sealed',
      'online.sealed',
      'online.sealed.lock',
    ]);
  });

  it('is seen by whoever lists keys, and attested to whoever has the trust root', async () => {
    const listed = await must<{ keys: { key: string; state: string }[] }>(['keys', 'list']);
    expect(listed.keys.find(({ key }) => key === first)).toMatchObject({ state: 'destroyed' });
    const [attested, altered] = ['attested.json', 'altered.json'].map((name) =>
      join(system.directory, name),
    ) as [string, string];
    await must(['keys', 'attest', '--out', attested]);
    const file = readFileSync(attested);
    const verified = await must<Verified>(['keys', 'attest', '--verify', attested]);
    const [destroyed] = (await brake()).destroyed ?? [];
    expect(verified.keys.filter(({ place }) => place === null)).toMatchObject([
      { key: first, destroyed: destroyed?.index },
    ]);
    expect(verified.keys.filter(({ place }) => place !== null)).toHaveLength(6);
    writeFileSync(altered, file.toString().replace(/.{9}"}/, 'AAAAAAAAA"}'));
    expect((await tally(['keys', 'attest', '--verify', altered])).code).toBe(2);
  });

  it('leaves the seed and the former keystore in no file of the data folder', () => {
    const { sealed } = JSON.parse(readFileSync(backup.keystore, 'utf8')) as { sealed: string };
    const texts = [seed.toString('base64'), seed.toString('base64url'), seed.toString('hex'), sealed];
    const needles = [seed, ...texts.map((text) => Buffer.from(text)), Buffer.from(sealed, 'base64')];
    expect(findings([...needles, Buffer.from(backup.passphrase)])).toEqual([]);
    // The search finds what is there, also in what SQLite has not moved into its database yet.
    expect(findings([Buffer.from(license)]).some((file) => file.endsWith('-wal'))).toBe(true);
    expect(() => openSealedKeystore(system.layout.keys.online, backup.passphrase)).toThrow(
      /wrong passphrase/,
    );
  });

  it('holds after signer and server died, and for clients with a file that the key signed', async () => {
    for (const name of ['signer', 'server']) system.kill(name);
    await eventually('it issues again', () => issue().catch(() => null));
    const { text } = await system.admin('GET', `/v1/licenses/${license}/bundle`);
    const proven = await verifyBundle(Buffer.from(text), { pin: await pinned(), namespace: 'acme' });
    expect(proven.brake.destroyed).toHaveLength(1);
    expect(proven.license).not.toBeNull();
  });

  it('holds against a keystore from a backup, which the same command cleans', async () => {
    copyFileSync(backup.passphraseFile, system.layout.secrets.onlinePassphrase);
    copyFileSync(backup.keystore, system.layout.keys.online);
    const alarm = /destroyed_key_returned.*tally keys destroy/;
    await eventually('the signer has seen it', () => alarm.test(system.lines.join('\n')));
    await issue();
    expect(await must(['keys', 'destroy', first], [first])).toMatchObject({ steps: ['remove', 'release'] });
    expect(heldKeys()).not.toContain(first);
    await system.published();
    expect(await must(['fsck'])).toMatchObject({ ok: true });
  });

  it('is all that the runbook says', () => {
    const page = readFileSync(runbook, 'utf8');
    const commands = [...page.matchAll(/```sh\n([^`]*)```/g)].flatMap(([, block = '']) =>
      block.trim().split('\n'),
    );
    expect(commands).toContain('tally keys destroy <key> --dry-run');
    expect(commands.filter((command) => !ran.has(command))).toEqual([]);
  });
});
