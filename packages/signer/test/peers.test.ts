/** Attacks by those who can open the signer's socket and are not whom it serves. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CellFiles } from '../src/cell/files.ts';
import { SignerClient } from '../src/client.ts';
import type { Mark } from '../src/mark.ts';
import { ProofFolder } from '../src/peer/proof-folder.ts';
import { proofFolderOf } from '../src/peer/proof-names.ts';
import { servedUsers } from '../src/peer/served-users.ts';
import { encodeFrame, FrameReader } from '../src/protocol/frames.ts';
import type { Signer } from '../src/signer.ts';
import { listen } from '../src/socket-server.ts';
import { endSigners, runSigner, SignerFiles } from './support/running-signer.ts';
import { scratchDirectory } from './support/scratch.ts';
import { signerWith } from './support/signing.ts';

const own = process.geteuid?.() ?? 0;
/** Users to be, or to give a file to: only root can. */
const strangers = own === 0 ? [65_533] : [];
const proven = encodeFrame({ proven: true });
const hello = encodeFrame({ id: 1, op: 'hello' });
const programs = join(import.meta.dirname, 'support');

let path: string;
let folder: string;
let signer: Signer;
let mark: Mark;
let server: Server;
let alarms: { reason: string; message: string; op: string }[];
const sockets: Socket[] = [];

beforeEach(async () => {
  path = join(scratchDirectory(), 'signer.sock');
  folder = proofFolderOf(path);
  ({ signer, mark } = signerWith());
  alarms = [];
  server = await listen(signer, path, (alarm) => alarms.push(alarm));
});

afterEach(() => {
  vi.useRealTimers();
  for (const socket of sockets.splice(0)) socket.destroy();
  server.close();
  mark[Symbol.dispose]();
  endSigners();
});

/** A connection that has heard its challenge, and how to hear what comes next. */
async function challenged(): Promise<{ socket: Socket; challenge: string; next: () => Promise<unknown> }> {
  const socket = connect(path).on('error', () => {});
  sockets.push(socket);
  const reader = new FrameReader();
  const frames: unknown[] = [];
  socket.on('data', (chunk: Buffer) => frames.push(...reader.push(chunk).map(({ header }) => header)));
  const next = async (): Promise<unknown> => {
    while (frames.length === 0) await Promise.race([once(socket, 'data'), once(socket, 'close')]);
    return frames.shift();
  };
  const { challenge } = (await next()) as { challenge: string };
  return { socket, challenge, next };
}

describe('a connection', () => {
  it('is served once there is a directory of its user, which the client takes away again', async () => {
    await using client = new SignerClient(path);
    await expect(client.hello()).resolves.toHaveProperty('origin');
    expect(readdirSync(folder)).toEqual([]);
    expect(alarms).toEqual([]);
  });

  const elsewhere = (): string => mkdirSync(join(path, '..', 'elsewhere'), { recursive: true }) ?? '';
  const wrongProofs: [string, (proof: string) => void, RegExp][] = [
    ['nothing', () => {}, /there is no /],
    ['a file that holds the challenge', (proof) => writeFileSync(proof, proof, { mode: 0o600 }), /is a file/],
    ['a link to a directory', (proof) => symlinkSync(elsewhere(), proof), /is a symbolic link/],
    ['a directory that others can enter', (proof) => mkdirSync(proof, { mode: 0o711 }), /folder of mode 711/],
    ['a directory of another challenge', (proof) => mkdirSync(proof.replace(/.$/, '-')), /there is no /],
  ];
  it.each(wrongProofs)('that shows %s is ended, with an alarm', async (_what, prove, message) => {
    const { socket, challenge, next } = await challenged();
    prove(join(folder, challenge));
    socket.write(proven);
    expect(await next()).toMatchObject({ error: { reason: 'unproven' } });
    await once(socket, 'close');
    const alarm = { reason: 'unproven', op: 'connect', message: expect.stringMatching(message) as string };
    expect(alarms).toEqual([alarm]);
  });

  it.each([
    ['asks in place of a proof', hello],
    ['asks in the same breath', Buffer.concat([proven, hello])],
    ['begins a request behind its proof', Buffer.concat([proven, hello.subarray(0, 9)])],
    ['announces more than a proof', Buffer.from([0, 1, 0, 0, 0, 0, 0, 2])],
    ['sends what is no frame', Buffer.from('HTTP/1.1 200 OK\r\n\r\n')],
  ])('that %s is not answered', async (_what, bytes) => {
    const { socket, challenge, next } = await challenged();
    mkdirSync(join(folder, challenge), { mode: 0o700 });
    socket.write(bytes);
    expect(await next()).toMatchObject({ error: { reason: 'unproven' } });
    expect(alarms).toHaveLength(1);
  });

  it('is not served for the proof of another connection', async () => {
    const first = await challenged();
    const second = await challenged();
    mkdirSync(join(folder, first.challenge), { mode: 0o700 });
    second.socket.write(proven);
    expect(await second.next()).toMatchObject({ error: { reason: 'unproven' } });
    first.socket.write(proven);
    expect(await first.next()).toEqual({ served: true });
    expect(first.challenge).not.toBe(second.challenge);
  });

  it.each(strangers)('is not served for a directory of another user (%i)', async (stranger) => {
    const { socket, challenge, next } = await challenged();
    const proof = join(folder, challenge);
    mkdirSync(proof, { mode: 0o700 });
    chownSync(proof, stranger, 0);
    socket.write(proven);
    expect(await next()).toMatchObject({ error: { reason: 'other_user' } });
    expect(alarms[0]?.message).toMatch(`it is user ${stranger}, and this signer serves ${own}: `);
  });

  it('has five seconds, and leaves its place to others then', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const waiting = [];
    for (let count = 0; count < 8; count++) waiting.push(await challenged());
    const late = connect(path)
      .on('error', () => {})
      .resume();
    sockets.push(late);
    await once(late, 'close');
    expect(alarms).toMatchObject([
      { reason: 'unproven', message: expect.stringMatching(/8 others/) as string },
    ]);
    vi.advanceTimersByTime(5000);
    for (const { next } of waiting) expect(await next()).toMatchObject({ error: { reason: 'unproven' } });
    expect(alarms).toHaveLength(9);
    const { socket, challenge, next } = await challenged();
    mkdirSync(join(folder, challenge), { mode: 0o700 });
    socket.write(proven);
    expect(await next()).toEqual({ served: true });
  });

  it('that ends before it has shown anything is no alarm, and leaves its place', async () => {
    for (let count = 0; count < 20; count++) {
      const { socket } = await challenged();
      socket.destroy();
      await once(socket, 'close');
    }
    await using client = new SignerClient(path);
    await expect(client.hello()).resolves.toHaveProperty('origin');
    expect(alarms).toEqual([]);
  });
});

describe('a client', () => {
  /** The socket of something that asks for this and no more. */
  async function fakeSigner(challenge: unknown): Promise<string> {
    const fake = join(scratchDirectory(), 'fake.sock');
    const listening = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => {}).write(encodeFrame({ challenge }));
      listening.close();
    }).listen(fake);
    await once(listening, 'listening');
    return fake;
  }

  it.each(['../elsewhere', '', 'a'.repeat(63), `${'a'.repeat(64)}\n`, 7, null])(
    'makes nothing for the challenge %j',
    async (challenge) => {
      const fake = await fakeSigner(challenge);
      mkdirSync(proofFolderOf(fake));
      await using client = new SignerClient(fake);
      await expect(client.hello()).rejects.toThrow(/no signer/);
      expect(readdirSync(proofFolderOf(fake))).toEqual([]);
      expect(readdirSync(join(fake, '..'))).not.toContain('elsewhere');
    },
  );

  it('says why it cannot show who it is', async () => {
    await using client = new SignerClient(await fakeSigner('a'.repeat(64)));
    const message = expect.stringMatching(/cannot be shown which user this is: ENOENT/) as string;
    await expect(client.hello()).rejects.toMatchObject({ name: 'SignerUnavailable', message });
  });
});

describe('the folder for proofs', () => {
  const open = (audience: 'owner' | 'group' = 'owner'): ProofFolder =>
    ProofFolder.open(path, audience, new Set([own]));

  it("is its user's alone, or sticky and open to the group", () => {
    open();
    expect(statSync(folder).mode & 0o7777).toBe(0o700);
    open('group');
    expect(statSync(folder).mode & 0o7777).toBe(0o1770);
  });

  it('is emptied of what killed peers left behind', () => {
    mkdirSync(join(folder, 'a'.repeat(64)));
    writeFileSync(join(folder, 'file'), '');
    symlinkSync('/', join(folder, 'link'));
    mkdirSync(join(folder, 'full', 'of', 'things'), { recursive: true });
    open();
    expect(readdirSync(folder)).toEqual(['full']);
    expect(existsSync('/')).toBe(true);
  });

  it('is not taken where it is something else', () => {
    rmdirSync(folder);
    symlinkSync(join(path, '..'), folder);
    expect(() => open()).toThrow(/is a symbolic link of user/);
  });

  it.each(strangers)('is not taken from another user (%i)', (stranger) => {
    chownSync(folder, stranger, 0);
    expect(() => open()).toThrow(`is a folder of user ${stranger} where`);
  });

  it('is watched as the socket is', async () => {
    chmodSync(folder, 0o777);
    await using client = new SignerClient(path);
    await expect(client.hello()).rejects.toThrow(/not reachable/);
    expect(alarms).toMatchObject([{ reason: 'socket_changed' }]);
  });

  const canMount = spawnSync('unshare', ['--mount', 'true']).status === 0;
  it.each(canMount ? ['tmpfs'] : [])(
    'believes nothing about a file system that was mounted there (%s)',
    () => {
      const args = ['--mount', process.execPath, join(programs, 'hold-mount.ts'), path];
      const { stdout } = spawnSync('unshare', args, { encoding: 'utf8' });
      const mounted = {
        reason: 'unproven',
        message: expect.stringMatching(/file system of its own/) as string,
      };
      expect(JSON.parse(stdout)).toEqual({ before: null, after: mounted });
    },
  );
});

describe('the users of a configuration', () => {
  const users = (changes: Partial<CellFiles>): number[] => [...servedUsers(changes)];

  it('are the own one, and those of the group that it names', () => {
    expect(users({})).toEqual([own]);
    expect(users({ socketFor: 'group', socketUsers: ['daemon', 4711] })).toEqual([own, 1, 4711]);
  });

  it.each<[Partial<CellFiles>, RegExp]>([
    [{ socketFor: 'group' }, /needs "socketUsers"/],
    [{ socketFor: 'group', socketUsers: [] }, /needs "socketUsers"/],
    [{ socketUsers: [4711] }, /only with "socketFor": "group"/],
    [{ socketFor: 'group', socketUsers: ['no-such-user'] }, /has no user "no-such-user"/],
    [{ socketFor: 'group', socketUsers: [''] }, /has no user ""/],
    [{ socketFor: 'group', socketUsers: [-1] }, /has no user -1/],
    [{ socketFor: 'group', socketUsers: [65_534] }, /is nobody/],
    [{ socketFor: 'group', socketUsers: ['nobody'] }, /is nobody/],
  ])('are refused where they are %j', (changes, message) => {
    expect(() => users(changes)).toThrow(message);
  });
});

/** Whether another user can run the programs of this test at all: only root can become one, and code may lie where others do not get. */
const asUser = (uid: number, program: string, ...args: string[]) =>
  spawnSync(process.execPath, [join(programs, program), ...args], {
    uid,
    gid: 0,
    cwd: '/',
    encoding: 'utf8',
  });
const others = strangers.filter((uid) => asUser(uid, 'ask-as-user.ts', '/nowhere').status === 0);
if (others.length === 0)
  process.stdout.write('users at the socket: not tried with real ones, for want of root\n');

describe.each(others)('another user who may open the socket (%i)', (stranger) => {
  it('is served where the configuration names it, and takes no proof from who is', async () => {
    const files = new SignerFiles();
    chmodSync(files.directory, 0o711);
    const door = join(files.directory, 'door');
    mkdirSync(door, { mode: 0o750 });
    const socket = join(door, 'signer.sock');
    files.configure({ socket, socketFor: 'group', socketUsers: ['daemon'] });
    const running = runSigner(files);
    await running.listening();
    expect(JSON.parse(asUser(1, 'ask-as-user.ts', socket).stdout)).toBe(files.config.origin);
    expect(JSON.parse(asUser(own, 'ask-as-user.ts', socket).stdout)).toBe(files.config.origin);
    expect(asUser(stranger, 'ask-as-user.ts', socket).stdout).toMatch(
      `turns this process away: it is user ${stranger}, `,
    );
    expect(readdirSync(proofFolderOf(socket))).toEqual([]);

    const proof = join(proofFolderOf(socket), 'a'.repeat(64));
    const shared = join(files.directory, 'shared');
    const other = join(shared, 'other');
    for (const each of [shared, proof, other]) mkdirSync(each, { mode: 0o700 });
    chmodSync(shared, 0o777);
    for (const each of [proof, other]) chownSync(each, 1, 0);
    const denied = { renamed: 'EPERM', removed: 'EPERM', moved: 'EACCES', linked: 'EPERM' };
    const { stdout } = asUser(stranger, 'ask-as-impostor.ts', socket, proof, other);
    expect(JSON.parse(stdout)).toEqual({ ...denied, pointed: 'succeeded', said: 'unproven' });

    while (running.output.stderr.split('\n').length < 3) await after(5);
    const said = running.output.stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(said).toMatchObject([
      { alarm: 'signer_refused', reason: 'other_user', op: 'connect' },
      { alarm: 'signer_refused', reason: 'unproven', op: 'connect' },
    ]);
    const written = readFileSync(files.config.journal, 'utf8').split('\n');
    const journal = written.filter((line) => line.includes('"refused"'));
    expect(journal.map((line) => JSON.parse(line) as object)).toMatchObject([
      { op: 'refused', request: 'connect', reason: 'other_user', count: 1 },
      { op: 'refused', request: 'connect', reason: 'unproven', count: 1 },
    ]);
  });
});
