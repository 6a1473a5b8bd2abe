/** How many connections one host gets at a witness, however many addresses it has. */
import { EventEmitter } from 'node:events';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { hostOf } from '../src/http/host-of.ts';
import { limitAddresses } from '../src/http/server.ts';

/** Connections that stay open, of which the witness keeps so many. */
function kept(addresses: readonly string[]): number {
  const server = new EventEmitter();
  limitAddresses(server as Server);
  let count = 0;
  for (const remoteAddress of addresses) {
    const socket = new EventEmitter() as Socket;
    count += 1;
    Object.assign(socket, { remoteAddress, destroy: () => (count -= 1) });
    server.emit('connection', socket);
  }
  return count;
}

const addresses = (of: (nth: number) => string): string[] =>
  Array.from({ length: 1000 }, (_, nth) => of(nth));

describe('a witness', () => {
  it('takes 128 connections of one host, from whichever addresses of its network', () => {
    expect(kept(addresses(() => '192.0.2.1'))).toBe(128);
    expect(kept(addresses((nth) => `2001:db8:1:2:${nth.toString(16)}::1`))).toBe(128);
    expect(kept(addresses((nth) => `2001:db8:1:${nth.toString(16)}::1`))).toBe(1000);
    expect(kept(addresses((nth) => `192.0.${nth % 250}.${Math.floor(nth / 250)}`))).toBe(1000);
  });

  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8::6', '2001:db8:0:0'],
    ['2001:db8:1:2::', '2001:db8:1:2'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['::1', '0:0:0:0'],
    ['', ''],
  ])('takes %s for the host %s', (address, host) => {
    expect(hostOf(address)).toBe(host);
  });
});
