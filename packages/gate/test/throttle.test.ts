/** What strangers can make a server keep about logins that failed, and what they cannot make it forget. */
import { expect, test } from 'vitest';
import { Throttle } from '../src/login/throttle.ts';

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
