import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { networkIsolation } from '../src/cell/launch.ts';
import { SignerClient } from '../src/client.ts';
import { readPassphraseFile } from '../src/keystore/passphrase-file.ts';
import { addToSealedKeystore } from '../src/keystore/sealed-file.ts';
import type { Attempts, Wishes } from './support/hold-cell.ts';
import {
  endSigners,
  type RunningSigner,
  runSigner,
  runUntilListening,
  SignerFiles,
  type StartChanges,
} from './support/running-signer.ts';
import { GrowingLog, keySpecs } from './support/signing.ts';

const holdCell = join(import.meta.dirname, 'support', 'hold-cell.ts');
const repository = join(import.meta.dirname, '..', '..', '..');
/** Node 24 cannot deny the network by itself, and not every user may make a network namespace. */
const isNetworkDenied =
  networkIsolation().length > 0 || process.allowedNodeEnvironmentFlags.has('--allow-net');

let files: SignerFiles;

beforeEach(() => {
  files = new SignerFiles();
});

afterEach(endSigners);

/** Another Node to run the signer with, which can deny the network by itself; none where the environment names none. */
const node26 = [process.env.TALLYSTICK_NODE_26 ?? ''].filter((path) => path !== '');
if (node26.length === 0)
  process.stdout.write(
    'the cell with Node 26: not tried, for want of TALLYSTICK_NODE_26, the path of its binary\n',
  );

/** Starts it with that Node, and with nothing else around it that could deny the network. */
const startWith =
  (node: string) =>
  (given: string[]): string[] => {
    const at = given.indexOf(process.execPath);
    const flags = given.slice(at + 1).filter((flag) => flag !== '--allow-net');
    flags.splice(flags.indexOf('--permission') + 1, 0, '--allow-net');
    return [...given.slice(0, at - networkIsolation().length), node, ...flags];
  };

/** What somebody can do from within the signer's process. */
async function tryFromWithin(wishes: Wishes, changes: StartChanges = {}): Promise<Attempts> {
  const { child, output, ended } = await runUntilListening(files, { ...changes, main: holdCell });
  child.stdin?.write(`${JSON.stringify(wishes)}\n`);
  while (output.stdout.split('\n').length < 3) {
    const gone = ended.then(({ stderr }) => Promise.reject(new Error(stderr)));
    await Promise.race([once(child.stdout!, 'data'), gone]);
  }
  return JSON.parse(output.stdout.split('\n')[1] ?? '') as Attempts;
}

describe('from within the process of a signer that listens', () => {
  it('no file but keystore and passphrase can be read, and none can be written', async () => {
    const { keystore, passphraseFile, mark, socket, trustRoot } = files.config;
    const neighbors = [
      join(files.directory, 'keys', 'offline.sealed'),
      `${keystore}.partial`,
      `${passphraseFile}.old`,
      join(files.directory, 'keystore.json'),
      join(files.directory, 'client.json'),
    ];
    for (const each of neighbors) writeFileSync(each, 'secret', { mode: 0o600 });
    const wanted = [
      files.configFile,
      trustRoot,
      ...neighbors,
      holdCell,
      join(repository, 'package.json'),
      '/etc/passwd',
      '/proc/self/environ',
      '/proc/self/mem',
    ];
    const denied = wanted.map(() => 'ERR_ACCESS_DENIED');
    const reopened = [keystore, passphraseFile];
    const attempts = await tryFromWithin({
      files: [...reopened, mark, ...wanted],
      port: 9,
      socket: `${socket}.2`,
    });
    // Beside the socket the folder stays open for a look; what is written there is denied.
    expect(attempts.read).toEqual(['succeeded', 'succeeded', 'succeeded', ...denied]);
    expect(attempts.write).toEqual(attempts.read.map(() => 'ERR_ACCESS_DENIED'));
    expect(attempts).toMatchObject({
      child: 'ERR_ACCESS_DENIED',
      worker: 'ERR_ACCESS_DENIED',
      inspector: 'ERR_ACCESS_DENIED',
      scopes: [],
    });
  });

  it('no TCP connection is made, where the runtime or the system can deny it', async () => {
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await once(connect(port, '127.0.0.1'), 'connect');
    const { tcp, name } = await tryFromWithin({ files: [], port, socket: `${files.config.socket}.2` });
    server.close();
    process.stdout.write(`network of the signer: ${isNetworkDenied ? `denied (${tcp})` : 'open'}\n`);
    expect(tcp === 'succeeded').toBe(!isNetworkDenied);
    if (isNetworkDenied) expect(name).not.toBe('succeeded');
  });

  it.each(node26)('Node 26 itself denies network and files, once it listens (%s)', async (node) => {
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { keystore, socket } = files.config;
    const wishes = {
      files: [keystore, files.configFile, holdCell, '/etc/passwd'],
      port,
      socket: `${socket}.2`,
    };
    const { read, ...attempts } = await tryFromWithin(wishes, { args: startWith(node) });
    server.close();
    const denied = 'ERR_ACCESS_DENIED';
    expect(read).toEqual(['succeeded', denied, denied, denied]);
    expect(attempts).toEqual({
      write: read.map(() => denied),
      child: denied,
      worker: denied,
      inspector: denied,
      socket: denied,
      tcp: denied,
      name: denied,
      scopes: [],
    });
    // Who connects is served all the same.
    await using client = new SignerClient(socket);
    expect((await client.hello()).mark.size).toBe(0);
  });

  it('signatures and the mark go on as ever', async () => {
    await tryFromWithin({ files: [], port: 9, socket: `${files.config.socket}.2` });
    const log = new GrowingLog(9);
    await using client = new SignerClient(files.config.socket);
    await client.signCheckpoint(log.checkpoint(4), []);
    await client.signCheckpoint(log.checkpoint(9), log.proof(4, 9));
    expect((await client.hello()).mark.size).toBe(9);
  });
});

describe('a signer that is told of other keys, by SIGHUP', () => {
  async function reload(running: RunningSigner): Promise<string> {
    const before = running.output.stderr.length;
    running.child.kill('SIGHUP');
    while (!running.output.stderr.slice(before).endsWith('\n')) await after(5);
    return running.output.stderr.slice(before);
  }

  it('opens the keystore that took the place of the one before, again and again', async () => {
    const { keystore, socket } = files.config;
    const running = await runUntilListening(files);
    await using client = new SignerClient(socket);
    for (const count of [6, 7]) {
      addToSealedKeystore(keystore, readPassphraseFile(files.config.passphraseFile), keySpecs().slice(1, 2));
      expect(JSON.parse(await reload(running))).toEqual({ reloaded: keystore, keys: count });
      expect((await client.hello()).keys).toHaveLength(count);
    }
  });

  it('opens it where all its files are in one folder, too', async () => {
    const { passphraseFile, keystore } = files.config;
    const together = (file: string): string => join(files.directory, 'run', `online.${basename(file)}`);
    renameSync(passphraseFile, together(passphraseFile));
    renameSync(keystore, together(keystore));
    renameSync(files.config.mark, together('mark'));
    files.configure({
      passphraseFile: together(passphraseFile),
      keystore: together(keystore),
      mark: together('mark'),
    });
    const running = await runUntilListening(files);
    expect(JSON.parse(await reload(running))).toMatchObject({ keys: 5 });
    files.configure({ socket: join(files.directory, 'run', 'signer.sock') });
    running.child.kill('SIGTERM');
    await running.ended;
    expect(JSON.parse(await reload(await runUntilListening(files)))).toMatchObject({ keys: 5 });
  });

  it.each([
    ['others can read', (keystore: string) => chmodSync(keystore, 0o640), /has mode 640.*run chmod 600/],
    [
      'is a link',
      (keystore: string) => {
        renameSync(keystore, `${keystore}.real`);
        symlinkSync(`${keystore}.real`, keystore);
      },
      /is a symbolic link where/,
    ],
  ])('keeps those that it has where the keystore %s', async (_what, spoil, message) => {
    const running = await runUntilListening(files);
    spoil(files.config.keystore);
    const line = JSON.parse(await reload(running)) as object;
    expect(line).toMatchObject({
      alarm: 'keystore_not_reloaded',
      message: expect.stringMatching(message) as string,
    });
    await using client = new SignerClient(files.config.socket);
    expect((await client.hello()).keys).toHaveLength(5);
  });
});

describe('the flags that a signer is started with', () => {
  /** Evaluates an expression in a process that is started exactly as a signer is. */
  async function evaluate(expression: string): Promise<unknown> {
    const args = (given: string[]): string[] => [
      ...given.slice(0, -2),
      '-p',
      `JSON.stringify(${expression})`,
    ];
    const { code, stdout, stderr } = await runSigner(files, { args }).ended;
    if (code !== 0) throw new Error(stderr);
    return JSON.parse(stdout);
  }

  it('open its own files and code, and nothing beside', async () => {
    const { keystore, passphraseFile, mark, socket } = files.config;
    const code = join(repository, 'packages', 'signer', 'src', 'main.ts');
    const core = join(repository, 'packages', 'core', 'src', 'index.ts');
    const { trustRoot } = files.config;
    const readable = [files.configFile, keystore, passphraseFile, mark, socket, trustRoot, code, core];
    const others = ['server', 'cli', 'ledger'].map((name) => join(repository, 'packages', name));
    const hidden = [
      ...others,
      '/etc/passwd',
      files.directory,
      join(repository, 'package.json'),
      '/proc/self/mem',
    ];
    const asked = (scope: string, paths: string[]): string =>
      `${JSON.stringify(paths)}.map((path) => process.permission.has('${scope}', path))`;
    expect(await evaluate(asked('fs.read', readable))).toEqual(readable.map(() => true));
    expect(await evaluate(asked('fs.read', hidden))).toEqual(hidden.map(() => false));
    const written = [mark, `${mark}-journal`, socket];
    const kept = [keystore, passphraseFile, files.configFile, code, ...hidden];
    expect(await evaluate(asked('fs.write', written))).toEqual(written.map(() => true));
    expect(await evaluate(asked('fs.write', kept))).toEqual(kept.map(() => false));
  });

  it('leave no core dump behind a crash', async () => {
    const { child } = await runUntilListening(files);
    expect(readFileSync(`/proc/${child.pid}/limits`, 'utf8')).toMatch(/^Max core file size +0 +0 /m);
    expect(readFileSync(`/proc/${child.pid}/coredump_filter`, 'utf8').trim()).toBe('00000000');
  });

  it('leave SIGUSR1 without a debugger to open', async () => {
    const { child, output } = await runUntilListening(files);
    child.kill('SIGUSR1');
    await after(500);
    await using client = new SignerClient(files.config.socket);
    expect((await client.hello()).mark.size).toBe(0);
    expect(output.stderr).toBe('');
  });
});

/** Users to ask as, which only root can become. */
const strangers = process.getuid?.() === 0 ? [65_534] : [];

describe('the socket', () => {
  it.each(strangers)('is out of reach of another user (%i)', async (uid) => {
    await runUntilListening(files);
    const { socket } = files.config;
    const asks = (who: number): number | null =>
      spawnSync('/bin/sh', ['-c', 'test -w "$1"', 'sh', socket], { uid: who, gid: who, cwd: '/' }).status;
    expect(asks(0)).toBe(0);
    expect(asks(uid)).toBe(1);
    // Not even where the folder lets everybody through.
    for (const folder of [files.directory, dirname(socket)]) chmodSync(folder, 0o711);
    expect(asks(uid)).toBe(1);
  });

  it('for the group is open to it and to nobody else, in a folder that it may enter', async () => {
    const folder = join(files.directory, 'door');
    mkdirSync(folder, { mode: 0o750 });
    files.configure({ socket: join(folder, 'signer.sock'), socketFor: 'group', socketUsers: ['daemon'] });
    await runUntilListening(files);
    expect(statSync(files.config.socket).mode & 0o777).toBe(0o660);
    await using client = new SignerClient(files.config.socket);
    expect((await client.hello()).mark.size).toBe(0);
  });
});

describe('a socket that is not as it was bound', () => {
  it.each([
    ['opened to others', (socket: string) => chmodSync(socket, 0o666)],
    ['in a folder that others can enter', (socket: string) => chmodSync(join(socket, '..'), 0o755)],
    ['moved away', (socket: string) => renameSync(socket, `${socket}.moved`)],
  ])('is not answered on: %s', async (what, change) => {
    const { output } = await runUntilListening(files);
    const { socket } = files.config;
    change(socket);
    await using client = new SignerClient(what === 'moved away' ? `${socket}.moved` : socket);
    await expect(client.hello()).rejects.toThrow(/not reachable/);
    while (!output.stderr.endsWith('\n')) await after(5);
    expect(JSON.parse(output.stderr)).toMatchObject({ alarm: 'signer_refused', reason: 'socket_changed' });
  });

  it('is answered on again when that was put right', async () => {
    await runUntilListening(files);
    chmodSync(files.config.socket, 0o666);
    await using client = new SignerClient(files.config.socket);
    await expect(client.hello()).rejects.toThrow(/not reachable/);
    chmodSync(files.config.socket, 0o600);
    expect((await client.hello()).mark.size).toBe(0);
  });
});
