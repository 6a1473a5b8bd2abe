import { mkdtempSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CommandType,
  type LogStatus,
  type Problem,
  type ProblemCode,
  problemCodes,
  problemOf,
  type Route,
  routes,
} from '@tallystick/contract';
import { Option } from 'commander';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Client } from '../src/client/client.ts';
import { patientRetries } from '../src/client/retry.ts';
import { exitCodeOfProblem } from '../src/exit-codes.ts';
import { bodyFlags } from '../src/flags/bodies.ts';
import { bodyOfFlags } from '../src/flags/flag.ts';
import { exitCodeOfStatus } from '../src/verbs/status.ts';
import { lic, lines } from './support/command-lines.ts';
import { ContractFake } from './support/contract-fake.ts';
import { Harness } from './support/harness.ts';

let fake: ContractFake;
let harness: Harness;

beforeEach(async () => {
  fake = await ContractFake.start();
  harness = new Harness(fake);
  await harness.run([
    'product',
    'create',
    '--code',
    'editor',
    '--name',
    'Editor',
    '--entitlement',
    'pdf=boolean',
    '--entitlement',
    'tokens=quota,unit=tokens',
    '--entitlement',
    'tier=string,enum=basic|gold',
  ]);
  await harness.run([
    'plan',
    'create',
    '--product',
    'editor',
    '--code',
    'pro',
    '--name',
    'Pro',
    '--length',
    'P1Y',
    '--grace',
    'P14D',
    '--entitlement',
    'pdf=true',
    '--entitlement',
    'tokens=limit:1000/P1M',
  ]);
  fake.seen.length = 0;
});
afterEach(async () => {
  harness[Symbol.dispose]();
  await fake[Symbol.asyncDispose]();
});

const escapes = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');

describe('flags', () => {
  it.each(lines)('of %s become its body: %j', async (route, args, body) => {
    await harness.run(args);
    expect(fake.seen[0]).toMatchObject({ route, idempotencyKey: 'key-3' });
    expect(fake.seen[0]?.body).toEqual(body);
  });

  it('lead to members that the contract knows, for every command and every flag', () => {
    for (const [command, flags] of Object.entries(bodyFlags)) {
      for (const flag of flags) {
        const schema = (routes[command as CommandType] as unknown as Route).body;
        const name = new Option(flag.flags).attributeName();
        const body = bodyOfFlags([flag], {
          [name]: flag.collect === 'list' ? [] : flag.collect === 'object' ? [] : {},
        });
        const unknown =
          schema?.safeParse(body).error?.issues.filter(({ code }) => code === 'unrecognized_keys') ?? [];
        expect(unknown, `${command} ${flag.flags}`).toEqual([]);
      }
    }
  });

  it('carry the reason, whatever characters it has', async () => {
    await harness.run(['suspend', lic, '--for', 'other', '--reason', 'Müller 100 % überfällig']);
    expect(fake.seen[0]?.reason).toBe('Müller 100 % überfällig');
  });

  it.each([
    [['issue'], /body|plan/],
    [['issue', '--plan', 'pro', '--until', 'tomorrow'], /Give a date/],
    [['issue', '--plan', 'pro', '--until', '2027-01-01', '--perpetual'], /contradict/],
    [['issue', '--plan', 'pro', '--metadata', 'a=1', '--metadata', 'a=2'], /given twice/],
    [['issue', '--plan', 'pro', '--price', '4.99'], /whole number/],
    [['issue', '--plan', 'pro', '--entitlement', 'tokens=limit:many'], /limit:1000000/],
    [['issue', '--plan', 'pro', '--from-file', '-'], /stands for the whole body/],
    [['issue', '--plna', 'pro'], /Did you mean --plan/],
    [['suspend', lic, '--for', 'fun'], /payment, dispute/],
    [['suspend', lic], /reason/],
    [['revok', lic], /Unknown command/],
    [['show'], /Missing required argument/],
    [['list', '--limit', '5', '--all'], /cannot be used with/],
  ])('are refused with exit code 3 and without asking the server: %j', async (args, why) => {
    const { code, err } = await harness.run(args);
    expect([code, err]).toEqual([3, expect.stringMatching(why)]);
    expect(fake.seen).toEqual([]);
  });

  it('give way to a file with the whole body', async () => {
    const { code } = await harness.run(['issue', '--from-file', '-', '--json'], { stdin: '{"plan":"pro"}' });
    expect([code, fake.seen[0]?.body]).toEqual([0, { plan: 'pro' }]);
    expect((await harness.run(['issue', '--from-file', '-'], { stdin: '{"plan":"pro","x":1}' })).err).toMatch(
      /\$\.x: is not a known member/,
    );
    expect((await harness.run(['issue', '--from-file', '-'], { stdin: '{' })).code).toBe(3);
  });
});

describe('answers', () => {
  it('show what happened and the license key, and to programs the whole answer', async () => {
    const { code, out } = await harness.run(['issue', '--plan', 'pro']);
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(/license\.issued {2}lic_\w+ {2}revision 0, entry 2[\s\S]*License key: TALLY-/),
    ]);
    expect((await harness.run(['issue', '--plan', 'pro', '--json'])).json()).toMatchObject({
      document: { type: 'license' },
      published: false,
    });
    expect((await harness.run(['issue', '--plan', 'pro', '--dry-run'])).out).toContain('nothing was changed');
  });

  it('are tables that fit the terminal, with colors only where a person looks', async () => {
    for (let count = 0; count < 3; count += 1)
      await harness.run(['issue', '--plan', 'pro', '--licensee', 'L'.repeat(90)]);
    const terminal = await harness.run(['list'], { isTTY: true, columns: 80 });
    expect(terminal.out).toContain('\u001b[1m');
    expect(
      terminal.out
        .replaceAll(escapes, '')
        .split('\n')
        .every((line) => line.length <= 80),
    ).toBe(true);
    expect(
      (await harness.run(['list'], { isTTY: true, columns: 80, env: { NO_COLOR: '1' } })).out,
    ).not.toContain('\u001b');
    const piped = await harness.run(['list']);
    expect(piped.out).not.toContain('\u001b');
    expect(piped.out).toContain('L'.repeat(90));
  });

  it('read as many pages as were asked for', async () => {
    for (let count = 0; count < 5; count += 1)
      await harness.run(['customer', 'create', '--reference', `c${count}`]);
    const some = await harness.run(['customer', 'list', '--limit', '2', '--json']);
    expect(some.json()).toMatchObject({ items: [{}, {}], nextCursor: '2' });
    const next = await harness.run(['customer', 'list', '--cursor', '2', '--json']);
    expect((next.json() as { items: unknown[] }).items).toHaveLength(3);
    expect((await harness.run(['customer', 'list', '--limit', '2'])).err).toContain('--cursor 2');
  });

  it('show one subject, its history and the state of the log', async () => {
    await harness.run(['issue', '--plan', 'pro', '--order', '4711', '--json']);
    const [id = ''] = fake.namespace.idsOf('license');
    expect((await harness.run(['show', id])).out).toMatch(/order {2,}4711/);
    expect((await harness.run(['plan', 'show', 'pro'])).out).toMatch(
      /entitlements\.tokens {2,}1000 per P1M, then block/,
    );
    expect((await harness.run(['history', id])).out).toMatch(/license\.issued {2}tester/);
    expect(await harness.run(['status'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('witness-1') as string,
    });
  });
});

describe('exit codes', () => {
  it('exist for every problem, and stay as they are', () => {
    const byCode = Map.groupBy(problemCodes, exitCodeOfProblem);
    expect(byCode.get(2)).toEqual(['log_behind', 'signer_behind', 'integrity']);
    expect(byCode.get(3)).toEqual([
      'malformed_request',
      'unknown_member',
      'idempotency_key_invalid',
      'body_too_large',
      'unsupported_media_type',
      'not_found',
      'method_not_allowed',
    ]);
    expect(byCode.get(4)).toEqual([
      'rate_limited',
      'overloaded',
      'not_committed',
      'outcome_unknown',
      'store_unavailable',
      'access_log_unavailable',
      'publication_stalled',
      'standby',
      'signer_unavailable',
      'clock_differs',
      'not_published_yet',
      'internal',
    ]);
    expect(exitCodeOfProblem('a_code_of_tomorrow')).toBe(1);
  });

  it('of the state of the log say whether waiting helps', () => {
    const well = { signer: { connected: true, mark: null }, pending: { publishBy: null } };
    const exitCode = (code: ProblemCode | null, changed: object = {}): number => {
      const reasons = code === null ? [] : [{ code, detail: '' }];
      const status = { ...well, mutations: { ready: code === null, reasons }, ...changed };
      return exitCodeOfStatus(status as unknown as LogStatus, Date.now());
    };
    expect(exitCode(null)).toBe(0);
    expect(exitCode('log_behind')).toBe(2);
    expect(exitCode('signer_behind')).toBe(2);
    expect(exitCode('integrity')).toBe(2);
    expect(exitCode('standby')).toBe(4);
    expect(exitCode('namespace_locked')).toBe(4);
    expect(exitCode(null, { signer: { connected: false, mark: null } })).toBe(4);
    expect(exitCode(null, { pending: { publishBy: '2026-01-01T00:00:00.000Z' } })).toBe(4);
  });

  it('and problems reach people as two sentences, and programs as JSON with the key to repeat', async () => {
    const { code, err } = await harness.run(['issue', '--plan', 'nothing']);
    expect(code).toBe(1);
    expect(err).toMatch(
      /tally: .*nothing.*\(plan_unknown\)\n.+\nTo repeat exactly this: --idempotency-key key-3/,
    );
    const json = (await harness.run(['issue', '--plan', 'nothing', '--json'])).json();
    expect(json).toMatchObject({
      error: { code: 'plan_unknown', exitCode: 1, requestId: 'req-1', idempotencyKey: 'key-4' },
    });
  });

  it.each([
    ['unreachable', { adminUrl: 'http://127.0.0.1:1', token: 'secret-token' }, 4],
    ['no token', { adminUrl: 'http://127.0.0.1:1' }, 3],
    ['a token that is none', { adminUrl: 'http://127.0.0.1:1', token: 'secret-token\n' }, 3],
    ['no server', {}, 3],
    ['no address', { adminUrl: 'ftp://x', token: 'secret-token' }, 3],
  ])('say that there is %s, and never the token', async (_, clientFile, expected) => {
    harness.connect(clientFile);
    const { code, out, err } = await harness.run(['list', '--json']);
    expect([code, out + err]).toEqual([expected, expect.not.stringContaining('secret-token')]);
    expect((JSON.parse(out) as { error: Problem }).error.code).not.toBe('defect');
  });

  it('do not call a folder empty that they may not look into', async () => {
    // As root may look into every other one.
    const folder = mkdtempSync(join(harness.folder, 'loop-'));
    for (const name of ['client.json', 'system.json']) symlinkSync(name, join(folder, name));
    for (const verb of ['list', 'fsck', 'up']) {
      const { code, err } = await harness.run([verb, '--data', folder]);
      expect([verb, code, err]).toEqual([
        verb,
        3,
        expect.stringMatching(/\.json cannot be reached: ELOOP.*\nRun this as the user whose it is/),
      ]);
    }
  });

  it('keep a token from any server but its own', async () => {
    const other = await ContractFake.start();
    const { code, err } = await harness.run(['list', '--url', other.url]);
    expect([code, err, other.seen]).toEqual([3, expect.stringContaining('another server'), []]);
    const file = harness.write('token', `${other.token}\n`);
    expect((await harness.run(['list', '--url', other.url, '--token-file', file])).code).toBe(0);
    await other[Symbol.asyncDispose]();
  });
});

describe('the client', () => {
  it('repeats what may pass, as long after as the server says, with the same key', async () => {
    let left = 2;
    fake.trouble = () => (left-- > 0 ? { code: 'overloaded', retryAfter: 3 } : null);
    const { code, err } = await harness.run(['issue', '--plan', 'pro']);
    expect([code, harness.slept, err.match(/Trying again in 3\.0 s/g)?.length]).toEqual([0, [3000, 3000], 2]);
    expect(new Set(fake.seen.map(({ idempotencyKey }) => idempotencyKey))).toEqual(new Set(['key-3']));
  });

  it('says once what many requests wait for at the same time, as the rows of an import do', async () => {
    let left = 30;
    fake.trouble = () => (left-- > 0 ? { code: 'overloaded', retryAfter: 3 } : null);
    const said: string[] = [];
    const allWait = Promise.withResolvers<void>();
    let waiting = 0;
    const client = new Client({
      url: new URL(fake.url),
      credential: { token: fake.token },
      tls: {},
      signal: new AbortController().signal,
      retry: patientRetries,
      sleep: () => {
        waiting += 1;
        if (waiting === 30) allWait.resolve();
        return allWait.promise;
      },
      onRetry: (message) => said.push(message),
    });
    await Promise.all(Array.from({ length: 30 }, () => client.call('product.list')));
    expect([said.length, fake.seen.length]).toEqual([1, 60]);
    expect(said[0]).toMatch(/Trying again in 3\.0 s\.$/);
  });

  it('repeats a request whose connection broke off', async () => {
    let left = 1;
    fake.trouble = () => (left-- > 0 ? 'drop' : null);
    expect((await harness.run(['list'])).code).toBe(0);
  });

  it('does not repeat for ever, nor what a wait does not cure', async () => {
    fake.trouble = () => ({ code: 'publication_stalled' });
    expect((await harness.run(['issue', '--plan', 'pro'])).code).toBe(4);
    expect(fake.seen).toHaveLength(4);
    fake.seen.length = 0;
    fake.trouble = () => ({ code: 'log_behind' });
    expect((await harness.run(['issue', '--plan', 'pro'])).code).toBe(2);
    expect(fake.seen).toHaveLength(1);
    fake.trouble = () => ({ code: 'rate_limited', retryAfter: 3600 });
    expect((await harness.run(['list'])).code).toBe(4);
  });

  it('takes nothing that is not in the contract', async () => {
    fake.trouble = () => 'nonsense';
    const { code, err } = await harness.run(['list']);
    expect([code, err]).toEqual([4, expect.stringContaining('no Tallystick server')]);
  });

  it('asks for nothing where the license file that it should write has no place', async () => {
    const places = [harness.path('nowhere/license.tally'), harness.folder];
    for (const out of places) {
      const { code, err } = await harness.run(['issue', '--plan', 'pro', '--out', out]);
      expect([code, err]).toEqual([3, expect.stringMatching(/cannot be written: .*\nChoose another path/)]);
    }
    const { code, err } = await harness.run(['issue', '--plan', 'pro', '--out', '-']);
    expect([code, err]).toEqual([3, expect.stringContaining('- is no file to write to.')]);
    expect(fake.seen).toEqual([]);
  });

  it('says what was made, and how to have its answer again, where the license file could not be written', async () => {
    fake.bundle = { v: 1, trust: [], anchor: { entry: '', proof: '' }, keys: [], subjects: [] };
    // Its name is as long as a name may be, so that the draft beside it is too long.
    const out = harness.path('x'.repeat(255));
    const { code, err } = await harness.run(['issue', '--plan', 'pro', '--out', out]);
    const [id = ''] = fake.namespace.idsOf('license');
    expect([code, err]).toEqual([
      3,
      expect.stringContaining(`The change itself is made, to ${id}: repeat it`),
    ]);
    const [, key = ''] = /--idempotency-key (\S+)/.exec(err) ?? [];
    const again = await harness.run(['issue', '--plan', 'pro', '--idempotency-key', key, '--json']);
    expect(again.json()).toMatchObject({ document: { id }, licenseKey: expect.stringMatching(/^TALLY-/) });
  });

  it('sends no token to the public listener', async () => {
    const { code } = await harness.run(['bundle', '--key', 'TALLY-00000']);
    expect([code, fake.seen[0]?.authorization, fake.seen[0]?.body]).toEqual([
      1,
      null,
      { licenseKey: 'TALLY-00000' },
    ]);
  });

  it('knows every problem of the contract by its sentence', () => {
    for (const code of problemCodes) expect(problemOf(code, { requestId: 'r' }).detail).toMatch(/\.$/);
  });
});
