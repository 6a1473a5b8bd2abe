/** Passwords and one-time codes, and what strangers do with them. */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newSecretToken } from '../src/index.ts';
import { HighWaterMarks, type LoginError, Passwords, Throttle } from '../src/login/index.ts';
import { ada, bob, LoginRig, newLoginSecret, testCost } from './support/login-rig.ts';

const password = 'correct horse battery';
let rig: LoginRig;
let codes: { code: () => string };

beforeAll(async () => {
  rig = await LoginRig.start();
  codes = await rig.enroll(ada, password);
});
afterAll(() => rig[Symbol.asyncDispose]());

let hosts = 0;
const newAddress = (): string => `10.0.${hosts >> 8}.${hosts++ & 255}`;
const logIn = (account: string, given: { password?: string; code: string; address?: string }) =>
  rig.accounts.logIn(account, { password, address: newAddress(), ...given });

describe('password and code', () => {
  it('log in together, by email or id, and count as two factors without a step-up', async () => {
    rig.nextPeriod();
    const proven = await logIn(' ADA@example.com', { code: codes.code() });
    expect(proven).toMatchObject({ principal: ada.id, strength: 2, steppedUpAt: null, device: null });
    rig.nextPeriod();
    expect((await logIn(ada.id, { code: codes.code() })).principal).toBe(ada.id);
  });

  it('a code counts once, also at the same moment, and the one used to enroll counts as used', async () => {
    rig.nextPeriod();
    const code = codes.code();
    const both = await Promise.allSettled([logIn(ada.id, { code }), logIn(ada.id, { code })]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    await expect(logIn(ada.id, { code })).rejects.toThrow(/used before/);
    const { code: bobs } = await rig.enroll(bob, 'another long password');
    await expect(logIn(bob.id, { code: bobs(), password: 'another long password' })).rejects.toThrow(
      /used before/,
    );
  });

  it('a code counts once across a restart', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tally-marks-'));
    const file = join(folder, 'marks.db');
    {
      using marks = new HighWaterMarks(file);
      expect([marks.raise('a', 5), marks.raise('a', 5), marks.raise('a', 4), marks.raise('b', 4)]).toEqual([
        true,
        false,
        false,
        true,
      ]);
    }
    {
      using marks = new HighWaterMarks(file);
      expect([marks.raise('a', 5), marks.raise('a', 6)]).toEqual([false, true]);
    }
    rmSync(folder, { recursive: true });
  });

  it('a wrong password uses no code up, so that nobody can lock its owner out with it', async () => {
    rig.nextPeriod();
    const code = codes.code();
    await expect(logIn(ada.id, { code, password: 'something else entirely' })).rejects.toThrow(/is wrong/);
    expect((await logIn(ada.id, { code })).principal).toBe(ada.id);
  });

  it('codes of other times, of the wrong form, and of another person do not count', async () => {
    rig.nextPeriod();
    const old = codes.code();
    rig.aheadMs += 90_000;
    for (const code of [old, '', '12345', '1234567', ' 123456', '١٢٣٤٥٦'])
      await expect(logIn(ada.id, { code })).rejects.toThrow(/is wrong/);
    await expect(logIn(bob.id, { code: codes.code(), password: 'another long password' })).rejects.toThrow(
      /is wrong/,
    );
  });

  it('a stranger learns nothing about accounts: the answer is the same for all that is wrong', async () => {
    rig.nextPeriod();
    const messages = await Promise.all(
      [
        logIn('nobody@example.com', { code: '000000' }),
        logIn('prn_nobody', { code: '000000' }),
        logIn(ada.id, { code: codes.code(), password: 'wrong password here' }),
        logIn(ada.id, { code: '000000' }),
      ].map((trying) => trying.then(() => 'in', String)),
    );
    expect(new Set(messages).size).toBe(1);
  });

  it('an unknown account costs as much work as a known one', async () => {
    const passwords = new Passwords({ secret: newLoginSecret(), random: randomBytes });
    const timed = async (material: Record<string, string> | null): Promise<number> => {
      const began = performance.now();
      expect(await passwords.verify('whatever', material)).toBe(false);
      return performance.now() - began;
    };
    const material = await passwords.hash('a long enough password', []);
    const [unknownMs, knownMs] = [await timed(null), await timed(material)];
    // One hash of the real cost takes hundreds of milliseconds; without it the answer would come at once.
    expect(unknownMs).toBeGreaterThan(30);
    expect(unknownMs).toBeGreaterThan(knownMs / 4);
  });
});

it('password and code prove presence where that is allowed, and never for who has a passkey', async () => {
  await using local = await LoginRig.start([], { codesStepUp: true });
  const { code } = await local.enroll(ada, password);
  const shown = async () => {
    local.nextPeriod();
    return local.accounts.logIn(ada.id, { password, code: code(), address: '::1' });
  };
  const proven = await shown();
  expect(proven).toMatchObject({ strength: 2, steppedUpAt: proven.authenticatedAt });
  local.add('passkey', ada.id, 'a passkey');
  expect(await shown()).toMatchObject({ strength: 2, steppedUpAt: null });
});

describe('guessing', () => {
  it('ends after five tries at an account from one address, for those that do not exist as well', async () => {
    for (const account of [bob.id, 'nobody@example.com']) {
      const address = newAddress();
      const tries = Array.from({ length: 8 }, () => logIn(account, { code: '000000', address }));
      const results = await Promise.allSettled(tries);
      const codesOf = results.map((each) =>
        each.status === 'rejected' ? (each.reason as LoginError).code : 'in',
      );
      expect(codesOf.filter((code) => code === 'unauthorized')).toHaveLength(5);
      expect(codesOf.filter((code) => code === 'rate_limited')).toHaveLength(3);
    }
  });

  it('is limited per account from everywhere, per address for all accounts, and per /64 of IPv6', () => {
    const now = 0;
    const throttle = new Throttle(() => now);
    const takes = (account: (at: number) => string, address: (at: number) => string): number => {
      for (let at = 0; at < 100; at++) {
        try {
          throttle.take(account(at), address(at));
        } catch {
          return at;
        }
      }
      return 100;
    };
    expect(
      takes(
        () => 'one',
        (at) => `192.0.2.${at}`,
      ),
    ).toBe(30);
    expect(
      takes(
        (at) => `account ${at}`,
        () => '198.51.100.1',
      ),
    ).toBe(30);
    expect(
      takes(
        (at) => `other ${at}`,
        (at) => `2001:db8:1:2::${at.toString(16)}`,
      ),
    ).toBe(30);
    expect(
      takes(
        (at) => `more ${at}`,
        (at) => `2001:db8:2:${at.toString(16)}::1`,
      ),
    ).toBe(100);
    expect(
      takes(
        (at) => `mapped ${at}`,
        () => '::ffff:198.51.100.1',
      ),
    ).toBe(0);
  });

  it('success gives the try back, and time forgives', () => {
    let now = 0;
    const throttle = new Throttle(() => now);
    for (let at = 0; at < 50; at++) throttle.take('ada', '192.0.2.1')();
    for (let at = 0; at < 5; at++) throttle.take('ada', '192.0.2.1');
    expect(() => throttle.take('ada', '192.0.2.1')).toThrow(/wait 15 min/);
    now += 15 * 60_000;
    expect(() => throttle.take('ada', '192.0.2.1')).not.toThrow();
  });
});

describe('a password in the log', () => {
  const secret = newLoginSecret();
  const passwords = new Passwords({ secret, random: randomBytes, cost: testCost });

  it('is salted, verifies, and is worth nothing without the secret of the server', async () => {
    const [one, two] = await Promise.all([passwords.hash(password, []), passwords.hash(password, [])]);
    expect(one?.['hash']).not.toBe(two?.['hash']);
    expect(await passwords.verify(password, one ?? null)).toBe(true);
    expect(await passwords.verify(`${password} `, one ?? null)).toBe(false);
    const stolen = new Passwords({
      secret: newLoginSecret(),
      random: randomBytes,
      cost: testCost,
    });
    expect(await stolen.verify(password, one ?? null)).toBe(false);
  });

  it('may be typed on any keyboard', async () => {
    const hash = await passwords.hash('Gru\u0308\u00dfe aus Mu\u0308nchen', []);
    expect(await passwords.verify('Gr\u00fc\u00dfe aus M\u00fcnchen', hash)).toBe(true);
  });

  it.each([
    ['short', 'eleven char'],
    ['of one letter', 'aaaaaaaaaaaaaaaa'],
    ['the name', 'my name is Ada Byron'],
    ['endless', 'x1y2z'.repeat(60)],
  ])('that is %s is refused', async (_, text) => {
    await expect(passwords.hash(text, [ada.name])).rejects.toThrow(/a password/);
  });

  it('says its own cost, and no more than a server can bear is believed', async () => {
    const hash = await passwords.hash(password, []);
    expect(hash).toMatchObject({ scheme: 'scrypt', n: '1024', r: '8', p: '1' });
    await expect(passwords.verify(password, { ...hash, n: '1073741824' })).rejects.toThrow(/cost/);
    await expect(passwords.verify(password, { ...hash, scheme: 'plain' })).rejects.toThrow(/kind/);
  });

  it('is hashed two at a time, and a flood is turned away', async () => {
    const results = await Promise.allSettled(Array.from({ length: 60 }, () => passwords.verify('x', null)));
    const away = results.filter(({ status }) => status === 'rejected');
    expect(away).toHaveLength(60 - 2 - 32);
  });
});

describe('a sealed seed', () => {
  const secret = newLoginSecret();
  const sealed = secret.seal(Buffer.from('seed'), 'totp prn_ada', randomBytes);

  it('opens for its owner alone, unaltered, under the same secret', () => {
    expect(Buffer.from(secret.open(sealed, 'totp prn_ada')).toString()).toBe('seed');
    expect(() => secret.open(sealed, 'totp prn_bob')).toThrow();
    expect(() => newLoginSecret().open(sealed, 'totp prn_ada')).toThrow();
    const bytes = Buffer.from(sealed, 'base64');
    for (let at = 0; at < bytes.length; at++) {
      const altered = Buffer.from(bytes);
      altered[at] = (altered[at] ?? 0) ^ 1;
      expect(() => secret.open(altered.toString('base64'), 'totp prn_ada')).toThrow();
    }
  });
});

describe('an invitation', () => {
  it('is good once, also for two at the same moment', async () => {
    const invitation = rig.invite(bob);
    const other = rig.enrollment.seed(invitation);
    expect(rig.enrollment.seed(invitation)).toEqual(other);
    const { TOTP, Secret } = await import('otpauth');
    const code = new TOTP({ secret: Secret.fromBase32(other.secret) }).generate({ timestamp: rig.now() });
    const enrolling = () =>
      rig.enrollment.withPassword(invitation, { password: 'yet another password', code, address: '::1' });
    const both = await Promise.allSettled([enrolling(), enrolling()]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    await expect(enrolling()).rejects.toThrow(/invitation was used/);
    expect(() => rig.enrollment.seed(invitation)).toThrow(/invitation was used/);
  });

  it('is kept where code or password is wrong, and none is guessed', async () => {
    const invitation = rig.invite(bob);
    await expect(
      rig.enrollment.withPassword(invitation, { password, code: '000000', address: '::1' }),
    ).rejects.toThrow(/does not fit/);
    expect(() => rig.enrollment.invited(invitation)).not.toThrow();
    expect(() => rig.enrollment.invited(newSecretToken('invite', randomBytes))).toThrow(/never was/);
    expect(() => rig.enrollment.invited('')).toThrow(/never was/);
  });
});
