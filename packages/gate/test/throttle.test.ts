/** What strangers can make a server keep about logins that failed, and what they cannot make it forget. */
import { randomBytes } from 'node:crypto';
import { afterAll, expect, test } from 'vitest';
import { DeviceCodes } from '../src/login/issuer/device-codes.ts';
import { Throttle } from '../src/login/throttle.ts';
import { newWorld, removeWorlds, requestOf } from './support/people.ts';
import { body, newSigningKey, signed } from './support/request.ts';

afterAll(removeWorlds);

const limit = { tries: 3, windowMs: 60_000 };
const limits = { pair: limit, account: limit, address: limit };

function failed(throttle: Throttle, account: string, address: string): boolean {
  try {
    throttle.take(account, address);
    return false;
  } catch {
    return true;
  }
}

test('whoever may try no more makes nobody’s failures forgotten', () => {
  const throttle = new Throttle(() => 0, limits);
  for (let nth = 0; nth < 3; nth++) throttle.take('ada@example.com', '198.51.100.1');
  for (let nth = 0; nth < 26_000; nth++) failed(throttle, `nobody-${nth}`, '203.0.113.9');
  expect(failed(throttle, 'ada@example.com', '198.51.100.2')).toBe(true);
});

test('whoever has many addresses of one network is one stranger, whatever is shown', async () => {
  const key = newSigningKey();
  const { people, authenticator } = newWorld();
  people.addPrincipal('prn_service', 'service');
  people.addSigningKey('crd_signing', 'prn_service', key);
  const message = signed(key, {}, body, { nowMs: 0, nonce: 'n' });
  const allowances = ['2001:db8::1', '2001:db8::2', '2001:db8::ffff:3'].map((socketAddress) =>
    authenticator.allowanceOf(requestOf({ message, socketAddress })),
  );
  expect(new Set(allowances).size).toBe(1);
});

test('device codes of one network leave some for others', () => {
  const codes = new DeviceCodes({ now: () => 0, random: randomBytes });
  const begin = (address: string) => codes.begin({ clientId: 'tally', address, userAgent: '' });
  for (let nth = 1; nth <= 10; nth++) begin(`2001:db8::${nth}`);
  expect(() => begin('2001:db8::b')).toThrow('too many device codes');
  expect(begin('2001:db8:1::1').userCode).toMatch(/^[A-Z]{4}-[A-Z]{4}$/);
});
