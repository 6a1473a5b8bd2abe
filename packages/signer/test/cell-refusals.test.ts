import { chmodSync, chownSync, existsSync, renameSync, symlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FileFacts, fileDemands, fileProblem } from '../src/cell/files.ts';
import { type RuntimeFacts, runtimeProblem } from '../src/cell/runtime.ts';
import { endSigners, runSigner, SignerFiles, type StartChanges } from './support/running-signer.ts';

let files: SignerFiles;

beforeEach(() => {
  files = new SignerFiles();
});

afterEach(endSigners);

/** Starts it so, and expects one line on what to do, an end with code 1, and nothing that listens. */
async function expectRefusal(changes: StartChanges, message: RegExp): Promise<void> {
  const { code, stdout, stderr } = await runSigner(files, changes).ended;
  // Node has something to say about some flags as well.
  const said = stderr.split('\n').filter((line) => !/^(?:Debugger |For help, see|\(node:|\(Use )/.test(line));
  expect(said).toEqual([expect.stringMatching(/^signer: /), '']);
  expect(said[0]).toMatch(message);
  expect(code).toBe(1);
  expect(stdout).toBe('');
  expect(existsSync(files.config.socket)).toBe(false);
}

/** Puts flags before the program and its configuration. */
const withFlags =
  (...flags: string[]) =>
  (args: string[]): string[] => [...args.slice(0, -2), ...flags, ...args.slice(-2)];

const withoutFlags =
  (flags: RegExp) =>
  (args: string[]): string[] =>
    args.filter((each) => !flags.test(each));

/** Runs shell words in the place of those that forbid core dumps. */
const withLimits =
  (limits: string) =>
  ([option = '', , ...args]: string[]): string[] => [option, `${limits} && exec "$@"`, ...args];

const wrongStarts: [string, StartChanges, RegExp][] = [
  [
    'a debugger',
    { args: withFlags('--inspect=0') },
    /debugger could read the keys \(--inspect=0\): start it/,
  ],
  ['a debugger by name', { args: withFlags('--inspect-port=9300') }, /debugger could .*--inspect-port/],
  ['NODE_OPTIONS', { env: { NODE_OPTIONS: '--inspect=0' } }, /unset NODE_OPTIONS/],
  ['NODE_OPTIONS that say nothing', { env: { NODE_OPTIONS: '' } }, /unset NODE_OPTIONS/],
  ['a preloaded library', { env: { LD_PRELOAD: 'libm.so.6' } }, /foreign code into it: unset LD_PRELOAD/],
  ['another configuration of OpenSSL', { env: { OPENSSL_CONF: '/dev/null' } }, /unset OPENSSL_CONF/],
  ['--require', { args: withFlags('--require', 'node:os') }, /flag --require has no place/],
  ['--import', { args: withFlags('--import=data:text/javascript,0') }, /flag --import=.* has no place/],
  [
    'heap snapshots',
    { args: withFlags('--heapsnapshot-signal=SIGUSR2') },
    /flag --heapsnapshot.* has no place/,
  ],
  ['signals that debug', { args: withoutFlags(/sigusr1/) }, /start it with --disable-sigusr1/],
  ['no permission model', { args: withoutFlags(/^--(?:permission|allow)/) }, /start it with --permission/],
  ['every file to read', { args: withFlags('--allow-fs-read=*') }, /cell is open for fs\.read/],
  ['every file to write', { args: withFlags('--allow-fs-write=*') }, /cell is open for fs\.write/],
  ['child processes', { args: withFlags('--allow-child-process') }, /cell is open for child/],
  ['workers', { args: withFlags('--allow-worker') }, /cell is open for worker/],
  ['core dumps', { args: withLimits('ulimit -S -c 1') }, /core limit \d+\): run "ulimit -c 0"/],
  [
    'core dumps to a program',
    { args: withLimits('ulimit -c 0') },
    /write 0 to \/proc\/self\/coredump_filter/,
  ],
  [
    'core limits that it cannot see',
    { args: withoutFlags(/proc.self.limits/) },
    /let it read \/proc\/self\/limits/,
  ],
];

describe('a signer', () => {
  it.each(wrongStarts)('does not start with %s', async (_what, changes, message) => {
    await expectRefusal(changes, message);
  });

  it('with a loader of modules does not start either: Node refuses that', async () => {
    const args = withFlags('--experimental-loader', 'data:text/javascript,0');
    const { code, stdout } = await runSigner(files, { args }).ended;
    expect(code).not.toBe(0);
    expect(stdout).toBe('');
    expect(existsSync(files.config.socket)).toBe(false);
  });
});

const names = ['keystore', 'passphraseFile', 'mark', 'journal', 'config'] as const;
const pathOf = (name: (typeof names)[number]): string =>
  name === 'config' ? files.configFile : files.config[name];

/** Users to give a file to, which only root can do. */
const strangers = process.getuid?.() === 0 ? [65_534] : [];

describe.each(names)('a signer does not start where its %s', (name) => {
  it('can be read by the group', async () => {
    chmodSync(pathOf(name), 0o640);
    await expectRefusal({}, /has mode 640, so that others than its owner can reach it: run chmod 600 /);
  });

  it('is a symbolic link', async () => {
    renameSync(pathOf(name), `${pathOf(name)}.real`);
    symlinkSync(`${pathOf(name)}.real`, pathOf(name));
    await expectRefusal({}, /is a symbolic link where the signer needs a file/);
  });

  it('lies in a folder that others can enter', async () => {
    chmodSync(dirname(pathOf(name)), 0o711);
    await expectRefusal({}, /has mode 711, so that others than its owner can reach it: run chmod 700 /);
  });

  it('lies in a folder that is a symbolic link', async () => {
    const folder = dirname(pathOf(name));
    renameSync(folder, `${folder}.real`);
    symlinkSync(`${folder}.real`, folder);
    await expectRefusal({}, /is a symbolic link where the signer needs a folder/);
  });

  it.each(strangers)('or its folder belongs to another user (%i)', async (uid) => {
    chownSync(pathOf(name), uid, uid);
    await expectRefusal({}, /belongs to user 65534, and the signer runs as 0: run chown 0 /);
    chownSync(pathOf(name), 0, 0);
    chownSync(dirname(pathOf(name)), uid, uid);
    await expectRefusal({}, /belongs to user 65534/);
  });
});

describe('what is asked of a process', () => {
  const right: RuntimeFacts = {
    flags: ['--permission', '--disable-sigusr1', '--allow-fs-read=/srv'],
    variables: ['PATH', 'LANG', 'NODE_ENV', 'NODE_VERSION', 'SOFTHSM2_CONF'],
    inspectorUrl: undefined,
    hasPermissionModel: true,
    openScopes: [],
    limits:
      'Limit                     Soft Limit  Hard Limit  Units\nMax core file size        0           unlimited   bytes\n',
    coreFilter: '00000000\n',
  };

  it('is met by one that is in its cell, also where the system has no core limits to show', () => {
    expect(runtimeProblem(right)).toBeNull();
    expect(runtimeProblem({ ...right, limits: undefined, coreFilter: undefined })).toBeNull();
  });

  const wrongs: [Partial<RuntimeFacts>, RegExp][] = [
    [{ inspectorUrl: 'ws://127.0.0.1:9229/x' }, /debugger .*ws:/],
    [{ hasPermissionModel: false }, /--permission/],
    [{ openScopes: ['wasi'] }, /open for wasi/],
    [
      { limits: 'Max core file size        unlimited            unlimited            bytes' },
      /limit unlimited/,
    ],
    [{ limits: '' }, /limit unknown/],
    [{ limits: null }, /let it read/],
    [{ coreFilter: null }, /let it read/],
    [{ coreFilter: '00000033\n' }, /dump handler/],
    ...['--env-file=x', '-r', '--allow-wasi', '--allow-ffi', '--expose-gc', '--permission-audit', 'x'].map(
      (flag): [Partial<RuntimeFacts>, RegExp] => [{ flags: [...right.flags, flag] }, /has no place/],
    ),
    ...[
      'NODE_OPTIONS',
      'NODE_REPL_EXTERNAL_MODULE',
      'NODE_V8_COVERAGE',
      'LD_AUDIT',
      'DYLD_INSERT_LIBRARIES',
    ].map((name): [Partial<RuntimeFacts>, RegExp] => [{ variables: [name] }, new RegExp(`unset ${name}`)]),
  ];
  it.each(wrongs)('is not met with %j', (facts, message) => {
    expect(runtimeProblem({ ...right, ...facts })).toMatch(message);
  });
});

describe('what is asked of a file', () => {
  const demand = { path: 'keys', kind: 'folder', shared: 0 } as const;
  const right: FileFacts = { kind: 'folder', mode: 0o700, uid: 7 };

  it('is that it belongs to the signer or to root', () => {
    expect(fileProblem(demand, right, 7)).toBeNull();
    expect(fileProblem(demand, { ...right, uid: 0 }, 7)).toBeNull();
    expect(fileProblem(demand, { ...right, uid: 8 }, 7)).toMatch(/belongs to user 8.*runs as 7/);
  });

  it('is that group and others can do nothing with it, by any bit', () => {
    for (let mode = 0; mode <= 0o777; mode++) {
      const isRight = fileProblem(demand, { ...right, mode }, 7) === null;
      expect(isRight, mode.toString(8)).toBe((mode & 0o077) === 0);
    }
  });

  it('leaves the group the way to its socket where that is for the group, and never more', () => {
    const config = { ...files.config, socketFor: 'group' } as const;
    const isShared = (socket: string): number[] =>
      fileDemands(files.configFile, { ...config, socket }).map(({ shared }) => shared);
    expect(isShared('run-of-its-own/signer.sock')).toEqual([0, 0, 0, 0, 0, 0o044, 0, 0, 0, 0, 0o050]);
    // Beside the mark the socket stays as closed as the mark.
    expect(isShared(files.config.socket)).toEqual([0, 0, 0, 0, 0, 0o044, 0, 0, 0, 0, 0]);
    const shared = { ...demand, shared: 0o050 };
    expect(fileProblem(shared, { ...right, mode: 0o750 }, 7)).toBeNull();
    for (const mode of [0o770, 0o720, 0o701, 0o755])
      expect(fileProblem(shared, { ...right, mode }, 7)).toMatch(/run chmod/);
  });
});
